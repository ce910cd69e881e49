//! The table of a policy set: what `access` finds, in names and words.

use std::collections::BTreeSet;
use std::rc::Rc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::table::{
    Approval, Cell, Clause, Column, ColumnKind, End, ItemKind, Matrix, Row, Section, Who,
};
use super::words;
use crate::access::{Alternative, Item, Reach, Reached, ReachedItem, Spot, Whom};
use crate::engine::{ChannelState, ReviewState, utc_day};
use crate::identity::{GroupId, UserName};
use crate::policy::PolicySet;
use crate::policy::model::{
    Approver, Ban, BanWhat, Effect, EnvironmentId, Place, PlaceId, PlaceKind, RuleId, Server,
    ServerEnvironment, Trait,
};

impl Matrix {
    /// Who may call what under the policies at an instant, on these servers in these environments;
    /// what is not there is left out. Reviews count as in force, and notes say which are not.
    #[must_use]
    pub fn of(set: &PolicySet, at: Timestamp, wanted: &[(&Server, EnvironmentId)]) -> Self {
        let reach = Reach::new(set, at);
        let words = Words { set, at };
        let section =
            |(server, environment): &(&Server, _)| words.section(&reach, server, *environment);
        let sections = wanted.iter().filter_map(section).collect();
        Self { at, digest: set.digest().to_string(), sections }
    }
}

/// The cells of one column.
type Cells<'r> = Vec<&'r Rc<Vec<Alternative>>>;

/// Spots of one place from which the same people may do the same.
struct Alike<'r> {
    place: PlaceId,
    spots: Vec<Spot>,
    cells: Cells<'r>,
}

struct Words<'s> {
    set: &'s PolicySet,
    at: Timestamp,
}

