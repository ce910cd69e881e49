//! The sidecar's configuration: for the platform engineer, separate from policy, strict in the
//! same way. Relative paths are relative to the file they stand in.

pub mod keys;
mod raw;
pub mod revoked;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use url::Url;

use self::keys::KeysSource;
use crate::authn::token::{Issuer, MAX_TOKEN_BYTES};
use crate::authn::xfcc;
use crate::diagnostics::{Diagnostics, Source, Sources};
use crate::identity::Workload;
use crate::mcp::Violation;
use crate::yaml::{self, Reader};

/// A validated configuration.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where Envoy asks.
    pub grpc: GrpcListener,
    /// Where health is asked for.
    pub http: SocketAddr,
    /// The policy directory.
    pub policies: PathBuf,
    /// Servers live at `{public_url}/{server}/mcp`; without a trailing slash.
    pub public_url: PublicUrl,
    /// Whose tokens are accepted.
    pub issuers: Vec<IssuerConfig>,
    /// What holds for the tokens of all of them.
    pub tokens: TokensConfig,
    /// Whose workload identities are believed.
    pub workloads: WorkloadsConfig,
    /// Browsers' `Origin` values that may call.
    pub origins: Vec<Box<str>>,
    /// Violations of the protocol that are put up with.
    pub compatibility: Vec<Violation>,
    /// The key that binds sessions to those who open them; without it, one that this process
    /// makes up.
    pub session_key: Option<PathBuf>,
    /// Where the decision record goes.
    pub decisions: DecisionsConfig,
    /// What `toolgate envoy` renders beside the routes.
    pub envoy: Option<EnvoyConfig>,
}

/// A path of the configuration. Toolgate may run anywhere; Envoy runs in the configuration's
/// directory, and is told the path as it is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FilePath {
    /// As it is written.
    pub written: String,
    /// From Toolgate's working directory.
    pub path: PathBuf,
}

/// Where Envoy asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrpcListener {
    /// A Unix socket, made with mode 0660 in a directory with mode 0750.
    Unix(FilePath),
    /// TCP; off the loopback only with TLS.
    Tcp {
        /// The address.
        address: SocketAddr,
        /// Mutual TLS.
        tls: Option<GrpcTls>,
    },
}

/// Mutual TLS between Envoy and Toolgate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrpcTls {
    /// Toolgate's SPIFFE ID: Envoy asks nobody else.
    pub identity: Workload,
    /// The SPIFFE IDs that may ask.
    pub accept: Vec<Workload>,
    /// Where Toolgate's certificate comes from, and whom it believes.
    pub source: TlsSource,
}

/// Where Toolgate's own certificate comes from, and what Envoy's must lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TlsSource {
    /// Files.
    Files(TlsFiles),
    /// The SPIRE agent of `workloads.spire`.
    Spire,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// Toolgate's certificate chain.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The certificates that Envoy's must lead to.
    pub ca: PathBuf,
}

/// An `https` URL without path, query or fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicUrl {
    /// As it is written, without a trailing slash.
    pub text: Box<str>,
    /// Its host.
    pub host: Box<str>,
    /// Its port, if it is not the scheme's.
    pub port: Option<u16>,
}

/// What holds for the tokens of every issuer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokensConfig {
    /// No longer token is looked at.
    pub max_bytes: usize,
    /// How many bytes of verified tokens are kept; none are with 0.
    pub cache_bytes: u64,
    /// The deny-list.
    pub revoked: Option<PathBuf>,
}

impl Default for TokensConfig {
    fn default() -> Self {
        Self { max_bytes: MAX_TOKEN_BYTES, cache_bytes: 32_000_000, revoked: None }
    }
}

/// An issuer, and where its keys are.
#[derive(Clone, Debug)]
pub struct IssuerConfig {
    /// What its tokens must look like.
    pub issuer: Issuer,
    /// Where its keys are.
    pub keys: KeysSource,
}

