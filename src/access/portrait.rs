//! Whether a server is the same on both sides, without asking anything.
//!
//! Only a short cut: servers that look different may well decide alike.

use std::fmt::Write as _;

use super::atoms::Atoms;
use crate::identity::GroupSet;
use crate::policy::PolicySet;
use crate::policy::model::{
    Ban, BanWho, Grant, GrantWho, People, Place, Prompt, Protocol, Resource, Server,
    ServerEnvironment, Tool,
};

/// What all servers of a set share: as long as it is the same, places and environments have the
/// same numbers.
pub(super) fn of_set(set: &PolicySet, side: usize, atoms: &Atoms) -> String {
    let mut text = String::new();
    for name in set.environment_names() {
        let _ = writeln!(text, "{name:?}");
    }
    for Place { name, origin: _, workloads, kind, reaches } in set.places() {
        let _ = writeln!(text, "{name:?} {workloads:?} {kind:?} {reaches:?}");
    }
    bans(&mut text, set.guardrails(), side, atoms);
    text
}

/// What decides about a server.
pub(super) fn of_server(server: &Server, side: usize, atoms: &Atoms) -> String {
    let mut text = String::new();
    let environments = server.environments.iter();
    for environment in environments {
        let ServerEnvironment {
            id,
            shadow_until,
            upstream: _,
            path: _,
            route: _,
            reviews: _,
            listed: _,
        } = environment;
        let _ = writeln!(text, "{id:?} {shadow_until:?}");
    }
    for tool in server.tools() {
        let Tool { name, effect, traits, approval, limits, accepts, minutes_saved: _, log_args: _ } =
            tool;
        let approval = approval.is_some();
        let _ = writeln!(text, "{name:?} {effect:?} {traits:?} {approval} {limits:?} {accepts:?}");
    }
    for Resource { pattern, effect, traits } in server.resources() {
        let _ = writeln!(text, "{pattern:?} {effect:?} {traits:?}");
    }
    for Prompt { name, effect, traits } in server.prompts() {
        let _ = writeln!(text, "{name:?} {effect:?} {traits:?}");
    }
    let Protocol { refusal: _, tasks, methods } = server.protocol();
    let _ = writeln!(text, "{:?} {tasks} {methods:?}", server.without_user());
    for grant in server.grants() {
        let Grant { rule: _, who, environments, items, limits, scopes, last_day, until } = grant;
        let _ = write!(text, "{environments:?} {items:?} {limits:?} {scopes:?} ");
        let _ = write!(text, "{last_day:?} {until:?} ");
        match who {
            GrantWho::People { people: who, also_in, except, via } => {
                let also_in = also_in.as_ref().map(|groups| atoms.of(side, groups));
                let except = except.as_ref().map(|groups| atoms.of(side, groups));
                let who = people(who, side, atoms);
                let _ = writeln!(text, "{who:?} {also_in:?} {except:?} {via:?}");
            }
            GrantWho::Users(users, via) => {
                let _ = writeln!(text, "{users:?} {via:?}");
            }
            GrantWho::Services(services) => {
                let _ = writeln!(text, "{services:?}");
            }
        }
    }
    bans(&mut text, server.bans(), side, atoms);
    text
}

fn bans(text: &mut String, bans: &[Ban], side: usize, atoms: &Atoms) {
    for ban in bans {
        let Ban { rule: _, who, via, environments, servers, what, until, trial_until } = ban;
        let _ = write!(text, "{via:?} {environments:?} {servers:?} {what:?} ");
        let _ = write!(text, "{until:?} {trial_until:?} ");
        if let Some(BanWho { people: who, users, services }) = who {
            let who = who.as_ref().map(|who| people(who, side, atoms));
            let _ = write!(text, "{who:?} {users:?} {services:?}");
        }
        text.push('\n');
    }
}

/// `None` for anyone.
fn people(people: &People, side: usize, atoms: &Atoms) -> Option<Vec<u32>> {
    let of = |groups: &GroupSet| atoms.of(side, groups);
    match people {
        People::AnyoneSignedIn => None,
        People::Groups(groups) => Some(of(groups)),
    }
}
