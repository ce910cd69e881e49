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
    let mut line = Vec::with_capacity(1024);
    write_json(decision, &mut line);
    String::from_utf8(line).unwrap_or_default()
}

/// Adds the JSON form, without a line break: as [`object`] is written, without making it.
pub fn write_json(decision: &Decision, line: &mut Vec<u8>) {
    let mut separator = b'{';
    members(decision, |key, member| {
        line.push(separator);
        separator = b',';
        // Writing to memory does not fail.
        serde_json::to_writer(&mut *line, key).ok();
        line.push(b':');
        match member {
            Member::Text(text) => serde_json::to_writer(&mut *line, text),
            Member::Number(number) => serde_json::to_writer(&mut *line, &number),
            Member::Object(object) => serde_json::to_writer(&mut *line, &object),
        }
        .ok();
    });
    if separator == b'{' {
        line.push(separator);
    }
    line.push(b'}');
}

/// The JSON form as a tree. What has no value is left out.
#[must_use]
pub fn object(decision: &Decision) -> Map<String, Value> {
    let mut object = Map::new();
    members(decision, |key, member| {
        let value = match member {
            Member::Text(text) => json!(text),
            Member::Number(number) => json!(number),
            Member::Object(object) => Value::Object(object),
        };
        object.insert(key.to_owned(), value);
    });
    object
}

/// A value of the JSON form.
enum Member<'d> {
    Text(&'d str),
    Number(i64),
    Object(Map<String, Value>),
}

/// The members of the JSON form that have a value, in their order.
fn members(decision: &Decision, mut put: impl FnMut(&'static str, Member<'_>)) {
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
    let time = time.map(|time| rfc3339(&time)).unwrap_or_default();
    let texts = |put: &mut dyn FnMut(&'static str, Member<'_>), texts: &[(&'static str, &str)]| {
        for (key, text) in texts.iter().filter(|(_, text)| !text.is_empty()) {
            put(key, Member::Text(text));
        }
    };
    texts(
        &mut put,
        &[
            ("time", &time),
            ("id", id),
            ("verdict", word(*verdict)),
            ("enforced", word(*enforced)),
            ("reason", reason),
            ("server", server),
            ("environment", environment),
            ("method", method),
            ("tool", tool),
        ],
    );
    if let Some(arguments) = arguments {
        put("arguments", Member::Object(arguments_json(arguments)));
    }
    texts(&mut put, &[("resource", resource), ("prompt", prompt)]);
    if let Some(user) = user {
        put("user", Member::Object(user_json(user)));
    }
    texts(
        &mut put,
        &[
            ("workload", workload),
            ("workload_proof", proof(*workload_proof)),
            ("surface", surface),
            ("channel", channel),
        ],
    );
    if let Some(rule) = rule {
        put("rule", Member::Object(rule_json(rule)));
    }
    texts(&mut put, &[("detail", detail), ("policy", policy)]);
    if let Some(latency) = latency {
        put("latency_us", Member::Number(microseconds(latency)));
    }
}

fn arguments_json(arguments: &Arguments) -> Map<String, Value> {
    let Arguments { digest, named } = arguments;
    let mut object = Map::new();
    object.insert("digest".to_owned(), json!(digest));
    if !named.is_empty() {
        // Kept as text: a value's exact form is part of what was asked for.
        object.insert("named".to_owned(), json!(named));
    }
    object
}

fn user_json(user: &User) -> Map<String, Value> {
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
    object
}

fn rule_json(rule: &Rule) -> Map<String, Value> {
    let Rule { name, file, line } = rule;
    let members = [("name", json!(name)), ("file", json!(file)), ("line", json!(line))];
    members.map(|(key, value)| (key.to_owned(), value)).into_iter().collect()
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
