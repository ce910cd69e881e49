//! What is kept of every decision, allowed or refused.
//!
//! The schema is `proto/toolgate/v1/decision.proto`; `v1` is generated from it and checked in, so
//! that nobody needs a compiler for it. [`to_json`] writes the JSON form, one object a record, in
//! the schema's field names: `docs/decisions.md` shows it.

#[expect(
    clippy::doc_markdown,
    clippy::must_use_candidate,
    missing_docs,
    reason = "generated; the schema has the words"
)]
#[rustfmt::skip]
mod v1;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

pub use self::v1::{Arguments, Decision, Rule, User, Verdict, WorkloadProof};

/// Texts that came with a request have no more bytes than this in a record.
pub const MAX_TEXT: usize = 256;

/// A text that came with a request, as it may stand in a record: printable ASCII, bounded.
#[must_use]
pub fn text(from_outside: &str) -> String {
    // What most are: the same as what follows comes to.
    let plain = |byte: &u8| matches!(byte, b' '..=b'~') && !matches!(byte, b'\'' | b'"' | b'\\');
    if from_outside.len() <= MAX_TEXT && from_outside.as_bytes().iter().all(plain) {
        return from_outside.to_owned();
    }
    // An escape is kept whole or not at all.
    let mut text = String::new();
    for character in from_outside.chars() {
        let escaped = character.escape_default();
        if text.len() + escaped.len() > MAX_TEXT {
            break;
        }
        text.extend(escaped);
    }
    text
}

/// The JSON form, without a line break.
#[must_use]
pub fn to_json(decision: &Decision) -> String {
    Value::Object(object(decision)).to_string()
}

/// The JSON form as a tree. What has no value is left out.
#[must_use]
pub fn object(decision: &Decision) -> Map<String, Value> {
    let Decision {
        id,
        time,
        latency,
        policy,
        verdict,
        enforced,
        reason,
        rule,
        detail,
        server,
        environment,
        method,
        tool,
        arguments,
        resource,
        prompt,
        user,
        workload,
        workload_proof,
        surface,
        channel,
    } = decision;
    let mut object = Map::new();
    let mut put = |key: &str, value: Value| {
        let empty = matches!(&value, Value::Null) || value.as_str().is_some_and(str::is_empty);
        if !empty {
            object.insert(key.to_owned(), value);
        }
    };
    put("time", json!(time.map(|time| rfc3339(&time))));
    put("id", json!(id));
    put("verdict", json!(word(*verdict)));
    put("enforced", json!(word(*enforced)));
    put("reason", json!(reason));
    put("server", json!(server));
    put("environment", json!(environment));
    put("method", json!(method));
    put("tool", json!(tool));
    put("arguments", arguments.as_ref().map_or(Value::Null, arguments_json));
    put("resource", json!(resource));
    put("prompt", json!(prompt));
    put("user", user.as_ref().map_or(Value::Null, user_json));
    put("workload", json!(workload));
    put("workload_proof", json!(proof(*workload_proof)));
    put("surface", json!(surface));
    put("channel", json!(channel));
    put("rule", rule.as_ref().map_or(Value::Null, rule_json));
    put("detail", json!(detail));
    put("policy", json!(policy));
    put("latency_us", json!(latency.map(|latency| microseconds(&latency))));
    object
}

fn arguments_json(arguments: &Arguments) -> Value {
    let Arguments { digest, named } = arguments;
    let mut object = Map::new();
    object.insert("digest".to_owned(), json!(digest));
    if !named.is_empty() {
        // Kept as text: a value's exact form is part of what was asked for.
        object.insert("named".to_owned(), json!(named));
    }
    Value::Object(object)
}

fn user_json(user: &User) -> Value {
    let User { issuer, subject, client, groups, groups_known, actors } = user;
    let mut object = Map::new();
    object.insert("issuer".to_owned(), json!(issuer));
    object.insert("subject".to_owned(), json!(subject));
    if !client.is_empty() {
        object.insert("client".to_owned(), json!(client));
    }
    object.insert("groups".to_owned(), json!(groups));
    object.insert("groups_known".to_owned(), json!(groups_known));
    if !actors.is_empty() {
        object.insert("actors".to_owned(), json!(actors));
    }
    Value::Object(object)
}

fn rule_json(rule: &Rule) -> Value {
    let Rule { name, file, line } = rule;
    json!({ "name": name, "file": file, "line": line })
}

fn word(verdict: i32) -> &'static str {
    match Verdict::try_from(verdict) {
        Ok(Verdict::Allow) => "allow",
        Ok(Verdict::Refuse) => "refuse",
        Ok(Verdict::NeedsApproval) => "needs_approval",
        Ok(Verdict::Answer) => "answer",
        Ok(Verdict::Unspecified) | Err(_) => "",
    }
}

fn proof(proof: i32) -> &'static str {
    match WorkloadProof::try_from(proof) {
        Ok(WorkloadProof::Certificate) => "certificate",
        Ok(WorkloadProof::JwtSvid) => "jwt_svid",
        Ok(WorkloadProof::Principal) => "principal",
        Ok(WorkloadProof::Xfcc) => "xfcc",
        Ok(WorkloadProof::Unspecified) | Err(_) => "",
    }
}

fn rfc3339(time: &prost_types::Timestamp) -> String {
    // Outside jiff's range there is no instant that a clock could show.
    let instant = Timestamp::new(time.seconds, time.nanos).unwrap_or_default();
    format!("{instant:.6}")
}

fn microseconds(duration: &prost_types::Duration) -> i64 {
    duration.seconds.saturating_mul(1_000_000).saturating_add(i64::from(duration.nanos) / 1_000)
}
