//! What the table says is what is decided: its words, read again, are put beside `decide` for
//! every caller.

use jiff::Timestamp;
use proptest::prelude::*;
use proptest::sample::Index;
use toolgate::engine::{Query, Verdict};
use toolgate::identity::{Caller, Groups, User};
use toolgate::matrix::{Cell, Clause, ColumnKind, Matrix, Row, Section, Who};
use toolgate::mcp::{Action, Discovery, PromptOp, ResourceOp};
use toolgate::policy::PolicySet;
use toolgate::policy::model::PlaceKind;

use super::access::{ask, askers as all_callers, cases};
use super::generator::{Asker, NOW, PROMPTS, TOOLS, askers, policy, some};
use super::pairs::{self, TIMES, Theme, pair};
use super::{ARGUMENTS, arguments};

const SHADOW: &str = "in shadow: recorded, not refused";
const OPENING: &str = "opening a connection";
const LOOKING: &str = "looking around";

fn matrix(set: &PolicySet, at: Timestamp) -> Matrix {
    let server = set.server("s").unwrap();
    let wanted: Vec<_> = server.environments.iter().map(|here| (server, here.id)).collect();
    Matrix::of(set, at, &wanted)
}

/// The column of a caller; there is none for whoever is nowhere.
fn column(
    set: &PolicySet,
    section: &Section,
    caller: &Caller,
    channel: Option<&str>,
) -> Option<usize> {
    let place = set.place(set.place_of(caller.workload.as_ref())?)?;
    let name = match &place.kind {
        PlaceKind::Surface { channels, .. } if !channels.is_empty() => match channel {
            None => "(none)",
            Some(id) => channels
                .iter()
                .find(|channel| channel.ids.iter().any(|known| **known == *id))
                .map_or("(other)", |channel| &*channel.name),
        },
        PlaceKind::Surface { .. } | PlaceKind::Service => "",
    };
    let among = |channels: &str, name: &str| channels.split('|').any(|channel| channel == name);
    let find = |name: &str| {
        section.columns.iter().position(|column| match column.kind {
            ColumnKind::Surface | ColumnKind::Service => *column.name == *place.name,
            ColumnKind::Channel => {
                let (surface, channels) = column.name.split_once('/').unwrap();
                *surface == *place.name && among(channels, name)
            }
        })
    };
    find(name).or_else(|| find("(else)"))
}

/// What the policies are asked, and what the table says about it.
struct Asked<'a> {
    action: Action<'a>,
    /// The name of the row.
    item: &'a str,
    /// Whether the arguments keep every limit.
    within_limits: bool,
}

fn row<'m>(section: &'m Section, item: &str) -> Option<&'m Row> {
    let named = |name: &str| section.rows.iter().find(|row| row.name == name);
    // Opening a connection has a row of its own only if it differs.
    named(item).or_else(|| named(LOOKING).filter(|_| item == OPENING))
}

fn holds(set: &PolicySet, clause: &Clause, row: &Row, user: Option<&User>, within: bool) -> bool {
    let Clause { who, also_in, not, not_users, scopes, limits, until: _, unknown_groups, remarks } =
        clause;
    let shadow = remarks.iter().any(|remark| remark == SHADOW);
    if !within && (!limits.is_empty() || row.limited && !shadow) {
        return false;
    }
    let Some(user) = user else { return *who == Who::NobodySignedIn };
    let name = format!("{}:{}", user.issuer, user.subject);
    let has = |scope: &String| user.scopes.iter().any(|held| **held == **scope);
    if not_users.contains(&name) || !scopes.iter().all(has) {
        return false;
    }
    let (groups, known) = match &user.groups {
        Groups::Known(groups) => (Some(groups), true),
        Groups::Unknown => (None, *unknown_groups),
    };
    let is_in = |names: &[String]| {
        names.iter().any(|name| groups.is_some_and(|g| g.contains(set.group(name).unwrap())))
    };
    let named = match who {
        Who::Groups(groups) => is_in(groups),
        Who::Anyone => true,
        Who::Users(users) => users.contains(&name),
        Who::NobodySignedIn => false,
    };
    known && named && (also_in.is_empty() || is_in(also_in)) && !is_in(not)
}

