//! Messages out of any bytes: what is let through, another reader reads too, and reads the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use toolgate::mcp::{self, Action};

fuzz_target!(|body: &[u8]| {
    let Ok(message) = mcp::parse(body) else {
        return;
    };
    let Ok(action) = message.action() else {
        return;
    };
    let theirs: Value = serde_json::from_slice(body).expect("what we read is JSON");
    assert_eq!(theirs.get("method").and_then(Value::as_str), message.method());
    if let Some(id) = message.id() {
        let id: Value = serde_json::from_str(id.as_json()).expect("an id is JSON");
        assert_eq!(theirs.get("id"), Some(&id));
    }
    let param = |name: &str| theirs.get("params").and_then(|params| params.get(name));
    let named = |name: &str| {
        let reference = param("ref").and_then(|reference| reference.get(name));
        param(name).or(reference).and_then(Value::as_str)
    };
    match action {
        Action::CallTool { name, arguments, task } => {
            assert_eq!(named("name"), Some(name));
            assert_eq!(param("task").is_some(), task);
            let none = Value::Object(serde_json::Map::new());
            let ours: Value = serde_json::from_str(&arguments.to_canonical()).expect("JSON");
            assert_eq!(param("arguments").unwrap_or(&none), &ours);
        }
        Action::Prompt { op: _, name } => assert_eq!(named("name"), Some(name)),
        Action::Resource { op: _, uri } => assert_eq!(named("uri"), Some(uri)),
        Action::Task { id } => assert_eq!(param("taskId").and_then(Value::as_str), id),
        Action::Listen(uris) => {
            let theirs = param("notifications").and_then(|all| all.get("resourceSubscriptions"));
            let theirs: Vec<_> = theirs.and_then(Value::as_array).into_iter().flatten().collect();
            assert_eq!(theirs, uris.iter().collect::<Vec<_>>());
        }
        Action::Discover(_) | Action::Extension(_) | Action::Unknown => {}
    }
});
