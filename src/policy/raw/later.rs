//! Keys of the language that this version reads and does not enforce: they are checked like any
//! other, so that a file is right once they are enforced, and none of them loads until then.

use crate::policy::digest::Digest;
use crate::yaml::{Fields, Reader};

/// Of a tool, resource or prompt. That a key is not enforced was reported with the mapping's keys.
pub(super) fn of_item(reader: &mut Reader<'_>, fields: Fields<'_>) {
    if let Some(node) = fields.get("pin") {
        reader.parsed(node, "a digest", str::parse::<Digest>);
    }
}