fn agree(
    set: &PolicySet,
    matrix: &Matrix,
    environment: &str,
    (caller, channel): (&Caller, Option<&str>),
    asked: &Asked<'_>,
) -> Result<(), TestCaseError> {
    let Asked { action, item, within_limits } = asked;
    let section = matrix.sections.iter().find(|section| section.environment == environment);
    let section = section.unwrap();
    let said = row(section, item).is_some_and(|row| {
        let cell = column(set, section, caller, channel).and_then(|index| row.cells.get(index));
        let clauses = cell.map(|Cell { clauses }| clauses.as_slice()).unwrap_or_default();
        let user = caller.user.as_deref();
        clauses.iter().any(|clause| holds(set, clause, row, user, *within_limits))
    });
    let query =
        Query { server: "s", environment, caller, channel, action: *action, now: matrix.at };
    let verdict = ask(set, &query);
    prop_assert_eq!(
        said,
        verdict != Verdict::Deny,
        "{} for {:?} from {:?} in {}\n{}",
        item,
        caller,
        channel,
        environment,
        toolgate::matrix::text(matrix, 200)
    );
    Ok(())
}

const RESOURCES: [(&str, &str); 2] = [("db://w/a/*", "db://w/a/x"), ("db://w/b", "db://w/b")];

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(96), ..ProptestConfig::default() })]

    #[test]
    fn the_table_says_what_is_decided(policy in policy(), start: Index) {
        let set = policy.load();
        let matrix = matrix(&set, NOW.parse().unwrap());
        let arguments = ARGUMENTS.map(arguments);
        let [none, within] = &arguments;
        let mut asked = Vec::new();
        for name in TOOLS {
            // The tool's own limit may be left out; those of grants may not.
            let within_tool = Asked { action: Action::CallTool { name, arguments: within, task: false }, item: name, within_limits: true };
            asked.push(within_tool);
            let limited = name == "write";
            if !limited {
                asked.push(Asked { action: Action::CallTool { name, arguments: none, task: false }, item: name, within_limits: false });
            }
        }
        let other = |action, item| Asked { action, item, within_limits: true };
        for (pattern, uri) in RESOURCES {
            asked.push(other(Action::Resource { op: ResourceOp::Read, uri }, pattern));
        }
        for name in PROMPTS {
            asked.push(other(Action::Prompt { op: PromptOp::Get, name }, name));
        }
        asked.push(other(Action::Discover(Discovery::Initialize), OPENING));
        asked.push(other(Action::Discover(Discovery::ListTools), LOOKING));
        for Asker { caller, channel, environment } in some(askers(&set), start) {
            for asked in &asked {
                agree(&set, &matrix, environment, (&caller, channel), asked)?;
            }
        }
    }

    /// Claims that groups share, clients, channels, several times; arguments keep the limits.
    #[test]
    fn the_table_says_what_is_decided_at_any_time(pair in pair(Theme::People), start: Index, time in 0..TIMES.len()) {
        let set = pair.1.load().unwrap();
        let matrix = matrix(&set, TIMES[time].parse().unwrap());
        let arguments = arguments(r#"{"n":7}"#);
        for both in some(all_callers([&set, &set], Theme::People), start) {
            let [caller, _] = &both.callers;
            // The table is about tokens that the surface takes; a note says which those are.
            let place = set.place_of(caller.workload.as_ref()).and_then(|id| set.place(id));
            let client = caller.user.as_ref().map(|user| user.client.as_deref());
            let refused = place.is_some_and(|place| match (&place.kind, client) {
                (PlaceKind::Surface { clients: Some(clients), .. }, Some(client)) => {
                    !client.is_some_and(|client| clients.iter().any(|known| **known == *client))
                }
                _ => false,
            });
            if refused {
                continue;
            }
            for environment in ["prod", "dev"] {
                let mut all = Vec::new();
                for item in pairs::TOOLS {
                    let action = Action::CallTool { name: item, arguments: &arguments, task: false };
                    all.push((action, (*item).to_owned()));
                }
                for uri in pairs::URIS {
                    let named = set.server("s").unwrap().resource(uri);
                    let item = named.map(|(_, resource)| resource.pattern.to_string());
                    let action = Action::Resource { op: ResourceOp::Read, uri };
                    all.push((action, item.unwrap_or_default()));
                }
                all.push((Action::Prompt { op: PromptOp::Get, name: "ask" }, "ask".to_owned()));
                all.push((Action::Discover(Discovery::Initialize), OPENING.to_owned()));
                all.push((Action::Discover(Discovery::ListTools), LOOKING.to_owned()));
                for (action, item) in &all {
                    let asked = Asked { action: *action, item, within_limits: true };
                    agree(&set, &matrix, environment, (caller, both.channel), &asked)?;
                }
            }
        }
    }
}
