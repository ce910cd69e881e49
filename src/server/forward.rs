//! The headers that an upstream may trust: set by Toolgate or not there at all.

use std::borrow::Cow;

use super::answer::Forward;
use super::request::Headers;
use super::sessions::HEADER as SESSION;
use crate::authn::xfcc;
use crate::identity::{GroupSet, Groups, User, Workload, encoded, forwarded_name};
use crate::mcp::Era;
use crate::policy::PolicySet;

const USER: &str = "x-forwarded-user";
const EMAIL: &str = "x-forwarded-email";
const PREFERRED_USERNAME: &str = "x-forwarded-preferred-username";
const GROUPS: &str = "x-forwarded-groups";
const WORKLOAD: &str = "x-toolgate-workload";
const SURFACE: &str = "x-toolgate-surface";
const VERIFIED_CHANNEL: &str = "x-toolgate-verified-channel";
const DECISION_ID: &str = "x-toolgate-decision-id";

/// By this Envoy takes the route on which answers come to Toolgate; it goes no further.
const ANSWER: &str = "x-toolgate-answer";

/// Headers that upstreams believe, here or behind other gateways: nobody but Toolgate sets them.
const RESERVED: &[&str] = &[
    USER,
    EMAIL,
    PREFERRED_USERNAME,
    GROUPS,
    "x-forwarded-access-token",
    "remote-user",
    "x-remote-user",
    "x-remote-groups",
];

/// Prefixes of reserved headers.
const RESERVED_PREFIXES: &[&str] = &["x-toolgate-", "x-auth-request-"];

/// Headers of revision 2026-07-28; in an older request nothing has compared them with the body.
const MIRRORS: &[&str] = &["mcp-method", "mcp-name"];
const MIRROR_PREFIX: &str = "mcp-param-";

/// Who a request is forwarded for.
pub(super) struct Identity<'i> {
    pub(super) user: Option<&'i User>,
    /// The groups that the server is told about; `None` for all.
    pub(super) groups: Option<&'i GroupSet>,
    pub(super) workload: Option<&'i Workload>,
    /// Whether users are named with their issuer.
    pub(super) qualified: bool,
    pub(super) surface: Option<&'i str>,
    pub(super) channel: Option<&'i str>,
    /// The header, besides `Authorization`, that proves workloads; it goes no further.
    pub(super) workload_header: Option<&'i str>,
    /// Whether the upstream is given the user's token, which was verified to be for it alone.
    pub(super) forward_token: bool,
    pub(super) decision_id: &'i str,
    /// The route that the answer takes, if it is to come to Toolgate.
    pub(super) answer: Option<&'static str>,
    /// The session that the request is part of, as the server calls it.
    pub(super) session: Option<&'i str>,
}

/// What the headers that are set may take together: servers have limits of their own, and many of
/// them take no more than 8 KiB of headers.
const MAX_BYTES: usize = 8 * 1024;

/// What a person's groups take for the most part.
const USUAL_GROUPS_BYTES: usize = 256;

