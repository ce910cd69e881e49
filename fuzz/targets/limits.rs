//! Arguments and limits out of any bytes: the first line is JSON, the rest YAML, a tool's.
//!
//! Limits only take away: what is allowed with them is allowed without. And who reads the
//! arguments in another layout comes to the same answer.

#![no_main]

use libfuzzer_sys::fuzz_target;
use toolgate::engine::{NoTrace, Query, Reason, decide};
use toolgate::identity::{Caller, Groups, User, Workload};
use toolgate::json::{self, Limits, Object, Value};
use toolgate::mcp::Action;
use toolgate::policy::{self, PolicyFile, PolicyFiles, PolicySet};

const FILES: [(&str, &str); 3] = [
    (
        "surfaces.yaml",
        "toolgate: 1\nsurfaces: { chat: { workloads: [spiffe://td/chat], reaches: [prod] } }\n",
    ),
    ("groups.yaml", "toolgate: 1\ngroups: { ads: {} }\n"),
    (
        "guardrails.yaml",
        "toolgate: 1\nenvironments: { prod: { reviews: [], upstreams: ['127.0.0.1:1'] } }\n",
    ),
];

const SERVER: &str = "toolgate: 1
server: s
environments: { prod: { upstream: 'http://127.0.0.1:1/mcp' } }
grants: { g: { people: [ads], via: [chat], call: [look] } }
tools:
  look:
    effect: read
";

fn set(limits: &str) -> Option<PolicySet> {
    let indented = limits.lines().map(|line| format!("    {line}\n"));
    let server = indented.fold(SERVER.to_owned(), |text, line| text + &line);
    let files = FILES.iter().copied().chain([("servers/s.yaml", server.as_str())]);
    let file = |(path, text): (&str, &str)| PolicyFile {
        path: path.to_owned(),
        bytes: text.as_bytes().into(),
    };
    let files = PolicyFiles { files: files.map(file).collect(), ..PolicyFiles::default() };
    policy::load(files).ok()
}

fn reason(set: &PolicySet, arguments: &Object<'_>) -> Option<Reason> {
    let user = User::new("corp", "ana", Groups::Known(set.group("ads").into_iter().collect()));
    let workload = Workload::new("spiffe://td/chat").expect("a SPIFFE ID");
    let query = Query {
        server: "s",
        environment: "prod",
        caller: &Caller { user: Some(user.into()), workload: Some(workload) },
        channel: None,
        action: Action::CallTool { name: "look", arguments, task: false },
        now: "2026-11-20T12:00:00Z".parse().expect("an instant"),
    };
    decide(set, &query, &mut NoTrace).reason
}

fn parse(text: &str) -> Option<Object<'_>> {
    match json::parse(text.as_bytes(), Limits { max_depth: 64, guarded_keys: &[] }) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) | Err(_) => None,
    }
}

/// The same arguments as another writer would write them: members turned round, every character
/// of a text escaped. Numbers stay as they are: they have one spelling.
fn rewritten(value: &Value<'_>, json: &mut String) {
    let quoted = |text: &str, json: &mut String| {
        let escaped = text.encode_utf16().map(|unit| format!("\\u{unit:04x}"));
        json.push('"');
        json.extend(escaped);
        json.push('"');
    };
    match value {
        Value::Null => json.push_str("null"),
        Value::Bool(value) => json.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) => json.push_str(number.as_str()),
        Value::String(text) => quoted(text.as_str(), json),
        Value::Array(items) => {
            json.push_str("[ ");
            for (index, item) in items.iter().enumerate() {
                json.push_str(if index > 0 { " ,\n" } else { "" });
                rewritten(item, json);
            }
            json.push(']');
        }
        Value::Object(object) => {
            json.push('{');
            let members: Vec<_> = object.iter().collect();
            for (index, (name, value)) in members.into_iter().rev().enumerate() {
                json.push_str(if index > 0 { ", " } else { "" });
                quoted(name, json);
                json.push_str(" : ");
                rewritten(value, json);
            }
            json.push('}');
        }
    }
}

fuzz_target!(|text: &str| {
    let Some((arguments, limits)) = text.split_once('\n') else { return };
    let Some(arguments) = parse(arguments) else { return };
    let Some(set) = set(limits) else { return };
    let answer = reason(&set, &arguments);
    let mut other = String::new();
    rewritten(&Value::Object(arguments.clone()), &mut other);
    let other = parse(&other).expect("the same arguments");
    assert_eq!(answer, reason(&set, &other), "the layout of arguments changes the answer");
    if answer.is_none() {
        let bare = self::set("").expect("the base loads");
        assert_eq!(reason(&bare, &arguments), None, "limits allowed something");
    }
});
