//! What is known elsewhere, and shown by the metrics.

use std::time::Duration;

use super::SinkState;

/// What is known elsewhere and asked for when somebody looks.
#[derive(Clone, Debug, Default)]
pub struct Observed {
    /// The digest of the set in force.
    pub policy: String,
    /// When the set came into force, in seconds since the epoch.
    pub loaded: i64,
    /// When the directory was looked at last, in seconds since the epoch.
    pub looked: i64,
    /// Servers in force.
    pub servers: usize,
    /// Sets tried, by result.
    pub reloads: [(&'static str, u64); 3],
    /// Problems of the directory as it stands.
    pub problems: usize,
    /// Bans in force of bad sets.
    pub bans: usize,
    /// Whether Envoy's files are in step, if they are written here.
    pub envoy_files: Option<bool>,
    /// The keys of each issuer.
    pub keys: Vec<KeysState>,
    /// The trust domains' bundles, of each kind that something is verified with.
    pub bundles: Vec<BundlesState>,
    /// When our own certificate to Envoy ends, in seconds since the epoch, if there is one.
    pub own_certificate_expires: Option<i64>,
    /// The deny-list, if there is one.
    pub revoked: Option<Revoked>,
    /// The cache of verified tokens.
    pub tokens: TokenCache,
    /// The sinks of the decision log.
    pub sinks: Vec<SinkState>,
    /// When the process began to serve, in seconds since the epoch.
    pub started: i64,
    /// Bytes.
    pub resident: Option<u64>,
    /// File descriptors.
    pub open_files: Option<u64>,
}

/// The deny-list in force.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Tokens that are denied.
    pub tokens: usize,
    /// Users that are denied.
    pub users: usize,
    /// Whether that is what the file says.
    pub in_step: bool,
}

/// What the cache of verified tokens did so far, and holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TokenCache {
    /// Tokens that were there.
    pub hits: u64,
    /// Tokens that were not.
    pub misses: u64,
    /// Tokens held.
    pub tokens: u64,
    /// Bytes held.
    pub bytes: u64,
}

/// The keys of one issuer.
#[derive(Clone, Debug, Default)]
pub struct KeysState {
    /// The issuer, by its configured name.
    pub issuer: String,
    /// Keys that can verify, while they count.
    pub usable: Option<usize>,
    /// Keys that were left out, by reason.
    pub left_out: Vec<(&'static str, usize)>,
    /// How long ago they were fetched, if they are.
    pub age: Option<Duration>,
    /// Fetches by result, if they are fetched.
    pub fetches: Option<[(&'static str, u64); 3]>,
    /// Fetches that unknown keys caused.
    pub refetches: Option<u64>,
}

/// The trust domains' bundles of one kind.
#[derive(Clone, Debug, Default)]
pub struct BundlesState {
    /// `jwt` or `x509`.
    pub kind: &'static str,
    /// How long ago they were last seen to be good, if they are known.
    pub age: Option<Duration>,
    /// Keys that can verify, by trust domain, if they are known.
    pub usable: Option<Vec<(String, usize)>>,
    /// How many times others came.
    pub updates: u64,
    /// How many times they could not be had.
    pub failures: u64,
}
