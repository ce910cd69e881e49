//! Where an issuer's keys come from, and which addresses may be asked for them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use url::{Host, Url};

/// Where an issuer's keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysSource {
    /// A JWKS file.
    File(PathBuf),
    /// A JWKS that stands in the configuration; it has been read once.
    Inline(Box<str>),
    /// A JWKS that is fetched.
    Remote(RemoteKeys),
}

/// Keys that are fetched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteKeys {
    /// Where to begin.
    pub start: KeysStart,
    /// The roots that the provider's certificate must lead to, PEM, instead of the system's.
    pub ca: Option<PathBuf>,
    /// How long the last good keys count once they are no longer fresh.
    pub max_stale: Duration,
    /// The least time between two fetches that unknown keys cause.
    pub refetch: Duration,
}

/// The first address that is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeysStart {
    /// The JWKS itself.
    Url(Url),
    /// The provider's metadata, which names it.
    Discovery(Discovery),
}

/// A provider's metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Discovery {
    /// Its address, made from the issuer.
    pub document: Url,
    /// Hosts that the keys may be at, beside the issuer's own.
    pub hosts: Vec<Box<str>>,
}

/// How a provider's metadata is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WellKnown {
    /// `OpenID` Connect Discovery 1.0 §4: behind the issuer's path.
    OpenId,
    /// RFC 8414 §3.1: before the issuer's path.
    OAuth,
}

/// Why no keys are fetched from an address.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum AddressError {
    /// No URL.
    #[error("not a URL")]
    NotAUrl,
    /// More than an address.
    #[error("it has a user, a password or a fragment")]
    NotBare,
    /// Keys decide everything, and nobody may replace them on the way.
    #[error("it must be `https`, or `http` to a loopback address")]
    Insecure,
    /// Less safe than the address that names it.
    #[error("it must be `https`, as the issuer is")]
    Downgrade,
    /// Where cloud providers hand out credentials, or nowhere.
    #[error("link-local and unspecified addresses are never asked")]
    Forbidden,
    /// Somebody else's.
    #[error("its host is neither the issuer's nor one of `hosts`")]
    Host,
}

/// An address that keys may be fetched from.
///
/// # Errors
///
/// If they may not.
pub fn address(text: &str) -> Result<Url, AddressError> {
    let url = Url::parse(text).map_err(|_| AddressError::NotAUrl)?;
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(AddressError::NotBare);
    }
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => Some(IpAddr::V4(address)),
        Some(Host::Ipv6(address)) => Some(IpAddr::V6(address)),
        Some(Host::Domain(_)) => None,
        None => return Err(AddressError::Insecure),
    };
    if literal.is_some_and(is_forbidden) {
        return Err(AddressError::Forbidden);
    }
    match url.scheme() {
        "https" => Ok(url),
        "http" if literal.is_some_and(|address| address.is_loopback()) => Ok(url),
        _ => Err(AddressError::Insecure),
    }
}

/// Where clouds answer their machines outside the link-local addresses: Alibaba's metadata, Azure's
/// host, Oracle's metadata of old; Amazon's and Google's metadata.
const METADATA_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

/// Whether an IP address is never asked for keys: a cloud's metadata service (link-local, most of
/// them), unspecified, or for several hosts at once. Private networks are not among them: that is
/// where many providers are.
#[must_use]
pub fn is_forbidden(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => {
            let this_network = address.octets()[0] == 0;
            this_network
                || METADATA_V4.contains(&address)
                || address.is_link_local()
                || address.is_multicast()
                || address.is_broadcast()
        }
        IpAddr::V6(address) => {
            METADATA_V6.contains(&address)
                || address.is_unspecified()
                || address.is_unicast_link_local()
                || address.is_multicast()
                || embedded(address).is_some_and(|address| is_forbidden(IpAddr::V4(address)))
        }
    }
}