/// Whose workload identities are believed, and how they may be proved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WorkloadsConfig {
    /// Trust domains whose workloads are accepted.
    pub trust_domains: Vec<Box<str>>,
    /// What proves a workload, besides JWT-SVIDs.
    pub from: WorkloadsFrom,
    /// What JWT-SVIDs must look like; none are accepted without.
    pub jwt_svid: Option<JwtSvidConfig>,
    /// Where the trust domains' bundles come from; there whenever something is verified with them.
    pub bundles: Option<BundlesSource>,
    /// Whether callers' certificates are verified here once more.
    pub verify_certificates: bool,
}

/// Where the trust domains' bundles come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BundlesSource {
    /// A file.
    File(PathBuf),
    /// The SPIFFE Workload API, at this Unix socket.
    Spire(PathBuf),
}

/// What proves a workload, besides JWT-SVIDs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum WorkloadsFrom {
    /// The certificate that Envoy saw.
    #[default]
    Certificate,
    /// Envoy's principal, where no certificate comes.
    Principal,
    /// `X-Forwarded-Client-Cert`, as these Envoys write it.
    Xfcc(xfcc::Trust),
}

/// How JWT-SVIDs are accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSvidConfig {
    /// Values of `aud` that mean us.
    pub audiences: Vec<Box<str>>,
    /// A header that carries one besides `Authorization`, in lower case.
    pub header: Option<Box<str>>,
}

/// What `toolgate envoy` renders beside the routes. Paths stay as they are written, since Envoy
/// runs in the directory of this file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvoyConfig {
    /// The listener with mutual TLS.
    pub mtls: SocketAddr,
    /// The plain listener; on the loopback, and rendered only when asked for.
    pub plain: Option<SocketAddr>,
    /// Who Envoy is, and who is believed.
    pub identity: EnvoyIdentity,
    /// Where Envoy's files are: `toolgate envoy` writes them there, and `toolgate serve` keeps
    /// routes and clusters in step with the policies.
    pub files: Option<FilePath>,
}

/// Where Envoy's own certificate comes from, and the SPIFFE bundles that the certificates of callers
/// and upstreams must lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvoyIdentity {
    /// Files.
    Files {
        /// Envoy's certificate chain, PEM.
        certificate: String,
        /// Its private key, PEM.
        key: String,
        /// SPIFFE bundles by trust domain, JSON.
        bundles: String,
    },
    /// The SPIRE agent of Envoy's machine.
    Spire {
        /// The socket of its SDS API.
        socket: String,
    },
}

/// Where the decision record goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DecisionsConfig {
    /// To the standard output stream, one JSON line each.
    pub stdout: bool,
    /// To a file, one JSON line each.
    pub file: Option<FileSink>,
    /// To an OpenTelemetry collector, as OTLP logs over gRPC.
    pub otlp: Option<OtlpSink>,
    /// What happens to a request whose record finds no room.
    pub when_full: WhenFull,
    /// How many records wait for each of them at most.
    pub queue: usize,
    /// The key of the arguments' digests; without it, one that this process makes up.
    pub arguments_key: Option<PathBuf>,
}

/// A file for the decision record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileSink {
    /// The file.
    pub path: PathBuf,
    /// Beyond this size it becomes `PATH.1`, and that `PATH.2`, ...
    pub max_bytes: u64,
    /// How many of those are kept.
    pub keep: u32,
}

/// An OpenTelemetry collector.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtlpSink {
    /// Its OTLP/gRPC address.
    pub url: Url,
    /// The certificates that its own must lead to, PEM; for `https`.
    pub ca: Option<PathBuf>,
}

/// What happens to a request whose record finds no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WhenFull {
    /// It is answered; the record is dropped, and counted.
    #[default]
    Drop,
    /// It waits.
    Block,
    /// It is refused.
    Deny,
}

impl Default for DecisionsConfig {
    fn default() -> Self {
        Self {
            stdout: true,
            file: None,
            otlp: None,
            when_full: WhenFull::default(),
            queue: 4096,
            arguments_key: None,
        }
    }
}

