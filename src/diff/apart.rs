//! What no formula of access looks at, and somebody should: upstreams, who approves, what stands
//! in records.

use super::edits::{Edit, State};
use super::rules::Own;
use super::{Line, Mark, value};
use crate::access::{Direction, Item};
use crate::policy::PolicySet;
use crate::policy::model::{Approver, Server};

pub(super) fn lines(own: &Own<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    match own.both {
        [None, Some(server)] => lines.push(whole(own, server, 1)),
        [Some(server), None] => lines.push(whole(own, server, 0)),
        [Some(_), Some(_)] | [None, None] => {}
    }
    lines.extend(approvals(own));
    lines.extend(tokens(own));
    for edit in own.edits {
        let told = match edit.block.as_str() {
            "environments" => environment(edit),
            "tools" if edit.state == State::Changed && edit.changes("log_args") => {
                let [old, new] = edit.key("log_args");
                let words = value::differences("log_args", old, new).join("; ");
                vec![format!("{}: {words}: what may stand in records", edit.title())]
            }
            // Spoken of elsewhere; whatever else there is, here.
            "about" | "bans" | "discovery" | "forward_token" | "grants" | "prompts"
            | "resource" | "resources" | "tools" | "toolgate" => Vec::new(),
            _ => edit.words(&[]),
        };
        let at = |line: Line| line.because(super::shared::place_of(edit));
        lines.extend(told.into_iter().map(|words| at(Line::new(Mark::Apart, false, words))));
    }
    lines
}

/// Whom tokens are for, and whether the upstream is given them: one thing, in one line.
fn tokens(own: &Own<'_>) -> Option<Line> {
    let [Some(old), Some(new)] = own.both else { return None };
    let is_about = |edit: &&Edit| matches!(edit.block.as_str(), "forward_token" | "resource");
    let edit = own.edits.iter().find(is_about)?;
    let words = |server: &Server| {
        let audience = server.own_resource().unwrap_or("the issuers' audiences");
        let upstream = if server.forwards_token() { "forwarded" } else { "not forwarded" };
        format!("for {audience}, {upstream}")
    };
    let (was, is) = (words(old), words(new));
    let line = if was == is {
        Line::new(Mark::Nothing, false, format!("tokens  {is}, as before"))
    } else {
        let everywhere = old.own_resource().is_some() && new.own_resource().is_none();
        let who = match (new.forwards_token(), everywhere) {
            (true, _) => "the upstream is given tokens: counts as wider",
            (false, true) => "tokens for other servers hold here: counts as wider",
            (false, false) => "",
        };
        let line = Line::new(Mark::Apart, !who.is_empty(), format!("tokens  {was} -> {is}"));
        Line { who: who.to_owned(), ..line }
    };
    Some(line.because(super::shared::place_of(edit)))
}

/// A server that stands on one side only.
fn whole(own: &Own<'_>, server: &Server, side: usize) -> Line {
    let set = if side == 1 { &own.pair.new.set } else { &own.pair.old.set };
    let upstreams = server.environments.iter().map(|environment| {
        format!("{} at {}", set.environment_name(environment.id), environment.upstream)
    });
    let mut parts: Vec<_> = upstreams.collect();
    if server.forwards_token() {
        parts.push("given the tokens of its callers".to_owned());
    }
    let what = if side == 1 { "new server" } else { "server removed" };
    let wider = side == 1 && server.forwards_token();
    Line::new(Mark::Apart, wider, format!("{what}: {}", parts.join(", ")))
}

fn environment(edit: &Edit) -> Vec<String> {
    let title = edit.title();
    let upstream = |value: Option<&serde_json::Value>| {
        value.and_then(|value| value.get("upstream")).map(value::text).unwrap_or_default()
    };
    match edit.state {
        State::New => vec![format!("{title} (new): {}", upstream(edit.new.as_ref()))],
        State::Gone => vec![format!("{title} removed: {}", upstream(edit.old.as_ref()))],
        State::Changed | State::Renamed(_) => {
            edit.words(&["mode"]).into_iter().map(|words| format!("{title}: {words}")).collect()
        }
    }
}

/// Who approves: a weaker approval counts as wider, also where nobody may call the tool yet.
fn approvals(own: &Own<'_>) -> Vec<Line> {
    let [Some(old), Some(new)] = own.both else { return Vec::new() };
    let mut lines = Vec::new();
    for tool in new.tools() {
        let Some((_, before)) = old.tool(&tool.name) else { continue };
        let (a, b) = (before.approval.as_ref(), tool.approval.as_ref());
        let a_groups = groups(&own.pair.old.set, a);
        let a_groups: Vec<_> =
            a_groups.iter().map(|name| own.pair.renames.name("approval", name)).collect();
        let b_groups = groups(&own.pair.new.set, b);
        let names = |list: &[String]| list.join(" or ");
        let (was, is) = (words(a, &names(&a_groups)), words(b, &names(&b_groups)));
        if was == is {
            continue;
        }
        let told = |access: &super::Access| {
            matches!(&access.change.item, Item::Tool(name) if *name == tool.name)
                && matches!(
                    access.change.direction,
                    Direction::WithoutApproval | Direction::UnderApproval
                )
        };
        if own.access.iter().any(told) {
            continue;
        }
        let weaker = match rank(b).cmp(&rank(a)) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Equal => b_groups.iter().any(|name| !a_groups.contains(name)),
            std::cmp::Ordering::Greater => false,
        };
        let how = if weaker { "weaker" } else { "stricter" };
        let edit = own.edits.iter().find(|edit| edit.block == "tools" && *edit.name == *tool.name);
        let edit = edit.or_else(|| own.shared.iter().find(|edit| edit.block == "approval"));
        let what = format!("{} approval  {was} -> {is}", tool.name);
        let line = Line { who: how.to_owned(), ..Line::new(Mark::Changed, weaker, what) };
        lines.push(line.because(edit.map(super::shared::place_of).unwrap_or_default()));
    }
    lines
}

fn rank(approver: Option<&Approver>) -> u8 {
    match approver {
        None => 0,
        Some(Approver::Caller) => 1,
        Some(Approver::AnotherPerson) => 2,
        Some(Approver::Groups(_)) => 3,
    }
}

fn groups(set: &PolicySet, approver: Option<&Approver>) -> Vec<String> {
    match approver {
        Some(Approver::Groups(groups)) => {
            let mut names: Vec<_> = groups.iter().map(|id| set.group_name(id).to_owned()).collect();
            names.sort_unstable();
            names
        }
        None | Some(Approver::Caller | Approver::AnotherPerson) => Vec::new(),
    }
}

fn words(approver: Option<&Approver>, groups: &str) -> String {
    match approver {
        None => "none".to_owned(),
        Some(Approver::Caller) => "caller".to_owned(),
        Some(Approver::AnotherPerson) => "another-person".to_owned(),
        Some(Approver::Groups(_)) => groups.to_owned(),
    }
}
