//! Names to addresses, for fetching keys: what a name leads to is looked at before it is asked, and
//! what was looked at is what is asked.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;

use crate::config::keys::is_forbidden;

/// The system's resolver, without forbidden addresses.
pub(super) struct Resolver;

/// A name that leads where no keys are fetched from.
#[derive(Debug, Error)]
#[error("`{0}` leads to an address that is never asked for keys")]
struct Forbidden(String);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let addresses: Addrs = Box::new(allowed(name.as_str(), found)?.into_iter());
            Ok(addresses)
        })
    }
}

/// One forbidden address is enough: whoever answers so is not to be trusted with the others.
fn allowed(name: &str, found: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, Forbidden> {
    if found.iter().any(|address| is_forbidden(address.ip())) {
        return Err(Forbidden(name.to_owned()));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_to_one_forbidden_address_is_not_asked_at_all() {
        for (found, is_allowed) in [
            (vec!["10.0.0.1:0"], true),
            (vec!["127.0.0.1:0", "[::1]:0"], true),
            (vec!["169.254.169.254:0"], false),
            (vec!["10.0.0.1:0", "169.254.1.1:0"], false),
            (vec!["[fe80::1]:0"], false),
            (vec!["0.0.0.0:0"], false),
        ] {
            let addresses = found.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(allowed("a.example", addresses).is_ok(), is_allowed, "{found:?}");
        }
    }

    #[tokio::test]
    async fn the_resolver_asks_the_system() {
        let found = Resolver.resolve("localhost".parse().unwrap()).await.unwrap();
        assert!(found.into_iter().all(|address| address.ip().is_loopback()));
        // And looks at what it says.
        let refused = Resolver.resolve("169.254.169.254".parse().unwrap()).await.err().unwrap();
        assert!(refused.is::<Forbidden>(), "{refused}");
    }
}
