//! `refusal`, `tasks` and `methods` of a server.

use super::{not_empty, word};
use crate::diagnostics::{Code, Diagnostic};
use crate::mcp::{Method, is_extension};
use crate::policy::model::{Protocol, Refusal};
use crate::yaml::{Fields, Node, Reader};

const REFUSALS: &[(&str, Refusal)] =
    &[("error", Refusal::Error), ("result", Refusal::Result), ("http", Refusal::Http)];

/// Leaving the key out is the only other thing to say.
const TASKS: &[(&str, ())] = &[("bound_to_user", ())];

pub(super) fn protocol(reader: &mut Reader<'_>, fields: Fields<'_>) -> Protocol {
    let refusal = fields.get("refusal").and_then(|node| {
        let text = reader.text(node)?;
        word(reader, text, REFUSALS)
    });
    let tasks = fields.get("tasks").and_then(|node| {
        let text = reader.text(node)?;
        word(reader, text, TASKS)
    });
    Protocol {
        refusal: refusal.unwrap_or_default(),
        tasks: tasks.is_some(),
        methods: fields
            .get("methods")
            .map(|node| methods(reader, node))
            .unwrap_or_default()
            .into_iter()
            .collect(),
    }
}

fn methods(reader: &mut Reader<'_>, node: &Node) -> Vec<Box<str>> {
    let mut methods = Vec::new();
    for text in not_empty(reader, node).unwrap_or_default() {
        let name = text.value;
        let problem = if name.starts_with("notifications/") {
            Some(
                "notifications of extensions do not go through: nothing would tell a client that one was refused",
            )
        } else if name.parse::<Method>().is_ok() {
            Some("it is a method of the protocol, which the rest of the file decides about")
        } else if is_extension(name) {
            None
        } else {
            Some(
                "write `vendor/method`: letters, digits, `.`, `_`, `-` and `/`, and another first part than the protocol's own methods have",
            )
        };
        match problem {
            Some(why) => {
                let message = format!("`{name}` cannot be let through");
                reader.report(Diagnostic::error(Code::BadValue, text.place, message).help(why));
            }
            None => methods.push(name.into()),
        }
    }
    methods.sort_unstable();
    methods.dedup();
    methods
}
