//! Bans of another version of `guardrails.yaml`, beside those of good files: how a ban takes effect
//! while another file is broken.

use std::path::Path;
use std::sync::Arc;

use super::items::{Named, Verb};
use super::read::trees;
use super::rules::banned_groups;
use super::{Asks, Lowering, OneServer, Servers};
use crate::diagnostics::{Diagnostic, Diagnostics, SourceId, Sources};
use crate::policy::cores::Cores;
use crate::policy::files::{PolicyFile, PolicyFiles};
use crate::policy::model::{Ban, PolicySet, Shared};
use crate::policy::raw::{self, RawBan, RawBannedServices, RawVerbs, RawVia, Text};
use crate::policy::{Amended, names};
use crate::yaml::{Node, Reader};

/// A good set with the bans of other versions of its `guardrails.yaml` beside its own; its files
/// are not needed again.
pub(super) fn amended(
    set: &PolicySet,
    asks: &Arc<Asks>,
    root: &Path,
    guardrails: &[PolicyFile],
) -> Amended {
    let files = PolicyFiles { files: guardrails.to_vec(), ..PolicyFiles::rooted(root) };
    let (mut sources, mut left_out) = (Sources::default(), Vec::new());
    let trees = trees(&files, Cores::One, &mut sources, &mut left_out);
    let bans = more_bans(&trees, &mut left_out);
    let named: Servers<'_> =
        set.servers.iter().map(|server| (&*server.name, OneServer::Kept(server))).collect();
    let mut lowering = Lowering {
        shared: Arc::clone(&set.shared),
        asks: Arc::clone(asks),
        // Theirs come after those that there are.
        rules: set.shared.rules.clone(),
        ..Lowering::new(&sources, Vec::new(), &[], Vec::new())
    };
    let mut guardrails = set.shared.guardrails.clone();
    let own = guardrails.len();
    left_out.extend(lowering.amend(bans, &named, &mut guardrails));
    let rules = lowering.rules;
    let mut set = set.clone();
    let added = guardrails.get(own..).unwrap_or_default();
    let (groups, added) = (banned_groups(added), added.len());
    if !groups.is_empty() {
        for server in set.servers.iter_mut() {
            server.named_groups = groups.iter().chain(server.named_groups.iter()).collect();
        }
    }
    set.shared = Arc::new(Shared { guardrails, rules, ..Shared::clone(&set.shared) });
    Amended { set, added, left_out: Diagnostics { sources, list: left_out }.sorted() }
}

impl Lowering<'_> {
    /// Adds what the bans take away to the guardrails, and returns what could not be added.
    pub(super) fn amend(
        &mut self,
        bans: Vec<RawBan<'_>>,
        servers: &Servers<'_>,
        guardrails: &mut Vec<Ban>,
    ) -> Vec<Diagnostic> {
        let mut left_out = Vec::new();
        for mut ban in bans {
            let (mut lowered, problems) = self.apart(&ban, servers);
            if !problems.is_empty() {
                // Names that the good files do not know match nobody there: what is left bans
                // less, and all that it can.
                let (rest, wrong) = if keep_known(&mut ban, self, servers) {
                    self.apart(&ban, servers)
                } else {
                    (Vec::new(), Vec::new())
                };
                lowered = if wrong.is_empty() { rest } else { Vec::new() };
            }
            for ban in lowered {
                if !guardrails.iter().any(|known| known.says_the_same(&ban)) {
                    guardrails.push(ban);
                }
            }
            left_out.extend(problems);
        }
        left_out
    }

    /// A ban of the guardrails, with its problems apart from those of everything else.
    fn apart(&mut self, ban: &RawBan<'_>, servers: &Servers<'_>) -> (Vec<Ban>, Vec<Diagnostic>) {
        let before = self.problems.len();
        let lowered = self.guardrail(ban, servers);
        (lowered, self.problems.split_off(before))
    }
}

/// Takes out of a ban what is not known. `false` if nothing is left of a list: without it, the ban
/// would be a wider one.
fn keep_known(ban: &mut RawBan<'_>, lowering: &Lowering<'_>, servers: &Servers<'_>) -> bool {
    let group = |name: &Text<'_>| {
        name.value == names::ANYONE || lowering.shared.groups.by_name.contains_key(name.value)
    };
    let place = |name: &Text<'_>| {
        let (name, channel) = match name.value.split_once('/') {
            Some((name, channel)) => (name, Some(channel)),
            None => (name.value, None),
        };
        let place = lowering.shared.places.iter().find(|place| *place.name == *name);
        place.is_some_and(|place| {
            channel.is_none_or(|channel| place.channel_named(channel).is_some())
        })
    };
    let environment = |name: &Text<'_>| {
        lowering.shared.environments.iter().any(|known| *known.name == *name.value)
    };
    let mut rest = true;
    let mut keep = |list: Option<&mut Vec<Text<'_>>>, known: &dyn Fn(&Text<'_>) -> bool| {
        if let Some(list) = list {
            list.retain(|name| known(name));
            rest &= !list.is_empty();
        }
    };
    keep(ban.environments.as_mut(), &environment);
    let named = |name: &Text<'_>| servers.contains_key(name.value);
    keep(ban.servers.as_mut(), &named);
    if let Some(via) = &mut ban.via
        && let RawVia::Places(places) = &mut via.value
    {
        keep(Some(places), &place);
    }
    // Whom it is for adds up: one kind may go if another is left.
    let of_people = ban.people.is_some() || ban.services.is_some() || !ban.users.is_empty();
    if let Some(people) = &mut ban.people {
        people.retain(group);
    }
    ban.people = ban.people.take().filter(|people| !people.is_empty());
    if let Some(RawBannedServices::Only(services)) = &mut ban.services {
        services.retain(place);
    }
    ban.services = ban.services.take().filter(|services| match services {
        RawBannedServices::Any => true,
        RawBannedServices::Only(services) => !services.is_empty(),
    });
    let someone = ban.people.is_some() || ban.services.is_some() || !ban.users.is_empty();
    // What it bans adds up too.
    let about = ban.servers.iter().flatten().filter_map(|name| servers.get(name.value));
    let about: Vec<Named<'_>> = about.map(|server| server.named()).collect();
    let offered = |verb, name: &Text<'_>| about.iter().all(|named| named.has(verb, name.value));
    let RawVerbs { call, read, prompt } = &mut ban.verbs;
    call.retain(|name| offered(Verb::Call, name));
    read.retain(|name| offered(Verb::Read, name));
    prompt.retain(|name| offered(Verb::Prompt, name));
    let something = ban.everything
        || !(ban.verbs.is_empty() && ban.effects.is_empty() && ban.traits.is_empty());
    rest && something && (someone || !of_people)
}

/// The bans of versions of `guardrails.yaml` that can be read whole; of others nothing is taken.
fn more_bans<'n>(
    trees: &'n [(SourceId, &'n str, Node)],
    left_out: &mut Vec<Diagnostic>,
) -> Vec<RawBan<'n>> {
    let mut bans = Vec::new();
    for (source, _, tree) in trees {
        let before = left_out.len();
        let guardrails = raw::guardrails(&mut Reader::new(*source, left_out), tree);
        bans.extend(
            guardrails.filter(|_| left_out.len() == before).into_iter().flat_map(|g| g.bans),
        );
    }
    bans
}