/// What a command's arguments say in the file's place.
#[derive(Clone, Copy, Debug, Default)]
pub struct Told<'t> {
    /// The socket of `envoy.spire`.
    pub spire: Option<&'t str>,
}

/// Reads a configuration file's text.
///
/// # Errors
///
/// Every problem of the file.
pub fn parse(path: &Path, text: &str) -> Result<Config, Diagnostics> {
    parse_told(path, text, Told::default())
}

/// The same, with what is said beside the file.
///
/// # Errors
///
/// Every problem of the file, and what contradicts what is said beside it.
pub fn parse_told(path: &Path, text: &str, told: Told<'_>) -> Result<Config, Diagnostics> {
    let mut sources = Sources::default();
    let mut problems = Vec::new();
    let source = sources.add(Source { path: path.to_owned(), text: text.to_owned() });
    let tree = yaml::parse(source, text, &mut problems);
    let directory = path.parent().unwrap_or(Path::new(""));
    let config = tree.and_then(|tree| {
        raw::config(&mut Reader::new(source, &mut problems), &tree, directory, told)
    });
    match config {
        Some(config) if problems.is_empty() => Ok(config),
        _ => Err(Diagnostics { sources, list: problems }.sorted()),
    }
}

/// The policy directory that a configuration names, however broken the rest of it is.
#[must_use]
pub fn policies(path: &Path, text: &str) -> Option<PathBuf> {
    let mut problems = Vec::new();
    let mut sources = Sources::default();
    let source = sources.add(Source { path: path.to_owned(), text: text.to_owned() });
    let tree = yaml::parse(source, text, &mut problems)?;
    let mut reader = Reader::new(source, &mut problems);
    let entries = reader.entries(&tree);
    let (_, node) = entries.into_iter().find(|(key, _)| key.value == "policies")?;
    let directory = reader.text(node)?.value;
    Some(path.parent().unwrap_or(Path::new("")).join(directory))
}

/// The socket of a SPIRE agent, which is written `unix:PATH`: an agent knows callers by their
/// process, and only there.
#[must_use]
pub fn spire_socket(written: &str) -> Option<&str> {
    written.strip_prefix("unix:").filter(|path| !path.is_empty())
}

// === impl Config ===

impl Config {
    /// The public URL of a server's path.
    #[must_use]
    pub fn resource(&self, path: &str) -> String {
        format!("{}{path}", self.public_url.text)
    }

    /// The public URL of a server's protected-resource metadata (RFC 9728 §3.1).
    #[must_use]
    pub fn resource_metadata(&self, path: &str) -> String {
        format!("{}{METADATA_PREFIX}{path}", self.public_url.text)
    }

    /// The issuers' configured names.
    #[must_use]
    pub fn issuer_names(&self) -> Vec<Box<str>> {
        self.issuers.iter().map(|config| config.issuer.name.clone()).collect()
    }

    /// The issuers, each by its name and the prefix of its groups.
    #[must_use]
    pub fn group_prefixes(&self) -> Vec<(&str, &str)> {
        let issuers = self.issuers.iter().map(|config| &config.issuer);
        issuers.map(|issuer| (&*issuer.name, &*issuer.group_prefix)).collect()
    }

    /// The header, besides `Authorization`, that a caller proves its workload by.
    #[must_use]
    pub fn workload_header(&self) -> Option<&str> {
        self.workloads.jwt_svid.as_ref()?.header.as_deref()
    }

    /// How a user is named to upstreams: the subject, with the issuer's name before it once there
    /// is more than one issuer.
    #[must_use]
    pub fn qualifies_users(&self) -> bool {
        self.issuers.len() > 1
    }
}

/// The well-known path of protected-resource metadata (RFC 9728 §3).
pub const METADATA_PREFIX: &str = "/.well-known/oauth-protected-resource";
