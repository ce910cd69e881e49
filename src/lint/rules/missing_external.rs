use crate::lint::context::Context;
use crate::lint::items::{ToolAt, tools};
use crate::lint::rule::{Check, Findings, rule};
use crate::lint::words::{LOOKING, is_one_of, words};
use crate::policy::limits::{Limit, Test};
use crate::policy::model::{Effect, Tool, Trait};

/// Words for what carries things out, unless the tool only looks at it.
const OUTWARD: &[&str] = &[
    "email", "emails", "mail", "mails", "post", "publish", "slack", "sms", "tweet", "upload",
    "webhook", "webhooks",
];

/// Verbs that follow a URL.
const FOLLOWING: &[&str] =
    &["browse", "crawl", "download", "fetch", "navigate", "open", "request", "scrape", "visit"];

/// What arguments are called that say where something goes.
const ADDRESSES: &[&str] = &["url", "urls", "webhook", "recipient", "recipients"];

rule! {
    /// ## What it finds
    ///
    /// A tool that seems to reach beyond the company, and has no `traits: [external]`: its name
    /// says that it mails, posts, publishes, uploads or fetches a URL, or it takes an argument that
    /// says where to: `url`, `webhook`, `recipient`, `to`, or one with a limit on its `domain`. A
    /// tool whose name says that it looks at mails or posts is left alone.
    ///
    /// ## Why
    ///
    /// A tool that can send anything anywhere is how data leaves: an agent reads a text that
    /// somebody planted, takes its instructions from there, and puts what it knows into a mail or
    /// into the address that it fetches. In 2025 a mail server for MCP copied every mail that it
    /// sent to its author. Bans and approvals for `external` only reach tools that say so, and a
    /// service may be granted a tool that does not.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// tools:
    ///   send_mail: { effect: write }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Add the trait; the reviews then have to be renewed. If what it reaches is all your own,
    /// ignore the finding and say so.
    ///
    /// ```yaml
    /// tools:
    ///   send_mail: { effect: write, traits: [external] }
    /// ```
    MissingExternal, Error, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        for ToolAt { tool, key, .. } in tools(server, file) {
            let Some(why) = reason(tool).filter(|_| !tool.traits.contains(&Trait::External)) else {
                continue;
            };
            let message = format!("`{}` seems to reach beyond the company, and is not `external`", tool.name);
            findings.add(file.place(key.span), message, |finding| {
                finding.label(why).help(
                    "add `traits: [external]`, so that bans and approvals of external tools hold; \
                     if all that it reaches is yours, ignore this finding and say so",
                )
            });
        }
    }
}

/// What makes it look external.
fn reason(tool: &Tool) -> Option<String> {
    let words = words(&tool.name);
    let looks = words.iter().find(|word| is_one_of(word, LOOKING) || is_one_of(word, OUTWARD));
    let looks = looks.is_some_and(|word| is_one_of(word, LOOKING));
    let outward = words.iter().find(|word| is_one_of(word, OUTWARD));
    if let (Some(word), false) = (outward, looks) {
        return Some(format!("its name says `{word}`"));
    }
    let verb = words.iter().find(|word| is_one_of(word, LOOKING) || is_one_of(word, FOLLOWING));
    let follows = verb.is_some_and(|verb| is_one_of(verb, FOLLOWING));
    if follows && words.iter().any(|word| is_one_of(word, &["url", "urls", "webpage", "website"])) {
        return Some("its name says that it follows a URL".to_owned());
    }
    let domain = |limit: &&Limit| limit.tests.iter().any(|test| matches!(test, Test::Domain(_)));
    if let Some(limit) = tool.limits.iter().find(domain) {
        return Some(format!("`{}` is an address", limit.pointer));
    }
    let accepts = tool.accepts.as_deref().unwrap_or_default().iter().map(|name| &**name);
    let limited = tool.limits.iter().map(|limit| limit.pointer.argument());
    let address = accepts.chain(limited).find(|name| is_address(tool, name));
    address.map(|name| format!("it takes `{name}`"))
}

/// Whether the argument says where something goes, and the file does not say where.
fn is_address(tool: &Tool, name: &str) -> bool {
    let fixed = |test: &Test| matches!(test, Test::Is(_) | Test::OneOf(_) | Test::Forbidden);
    let mut limits = tool.limits.iter().filter(|limit| limit.pointer.argument() == name);
    let last = words(name).last().copied().unwrap_or_default();
    // Many a `to` is the end of a period.
    let is_to = tool.effect != Effect::Read && name == "to" && !takes(tool, "from");
    (is_to || is_one_of(last, ADDRESSES)) && !limits.any(|limit| limit.tests.iter().any(fixed))
}

fn takes(tool: &Tool, name: &str) -> bool {
    let accepts = tool.accepts.as_deref().unwrap_or_default();
    accepts.iter().any(|accepted| &**accepted == name)
        || tool.limits.iter().any(|limit| limit.pointer.argument() == name)
}
