//! A diff as JSON for programs; `docs/diff.md` describes it.

use serde_json::{Value, json as object};

use super::{Access, Cause, Diff, Invariants, Line, Origin, Presence, Rule, Section};
use crate::access::{Change, Clause, Direction, Groups, Item, Span, Who, Witness};

/// One JSON document.
#[must_use]
pub fn json(diff: &Diff) -> Value {
    let Diff { at, servers, sections, always } = diff;
    let Invariants { held, broken, unread } = always;
    object!({
        "at": at.to_string(),
        "verdict": diff.verdict().as_str(),
        "access_changes": !diff.no_access_changes(),
        "servers_compared": servers,
        "sections": sections.iter().map(section).collect::<Vec<_>>(),
        "always": { "held": held, "broken": broken, "unread": unread },
    })
}

fn section(section: &Section) -> Value {
    let Section { server, presence, lines, access } = section;
    object!({
        "server": server,
        "presence": match presence {
            Presence::Both => "both",
            Presence::New => "new",
            Presence::Gone => "gone",
        },
        "verdict": section.verdict().as_str(),
        "lines": lines.iter().map(line).collect::<Vec<_>>(),
        "access": access.iter().map(self::access).collect::<Vec<_>>(),
    })
}

fn line(line: &Line) -> Value {
    let Line { mark, wider, what, place, who, because, example } = line;
    let because = because.iter().map(|Cause { text, origin }| {
        object!({ "text": text, "origin": origin.as_ref().map(self::origin) })
    });
    object!({
        "mark": mark.as_char().to_string(),
        "wider": wider,
        "what": what,
        "place": place,
        "who": who,
        "because": because.collect::<Vec<_>>(),
        "example": example,
    })
}

fn origin(origin: &Origin) -> Value {
    let Origin { file, line } = origin;
    object!({ "file": file.to_string_lossy(), "line": line })
}

fn access(access: &Access) -> Value {
    let Access { change, old_rules, new_rules } = access;
    let Change {
        server: _,
        environment,
        item,
        place,
        direction,
        who,
        when,
        by_arguments,
        old_rules: _,
        new_rules: _,
        witness,
    } = change;
    let rules = |rules: &[Rule]| rules.iter().map(rule).collect::<Vec<_>>();
    let (kind, name, uri) = match item {
        Item::Open => ("open", None, None),
        Item::Look => ("look", None, None),
        Item::Tool(name) => ("tool", Some(name), None),
        Item::Resource { pattern, uri } => ("resource", Some(pattern), Some(uri)),
        Item::Prompt(name) => ("prompt", Some(name), None),
        Item::Tasks => ("tasks", None, None),
        Item::Method(name) => ("method", Some(name), None),
    };
    object!({
        "environment": environment,
        "item": { "kind": kind, "name": name, "uri": uri },
        "place": { "old": place.old, "new": place.new },
        "direction": match direction {
            Direction::Wider => "wider",
            Direction::WithoutApproval => "without_approval",
            Direction::NotComparable => "not_comparable",
            Direction::UnderApproval => "under_approval",
            Direction::Narrower => "narrower",
        },
        "who": who.iter().map(self::who).collect::<Vec<_>>(),
        "when": when.iter().map(|Span { from, until }| {
            object!({ "from": from.to_string(), "until": until.map(|until| until.to_string()) })
        }).collect::<Vec<_>>(),
        "by_arguments": by_arguments,
        "old_rules": rules(old_rules),
        "new_rules": rules(new_rules),
        "witness": witness.as_ref().map(self::witness),
    })
}

fn rule(rule: &Rule) -> Value {
    let Rule { kind, name, path: _, origin } = rule;
    object!({ "kind": kind.as_str(), "name": name, "origin": self::origin(origin) })
}

fn who(who: &Who) -> Value {
    let clause = |clause: &Clause| {
        let Clause { people, also_in, scopes, not, limited } = clause;
        object!({
            "people": people,
            "also_in": also_in,
            "scopes": scopes,
            "not": not,
            "limited": limited,
        })
    };
    match who {
        Who::People(people) => object!({ "kind": "people", "groups": clause(people) }),
        Who::UnknownGroups { name: None, scopes } => {
            object!({ "kind": "unknown_groups", "scopes": scopes })
        }
        Who::UnknownGroups { name: Some(name), scopes } => {
            object!({ "kind": "user", "name": name, "groups": null, "scopes": scopes })
        }
        Who::User { name, clause: groups } => {
            object!({ "kind": "user", "name": name, "groups": clause(groups) })
        }
        Who::NobodySignedIn => object!({ "kind": "nobody_signed_in" }),
    }
}

fn witness(witness: &Witness) -> Value {
    let Witness { groups, user, scopes, workload, channel, place, client, arguments, at } = witness;
    let (signed_in, old, new) = match groups {
        Groups::NobodySignedIn => (false, None, None),
        Groups::Unknown => (true, None, None),
        Groups::Known { old, new } => (true, Some(old), Some(new)),
    };
    object!({
        "signed_in": signed_in,
        "groups": { "old": old, "new": new },
        "user": user.as_ref().map(ToString::to_string),
        "scopes": scopes,
        "workload": workload.as_ref().map(ToString::to_string),
        "channel": channel,
        "place": { "old": place.old, "new": place.new },
        "client": client,
        "arguments": arguments,
        "at": at.to_string(),
    })
}
