//! What is known of the trust domains: only that which something is verified with.

use std::sync::Arc;
use std::time::Instant;

use super::bundles::{self, HeldBundles};
use super::spire;
use super::status::Part;
use crate::authn::bundle::Bundles;
use crate::config::{BundlesSource, WorkloadsConfig};
use crate::telemetry::BundlesState;

/// The bundles of the trust domains.
#[derive(Debug)]
pub(super) struct Trust {
    /// With them JWT-SVIDs are verified; there if any are accepted.
    jwt: Option<Arc<HeldBundles<Bundles>>>,
}

impl Trust {
    /// Nothing is known yet.
    pub(super) fn new(config: &WorkloadsConfig) -> Self {
        Self { jwt: config.jwt_svid.as_ref().map(|_| Arc::default()) }
    }

    /// Keeps everything up to date, for ever.
    pub(super) fn follow(&self, config: &WorkloadsConfig) {
        let WorkloadsConfig { trust_domains, jwt_svid: _, bundles } = config;
        let Some(source) = bundles else {
            return;
        };
        if let Some(held) = self.jwt.clone() {
            match source {
                BundlesSource::File(path) => {
                    tokio::spawn(bundles::follow(held, path.clone(), bundles::parse));
                }
                BundlesSource::Spire(socket) => {
                    let subject = spire::JwtBundles { trust_domains: trust_domains.clone(), held };
                    tokio::spawn(spire::follow(socket.clone(), subject));
                }
            }
        }
    }

    /// Whether whatever a workload may present can be verified.
    pub(super) fn is_known(&self, now: Instant) -> bool {
        let Self { jwt } = self;
        jwt.as_ref().is_none_or(|jwt| jwt.at(now).is_some())
    }

    /// What JWT-SVIDs are verified with, if it is known.
    pub(super) fn jwt(&self, now: Instant) -> Option<Arc<Bundles>> {
        self.jwt.as_ref()?.at(now)
    }

    /// How it is, for `/readyz` and `/status`.
    pub(super) fn parts(&self, now: Instant) -> Vec<Part> {
        let Self { jwt } = self;
        jwt.iter().map(|jwt| jwt.part(now)).collect()
    }

    /// How it is, for the metrics.
    pub(super) fn observed(&self, now: Instant) -> Vec<BundlesState> {
        let Self { jwt } = self;
        jwt.iter().map(|jwt| jwt.observed(now)).collect()
    }
}