impl Words<'_> {
    fn section(&self, reach: &Reach, server: &Server, id: EnvironmentId) -> Option<Section> {
        let environment = server.environment(id)?;
        let reached = reach.of(&server.name, id)?;
        let columns = columns(&reached);
        let named: Vec<_> =
            columns.iter().filter_map(|alike| self.column(alike, &columns)).collect();
        let rows =
            reached.items.iter().enumerate().filter_map(|(index, ReachedItem { item, .. })| {
                let cell = |(_, alike, kind): &(Column, &Alike<'_>, ColumnKind)| {
                    let clauses = alike.cells.get(index).map(|cell| self.clauses(cell, *kind));
                    Cell { clauses: clauses.unwrap_or_default() }
                };
                let row = self.row(server, item)?;
                Some(Row { cells: named.iter().map(cell).collect(), ..row })
            });
        let mut section = Section {
            server: server.name.to_string(),
            title: None,
            environment: self.set.environment_name(id).to_owned(),
            rows: rows.collect(),
            columns: named.into_iter().map(|(column, _, _)| column).collect(),
            notes: Vec::new(),
        };
        join_looking(&mut section);
        section.notes = self.notes(server, environment, &section);
        Some(section)
    }

    /// A column with its name.
    fn column<'c, 'r>(
        &self,
        alike: &'c Alike<'r>,
        all: &[Alike<'r>],
    ) -> Option<(Column, &'c Alike<'r>, ColumnKind)> {
        let Alike { place: id, spots, cells: _ } = alike;
        let place = self.set.place(*id)?;
        let name = &place.name;
        let kind = match place.kind {
            PlaceKind::Service => ColumnKind::Service,
            PlaceKind::Surface { .. } => ColumnKind::Surface,
        };
        if all.iter().filter(|other| other.place == *id).count() == 1 {
            return Some((Column { name: name.to_string(), kind }, alike, kind));
        }
        let has = |channel| spots.iter().any(|spot| spot.channel == channel);
        let channels = if has(ChannelState::Other) && has(ChannelState::Unknown) {
            // Every channel without a column of its own.
            "(else)".to_owned()
        } else {
            let names: Vec<_> = spots.iter().filter_map(|spot| channel(spot, place)).collect();
            names.join("|")
        };
        let name = format!("{name}/{channels}");
        Some((Column { name, kind: ColumnKind::Channel }, alike, kind))
    }

    fn row(&self, server: &Server, item: &Item) -> Option<Row> {
        let looking = |name: &str| Row {
            name: name.to_owned(),
            kind: ItemKind::Looking,
            effect: None,
            traits: Vec::new(),
            limited: false,
            approval: None,
            cells: Vec::new(),
        };
        let row = |name: &str, kind, effect, traits: &[_]| Row {
            kind,
            effect: Some(effect),
            traits: traits.to_vec(),
            ..looking(name)
        };
        Some(match item {
            Item::Look => looking(LOOKING),
            Item::Open => looking(OPENING),
            Item::Tasks => looking(TASKS),
            Item::Method(name) => looking(&format!("method {name}")),
            Item::Tool(name) => {
                let (_, tool) = server.tool(name)?;
                Row {
                    limited: !tool.limits.is_empty() || tool.accepts.is_some(),
                    approval: tool.approval.as_ref().map(|approver| self.approval(approver)),
                    ..row(name, ItemKind::Tool, tool.effect, &tool.traits)
                }
            }
            Item::Resource { pattern, uri } => {
                let (_, resource) = server.resource(uri)?;
                row(pattern, ItemKind::Resource, resource.effect, &resource.traits)
            }
            Item::Prompt(name) => {
                let (_, prompt) = server.prompt(name)?;
                row(name, ItemKind::Prompt, prompt.effect, &prompt.traits)
            }
        })
    }

    fn approval(&self, approver: &Approver) -> Approval {
        match approver {
            Approver::Caller => Approval::Caller,
            Approver::AnotherPerson => Approval::AnotherPerson,
            Approver::Groups(groups) => Approval::Groups(self.groups(&groups.iter().collect())),
        }
    }

    fn groups(&self, groups: &BTreeSet<GroupId>) -> Vec<String> {
        let mut names: Vec<_> =
            groups.iter().map(|group| self.set.group_name(*group).to_owned()).collect();
        names.sort_unstable();
        names
    }

    fn clauses(&self, cell: &[Alternative], kind: ColumnKind) -> Vec<Clause> {
        let mut clauses: Vec<_> = cell.iter().map(|one| self.clause(one, kind)).collect();
        clauses.sort_by_cached_key(|clause| {
            (
                words::who_kind(&clause.who) != "groups",
                words::subject(clause),
                words::conditions(clause),
            )
        });
        clauses
    }

    fn clause(&self, one: &Alternative, kind: ColumnKind) -> Clause {
        let Alternative {
            who,
            also_in,
            not,
            not_users,
            scopes,
            limits,
            until,
            unknown_groups,
            shadow,
            trials,
        } = one;
        let mut remarks = Vec::new();
        if *shadow {
            remarks.push("in shadow: recorded, not refused".to_owned());
        }
        if *who == Whom::NobodySignedIn && kind != ColumnKind::Service {
            remarks.push("before signing in".to_owned());
        }
        remarks.extend(trials.iter().filter_map(|rule| self.on_trial(*rule)));
        let user = |name: &UserName| name.to_string();
        Clause {
            who: match who {
                Whom::Groups(groups) => Who::Groups(self.groups(groups)),
                Whom::Anyone => Who::Anyone,
                Whom::Users(users) => Who::Users(users.iter().map(user).collect()),
                Whom::NobodySignedIn => Who::NobodySignedIn,
            },
            also_in: also_in.as_ref().map(|groups| self.groups(groups)).unwrap_or_default(),
            not: self.groups(not),
            not_users: not_users.iter().map(user).collect(),
            scopes: scopes.iter().map(ToString::to_string).collect(),
            limits: limits.iter().cloned().collect(),
            until: until.map(end),
            unknown_groups: *unknown_groups,
            remarks,
        }
    }

    fn on_trial(&self, rule: RuleId) -> Option<String> {
        let name = &self.set.rule(rule)?.name;
        Some(format!("ban {name} is on trial: recorded, not enforced"))
    }

    fn notes(
        &self,
        server: &Server,
        environment: &ServerEnvironment,
        section: &Section,
    ) -> Vec<String> {
        let mut notes = Vec::new();
        let today = utc_day(self.at);
        for needed in &environment.reviews {
            let state = |listed| ReviewState::of(self.set, listed, today);
            if !needed.listed.iter().any(|listed| state(listed) == ReviewState::InForce) {
                let kind = &needed.kind;
                notes.push(format!("no {kind} review is in force: until one is, all is refused"));
            }
        }
        for ban in self.set.guardrails().iter().chain(server.bans()) {
            notes.extend(self.ban_ends(ban, server, environment.id));
        }
        for place in self.set.places() {
            let Place { name, origin: _, workloads: _, kind, reaches: _ } = place;
            let PlaceKind::Surface { clients: Some(clients), channels: _, verified: _ } = kind
            else {
                continue;
            };
            let busy = section.busy().0;
            if busy.iter().any(|(_, column)| column.place() == &**name) {
                notes.push(format!("{name} takes only tokens of {}", clients.join(" or ")));
            }
        }
        notes
    }

    /// That somebody may do more once a ban ends, or less once it is enforced.
    fn ban_ends(&self, ban: &Ban, server: &Server, environment: EnvironmentId) -> Option<String> {
        let Ban { rule, who: _, via: _, environments, servers: _, what, until, trial_until } = ban;
        let elsewhere = environments.as_ref().is_some_and(|list| !list.contains(&environment))
            || !ban.is_about(&server.name);
        let over = until.is_some_and(|until| until <= self.at);
        if elsewhere || over || !concerns(what, server) {
            return None;
        }
        let later = |at: &Timestamp| *at > self.at;
        let said = [
            trial_until.filter(later).map(|at| format!("is enforced from {}", words::instant(at))),
            until.map(|at| format!("ends {}", words::instant(at))),
        ];
        let said: Vec<_> = said.into_iter().flatten().collect();
        let rule = self.set.rule(*rule)?;
        (!said.is_empty()).then(|| format!("ban {rule} {}", said.join(" and ")))
    }
}

