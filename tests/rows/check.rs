//! What a row expects, beside what came back.

use serde_json::Value;

use crate::grpc::Answer;
use crate::row::Case;
use crate::sidecar::Sidecar;
use crate::token::unfolded;
use crate::trials::World;

/// Who is told to the server when nothing else is said.
const ALICE: [(&str, Option<&str>); 2] =
    [("x-forwarded-user", Some("alice")), ("x-forwarded-groups", Some("ads"))];

pub(crate) fn check(case: &Case, answer: &Answer, sidecar: &Sidecar, world: &World) {
    match (&case.allowed, &case.refused) {
        (Some(_), None) => allowed(case, answer, sidecar, world),
        (None, Some(reason)) => refused(case, reason, answer, sidecar),
        _ => panic!("a row says `allowed` or `refused`"),
    }
}

fn allowed(case: &Case, answer: &Answer, sidecar: &Sidecar, world: &World) {
    assert!(answer.allowed, "refused: {} {}", answer.status, answer.body);
    let told = case.allowed.as_ref().unwrap();
    let usual = ALICE.iter().filter(|(name, _)| !told.contains_key(*name)).copied();
    let told = told.iter().map(|(name, value)| (name.as_str(), value.as_deref()));
    for (name, value) in usual.chain(told) {
        let value = value.map(|value| unfolded(value, world));
        assert_eq!(answer.header(name), value.as_deref(), "{name}");
        // What is not set must not come through from the client.
        let sent = case.headers.iter().any(|(sent, _)| sent.eq_ignore_ascii_case(name));
        let is_removed = answer.removed.iter().any(|removed| removed == name);
        assert!(value.is_some() || is_removed || !sent, "{name} would come through");
        assert!(value.is_none() || !is_removed, "{name} is set and removed");
    }
    assert!(answer.removed.iter().any(|name| name == "authorization"), "the token comes through");
    let id = answer.header("x-toolgate-decision-id").unwrap();
    if let Some(proof) = &case.proof {
        assert_eq!(sidecar.recorded(id)["workload_proof"], **proof);
    }
}

fn refused(case: &Case, reason: &str, answer: &Answer, sidecar: &Sidecar) {
    assert!(!answer.allowed, "allowed: {:?}", answer.set);
    let error = &answer.body["error"];
    let told = error.as_str().or_else(|| error["data"]["reason"].as_str());
    assert_eq!(told, Some(reason), "{}", answer.body);
    let status = case.status.unwrap_or(match reason {
        "malformed" => 400,
        "unauthenticated" | "token_invalid" => 401,
        "unavailable" => 503,
        _ => 403,
    });
    assert_eq!(answer.status, i32::from(status));
    let metadata = "resource_metadata=\"https://mcp.example.com/.well-known/oauth-protected-resource/presto/mcp\"";
    let challenge = match (reason, &case.challenge) {
        (_, Some(challenge)) => Some(format!("Bearer {challenge}, {metadata}")),
        ("token_invalid", None) => Some(format!("Bearer error=\"invalid_token\", {metadata}")),
        ("unauthenticated", None) => Some(format!("Bearer {metadata}")),
        (_, None) => None,
    };
    assert_eq!(answer.header("www-authenticate"), challenge.as_deref());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let id = answer.header("x-toolgate-decision-id").unwrap();
    let Value::Object(record) = sidecar.recorded(id) else { panic!("no record") };
    let detail = record.get("detail").and_then(Value::as_str);
    // Refused for another reason than the row's own, the row would show nothing.
    let why = case.why.as_ref().map(|why| why.escape_default().to_string());
    assert_eq!(detail, why.as_deref(), "why");
}
