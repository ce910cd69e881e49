//! What holds for the tokens of every issuer.

use std::path::Path;

use crate::config::TokensConfig;
use crate::yaml::{Keys, Node, Reader};

/// Envoy takes 60 KiB of headers; a token is not all of them.
const MAX_KILOBYTES: i64 = 48;

pub(super) fn tokens(
    reader: &mut Reader<'_>,
    node: &Node,
    directory: &Path,
) -> Option<TokensConfig> {
    const KEYS: Keys = Keys { known: &["max_kilobytes", "cache_megabytes", "revoked"], later: &[] };
    let fields = reader.fields(node, KEYS)?;
    let mut config = TokensConfig::default();
    if let Some(node) = fields.get("max_kilobytes") {
        let kilobytes = reader.integer(node, 1..=MAX_KILOBYTES)?.value;
        config.max_bytes = usize::try_from(kilobytes).ok()? * 1024;
    }
    if let Some(node) = fields.get("cache_megabytes") {
        let megabytes = reader.integer(node, 0..=4096)?.value;
        config.cache_bytes = u64::try_from(megabytes).ok()? * 1_000_000;
    }
    if let Some(node) = fields.get("revoked") {
        config.revoked = Some(directory.join(reader.text(node)?.value));
    }
    Some(config)
}