/// An IPv4 address in other clothes: mapped and compatible (RFC 4291 §2.5.5), 6to4 (RFC 3056 §2),
/// NAT64 (RFC 6052 §2.1) and its prefix for local use (RFC 8215), where the address comes last.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let of = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        // Not `::` and `::1`, which are addresses of their own.
        [0, 0, 0, 0, 0, 0, 0, _] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, high, low]
        | [0x2002, high, low, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low] => Some(of(high, low)),
        _ => None,
    }
}

impl WellKnown {
    /// The address of an issuer's metadata.
    ///
    /// # Errors
    ///
    /// If nothing may be fetched from there.
    pub fn of(self, issuer: &str) -> Result<Url, AddressError> {
        match self {
            Self::OpenId => {
                let issuer = issuer.strip_suffix('/').unwrap_or(issuer);
                address(&format!("{issuer}/.well-known/openid-configuration"))
            }
            Self::OAuth => {
                let mut url = address(issuer)?;
                let path = url.path().strip_suffix('/').unwrap_or(url.path());
                let path = format!("/.well-known/oauth-authorization-server{path}");
                url.set_path(&path);
                Ok(url)
            }
        }
    }
}

impl Discovery {
    /// The address of the keys, as the metadata names it.
    ///
    /// # Errors
    ///
    /// If nothing may be fetched from there on the metadata's word.
    pub fn admit(&self, jwks_uri: &str) -> Result<Url, AddressError> {
        let Self { document, hosts } = self;
        let url = address(jwks_uri)?;
        if url.scheme() == "http" && document.scheme() != "http" {
            return Err(AddressError::Downgrade);
        }
        let host = url.host_str();
        if host == document.host_str() || hosts.iter().any(|known| Some(&**known) == host) {
            Ok(url)
        } else {
            Err(AddressError::Host)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_fetched_from_safe_addresses_only() {
        use AddressError::{Forbidden, Insecure, NotAUrl, NotBare};
        for (text, expected) in [
            ("https://login.example.com/jwks?tenant=a", Ok(())),
            ("https://10.0.0.1/jwks", Ok(())),
            ("https://127.0.0.1:8443/jwks", Ok(())),
            ("http://127.0.0.1:1/jwks", Ok(())),
            ("http://[::1]:1/jwks", Ok(())),
            ("jwks", Err(NotAUrl)),
            ("http://login.example.com/jwks", Err(Insecure)),
            ("http://localhost/jwks", Err(Insecure)),
            ("http://10.0.0.1/jwks", Err(Insecure)),
            ("file:///etc/jwks", Err(Insecure)),
            ("ftp://login.example.com/jwks", Err(Insecure)),
            ("https://u@login.example.com/jwks", Err(NotBare)),
            ("https://:p@login.example.com/jwks", Err(NotBare)),
            ("https://login.example.com/jwks#", Err(NotBare)),
            ("https://169.254.169.254/latest", Err(Forbidden)),
            ("https://2852039166/latest", Err(Forbidden)),
            ("https://0xa9.0376.43518/latest", Err(Forbidden)),
            ("https://0.0.0.0/", Err(Forbidden)),
            ("https://0.1.2.3/", Err(Forbidden)),
            ("https://224.0.0.1/", Err(Forbidden)),
            ("https://255.255.255.255/", Err(Forbidden)),
            ("https://[::]/", Err(Forbidden)),
            ("https://[fe80::1]/", Err(Forbidden)),
            ("https://[febf::1]/", Err(Forbidden)),
            ("https://[ff02::1]/", Err(Forbidden)),
            ("https://[::ffff:169.254.169.254]/", Err(Forbidden)),
            ("https://[64:ff9b::a9fe:a9fe]/", Err(Forbidden)),
            ("https://[fd00:ec2::254]/", Err(Forbidden)),
            ("https://[fd20:ce::254]/", Err(Forbidden)),
            ("https://100.100.100.200/latest", Err(Forbidden)),
            ("https://168.63.129.16/machine", Err(Forbidden)),
            ("https://192.0.0.192/latest", Err(Forbidden)),
            ("https://[::169.254.169.254]/", Err(Forbidden)),
            ("https://[::100.100.100.200]/", Err(Forbidden)),
            ("https://[2002:a9fe:a9fe::1]/", Err(Forbidden)),
            ("https://[64:ff9b:1::a9fe:a9fe]/", Err(Forbidden)),
            ("https://[64:ff9b:1:2:3:4:a9fe:a9fe]/", Err(Forbidden)),
            ("https://[::1]/", Ok(())),
            ("https://[2002:808:808::1]/", Ok(())),
            ("https://[64:ff9b:1::808:808]/", Ok(())),
            ("https://100.64.0.1/", Ok(())),
            ("https://192.0.0.193/", Ok(())),
            ("https://[64:ff9b::808:808]/", Ok(())),
            ("https://[fd00::1]/", Ok(())),
        ] {
            assert_eq!(address(text).map(drop), expected, "{text}");
        }
    }

    #[test]
    fn an_issuer_says_where_its_metadata_is() {
        const OPENID: &str = "/.well-known/openid-configuration";
        const OAUTH: &str = "/.well-known/oauth-authorization-server";
        for (issuer, openid, oauth) in [
            ("https://a.example", OPENID.to_owned(), OAUTH.to_owned()),
            ("https://a.example/", OPENID.to_owned(), OAUTH.to_owned()),
            ("https://a.example/t", format!("/t{OPENID}"), format!("{OAUTH}/t")),
            ("https://a.example/t/u/", format!("/t/u{OPENID}"), format!("{OAUTH}/t/u")),
        ] {
            let of = |kind: WellKnown| kind.of(issuer).unwrap().to_string();
            assert_eq!(of(WellKnown::OpenId), format!("https://a.example{openid}"), "{issuer}");
            assert_eq!(of(WellKnown::OAuth), format!("https://a.example{oauth}"), "{issuer}");
        }
        for issuer in ["http://a.example", "https://u@a.example", "https://169.254.169.254/a"] {
            assert!(WellKnown::OpenId.of(issuer).is_err(), "{issuer}");
            assert!(WellKnown::OAuth.of(issuer).is_err(), "{issuer}");
        }
    }

    #[test]
    fn metadata_names_keys_of_its_own_host_or_a_configured_one() {
        use AddressError::{Downgrade, Forbidden, Host, Insecure, NotBare};
        let discovery = |document: &str| Discovery {
            document: Url::parse(document).unwrap(),
            hosts: vec!["keys.example.com".into(), "169.254.169.254".into()],
        };
        let secure = discovery("https://login.example.com/.well-known/openid-configuration");
        for (uri, expected) in [
            ("https://login.example.com/jwks", Ok(())),
            ("https://LOGIN.example.com:8443/jwks", Ok(())),
            ("https://keys.example.com/jwks", Ok(())),
            ("https://evil.example/jwks", Err(Host)),
            ("https://login.example.com.evil.example/jwks", Err(Host)),
            ("https://x.login.example.com/jwks", Err(Host)),
            ("https://login.example.com@evil.example/jwks", Err(NotBare)),
            ("https://login.example.com./jwks", Err(Host)),
            ("http://login.example.com/jwks", Err(Insecure)),
            ("http://127.0.0.1/jwks", Err(Downgrade)),
            ("https://169.254.169.254/jwks", Err(Forbidden)),
            ("https://127.0.0.1/jwks", Err(Host)),
        ] {
            assert_eq!(secure.admit(uri).map(drop), expected, "{uri}");
        }
        let local = discovery("http://127.0.0.1:1/.well-known/openid-configuration");
        assert!(local.admit("http://127.0.0.1:2/jwks").is_ok());
        assert_eq!(local.admit("http://127.0.0.2:2/jwks").map(drop), Err(Host));
    }
}
