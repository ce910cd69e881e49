//! TOKEN VERIFICATION: bytes, keys and a time in; an identity out. No network and no clock.
//!
//! The signature is aws-lc-rs's work. Everything around it is ours, because libraries let
//! through what must not pass (missing or oddly typed audiences, duplicate claims, payloads that
//! are not objects, critical headers that nobody understood): see [`token`].

pub mod authorities;
pub mod bundle;
pub mod jwks;
pub mod jwt_svid;
pub mod presets;
pub mod revocation;
pub mod svid;
pub mod token;
pub mod xfcc;

#[cfg(test)]
mod tests;

use thiserror::Error;

/// How a workload was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// By the certificate of its connection.
    Certificate,
    /// By a JWT-SVID.
    JwtSvid,
    /// By Envoy's word alone.
    Principal,
    /// By `X-Forwarded-Client-Cert`.
    Xfcc,
}

/// The crypto back-end refused to be the process's only one.
#[derive(Clone, Copy, Debug, Error)]
#[error("another crypto back-end was installed first")]
pub struct CryptoConflict;

/// Chooses the crypto back-end for the whole process. Call it first thing in `main`: without it,
/// a dependency that enables a second back-end would turn into a panic at the first token.
///
/// # Errors
///
/// If one was chosen before.
pub fn install_crypto() -> Result<(), CryptoConflict> {
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().map_err(|_| CryptoConflict)
}
