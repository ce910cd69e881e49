//! How a refusal is said: the status, the shape and the words. Nothing here names a group, a rule
//! or an internal error, and a tool only if the server lists it.

#[cfg(test)]
mod tests;

use serde_json::{Value, json};

use super::answer::{Reply, code};
use super::edge::Refused;
use super::request::Route;
use crate::config::Config;
use crate::engine::{self, Decision, Query, Reason, Scope};
use crate::mcp::{Action, Era, Id, Malformed, Message, spoken};
use crate::policy::PolicySet;
use crate::policy::model::{Refusal, Server};
use crate::policy::uri::UriPattern;

/// Revisions are dates.
const MAX_VERSION: usize = 32;

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

    /// 404, as the protocol says for a session that is not there: the client opens a new one.
    pub(super) fn no_such_session(&self, id: Option<Id<'_>>) -> Refused {
        let error = (code::NO_SUCH_SESSION, "no such session");
        let data = self.data(Reason::Malformed, Listed::Nothing);
        let reply = Reply::rpc(404, id, self.decision_id, error, &data);
        let detail = "the session is another caller's, or was not opened under this key";
        Self::because(Reason::Malformed, detail, reply)
    }

    /// 400: a protocol revision that is not spoken, and those that are. `requested` is echoed if it
    /// is short and plain.
    pub(super) fn unsupported_version(
        &self,
        requested: Option<&str>,
        spoken: &[&str],
        id: Option<Id<'_>>,
    ) -> Refused {
        let problem = Malformed::UnsupportedVersion;
        let plain = |version: &&str| {
            version.len() <= MAX_VERSION && version.bytes().all(|b| b.is_ascii_graphic())
        };
        let mut data = self.data(Reason::Malformed, Listed::Nothing);
        put(&mut data, "supported", json!(spoken));
        if let Some(requested) = requested.filter(plain) {
            put(&mut data, "requested", json!(requested));
        }
        let message = problem.to_string();
        let error = (code::UNSUPPORTED_VERSION, message.as_str());
        let reply = Reply::rpc(400, id, self.decision_id, error, &data);
        Self::because(Reason::Malformed, message, reply)
    }

    /// 400 in the words of JSON-RPC and MCP.
    pub(super) fn malformed(&self, problem: Malformed, id: Option<Id<'_>>) -> Refused {
        let code = match problem {
            Malformed::NotJson(_) => code::PARSE_ERROR,
            Malformed::NotAMessage(_) => code::INVALID_REQUEST,
            Malformed::HeaderMismatch(_) => code::HEADER_MISMATCH,
            Malformed::NoMeta(_) => code::INVALID_PARAMS,
            Malformed::UnsupportedVersion => {
                return self.unsupported_version(None, &spoken(None), id);
            }
        };
        let data = self.data(Reason::Malformed, Listed::Nothing);
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
            let data = self.data(reason, Listed::Nothing);
            return Reply::rpc(status, Some(id), self.decision_id, error, &data);
        }
        let server = policy.server(query.server);
        let listed =
            server.map_or(Listed::Nothing, |server| listed(policy, server, query, decision));
        let data = self.data(reason, listed);
        let words = format!("{}: {} ({reason})", self.what(listed), reason.public_message());
        let error =
            |status| Reply::rpc(status, Some(id), self.decision_id, (code::REFUSED, &words), &data);
        if let Some(scopes) = engine::step_up(policy, query) {
            return self.ask_for(scopes, error(403));
        }
        let shape = server.map(|server| server.protocol().refusal).unwrap_or_default();
        match (shape, query.action) {
            (Refusal::Http, _) => error(403),
            (Refusal::Result, Action::CallTool { .. }) => {
                let text = self.to_a_model(reason, listed);
                Reply::refused_call(id, self.decision_id, era, &text, &data)
            }
            (Refusal::Error, _)
            | (
                Refusal::Result,
                Action::Resource { .. }
                | Action::Prompt { .. }
                | Action::Discover(_)
                | Action::Listen(_)
                | Action::Task { .. }
                | Action::Extension(_)
                | Action::Unknown,
            ) => error(200),
        }
    }

    /// What was asked for, as far as it may be named.
    fn what(&self, listed: Listed<'_>) -> String {
        match listed {
            Listed::Tool(tool) => format!("{}/{tool}", self.route.server),
            Listed::Resource(_) | Listed::Nothing => self.route.server.to_owned(),
        }
    }

    /// For a model that has called a tool, and may do so again: what happened, and what to do.
    fn to_a_model(&self, reason: Reason, listed: Listed<'_>) -> String {
        format!(
            "The call was not made. {}: {} ({reason}). {} Decision {}.",
            self.what(listed),
            reason.public_message(),
            reason.advice(),
            self.decision_id,
        )
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

    fn data(&self, reason: Reason, listed: Listed<'_>) -> Value {
        let mut data = json!({
            "reason": reason.as_str(),
            "server": self.route.server,
            "decision_id": self.decision_id,
        });
        match listed {
            Listed::Tool(tool) => put(&mut data, "tool", json!(tool)),
            Listed::Resource(pattern) => put(&mut data, "resource", json!(pattern.to_string())),
            Listed::Nothing => {}
        }
        data
    }
}

/// What a refusal may name: it stands in the policies.
#[derive(Clone, Copy)]
enum Listed<'p> {
    Tool(&'p str),
    /// The pattern, not the URI: that is the caller's text.
    Resource(&'p UriPattern),
    Nothing,
}

/// A tool that is called, or of several resources the one that is refused.
fn listed<'p>(
    policy: &PolicySet,
    server: &'p Server,
    query: &Query<'_>,
    decision: &Decision,
) -> Listed<'p> {
    let tool = |name| server.tool(name).map(|(_, tool)| Listed::Tool(&tool.name));
    let resource = |uri| server.resource(uri).map(|(_, found)| Listed::Resource(&found.pattern));
    let found = match query.action {
        Action::CallTool { name, .. } => tool(name),
        Action::Listen(_) => {
            engine::refused_subscription(policy, query, decision).and_then(resource)
        }
        Action::Resource { .. }
        | Action::Prompt { .. }
        | Action::Task { .. }
        | Action::Extension(_)
        | Action::Discover(_)
        | Action::Unknown => None,
    };
    found.unwrap_or(Listed::Nothing)
}

fn put(object: &mut Value, key: &str, value: Value) {
    if let Some(object) = object.as_object_mut() {
        object.insert(key.to_owned(), value);
    }
}
