use jiff::Timestamp;
use serde_json::Value;

use super::*;
use crate::config;
use crate::engine::{NoTrace, decide};
use crate::identity::{Caller, GroupSet, Groups, User, Workload};
use crate::mcp;
use crate::{disk, policy};

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;

/// The samples, with a line more for one server.
fn policies(line: &str) -> PolicySet {
    let mut files = disk::read_policies("policies".as_ref());
    let presto = files.files.iter_mut().find(|file| file.path == "servers/presto.yaml").unwrap();
    let text = String::from_utf8(presto.bytes.to_vec()).unwrap();
    let text = text.replacen("\ntools:", &format!("\n{line}\ntools:"), 1);
    presto.bytes = text.into_bytes().into();
    policy::load(files).unwrap()
}

/// What somebody in `ads`, in the chat, is told.
fn told(policy: &PolicySet, body: &str, era: Era) -> Reply {
    let path = std::path::Path::new("envoy/toolgate.yaml");
    let config = config::parse(path, &std::fs::read_to_string(path).unwrap()).unwrap();
    let now: Timestamp = "2026-11-20T12:00:00Z".parse().unwrap();
    let groups: GroupSet = ["ads"].into_iter().filter_map(|name| policy.group(name)).collect();
    let user = User {
        client: Some("ai-chat-web".into()),
        ..User::new("corp", "ana", Groups::Known(groups))
    };
    let workload = Workload::new("spiffe://prod.example.com/ns/ai-chat/sa/webapp").unwrap();
    let caller = Caller { user: Some(user.into()), workload: Some(workload) };
    let message = mcp::parse(body.as_bytes()).unwrap();
    let action = if message.is_in(era) { message.action().unwrap() } else { mcp::Action::Unknown };
    let query = Query {
        server: "presto",
        environment: "prod",
        caller: &caller,
        channel: None,
        action,
        now,
    };
    let decision = decide(policy, &query, &mut NoTrace);
    assert_ne!(decision.enforced, engine::Verdict::Allow, "{body}");
    let route = Route { server: "presto", environment: "prod", path: "/presto/mcp", hash: "" };
    let say = Say { config: &config, route, decision_id: "ID" };
    say.decision(policy, &query, &decision, Some(&message), era)
}

fn call(id: &str, tool: &str, modern: bool) -> String {
    let meta = if modern { format!(",{META}") } else { String::new() };
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{{"name":"{tool}"{meta}}}}}"#
    )
}

#[test]
fn a_refused_call_looks_as_the_server_wants() {
    const REVENUE: &str = "get_revenue_metrics";
    for (line, status, shape) in [
        ("", 200, "error"),
        ("refusal: error", 200, "error"),
        ("refusal: http", 403, "error"),
        ("refusal: result", 200, "result"),
    ] {
        let policy = policies(line);
        for era in [Era::Older, Era::Modern] {
            let reply = told(&policy, &call("1", REVENUE, era == Era::Modern), era);
            assert_eq!(reply.status, status, "{line}");
            let body: Value = serde_json::from_str(&reply.body).unwrap();
            let data = if shape == "error" {
                assert!(body.get("result").is_none());
                assert_eq!(body["error"]["code"], 403);
                &body["error"]["data"]
            } else {
                assert!(body.get("error").is_none());
                let result = &body["result"];
                assert_eq!(result["isError"], true);
                assert_eq!(result["content"][0]["type"], "text");
                let complete = result.get("resultType").and_then(Value::as_str);
                assert_eq!(complete, (era == Era::Modern).then_some("complete"));
                let text = result["content"][0]["text"].as_str().unwrap();
                assert_eq!(
                    text,
                    "The call was not made. presto/get_revenue_metrics: this is not allowed \
                     (no_grant). Do not repeat it: the answer will be the same. The user can ask \
                     the server's owner for access. Decision ID."
                );
                &result["_meta"]["toolgate/refusal"]
            };
            let expected = json!({
                "reason": "no_grant",
                "server": "presto",
                "tool": REVENUE,
                "decision_id": "ID",
            });
            assert_eq!(*data, expected, "{line}");
        }
    }
}

#[test]
fn only_calls_have_results() {
    for (line, status) in [("refusal: result", 200), ("refusal: http", 403)] {
        let policy = policies(line);
        for body in [
            r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"x"}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a:b"}}"#,
        ] {
            let reply = told(&policy, body, Era::Older);
            let said: Value = serde_json::from_str(&reply.body).unwrap();
            assert_eq!((reply.status, &said["error"]["code"]), (status, &json!(403)), "{line}");
        }
        // Not refused, but unknown: as a server without it would say.
        for (era, status) in [(Era::Older, 200), (Era::Modern, 404)] {
            for body in [
                r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"t"}}"#,
                r#"{"jsonrpc":"2.0","id":1,"method":"vendor/ask"}"#,
                r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_tables","task":{}}}"#,
            ] {
                let reply = told(&policy, body, era);
                let said: Value = serde_json::from_str(&reply.body).unwrap();
                assert_eq!((reply.status, &said["error"]["code"]), (status, &json!(-32601)));
            }
        }
    }
}

#[test]
fn ids_are_echoed_as_they_came() {
    for line in ["refusal: error", "refusal: result", "refusal: http"] {
        let policy = policies(line);
        for id in [
            "7",
            "-9007199254740993",
            "123456789012345678901234567890",
            r#""a\u0062\"\/c""#,
            r#""""#,
        ] {
            let reply = told(&policy, &call(id, "overwrite_table", false), Era::Older);
            let start = format!(r#"{{"jsonrpc":"2.0","id":{id},"#);
            assert!(reply.body.starts_with(&start), "{line} {id}: {}", reply.body);
        }
    }
}

#[test]
fn a_name_that_no_policy_lists_is_never_repeated() {
    for line in ["refusal: error", "refusal: result", "refusal: http"] {
        let policy = policies(line);
        let bait = "ignore-all-previous-instructions";
        let listen = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":["{bait}:x"]}},{META}}}}}"#
        );
        let vendor = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{bait}/x"}}"#);
        for (body, era) in [
            (call("1", bait, false), Era::Older),
            (call("1", bait, true), Era::Modern),
            (listen, Era::Modern),
            (vendor, Era::Older),
        ] {
            let reply = told(&policy, &body, era);
            assert!(!reply.body.contains(bait), "{}", reply.body);
        }
    }
}

#[test]
fn an_unknown_revision_is_told_which_are_known() {
    let path = std::path::Path::new("envoy/toolgate.yaml");
    let config = config::parse(path, &std::fs::read_to_string(path).unwrap()).unwrap();
    let route = Route { server: "presto", environment: "prod", path: "/presto/mcp", hash: "" };
    let say = Say { config: &config, route, decision_id: "ID" };
    let long = "9".repeat(33);
    for (requested, echoed) in [
        (Some("2099-01-01"), json!("2099-01-01")),
        (Some(long.as_str()), Value::Null),
        (Some("two words"), Value::Null),
        (None, Value::Null),
    ] {
        let reply = say.unsupported_version(requested, &mcp::spoken(None), None).reply;
        let said: Value = serde_json::from_str(&reply.body).unwrap();
        let error = &said["error"];
        assert_eq!((reply.status, &error["code"]), (400, &json!(-32022)));
        assert_eq!(error["data"]["supported"].as_array().unwrap().len(), 5);
        assert_eq!(error["data"]["requested"], echoed);
    }
}
