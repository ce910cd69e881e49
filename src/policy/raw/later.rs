//! Keys of the language that this version reads and does not enforce: they are checked like any
//! other, so that a file is right once they are enforced, and none of them loads until then.

use url::Url;

use super::{Text, named, not_empty, word};
use crate::diagnostics::{Code, Diagnostic};
use crate::policy::digest::Digest;
use crate::policy::names;
use crate::yaml::{Fields, Kind, Node, Plain, Reader};

type Check = fn(&mut Reader<'_>, &Node);

/// Checks the keys that are there. That they are not enforced was reported with the mapping's
/// keys.
fn each(reader: &mut Reader<'_>, fields: Fields<'_>, keys: &[(&str, Check)]) {
    for (key, check) in keys {
        if let Some(node) = fields.get(key) {
            check(reader, node);
        }
    }
}

/// Of a server.
pub(super) fn of_server(reader: &mut Reader<'_>, fields: Fields<'_>) {
    each(
        reader,
        fields,
        &[
            ("lists", |reader, node| one_of(reader, node, &["filtered", "full"])),
            ("refusal", |reader, node| one_of(reader, node, &["error", "result", "http"])),
            ("tasks", |reader, node| one_of(reader, node, &["bound_to_user"])),
            ("methods", methods),
            ("forward_token", |reader, node| {
                reader.boolean(node);
            }),
            ("resource", resource),
        ],
    );
    // ⚠ A token with another audience would be one for everybody.
    let forwards = fields
        .get("forward_token")
        .is_some_and(|node| matches!(node.kind, Kind::Plain(Plain::Bool(forwards), _) if forwards));
    if forwards != fields.get("resource").is_some() {
        let key = if forwards { "forward_token" } else { "resource" };
        if let Some(place) = fields.key_place(key) {
            let message = "of `forward_token: true` and `resource`, only one is there";
            reader.report(
                Diagnostic::error(Code::BadValue, place, message)
                    .help("write both or neither: a token is forwarded only if the server is its one audience"),
            );
        }
    }
}

/// Of a tool, resource or prompt.
pub(super) fn of_item(reader: &mut Reader<'_>, fields: Fields<'_>) {
    each(
        reader,
        fields,
        &[("pin", |reader, node| {
            reader.parsed(node, "a digest", str::parse::<Digest>);
        })],
    );
}

fn one_of(reader: &mut Reader<'_>, node: &Node, words: &[&'static str]) {
    let words: Vec<_> = words.iter().map(|word| (*word, ())).collect();
    if let Some(text) = reader.text(node) {
        word(reader, text, &words);
    }
}

fn all(
    reader: &mut Reader<'_>,
    node: &Node,
    what: &str,
    check: fn(&str) -> Result<(), names::NameError>,
) {
    for text in not_empty(reader, node).unwrap_or_default() {
        named(reader, text, what, check);
    }
}

fn methods(reader: &mut Reader<'_>, node: &Node) {
    all(reader, node, "a method", names::method);
}

fn resource(reader: &mut Reader<'_>, node: &Node) {
    let url = |text: &str| match Url::parse(text) {
        Ok(url) if url.scheme() == "https" && url.fragment().is_none() => Ok(()),
        Ok(_) | Err(_) => Err("write an `https` URL without a fragment"),
    };
    let text: Option<Text<'_>> = reader.text(node);
    if let Some(text) = text {
        reader.parse_text(text, "a resource", url);
    }
}
