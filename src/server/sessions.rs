//! Whose a session of the older era is.
//!
//! A server names a session in its answer to `initialize` (`Mcp-Session-Id`). The client is given
//! that name with a proof of whose it is, and it is good for nothing in other hands: nothing is
//! kept, so any process with the same key can tell. A request of revision 2026-07-28 has none.

#[cfg(test)]
mod tests;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::identity::{Caller, User, Workload};

/// The header, in both directions.
pub(super) const HEADER: &str = "mcp-session-id";

/// The least that a key has.
pub(super) const KEY_BYTES: usize = 32;

/// The longest name that a server may give a session.
const MAX_ID_BYTES: usize = 4096;

/// 192 bits, which are 32 characters without a remainder.
const PROOF_BYTES: usize = 24;
const PROOF_CHARS: usize = 32;

/// What bound names begin with, and what the key is used for.
const VERSION: &str = "tg1.";
const PURPOSE: &[u8] = b"toolgate: whose a session is, 1";

/// Binds sessions to those who open them; shared by all replicas.
#[derive(Clone)]
pub(super) struct SessionKey(Hmac<Sha256>);

/// Whom a session belongs to: one person or none, from one workload or none, on one server.
pub(super) struct Owner<'o> {
    pub(super) server: &'o str,
    pub(super) environment: &'o str,
    pub(super) caller: &'o Caller,
}

/// Binds the sessions of one owner. It goes through Envoy with the plan for an answer, and no
/// further: whoever has it could give an owner another one's session.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct OwnerKey([u8; KEY_BYTES]);

impl SessionKey {
    /// A key of at least [`KEY_BYTES`].
    pub(super) fn new(key: &[u8]) -> Option<Self> {
        if key.len() < KEY_BYTES {
            return None;
        }
        Hmac::new_from_slice(key).ok().map(Self)
    }

    pub(super) fn of(&self, owner: &Owner<'_>) -> OwnerKey {
        let Owner { server, environment, caller: Caller { user, workload } } = owner;
        let user = user.as_deref().map(|User { issuer, subject, .. }| [&**issuer, &**subject]);
        let workload = workload.as_ref().map(Workload::as_str);
        let mut mac = self.0.clone();
        mac.update(PURPOSE);
        // Each part says how long it is, and each that may be missing whether it is there: no two
        // owners are written alike.
        let mut part = |part: Option<&str>| {
            mac.update(&[u8::from(part.is_some())]);
            let bytes = part.unwrap_or_default().as_bytes();
            mac.update(&(bytes.len() as u64).to_be_bytes());
            mac.update(bytes);
        };
        part(Some(server));
        part(Some(environment));
        part(user.map(|[issuer, _]| issuer));
        part(user.map(|[_, subject]| subject));
        part(workload);
        OwnerKey(mac.finalize().into_bytes().into())
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(..)")
    }
}

impl OwnerKey {
    /// The name that the client is given; `None` for one that no server may give.
    pub(super) fn bind(&self, id: &[u8]) -> Option<String> {
        let id = name(id)?;
        let proof = self.mac(id)?.finalize().into_bytes();
        let proof = URL_SAFE_NO_PAD.encode(proof.get(..PROOF_BYTES)?);
        Some(format!("{VERSION}{proof}.{id}"))
    }

    /// The server's own name, if the client's is one of this owner's sessions.
    pub(super) fn open<'b>(&self, bound: &'b [u8]) -> Option<&'b str> {
        let rest = std::str::from_utf8(bound).ok()?.strip_prefix(VERSION)?;
        let (proof, id) = rest.split_at_checked(PROOF_CHARS)?;
        let id = name(id.strip_prefix('.')?.as_bytes())?;
        let proof = URL_SAFE_NO_PAD.decode(proof).ok()?;
        if proof.len() != PROOF_BYTES {
            return None;
        }
        // In constant time.
        self.mac(id)?.verify_truncated_left(&proof).ok()?;
        Some(id)
    }

    fn mac(&self, id: &str) -> Option<Hmac<Sha256>> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).ok()?;
        mac.update(id.as_bytes());
        Some(mac)
    }

    /// As text, on its way through Envoy.
    pub(super) fn to_text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// From that text.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl std::fmt::Debug for OwnerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OwnerKey(..)")
    }
}

/// Visible ASCII (MCP 2025-11-25, "Session Management"), and not without end.
fn name(id: &[u8]) -> Option<&str> {
    let is_name = (1..=MAX_ID_BYTES).contains(&id.len()) && id.iter().all(u8::is_ascii_graphic);
    std::str::from_utf8(id).ok().filter(|_| is_name)
}
