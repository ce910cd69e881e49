//! The workload of a request: what its connection and its JWT-SVIDs prove, which has to be one.
//! Signatures are verified once under the same bundles; everything else is asked every time.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use super::bundles::Trusted;
use super::request::Headers;
use super::tokens::Verified;
use crate::authn::Proof;
use crate::authn::authorities::Authorities;
use crate::authn::bundle::Bundles;
use crate::authn::jwt_svid::{self, Accepted, JwtSvidError};
use crate::authn::svid::{self, Leaf, Peer, SvidError};
use crate::authn::xfcc::{self, Mode, Trust, XfccError};
use crate::config::{Config, WorkloadsFrom};
use crate::identity::Workload;

/// A workload, and what proved it.
#[derive(Clone, Debug)]
pub(super) struct Proved {
    pub(super) workload: Workload,
    pub(super) proof: Proof,
}

/// Why a request proves no workload although it says that it has one. For the log.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum WorkloadError {
    #[error(transparent)]
    Certificate(#[from] SvidError),
    #[error(transparent)]
    Xfcc(#[from] XfccError),
    #[error(transparent)]
    JwtSvid(#[from] JwtSvidError),
    #[error("two headers with a JWT-SVID")]
    Twice,
    #[error("two proofs name different workloads")]
    Disagree,
    /// Nothing is known about it: neither good nor bad.
    #[error("the trust domains' bundles are not known")]
    Unavailable,
}

/// What workloads are verified with.
pub(super) struct WorkloadVerifier<'v> {
    pub(super) config: &'v Config,
    /// None while they are not known.
    pub(super) bundles: Option<Arc<Trusted<Bundles>>>,
    /// The same.
    pub(super) authorities: Option<Arc<Trusted<Authorities>>>,
    /// Certificates that were read.
    pub(super) leaves: &'v Verified<Arc<Leaf>>,
    pub(super) now: Timestamp,
}

impl WorkloadVerifier<'_> {
    /// The workload whose request Envoy says it is, if it says so: by the certificate of the
    /// connection, unless something else is configured.
    pub(super) fn peer(
        &self,
        peer: Peer<'_>,
        headers: &Headers<'_>,
    ) -> Result<Option<Proved>, WorkloadError> {
        let domains = &self.config.workloads.trust_domains;
        let proved = match &self.config.workloads.from {
            WorkloadsFrom::Certificate => {
                let leaf = self.leaf(peer, domains)?;
                if let Some(leaf) = &leaf {
                    self.chain(peer, &leaf.workload)?;
                }
                leaf.map(|leaf| (leaf.workload.clone(), Proof::Certificate))
            }
            WorkloadsFrom::Principal => svid::principal(peer, domains, self.now)?,
            WorkloadsFrom::Xfcc(trust) => {
                let header = headers.once(xfcc::HEADER).map_err(|_| XfccError::Twice)?;
                let workload = xfcc::workload(header, peer, trust, domains, self.now)?;
                workload.map(|workload| (workload, Proof::Xfcc))
            }
        };
        Ok(proved.map(|(workload, proof)| Proved { workload, proof }))
    }

    /// The peer's certificate, which is read once.
    fn leaf(&self, peer: Peer<'_>, domains: &[Box<str>]) -> Result<Option<Arc<Leaf>>, SvidError> {
        if let Some(leaf) = self.leaves.get(peer.certificate) {
            leaf.stands(peer.principal, domains, self.now)?;
            return Ok(Some(leaf));
        }
        let leaf = svid::proved(peer, domains, self.now)?.map(Arc::new);
        if let Some(leaf) = &leaf {
            self.leaves.keep(peer.certificate, Arc::clone(leaf));
        }
        Ok(leaf)
    }

    /// SHA-256 of the caller's certificate, if Envoy shows it. Behind another Envoy of ours the
    /// connection's certificate is that Envoy's.
    pub(super) fn fingerprint(&self, peer: Peer<'_>) -> Option<[u8; 32]> {
        match &self.config.workloads.from {
            WorkloadsFrom::Certificate | WorkloadsFrom::Principal => svid::fingerprint(peer),
            WorkloadsFrom::Xfcc(Trust { mode, by: _ }) => match mode {
                Mode::SanitizeSet | Mode::AppendLast { trusted_hops: 1 } => svid::fingerprint(peer),
                Mode::AppendLast { .. } => None,
            },
        }
    }

    /// Whether an authority of the workload's trust domain has signed its certificate, if that is
    /// asked here.
    fn chain(&self, peer: Peer<'_>, workload: &Workload) -> Result<(), WorkloadError> {
        if !self.config.workloads.verify_certificates {
            return Ok(());
        }
        let Trusted { bundles, verified } =
            &**self.authorities.as_ref().ok_or(WorkloadError::Unavailable)?;
        let kept = verified.get(peer.certificate);
        if !kept.is_some_and(|signed| signed.counts(workload.trust_domain(), self.now)) {
            let signed = svid::signed_by(peer, workload, bundles, self.now)?;
            verified.keep(peer.certificate, signed);
        }
        Ok(())
    }

    /// The workload that a JWT-SVID proves.
    pub(super) fn jwt_svid(&self, token: &str) -> Result<Proved, WorkloadError> {
        let workloads = &self.config.workloads;
        let audiences = workloads.jwt_svid.as_ref().map(|jwt_svid| &*jwt_svid.audiences);
        let accepted = Accepted {
            audiences: audiences.unwrap_or_default(),
            trust_domains: &workloads.trust_domains,
            max_bytes: self.config.tokens.max_bytes,
        };
        let Trusted { bundles, verified } =
            &**self.bundles.as_ref().ok_or(WorkloadError::Unavailable)?;
        let svid = if let Some(kept) = verified.get(token) {
            kept.stands(&accepted, self.now)?;
            kept
        } else {
            let svid = Arc::new(jwt_svid::verify(token, &accepted, bundles, self.now)?);
            verified.keep(token, Arc::clone(&svid));
            svid
        };
        Ok(Proved { workload: svid.workload.clone(), proof: Proof::JwtSvid })
    }

    /// The workload that the configured header proves, if it is there.
    pub(super) fn header(&self, headers: &Headers<'_>) -> Result<Option<Proved>, WorkloadError> {
        let Some(name) = self.config.workload_header() else {
            return Ok(None);
        };
        let value = headers.once(name).map_err(|_| WorkloadError::Twice)?;
        let text = value.map(|value| std::str::from_utf8(value));
        text.map(|text| self.jwt_svid(text.map_err(|_| JwtSvidError::NotCompact)?)).transpose()
    }
}

/// The one workload that every proof names, if there is a proof; the first proof stands for all.
pub(super) fn agreed(
    proofs: [Result<Option<Proved>, WorkloadError>; 3],
) -> Result<Option<Proved>, WorkloadError> {
    let mut agreed: Option<Proved> = None;
    for proof in proofs {
        let proved = proof?;
        if let (Some(agreed), Some(proved)) = (&agreed, &proved)
            && agreed.workload != proved.workload
        {
            return Err(WorkloadError::Disagree);
        }
        agreed = agreed.or(proved);
    }
    Ok(agreed)
}
