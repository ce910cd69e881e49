//! Answers, free of Envoy's types. Whatever is not an [`Answer::Allow`] refuses.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::ext_proc::Plan;
use crate::engine::Reason;
use crate::mcp::{Era, Id};

/// What Envoy is told.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// Forward the request with these changes, and do this with its answer.
    Allow(Forward, Plan),
    /// Answer the client, and forward nothing.
    Refuse(Reply),
}

/// How a request is changed before it is forwarded.
#[derive(Clone, Debug, Default)]
pub(super) struct Forward {
    /// Each name once; replaces every copy that the client sent.
    pub(super) set: Vec<(&'static str, String)>,
    /// Never a name that is also set: Envoy removes after it sets.
    pub(super) remove: Vec<Cow<'static, str>>,
}

/// An answer to the client.
#[derive(Clone, Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: String,
}

/// JSON-RPC and MCP error codes.
pub(super) mod code {
    /// JSON-RPC 2.0: not JSON.
    pub(in crate::server) const PARSE_ERROR: i64 = -32700;
    /// JSON-RPC 2.0: not a message.
    pub(in crate::server) const INVALID_REQUEST: i64 = -32600;
    /// JSON-RPC 2.0: no such method.
    pub(in crate::server) const METHOD_NOT_FOUND: i64 = -32601;
    /// JSON-RPC 2.0: parameters that are not the method's.
    pub(in crate::server) const INVALID_PARAMS: i64 = -32602;
    /// What SDKs of the older era answer for a session that is not there.
    pub(in crate::server) const NO_SUCH_SESSION: i64 = -32001;
    /// MCP 2026-07-28: headers and body disagree.
    pub(in crate::server) const HEADER_MISMATCH: i64 = -32020;
    /// MCP 2026-07-28: a revision that is not spoken.
    pub(in crate::server) const UNSUPPORTED_VERSION: i64 = -32022;
    /// Refused by policy. Outside the range that JSON-RPC and MCP keep for themselves.
    pub(in crate::server) const REFUSED: i64 = 403;
}

impl Reply {
    fn new(status: u16, decision_id: &str, body: String) -> Self {
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("x-toolgate-decision-id", decision_id.to_owned()),
        ];
        Self { status, headers, body }
    }

    /// A short JSON body.
    pub(super) fn http(status: u16, reason: Reason, decision_id: &str) -> Self {
        let body = json!({
            "error": reason.as_str(),
            "message": reason.public_message(),
            "decision_id": decision_id,
        });
        Self::new(status, decision_id, body.to_string())
    }

    /// A JSON-RPC error; the id stands as it came, or is null.
    pub(super) fn rpc(
        status: u16,
        id: Option<Id<'_>>,
        decision_id: &str,
        (code, message): (i64, &str),
        data: &Value,
    ) -> Self {
        let id = id.map_or("null", Id::as_json);
        let error = json!({ "code": code, "message": message, "data": data });
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"error":{error}}}"#);
        Self::new(status, decision_id, body)
    }

    /// The result of a call that was not made, for a model to read (MCP, "Tool Execution Errors").
    pub(super) fn refused_call(
        id: Id<'_>,
        decision_id: &str,
        era: Era,
        text: &str,
        data: &Value,
    ) -> Self {
        let mut result = json!({
            "content": [{ "type": "text", "text": text }],
            "isError": true,
            "_meta": { "toolgate/refusal": data },
        });
        if let (Era::Modern, Some(result)) = (era, result.as_object_mut()) {
            result.insert("resultType".to_owned(), json!("complete"));
        }
        let id = id.as_json();
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"result":{result}}}"#);
        Self::new(200, decision_id, body)
    }

    /// A JSON-RPC error with its id, both as they stand in JSON.
    pub(super) fn whole_error(id: &str, error: &str, decision_id: &str) -> Self {
        Self::new(200, decision_id, format!(r#"{{"jsonrpc":"2.0","id":{id},{error}}}"#))
    }

    /// A document that anybody may read.
    pub(super) fn document(document: &Value) -> Self {
        Self {
            status: 200,
            headers: vec![
                ("content-type", "application/json".to_owned()),
                ("cache-control", "no-store".to_owned()),
            ],
            body: document.to_string(),
        }
    }

    /// Adds a header.
    pub(super) fn header(mut self, name: &'static str, value: String) -> Self {
        self.headers.push((name, value));
        self
    }
}
