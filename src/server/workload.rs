//! The workload of a request: what its certificate and its JWT-SVIDs prove, which has to be one.

use std::sync::Arc;

use jiff::Timestamp;
use thiserror::Error;

use super::request::Headers;
use crate::authn::authorities::Authorities;
use crate::authn::bundle::Bundles;
use crate::authn::jwt_svid::{self, Accepted, JwtSvidError};
use crate::authn::svid::{self, Peer, SvidError};
use crate::config::Config;
use crate::identity::Workload;

/// Why a request proves no workload although it says that it has one. For the log.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(super) enum WorkloadError {
    #[error(transparent)]
    Certificate(#[from] SvidError),
    #[error(transparent)]
    JwtSvid(#[from] JwtSvidError),
    #[error("two headers with a JWT-SVID")]
    Twice,
    #[error("certificate and JWT-SVID name different workloads")]
    Disagree,
    /// Nothing is known about it: neither good nor bad.
    #[error("the trust domains' bundles are not known")]
    Unavailable,
}

/// What workloads are verified with.
pub(super) struct WorkloadVerifier<'v> {
    pub(super) config: &'v Config,
    /// None while they are not known.
    pub(super) bundles: Option<Arc<Bundles>>,
    /// The same.
    pub(super) authorities: Option<Arc<Authorities>>,
    pub(super) now: Timestamp,
}

impl WorkloadVerifier<'_> {
    /// The workload that the connection's certificate proves, if there is one.
    pub(super) fn certificate(&self, peer: Peer<'_>) -> Result<Option<Workload>, WorkloadError> {
        let proved = svid::workload(peer, &self.config.workloads.trust_domains, self.now)?;
        if let Some(workload) = &proved {
            self.chain(peer, workload)?;
        }
        Ok(proved)
    }

    /// Whether an authority of the workload's trust domain has signed its certificate, if that is
    /// asked here.
    fn chain(&self, peer: Peer<'_>, workload: &Workload) -> Result<(), WorkloadError> {
        if !self.config.workloads.verify_certificates {
            return Ok(());
        }
        let authorities = self.authorities.as_ref().ok_or(WorkloadError::Unavailable)?;
        Ok(svid::signed_by(peer, workload, authorities, self.now)?)
    }

    /// The workload that a JWT-SVID proves.
    pub(super) fn jwt_svid(&self, token: &str) -> Result<Workload, WorkloadError> {
        let workloads = &self.config.workloads;
        let audiences = workloads.jwt_svid.as_ref().map(|jwt_svid| &*jwt_svid.audiences);
        let accepted = Accepted {
            audiences: audiences.unwrap_or_default(),
            trust_domains: &workloads.trust_domains,
            max_bytes: self.config.tokens.max_bytes,
        };
        let bundles = self.bundles.as_ref().ok_or(WorkloadError::Unavailable)?;
        Ok(jwt_svid::verify(token, &accepted, bundles, self.now)?)
    }

    /// The workload that the configured header proves, if it is there.
    pub(super) fn header(&self, headers: &Headers<'_>) -> Result<Option<Workload>, WorkloadError> {
        let Some(name) = self.config.workload_header() else {
            return Ok(None);
        };
        let value = headers.once(name).map_err(|_| WorkloadError::Twice)?;
        let text = value.map(|value| std::str::from_utf8(value));
        text.map(|text| self.jwt_svid(text.map_err(|_| JwtSvidError::NotCompact)?)).transpose()
    }
}

/// The one workload that every proof names, if there is a proof.
pub(super) fn agreed(
    proofs: [Result<Option<Workload>, WorkloadError>; 3],
) -> Result<Option<Workload>, WorkloadError> {
    let mut agreed: Option<Workload> = None;
    for proof in proofs {
        let proved = proof?;
        if agreed.is_some() && proved.is_some() && agreed != proved {
            return Err(WorkloadError::Disagree);
        }
        agreed = agreed.or(proved);
    }
    Ok(agreed)
}
