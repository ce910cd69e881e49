//! `X-Forwarded-Client-Cert`: what Envoys of ours say of their peers' certificates.
//!
//! Envoy writes URI SANs into it raw, so a name that holds `;`, `,` or `=` reads as more pairs or
//! more elements. Everything that Envoy itself would not write is refused: another order, a pair
//! twice, a pair after the URI. And the last element has to name the peer of this connection.

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::svid::{self, Peer, SvidError};
use crate::identity::Workload;

/// The header's name.
pub const HEADER: &str = "x-forwarded-client-cert";

/// Which elements of the header are our Envoys' own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trust {
    /// How they come to be there.
    pub mode: Mode,
    /// Our Envoys.
    pub by: Vec<Workload>,
}

/// How the elements of our Envoys come to be in the header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The Envoy that asks replaces the header: there is one element.
    SanitizeSet,
    /// The Envoy that asks adds its element to what it was sent.
    AppendLast {
        /// How many of our Envoys a request comes through, the one that asks among them. With one,
        /// what stands before its element is the caller's word and is not read. With more, there
        /// are as many elements: the first of these Envoys replaces the header.
        trusted_hops: usize,
    },
}

/// Why the header proves no workload. For the log.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum XfccError {
    /// Envoy names a peer, and has not written the header.
    #[error("no X-Forwarded-Client-Cert for the peer")]
    Missing,
    /// Two headers.
    #[error("two X-Forwarded-Client-Cert headers")]
    Twice,
    /// Not what Envoy writes.
    #[error("X-Forwarded-Client-Cert is not as Envoy writes it")]
    Malformed,
    /// More elements, or fewer, than our Envoys write.
    #[error("X-Forwarded-Client-Cert has not one element for each Envoy")]
    Elements,
    /// Written by an Envoy that is not listed, or by none.
    #[error("X-Forwarded-Client-Cert is not by a listed Envoy")]
    By,
    /// An Envoy says that its peer is another one than the Envoy before it.
    #[error("X-Forwarded-Client-Cert does not lead from Envoy to Envoy")]
    Chain,
    /// The last element is not about the peer of this connection.
    #[error("X-Forwarded-Client-Cert and principal disagree")]
    Principal,
    /// The certificate has another hash, or names another workload.
    #[error("X-Forwarded-Client-Cert and certificate disagree")]
    OtherCertificate,
    /// The URI is no workload's SPIFFE ID.
    #[error("the URI in X-Forwarded-Client-Cert is not a workload's SPIFFE ID")]
    NotASpiffeId,
    /// A trust domain that is not configured.
    #[error("the trust domain is not accepted")]
    TrustDomain,
    /// The certificate itself proves nothing.
    #[error(transparent)]
    Certificate(#[from] SvidError),
}

/// The workload that the header proves; `None` if Envoy's peer has shown nothing and the header is
/// not there.
///
/// # Errors
///
/// The first rule that does not hold. The header without a peer is refused: an Envoy that verifies
/// nobody passes on what anybody writes.
pub fn workload(
    header: Option<&[u8]>,
    peer: Peer<'_>,
    trust: &Trust,
    trust_domains: &[Box<str>],
    now: Timestamp,
) -> Result<Option<Workload>, XfccError> {
    let Some(header) = header else {
        let shown = !peer.certificate.is_empty() || !peer.principal.is_empty();
        return if shown { Err(XfccError::Missing) } else { Ok(None) };
    };
    let ours = ours(printable(header)?, trust.mode)?;
    if !ours.iter().all(|element| trust.by.contains(&element.by)) {
        return Err(XfccError::By);
    }
    if ours.iter().zip(ours.iter().skip(1)).any(|(former, next)| former.by != next.uri) {
        return Err(XfccError::Chain);
    }
    for element in &ours {
        if let Some(certificate) = element.certificate {
            element.agrees(certificate, now)?;
        }
    }
    let (first, last) = ours.first().zip(ours.last()).ok_or(XfccError::Elements)?;
    if last.uri.to_string() != peer.principal {
        return Err(XfccError::Principal);
    }
    if !peer.certificate.is_empty() {
        last.agrees(peer.certificate, now)?;
    }
    if !trust_domains.iter().any(|domain| **domain == *first.uri.trust_domain()) {
        return Err(XfccError::TrustDomain);
    }
    Ok(Some(first.uri.clone()))
}

