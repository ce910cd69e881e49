use std::collections::BTreeMap;

use prost::Message;

use super::*;

fn full() -> Decision {
    Decision {
        id: "01938c6e-9a6f-7b1c-8a53-1f0e5a4d2c10".to_owned(),
        time: Some(prost_types::Timestamp { seconds: 1_795_176_000, nanos: 1_500 }),
        latency: Some(prost_types::Duration { seconds: 0, nanos: 181_999 }),
        policy: "ab".repeat(32),
        verdict: Verdict::Refuse.into(),
        enforced: Verdict::Refuse.into(),
        reason: "banned".to_owned(),
        rule: Some(Rule {
            name: "contractors-revenue".to_owned(),
            file: "servers/presto.yaml".to_owned(),
            line: 66,
        }),
        detail: "-".to_owned(),
        server: "presto".to_owned(),
        environment: "prod".to_owned(),
        method: "tools/call".to_owned(),
        tool: "get_revenue_metrics".to_owned(),
        arguments: Some(Arguments {
            digest: "cd".repeat(32),
            named: BTreeMap::from([("/quarter".to_owned(), "\"Q3\"".to_owned())]),
        }),
        resource: "presto://prod/docs/*".to_owned(),
        prompt: "explain-plan".to_owned(),
        user: Some(User {
            issuer: "corp".to_owned(),
            subject: "carl".to_owned(),
            client: "ai-chat-web".to_owned(),
            groups: vec!["ads-eng".to_owned(), "contractors".to_owned()],
            groups_known: true,
            actors: vec!["https://agents.example.com|planner".to_owned()],
        }),
        workload: "spiffe://prod.example.com/ns/ai-chat/sa/webapp".to_owned(),
        workload_proof: WorkloadProof::Certificate.into(),
        surface: "ai-chat".to_owned(),
        channel: "help".to_owned(),
    }
}

#[test]
fn the_json_form_of_a_full_record_and_of_an_empty_one() {
    let full = serde_json::to_string_pretty(&object(&full())).unwrap();
    insta::assert_snapshot!(full);
    assert_eq!(to_json(&Decision::default()), "{}");
    for decision in [self::full(), Decision { id: "\u{1}\"é".to_owned(), ..Decision::default() }] {
        assert_eq!(to_json(&decision), Value::Object(object(&decision)).to_string());
    }
}

#[test]
fn every_field_of_the_schema_stands_in_the_json_form() {
    let schema = include_str!("../../proto/toolgate/v1/decision.proto");
    let decision = schema.split("message Decision {").nth(1).unwrap().split("\n}").next().unwrap();
    let object = object(&full());
    let fields: Vec<_> = decision
        .lines()
        .filter_map(|line| line.trim().strip_suffix(';')?.split(' ').nth(1))
        .collect();
    assert_eq!(fields.len(), object.len());
    for field in fields {
        let name = if field == "latency" { "latency_us" } else { field };
        assert!(object.contains_key(name), "{field}");
    }
}

#[test]
fn a_record_survives_its_binary_form() {
    let bytes = full().encode_to_vec();
    assert_eq!(Decision::decode(bytes.as_slice()).unwrap(), full());
}

#[test]
fn what_comes_from_outside_is_bounded_printable_ascii() {
    for (outside, inside) in [
        ("alice", "alice"),
        ("a\"b\\c", "a\\\"b\\\\c"),
        ("a\nb\u{1b}[31m", "a\\nb\\u{1b}[31m"),
        ("é", "\\u{e9}"),
    ] {
        assert_eq!(text(outside), inside);
    }
    assert_eq!(text(&"x".repeat(300)).len(), 256);
    let cut = text(&"é".repeat(300));
    assert!(cut.len() <= 256 && cut.ends_with('}'), "{cut}");
}
