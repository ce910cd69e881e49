//! What to do, as the driver says it.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    pub(crate) protocol: Protocol,
    /// `unix:/path` or `127.0.0.1:1`.
    pub(crate) target: String,
    pub(crate) connections: usize,
    /// Requests at a time on each connection.
    pub(crate) streams: usize,
    pub(crate) seconds: f64,
    pub(crate) warmup: f64,
    /// Requests a second, due at fixed times; without it, each follows the answer before it.
    pub(crate) rate: Option<f64>,
    /// Whose CPU time is measured.
    pub(crate) pids: Vec<u32>,
    /// Files, sent in turn: a serialized `CheckRequest` each, or an HTTP/1.1 request as it is sent.
    pub(crate) requests: Vec<PathBuf>,
    /// Headers of every gRPC request.
    #[serde(default)]
    pub(crate) metadata: BTreeMap<String, String>,
    pub(crate) expect: Expect,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Grpc,
    Http,
}

/// What every answer has to be.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expect {
    /// gRPC: `CheckResponse.status.code`.
    pub(crate) code: Option<i32>,
    /// HTTP: of the answer. gRPC: of the `DeniedHttpResponse`; 200 where there is none.
    pub(crate) status: u16,
    /// gRPC: a header that Envoy is told to add to an allowed request.
    #[serde(default)]
    pub(crate) header: Option<String>,
    /// HTTP: what stands somewhere in the body.
    #[serde(default)]
    pub(crate) body: Option<String>,
}