/// What one Envoy says of its peer.
struct Element<'h> {
    by: Workload,
    /// SHA-256 of the certificate, in hex.
    hash: &'h str,
    /// URL-encoded PEM.
    certificate: Option<&'h str>,
    uri: Workload,
}

impl<'h> Element<'h> {
    /// Reads the pairs that Envoy writes, in its order. The URI is the last one, since what follows
    /// it could be part of it: `DNS` is refused.
    fn parse(element: &'h str) -> Result<Self, XfccError> {
        let mut pairs = split(element, b';')?.into_iter().peekable();
        let mut value = |key: &str| {
            let pair = pairs.next_if(|pair| pair.starts_with(key))?;
            pair.strip_prefix(key)
        };
        let by = value("By=").ok_or(XfccError::Malformed)?;
        let hash = value("Hash=").ok_or(XfccError::Malformed)?;
        let certificate = value("Cert=").map(unquoted).transpose()?;
        value("Chain=").map(unquoted).transpose()?;
        value("Subject=").map(unquoted).transpose()?;
        let uri = value("URI=").ok_or(XfccError::Malformed)?;
        if pairs.next().is_some() || !is_sha256(hash) {
            return Err(XfccError::Malformed);
        }
        let by = Workload::new(by).map_err(|_| XfccError::By)?;
        let uri = Workload::new(uri).map_err(|_| XfccError::NotASpiffeId)?;
        Ok(Self { by, hash, certificate, uri })
    }

    /// Whether it is about this certificate, which has to hold as in any other place.
    fn agrees(&self, certificate: &str, now: Timestamp) -> Result<(), XfccError> {
        let der = svid::der(certificate)?;
        if svid::leaf(&der, now)? != self.uri || !is_hash_of(self.hash, &der) {
            return Err(XfccError::OtherCertificate);
        }
        Ok(())
    }
}

/// The elements that are our Envoys' own.
fn ours(header: &str, mode: Mode) -> Result<Vec<Element<'_>>, XfccError> {
    let elements = split(header, b',')?;
    let (ours, exact) = match mode {
        Mode::SanitizeSet => (1, true),
        Mode::AppendLast { trusted_hops } => (trusted_hops, trusted_hops > 1),
    };
    let before = elements.len().checked_sub(ours).ok_or(XfccError::Elements)?;
    if exact && before != 0 {
        return Err(XfccError::Elements);
    }
    elements.into_iter().skip(before).map(Element::parse).collect()
}

fn printable(header: &[u8]) -> Result<&str, XfccError> {
    let is_printable = header.iter().all(|byte| (b' '..=b'~').contains(byte));
    let text = std::str::from_utf8(header).ok().filter(|_| is_printable);
    text.ok_or(XfccError::Malformed)
}

/// Splits outside quotes. A quote opens after `=` and closes before a separator or the end, and
/// stands nowhere else; in quotes a backslash escapes whatever follows it (RFC 2253 §3).
fn split(text: &str, separator: u8) -> Result<Vec<&str>, XfccError> {
    let (mut parts, mut rest, mut quoted, mut escaped) = (Vec::new(), text, false, false);
    let mut previous = b',';
    for (at, byte) in text.bytes().enumerate() {
        let separates = matches!(byte, b',' | b';');
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' if quoted => quoted = false,
            _ if quoted => {}
            b'"' if previous == b'=' => quoted = true,
            b'"' | b'\\' => return Err(XfccError::Malformed),
            _ if previous == b'"' && !separates => return Err(XfccError::Malformed),
            _ if byte == separator => {
                let start = text.len() - rest.len();
                let (part, after) = rest.split_at_checked(at - start).unwrap_or((rest, ""));
                parts.push(part);
                rest = after.get(1..).unwrap_or_default();
            }
            _ => {}
        }
        previous = byte;
    }
    parts.push(rest);
    if quoted || parts.iter().any(|part| part.is_empty()) {
        return Err(XfccError::Malformed);
    }
    Ok(parts)
}

fn unquoted(value: &str) -> Result<&str, XfccError> {
    let inside = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    inside.ok_or(XfccError::Malformed)
}

fn is_sha256(hash: &str) -> bool {
    hash.len() == 64 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_hash_of(hash: &str, der: &[u8]) -> bool {
    hex(&Sha256::digest(der)) == hash
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}
