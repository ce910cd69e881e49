use crate::lint::context::Context;
use crate::lint::items::{Item, items};
use crate::lint::rule::{Check, Findings, rule};
use crate::lint::words::{LOOKING, is_one_of, words};
use crate::policy::model::{Effect, ItemId};

/// Verbs that change something.
const CHANGING: &[&str] = &[
    "add", "append", "apply", "approve", "archive", "assign", "cancel", "clear", "close", "commit",
    "create", "deploy", "disable", "edit", "enable", "exec", "execute", "grant", "insert", "invite",
    "kill", "merge", "modify", "move", "overwrite", "patch", "post", "publish", "push", "put",
    "rename", "replace", "reset", "restart", "revoke", "send", "set", "stop", "terminate",
    "trigger", "update", "upload", "upsert", "write",
];

/// Verbs that destroy.
const DESTROYING: &[&str] =
    &["delete", "destroy", "drop", "erase", "purge", "remove", "truncate", "wipe"];

/// Of those, the ones after which something is left that can be changed back often enough.
const MILD: &[&str] = &["remove"];

/// Words that make a noun of the verb before them: `drop_rate`, `post_count`.
const MEASURES: &[&str] = &[
    "count", "counts", "history", "log", "logs", "metrics", "preview", "rate", "rates", "ratio",
    "report", "stats", "statistics", "summary",
];

rule! {
    /// ## What it finds
    ///
    /// A tool or prompt whose name says that it changes something, such as `create_issue` or
    /// `exec`, with `effect: read`; or one that deletes, drops, purges or truncates with less than
    /// `effect: destructive`. The first verb of the name counts: `get_update_status` looks.
    ///
    /// ## Why
    ///
    /// Effects decide what bans take away, what needs approval, what a service may be granted and
    /// what a shadow lets pass. A tool that is called a read escapes all of them, and nothing else
    /// in the file looks wrong. The review asks: does this really only look?
    ///
    /// ## Example
    ///
    /// ```yaml
    /// tools:
    ///   put_object: { effect: read }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Write the effect that the tool really has; the reviews then have to be renewed. If the name
    /// misleads, say so: `# toolgate: ignore[name-contradicts-effect] runs in a read-only role`.
    NameContradictsEffect, Error, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        for Item { kind, id, effect, key, node, .. } in items(server, file) {
            if effect == Effect::Destructive || matches!(id, ItemId::Resource(_)) {
                continue;
            }
            let words = words(&key.text);
            let Some((verb, least)) = verb(&words) else { continue };
            if effect >= least {
                continue;
            }
            let (does, cure) = match least {
                Effect::Destructive => ("destroys", "`effect: destructive`"),
                Effect::Write | Effect::Read => ("changes", "`effect: write` or `destructive`"),
            };
            let Some((_, value)) = node.entry("effect") else { continue };
            let said = value.as_text().unwrap_or_default();
            let message = format!("by its name, the {kind} `{}` {does} something, and its effect is `{said}`", key.text);
            findings.add(file.place(value.span), message, |finding| {
                finding.label(format!("but its name says `{verb}`")).help(format!(
                    "write {cure}; if the name misleads, ignore this finding and say why"
                ))
            });
        }
    }
}

/// The verb that the name starts with, and the least effect that it means.
fn verb<'n>(words: &[&'n str]) -> Option<(&'n str, Effect)> {
    if words.len() > 1 && words.last().is_some_and(|last| is_one_of(last, MEASURES)) {
        return None;
    }
    for (index, word) in words.iter().enumerate() {
        let is_last = index > 0 && index + 1 == words.len();
        if is_one_of(word, LOOKING) {
            return None;
        }
        if is_one_of(word, DESTROYING) {
            let mild = is_one_of(word, MILD);
            // At the end it may be a noun, as in `price_drop`.
            let clear = !is_last || is_one_of(word, &["delete", "purge", "truncate"]);
            return clear.then_some((word, if mild { Effect::Write } else { Effect::Destructive }));
        }
        if is_one_of(word, CHANGING) && !is_last {
            return Some((word, Effect::Write));
        }
    }
    None
}