/// Whether it takes away anything that the server offers.
fn concerns(what: &BanWhat, server: &Server) -> bool {
    let BanWhat { everything, items, effects, traits } = what;
    let tools = server.tools().iter().map(|tool| (tool.effect, &*tool.traits));
    let resources = server.resources().iter().map(|one| (one.effect, &*one.traits));
    let prompts = server.prompts().iter().map(|one| (one.effect, &*one.traits));
    let mut offered = tools.chain(resources).chain(prompts);
    let of_kind = |(effect, found): (Effect, &[Trait])| {
        effects.contains(&effect) || traits.iter().any(|banned| found.contains(banned))
    };
    *everything || !items.is_empty() || offered.any(of_kind)
}

const LOOKING: &str = "looking around";
const OPENING: &str = "opening a connection";
const TASKS: &str = "tasks";

/// One row for looking around, unless more may open a connection than look.
fn join_looking(section: &mut Section) {
    let cells = |name: &str| {
        let is = |row: &&Row| row.kind == ItemKind::Looking && row.name == name;
        section.rows.iter().find(is).map(|row| &row.cells)
    };
    if cells(LOOKING) == cells(OPENING) {
        section.rows.retain(|row| row.kind != ItemKind::Looking || row.name != OPENING);
    }
}

/// The spots of each place, those from which the same is reached together: places in the order of
/// their file, the rest of their channels last.
fn columns(reached: &Reached) -> Vec<Alike<'_>> {
    let Reached { spots, items } = reached;
    let mut columns: Vec<Alike<'_>> = Vec::new();
    for (index, spot) in spots.iter().enumerate() {
        let cells: Cells<'_> = items.iter().filter_map(|item| item.cells.get(index)).collect();
        let same = |other: &&mut Alike<'_>| other.place == spot.place && other.cells == cells;
        match columns.iter_mut().find(same) {
            Some(known) => known.spots.push(*spot),
            None => columns.push(Alike { place: spot.place, spots: vec![*spot], cells }),
        }
    }
    let order = |spot: &Spot| match spot.channel {
        ChannelState::NotUsed => (0, 0),
        ChannelState::Known(id) => (1, id.index()),
        ChannelState::Other => (2, 0),
        ChannelState::Unknown => (3, 0),
    };
    for alike in &mut columns {
        alike.spots.sort_by_key(order);
    }
    columns.sort_by_key(|alike| {
        let rest = alike.spots.iter().any(|spot| spot.channel == ChannelState::Other);
        (alike.place, rest, alike.spots.first().map(order))
    });
    columns
}

/// `help`; `(other)` for one that is in no list, `(none)` if none is said.
fn channel<'p>(spot: &Spot, place: &'p Place) -> Option<&'p str> {
    match spot.channel {
        ChannelState::NotUsed => None,
        ChannelState::Known(id) => place.channel(id).map(|channel| &*channel.name),
        ChannelState::Other => Some("(other)"),
        ChannelState::Unknown => Some("(none)"),
    }
}

/// As a whole day where that says the same.
fn end(at: Timestamp) -> End {
    let instant = at.to_zoned(TimeZone::UTC);
    let midnight = instant.time() == jiff::civil::Time::midnight();
    match instant.date().yesterday() {
        Ok(day) if midnight => End::LastDay(day),
        Ok(_) | Err(_) => End::Until(at),
    }
}
