//! The bundles that JWT-SVIDs are verified with.

use std::sync::Arc;
use std::time::Instant;

use spiffe::bundle::jwt::JwtAuthority;
use spiffe::{JwtBundle, JwtBundleSet, TrustDomain, WorkloadApiClient, WorkloadApiError};

use super::{Subject, Updates};
use crate::authn::bundle::Bundles;
use crate::server::bundles::HeldBundles;

/// The JWT authorities of the listed trust domains, own and federated.
pub(in crate::server) struct JwtBundles {
    pub(in crate::server) trust_domains: Vec<Box<str>>,
    pub(in crate::server) held: Arc<HeldBundles>,
}

impl Subject for JwtBundles {
    type Update = JwtBundleSet;

    const WHAT: &'static str = "JWT bundles";

    async fn subscribe(
        client: &WorkloadApiClient,
    ) -> Result<Updates<JwtBundleSet>, WorkloadApiError> {
        Ok(Box::pin(client.stream_jwt_bundles().await?))
    }

    fn accept(&mut self, update: &JwtBundleSet, now: Instant) -> Result<(), String> {
        let bundles = listed(update, &self.trust_domains)?;
        for domain in self.trust_domains.iter().filter(|domain| bundles.of(domain).is_none()) {
            tracing::warn!(
                trust_domain = %domain,
                "the SPIRE agent gives no bundle of it: does Toolgate's entry federate with it?"
            );
        }
        self.held.accept(bundles, now);
        Ok(())
    }

    fn confirm(&mut self, now: Instant) {
        self.held.confirm(now);
    }

    fn fail(&mut self, problem: &str) -> bool {
        self.held.fail(problem)
    }

    fn withdraw(&mut self, problem: &str) -> bool {
        self.held.withdraw(problem)
    }
}

/// Those of the listed trust domains: others may come with an entry, and are nobody's here.
pub(super) fn listed(update: &JwtBundleSet, trust_domains: &[Box<str>]) -> Result<Bundles, String> {
    let mut bundles = Bundles::default();
    for name in trust_domains {
        let domain = TrustDomain::new(name).map_err(|error| error.to_string())?;
        if let Some(bundle) = update.get_ref(&domain) {
            bundles.insert(name, &document(bundle)).map_err(|error| error.to_string())?;
        }
    }
    Ok(bundles)
}

/// The bundle as a JWK Set. The client has read it loosely; it is read strictly once more.
fn document(bundle: &JwtBundle) -> Vec<u8> {
    let mut keys: Vec<&JwtAuthority> = bundle.jwt_authorities().map(AsRef::as_ref).collect();
    keys.sort_by_key(|key| key.key_id());
    let keys: Vec<&[u8]> = keys.into_iter().map(JwtAuthority::jwk_json).collect();
    [br#"{"keys":["#.as_slice(), &keys.join(b",".as_slice()), b"]}"].concat()
}
