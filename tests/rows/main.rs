//! One test for each row of `tests/credentials`: a credential or a request that is not what it
//! should be, sent to a real `toolgate serve` as Envoy would send it. The README there says how a
//! row is written.

/// What a row expects, beside what came back.
#[cfg(test)]
mod check;
/// No change of a token yields an identity.
#[cfg(test)]
mod forged;
/// A `CheckRequest` as Envoy makes it, and what is answered.
#[cfg(test)]
mod grpc;
/// Keys, and signatures of every kind.
#[cfg(test)]
mod keys;
/// An address that nobody should ask.
#[cfg(test)]
mod listener;
/// Callers' certificates.
#[cfg(test)]
mod peers;
/// What a mesh's Envoy asked.
#[cfg(test)]
mod recorded;
/// The data files.
#[cfg(test)]
mod row;
/// Running Toolgates, one for each configuration that rows need.
#[cfg(test)]
mod sidecar;
/// Signatures that no provider makes.
#[cfg(test)]
mod signature;
/// Keys that no library makes.
#[cfg(test)]
mod small;
/// The examples of the standards.
#[cfg(test)]
mod standards;
/// From a recipe to a token.
#[cfg(test)]
mod token;
/// One test for each row.
#[cfg(test)]
mod trials;

#[cfg(test)]
fn main() -> std::process::ExitCode {
    trials::run()
}

#[cfg(not(test))]
fn main() {}
