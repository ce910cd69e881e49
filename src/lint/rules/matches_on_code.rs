use crate::lint::context::{Context, File};
use crate::lint::items::{GrantAt, ToolAt, grants, tools};
use crate::lint::rule::{Check, Findings, rule};
use crate::lint::words::{is_one_of, words};
use crate::policy::limits::{Limit, Test, Token};
use crate::yaml::Node;

/// What arguments are called that something executes.
const CODE: &[&str] = &[
    "sql", "query", "statement", "command", "cmd", "script", "shell", "bash", "code", "python",
    "expression", "expr", "program",
];

rule! {
    /// ## What it finds
    ///
    /// A limit that looks at code: `matches` or `starts_with` on an argument whose name says that
    /// it is SQL, a command, a script or the like. A pattern that allows no blank and nothing
    /// arbitrary, such as `[A-Z]{3}`, is left alone: that is a word, not code.
    ///
    /// ## Why
    ///
    /// It looks like protection, and is none. `SELECT` can call functions that write, comments and
    /// a second statement hide from patterns, a shell has a hundred ways to say the same. In 2025
    /// a widely used Postgres server for MCP kept to reading by wrapping what it was sent into a
    /// read-only transaction; `COMMIT;` at the start of the text was enough to leave it. A text
    /// has to be understood by what executes it.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// limits:
    ///   /sql: { matches: "(SELECT|select) .*" }
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Let the server connect with a database role that may only read, or offer tools with typed
    /// arguments instead of one that takes code. Then remove the limit. `max_length` is fine: it
    /// promises nothing else.
    MatchesOnCode, Error, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    for (server, file) in policies.servers() {
        for ToolAt { tool, node, .. } in tools(server, file) {
            look(file, node, &tool.limits, findings);
        }
        for GrantAt { grant, node, .. } in grants(server, file) {
            look(file, node, &grant.limits, findings);
        }
    }
}

fn look(file: &File<'_>, node: &Node, limits: &[Limit], findings: &mut Findings) {
    for limit in limits.iter().filter(|limit| is_code(limit)) {
        let pointer = limit.pointer.to_string();
        for test in &limit.tests {
            let key = match test {
                Test::Matches(pattern) if allows_code(pattern.as_str()) => "matches",
                Test::StartsWith(_) => "starts_with",
                Test::Matches(_)
                | Test::Is(_)
                | Test::OneOf(_)
                | Test::Between(..)
                | Test::Domain(_)
                | Test::MaxLength(_)
                | Test::MaxItems(_)
                | Test::Forbidden => continue,
            };
            let Some((_, value)) = node.at(&["limits", &pointer, key]) else { continue };
            let message = format!("a pattern cannot tell what the code in `{pointer}` does");
            findings.add(file.place(value.span), message, |finding| {
                finding.label("false comfort").help(
                    "give the server a role that can only do what is meant, or use tools with \
                     typed arguments; then remove this limit",
                )
            });
        }
    }
}

/// Whether the argument, or the member of it that is meant, is code by its name.
fn is_code(limit: &Limit) -> bool {
    let member = limit.pointer.rest().iter().rev().find_map(|token| match token {
        Token::Member(name) => Some(&**name),
        Token::Each => None,
    });
    let name = member.unwrap_or(limit.pointer.argument());
    words(name).last().is_some_and(|word| is_one_of(word, CODE))
}

/// Whether something with a blank, or something arbitrary, can match.
fn allows_code(pattern: &str) -> bool {
    let mut characters = pattern.chars().peekable();
    let mut in_class = false;
    while let Some(c) = characters.next() {
        match c {
            ' ' => return true,
            '\\' => {
                if matches!(characters.next(), Some('s' | 'S' | 'W' | 'D' | 'x' | 'u')) {
                    return true;
                }
            }
            '[' if characters.peek() == Some(&'^') => return true,
            '[' => in_class = true,
            ']' => in_class = false,
            '.' if !in_class => return true,
            _ => {}
        }
    }
    false
}
