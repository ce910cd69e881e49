//! The answer to `initialize`: the session that it opens is given to its caller alone.

use envoy_types::pb::envoy::service::ext_proc::v3::HttpHeaders;
use thiserror::Error;

use crate::server::sessions::{HEADER, OwnerKey};

/// Why an answer opens no session that anybody could have.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error(
    "the server names a session twice, or in other than visible ASCII, or at too great a length"
)]
pub(super) struct NoName;

/// The name that the caller is given; `None` where the server names no session.
pub(super) fn bound(owner: &OwnerKey, headers: &HttpHeaders) -> Result<Option<String>, NoName> {
    let all = headers.headers.iter().flat_map(|headers| &headers.headers);
    let mut names = all.filter(|header| header.key.eq_ignore_ascii_case(HEADER)).map(|header| {
        if header.raw_value.is_empty() { header.value.as_bytes() } else { &header.raw_value }
    });
    match (names.next(), names.next()) {
        (None, _) => Ok(None),
        (Some(name), None) => owner.bind(name).map(Some).ok_or(NoName),
        (Some(_), Some(_)) => Err(NoName),
    }
}