/// The changes to a request that is let through; `None` if the identity does not fit into headers.
/// A part of it would be another identity.
pub(super) fn forward(
    identity: &Identity<'_>,
    policy: &PolicySet,
    headers: &Headers<'_>,
    era: Era,
) -> Option<Forward> {
    let user = identity.user;
    let mut set: Vec<(&'static str, String)> = Vec::with_capacity(8);
    let mut put = |name, value: Option<String>| {
        set.extend(value.filter(|value| !value.is_empty()).map(|value| (name, value)));
    };
    put(USER, user.map(|user| forwarded_name(user, identity.qualified)));
    let encoded = |text: &str| encoded(text).into_owned();
    put(EMAIL, user.and_then(|user| user.email.as_deref()).map(encoded));
    let preferred = user.and_then(|user| user.preferred_username.as_deref());
    put(PREFERRED_USERNAME, preferred.map(encoded));
    put(GROUPS, user.and_then(|user| group_list(&user.groups, identity.groups, policy)));
    put(WORKLOAD, identity.workload.map(|workload| workload.as_str().to_owned()));
    put(SURFACE, identity.surface.map(str::to_owned));
    put(VERIFIED_CHANNEL, identity.channel.map(encoded));
    put(DECISION_ID, Some(identity.decision_id.to_owned()));
    put(ANSWER, identity.answer.map(str::to_owned));
    if set.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>() > MAX_BYTES {
        return None;
    }
    set.extend(identity.session.map(|session| (SESSION, session.to_owned())));

    let is_set = |name: &str| set.iter().any(|(known, _)| *known == name);
    let mut remove: Vec<Cow<'static, str>> = Vec::with_capacity(RESERVED.len() + 2);
    remove.extend(RESERVED.iter().filter(|name| !is_set(name)).map(|name| Cow::Borrowed(*name)));
    if !(identity.forward_token && user.is_some()) {
        remove.push(Cow::Borrowed("authorization"));
    }
    remove.extend(identity.workload_header.map(|name| Cow::Owned(name.to_owned())));
    for name in headers.names() {
        // A mirror by another spelling is compared with nothing, in whichever era.
        let unchecked = era == Era::Older || name.contains('_');
        let proof = identity.workload_header.is_some_and(|proof| is_spelled(name, proof));
        // Only the session that was looked at goes on.
        let session = is_spelled(name, SESSION);
        let mirror = unchecked && is_mirror(name);
        let believed = proof || session || mirror || is_reserved(name);
        if believed && !is_set(name) && !remove.iter().any(|known| known == name) {
            remove.push(Cow::Owned(name.to_owned()));
        }
    }
    Some(Forward { set, remove })
}

/// Whether a header's name is reserved, however it is spelled: some servers read `_` as `-`.
fn is_reserved(name: &str) -> bool {
    RESERVED.iter().any(|reserved| is_spelled(name, reserved))
        // The Envoy beside us takes it away unless it is configured otherwise, so it is removed
        // only where it came.
        || is_spelled(name, xfcc::HEADER)
        || RESERVED_PREFIXES.iter().any(|prefix| begins(name, prefix))
}

fn is_mirror(name: &str) -> bool {
    MIRRORS.iter().any(|mirror| is_spelled(name, mirror)) || begins(name, MIRROR_PREFIX)
}

/// Whether this is one of the spellings of a header's name, which is given in lower case.
fn is_spelled(spelling: &str, name: &str) -> bool {
    spelling.len() == name.len() && begins(spelling, name)
}

fn begins(spelling: &str, prefix: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
    spelling.len() >= prefix.len()
        && spelling.bytes().zip(prefix.bytes()).all(|(byte, wanted)| plain(byte) == wanted)
}

/// Policy names joined by commas; `None` if there are none, or if they are unknown.
fn group_list(groups: &Groups, told: Option<&GroupSet>, policy: &PolicySet) -> Option<String> {
    let Groups::Known(groups) = groups else {
        return None;
    };
    let told = groups.iter().filter(|group| told.is_none_or(|told| told.contains(*group)));
    let mut names = String::with_capacity(USUAL_GROUPS_BYTES);
    for group in told {
        if !names.is_empty() {
            names.push(',');
        }
        names.push_str(&encoded(policy.group_name(group)));
    }
    (!names.is_empty()).then_some(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_names_are_found_however_they_are_spelled() {
        for name in [
            "x-forwarded-user",
            "X-Forwarded-Groups",
            "x_forwarded_user",
            "x-forwarded_email",
            "x-toolgate-anything",
            "X_Toolgate_Channel",
            "remote_user",
            "x-auth-request-user",
            "X_Forwarded_Client_Cert",
        ] {
            assert!(is_reserved(name), "{name}");
        }
        for name in ["x-forwarded-for", "x-forwarded-proto", "user", "mcp-session-id"] {
            assert!(!is_reserved(name), "{name}");
        }
    }
}
