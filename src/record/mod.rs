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
use serde::Serialize;
use serde_json::{Map, Value};

pub use self::v1::{Arguments, Decision, Rule, User, Verdict, WorkloadProof};

/// Texts that came with a request have no more bytes than this in a record.
pub const MAX_TEXT: usize = 256;

/// A text that came with a request, as it may stand in a record: printable ASCII, bounded.
#[must_use]
pub fn text(from_outside: &str) -> String {
    // What most are: the same as what follows comes to.
    if from_outside.len() <= MAX_TEXT && is_plain(from_outside) {
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

/// Whether a text means itself, between quotes of either kind.
fn is_plain(text: &str) -> bool {
    let plain = |byte: u8| matches!(byte, b' '..=b'~') & !matches!(byte, b'\'' | b'"' | b'\\');
    // To the end without a way out: so it is done for many bytes at a time.
    text.bytes().fold(true, |all, byte| all & plain(byte))
}

/// The JSON form, without a line break.
#[must_use]
pub fn to_json(decision: &Decision) -> String {
    let mut line = Vec::with_capacity(1024);
    write_json(decision, &mut line);
    String::from_utf8(line).unwrap_or_default()
}

/// The JSON form as a tree.
#[must_use]
pub fn object(decision: &Decision) -> Map<String, Value> {
    serde_json::from_str(&to_json(decision)).unwrap_or_default()
}

/// Adds the JSON form, without a line break. What has no value is left out.
pub fn write_json(decision: &Decision, line: &mut Vec<u8>) {
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
    object_of(line, |members| {
        if let Some(time) = time {
            members.text("time", &rfc3339(time));
        }
        members.text("id", id);
        members.text("verdict", word(*verdict));
        members.text("enforced", word(*enforced));
        members.text("reason", reason);
        members.text("server", server);
        members.text("environment", environment);
        members.text("method", method);
        members.text("tool", tool);
        if let Some(arguments) = arguments {
            members.object("arguments", |members| of_arguments(members, arguments));
        }
        members.text("resource", resource);
        members.text("prompt", prompt);
        if let Some(user) = user {
            members.object("user", |members| of_user(members, user));
        }
        members.text("workload", workload);
        members.text("workload_proof", proof(*workload_proof));
        members.text("surface", surface);
        members.text("channel", channel);
        if let Some(rule) = rule {
            members.object("rule", |members| of_rule(members, rule));
        }
        members.text("detail", detail);
        members.text("policy", policy);
        if let Some(latency) = latency {
            members.value("latency_us", &microseconds(latency));
        }
    });
}

/// The members of an object, as they are written.
struct Members<'l> {
    line: &'l mut Vec<u8>,
    separator: u8,
}

/// Writes an object.
fn object_of(line: &mut Vec<u8>, write: impl FnOnce(&mut Members<'_>)) {
    let mut members = Members { line, separator: b'{' };
    write(&mut members);
    if members.separator == b'{' {
        members.line.push(b'{');
    }
    members.line.push(b'}');
}

impl Members<'_> {
    /// The fields of the schema: they need no escapes.
    fn key(&mut self, key: &'static str) {
        self.line.extend([self.separator, b'"']);
        self.separator = b',';
        self.line.extend_from_slice(key.as_bytes());
        self.line.extend(*b"\":");
    }

    /// Unless it is empty.
    fn text(&mut self, key: &'static str, text: &str) {
        if is_plain(text) && !text.is_empty() {
            self.key(key);
            self.line.push(b'"');
            self.line.extend_from_slice(text.as_bytes());
            self.line.push(b'"');
        } else if !text.is_empty() {
            self.value(key, text);
        }
    }

    fn value(&mut self, key: &'static str, value: &(impl Serialize + ?Sized)) {
        self.key(key);
        // Writing to memory does not fail.
        serde_json::to_writer(&mut *self.line, value).ok();
    }

    fn object(&mut self, key: &'static str, write: impl FnOnce(&mut Members<'_>)) {
        self.key(key);
        object_of(self.line, write);
    }
}

fn of_arguments(members: &mut Members<'_>, arguments: &Arguments) {
    let Arguments { digest, named } = arguments;
    members.value("digest", digest);
    if !named.is_empty() {
        // Kept as text: a value's exact form is part of what was asked for.
        members.value("named", named);
    }
}

fn of_user(members: &mut Members<'_>, user: &User) {
    let User { issuer, subject, client, groups, groups_known, actors } = user;
    members.value("issuer", issuer);
    members.value("subject", subject);
    members.text("client", client);
    members.value("groups", groups);
    members.value("groups_known", groups_known);
    if !actors.is_empty() {
        members.value("actors", actors);
    }
}

fn of_rule(members: &mut Members<'_>, rule: &Rule) {
    let Rule { name, file, line } = rule;
    members.value("name", name);
    members.value("file", file);
    members.value("line", line);
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
