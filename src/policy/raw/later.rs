//! Keys of the language that this version reads and does not enforce: they are checked like any
//! other, so that a file is right once they are enforced, and none of them loads until then.

use super::word;
use crate::policy::digest::Digest;
use crate::yaml::{Fields, Node, Reader};

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
    each(reader, fields, &[("lists", |reader, node| one_of(reader, node, &["filtered", "full"]))]);
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
