//! How a refusal is said: the status, the shape and the words. Nothing here names a group, a rule
//! or an internal error, and a tool only if the server lists it.

use serde_json::{Value, json};

use super::answer::{Reply, code};
use super::edge::Refused;
use super::request::Route;
use crate::config::Config;
use crate::engine::{self, Decision, Query, Reason, Scope};
use crate::mcp::{Action, Era, Id, MODERN_VERSION, Malformed, Message, OLDER_VERSIONS};
use crate::policy::PolicySet;

/// What every refusal of one request has in common.
pub(super) struct Say<'s> {
    pub(super) config: &'s Config,
    pub(super) route: Route<'s>,
    pub(super) decision_id: &'s str,
}

impl Say<'_> {
    fn because(reason: Reason, detail: impl Into<String>, reply: Reply) -> Refused {
        Refused { reason, detail: detail.into(), reply }
    }

    /// 400: not a request that can be decided on.
    pub(super) fn bad_request(&self, detail: &str) -> Refused {
        let reply = Reply::http(400, Reason::Malformed, self.decision_id);
        Self::because(Reason::Malformed, detail, reply)
    }

    /// 405.
    pub(super) fn method_not_allowed(&self, allow: &'static str) -> Refused {
        let reply = Reply::http(405, Reason::Malformed, self.decision_id);
        let reply = reply.header("allow", allow.to_owned());
        Self::because(Reason::Malformed, "the HTTP method is not allowed", reply)
    }

    /// 403: a page from elsewhere.
    pub(super) fn foreign_origin(&self) -> Refused {
        self.refused(Reason::Surface, "a foreign or repeated `Origin`")
    }

    /// 403 with a short body.
    pub(super) fn refused(&self, reason: Reason, detail: &str) -> Refused {
        Self::because(reason, detail, Reply::http(403, reason, self.decision_id))
    }

    /// 401 with a challenge (RFC 6750 §3, RFC 9728 §5.1).
    pub(super) fn unauthorized(&self, reason: Reason, detail: String) -> Refused {
        Self::because(reason, detail, self.challenge(reason))
    }

    fn challenge(&self, reason: Reason) -> Reply {
        let metadata = self.config.resource_metadata(self.route.path);
        let error = if reason == Reason::TokenInvalid { r#"error="invalid_token", "# } else { "" };
        let challenge = format!(r#"Bearer {error}resource_metadata="{metadata}""#);
        Reply::http(401, reason, self.decision_id).header("www-authenticate", challenge)
    }

    /// 503: Toolgate cannot decide.
    pub(super) fn unavailable(&self, detail: &str) -> Refused {
        let reply = Reply::http(503, Reason::Unavailable, self.decision_id);
        Self::because(Reason::Unavailable, detail, reply.header("retry-after", "5".to_owned()))
    }

    /// 400 in the words of JSON-RPC and MCP.
    pub(super) fn malformed(&self, problem: Malformed, id: Option<Id<'_>>) -> Refused {
        let mut data = json!({
            "reason": Reason::Malformed.as_str(),
            "server": self.route.server,
            "decision_id": self.decision_id,
        });
        let code = match problem {
            Malformed::NotJson(_) => code::PARSE_ERROR,
            Malformed::NotAMessage(_) => code::INVALID_REQUEST,
            Malformed::HeaderMismatch(_) => code::HEADER_MISMATCH,
            Malformed::UnsupportedVersion => {
                let supported: Vec<_> = OLDER_VERSIONS.iter().chain([&MODERN_VERSION]).collect();
                put(&mut data, "supported", json!(supported));
                code::UNSUPPORTED_VERSION
            }
        };
        let message = problem.to_string();
        let reply = Reply::rpc(400, id, self.decision_id, (code, &message), &data);
        Self::because(Reason::Malformed, message, reply)
    }

    /// The engine's refusal.
    pub(super) fn decision(
        &self,
        policy: &PolicySet,
        query: &Query<'_>,
        decision: &Decision,
        message: Option<&Message<'_>>,
        era: Era,
    ) -> Reply {
        // A refusal without a reason cannot be built; if it could, it would still refuse.
        let reason = decision.reason.unwrap_or(Reason::Unavailable);
        if reason == Reason::Unauthenticated {
            return self.challenge(reason);
        }
        let id = message.and_then(Message::id);
        let (Some(id), Scope::Item) = (id, decision.scope) else {
            return Reply::http(403, reason, self.decision_id);
        };
        if reason == Reason::MethodUnknown {
            let status = if era == Era::Modern { 404 } else { 200 };
            let error = (code::METHOD_NOT_FOUND, "Method not found");
            return Reply::rpc(status, Some(id), self.decision_id, error, &self.data(reason, None));
        }
        let tool = match query.action {
            Action::CallTool { name, .. } => policy
                .server(query.server)
                .and_then(|server| server.tool(name))
                .map(|(_, tool)| &*tool.name),
            Action::Resource { .. }
            | Action::Prompt { .. }
            | Action::Discover(_)
            | Action::Unknown => None,
        };
        let what = match tool {
            Some(tool) => format!("{}/{tool}", self.route.server),
            None => self.route.server.to_owned(),
        };
        let words = format!("{what}: {} ({reason})", reason.public_message());
        let error = (code::REFUSED, words.as_str());
        let reply = |status| {
            Reply::rpc(status, Some(id), self.decision_id, error, &self.data(reason, tool))
        };
        match engine::step_up(policy, query) {
            Some(scopes) => self.ask_for(scopes, reply(403)),
            None => reply(200),
        }
    }

    /// Asks for a token with more scopes (RFC 6750 §3.1). No quoting is needed: a scope has neither
    /// quotes nor backslashes.
    fn ask_for(&self, scopes: &[Box<str>], reply: Reply) -> Reply {
        let metadata = self.config.resource_metadata(self.route.path);
        let scopes = scopes.join(" ");
        let challenge = format!(
            r#"Bearer error="insufficient_scope", scope="{scopes}", resource_metadata="{metadata}""#
        );
        reply.header("www-authenticate", challenge)
    }

    fn data(&self, reason: Reason, tool: Option<&str>) -> Value {
        let mut data = json!({
            "reason": reason.as_str(),
            "server": self.route.server,
            "decision_id": self.decision_id,
        });
        if let Some(tool) = tool {
            put(&mut data, "tool", json!(tool));
        }
        data
    }
}

fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
