use super::*;

fn malformed(body: &str) -> Option<Malformed> {
    parse(body.as_bytes()).and_then(|message| message.action().map(|_| ())).err()
}

#[test]
fn a_message_is_exactly_one_of_request_notification_and_response() {
    let not_messages = [
        "[]",
        r#"[{"jsonrpc":"2.0","id":1,"method":"ping"}]"#,
        r#""ping""#,
        "{}",
        r#"{"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
        r#"{"jsonrpc":2.0,"id":1,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1.5,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1e3,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
        r#"{"jsonrpc":"2.0","method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","error":null}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
        r#"{"jsonrpc":"2.0","id":null,"result":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{},"params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":[]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":null}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":1}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":["a"]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a","URI":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"a","Name":"b"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/tool","name":"p"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p","uri":"a"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","name":"p","uri":"a"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","Type":"ref/resource","name":"p"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"Type":"ref/resource","type":"ref/prompt","name":"p"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tasks/cancel","params":{"taskId":7}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":["a"]}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":"a"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a",1]}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":[],"ResourceSubscriptions":["a"]}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"Notifications":{}}}"#,
        // Keys that a reader that folds case would act on.
        r#"{"jsonrpc":"2.0","id":1,"Method":"tools/call","method":"ping"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","ID":2}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","Params":{"name":"x"}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Arguments":{}}}"#,
        "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\",\"argument\u{17f}\":{}}}",
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_META":{}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"__proto__":{"name":"x"}}}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name\u0000":"b"}}"#,
    ];
    for body in not_messages {
        let problem = malformed(body);
        assert!(
            matches!(problem, Some(Malformed::NotAMessage(_) | Malformed::NotJson(_))),
            "{body}: {problem:?}"
        );
    }
    let long = format!(r#"{{"jsonrpc":"2.0","id":"{}","method":"ping"}}"#, "x".repeat(300));
    assert!(malformed(&long).is_some());
}

#[test]
fn the_action_is_what_the_body_says() {
    let cases: &[(&str, &str)] = &[
        (r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{}}"#, "Discover(Initialize)"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#, "Discover(Ping)"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"server/discover"}"#, "Discover(ServerDiscover)"),
        (r#"{"jsonrpc":"2.0","id":"a","method":"tools/list"}"#, "Discover(ListTools)"),
        (r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#, "Discover(Notification)"),
        (r#"{"jsonrpc":"2.0","method":"notifications/other"}"#, "Unknown"),
        (r#"{"jsonrpc":"2.0","id":1,"result":{}}"#, "Discover(Respond)"),
        (r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"x"}}"#, "Discover(Respond)"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"resources/list"}"#, "Discover(ListResources)"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/templates/list"}"#,
            "Discover(ListResourceTemplates)",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"prompts/list"}"#, "Discover(ListPrompts)"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"a"}}"#, "Read a"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"a"}}"#,
            "Subscribe a",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"resources/unsubscribe","params":{"uri":"a"}}"#,
            "Unsubscribe a",
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"p"}}"#, "Get p"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/prompt","name":"p"}}}"#,
            "Complete p",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"completion/complete","params":{"ref":{"type":"ref/resource","uri":"a"}}}"#,
            "Complete a",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tasks/get","params":{"taskId":"a"}}"#,
            r#"Task Some("a")"#,
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tasks/update","params":{"taskId":"a"}}"#,
            r#"Task Some("a")"#,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tasks/list"}"#, "Task None"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"logging/setLevel"}"#, "Discover(SetLogLevel)"),
        (r#"{"jsonrpc":"2.0","method":"notifications/tasks/status"}"#, "Discover(Notification)"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen"}"#, "Listen []"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true}}}"#,
            "Listen []",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"resourceSubscriptions":["a:b","\u0063"]}}}"#,
            r#"Listen ["a:b", "c"]"#,
        ),
        (r#"{"jsonrpc":"2.0","id":1,"method":"vendor/ask"}"#, "Extension vendor/ask"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"tools/other"}"#, "Unknown"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"TASKS/get"}"#, "Unknown"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"vendor/\u200dask"}"#, "Unknown"),
        (r#"{"jsonrpc":"2.0","id":1,"method":"Tools/Call","params":{"name":"a"}}"#, "Unknown"),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"\u0061b"}}"#,
            "CallTool ab 0",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","task":{"ttl":1}}}"#,
            "CallTool a 0 task",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","task":null}}"#,
            "CallTool a 0 task",
        ),
        (
            r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","arguments":{"Name":1}}}"#,
            "CallTool a 1",
        ),
    ];
    for (body, expected) in cases {
        let message = parse(body.as_bytes()).unwrap_or_else(|error| panic!("{body}: {error}"));
        let action = match message.action().unwrap() {
            Action::CallTool { name, arguments, task } => {
                format!("CallTool {name} {}{}", arguments.len(), if task { " task" } else { "" })
            }
            Action::Resource { op, uri } => format!("{op:?} {uri}"),
            Action::Prompt { op, name } => format!("{op:?} {name}"),
            Action::Discover(discovery) => format!("Discover({discovery:?})"),
            Action::Listen(uris) => format!("Listen {:?}", uris.iter().collect::<Vec<_>>()),
            Action::Task { id } => format!("Task {id:?}"),
            Action::Extension(method) => format!("Extension {method}"),
            Action::Unknown => "Unknown".to_owned(),
        };
        assert_eq!(action, *expected, "{body}");
    }
}

/// By era: the table of the specification, with the tasks extension in the newer one.
#[test]
fn each_era_has_its_methods() {
    let of = |era| -> Vec<_> {
        let all = Method::ALL.iter().filter(|method| method.is_in(era));
        all.map(|method| method.as_str()).collect()
    };
    assert_eq!(
        of(Era::Modern),
        [
            "server/discover",
            "tools/list",
            "tools/call",
            "resources/list",
            "resources/templates/list",
            "resources/read",
            "subscriptions/listen",
            "prompts/list",
            "prompts/get",
            "completion/complete",
            "tasks/get",
            "tasks/cancel",
            "tasks/update",
        ]
    );
    let only_modern = ["server/discover", "subscriptions/listen", "tasks/update"];
    let older: Vec<_> = Method::ALL.iter().map(|method| method.as_str()).collect();
    let older: Vec<_> = older.into_iter().filter(|name| !only_modern.contains(name)).collect();
    assert_eq!(of(Era::Older), older);
    for method in Method::ALL {
        assert_eq!(method.as_str().parse(), Ok(*method));
        assert!(!is_extension(method.as_str()), "{method:?}");
    }
    // Responses are of the older era.
    let response = parse(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#).unwrap();
    assert!(response.is_in(Era::Older) && !response.is_in(Era::Modern));
}

#[test]
fn subscriptions_in_one_request_are_bounded() {
    let listen = |count| {
        let uris = vec![r#""a:b""#; count].join(",");
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{{"notifications":{{"resourceSubscriptions":[{uris}]}}}}}}"#
        )
    };
    assert_eq!(malformed(&listen(256)), None);
    assert!(matches!(malformed(&listen(257)), Some(Malformed::NotAMessage(_))));
}

#[test]
fn ids_are_kept_byte_for_byte() {
    for id in ["1", "-7", "9007199254740993", r#""a\u0062\"c""#, r#""""#] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"ping"}}"#);
        let message = parse(body.as_bytes()).unwrap();
        assert_eq!(message.id().unwrap().as_json(), id);
    }
}

fn era(
    version: Mirror<'_>,
    method: Mirror<'_>,
    name: Mirror<'_>,
    body: &str,
) -> Result<Era, Malformed> {
    let message = parse(body.as_bytes()).unwrap();
    let action = message.action().unwrap();
    MirrorHeaders { version, method, name }.era(&message, &action)
}

const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}"#;

fn modern_call(name: &str) -> String {
    format!(
        r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"{name}",{META}}}}}"#
    )
}

#[test]
fn a_modern_request_says_the_same_in_headers_and_body() {
    use Mirror::{Absent, Once, Unreadable};
    let call = modern_call("echo");
    let utf8 = modern_call("é");
    let old = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"echo"}}"#;
    let list = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{{{META}}}}}"#);
    let future = call.replace("2026-07-28", "2099-01-01");
    let v = Once("2026-07-28");
    let m = Once("tools/call");
    let ok: &[(Mirror<'_>, Mirror<'_>, Mirror<'_>, &str, Era)] = &[
        (v, m, Once("echo"), &call, Era::Modern),
        (v, m, Once("=?base64?ZWNobw==?="), &call, Era::Modern),
        (v, m, Once("=?base64?w6k=?="), &utf8, Era::Modern),
        (v, Once("tools/list"), Absent, &list, Era::Modern),
        (Absent, Absent, Absent, old, Era::Older),
        (Once("2025-06-18"), Absent, Absent, old, Era::Older),
        // In the older era the mirrors mean nothing; the edge removes them.
        (Once("2025-06-18"), Once("ping"), Once("other"), old, Era::Older),
        (Absent, Unreadable, Unreadable, old, Era::Older),
    ];
    for (version, method, name, body, expected) in ok {
        assert_eq!(
            era(*version, *method, *name, body),
            Ok(*expected),
            "{version:?} {method:?} {name:?} {body}"
        );
    }
    let bad: &[(Mirror<'_>, Mirror<'_>, Mirror<'_>, &str)] = &[
        (Absent, m, Once("echo"), &call),
        (Once("2025-06-18"), m, Once("echo"), &call),
        (Once("2099-01-01"), m, Once("echo"), &call),
        (v, m, Once("echo"), &future),
        (Unreadable, m, Once("echo"), &call),
        (v, Absent, Once("echo"), &call),
        (v, Once("tools/list"), Once("echo"), &call),
        (v, Once("Tools/Call"), Once("echo"), &call),
        (v, Unreadable, Once("echo"), &call),
        (v, m, Absent, &call),
        (v, m, Once("evil"), &call),
        (v, m, Once("Echo"), &call),
        (v, m, Unreadable, &call),
        (v, m, Once("=?base64?ZXZpbA==?="), &call),
        (v, m, Once("=?base64?***?="), &call),
        (v, Once("tools/list"), Once("echo"), &list),
    ];
    for (version, method, name, body) in bad {
        let result = era(*version, *method, *name, body);
        assert!(
            matches!(result, Err(Malformed::HeaderMismatch(_))),
            "{version:?} {method:?} {name:?} {body}: {result:?}"
        );
    }
}

#[test]
fn a_body_says_itself_that_it_is_modern() {
    use Mirror::{Absent, Once};
    let v = Once("2026-07-28");
    for params in ["", r#","params":{}"#, r#","params":{"_meta":{}}"#] {
        let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover"{params}}}"#);
        let result = era(v, Once("server/discover"), Absent, &body);
        assert!(matches!(result, Err(Malformed::NoMeta(_))), "{body}: {result:?}");
    }
}

#[test]
fn who_asks_in_the_body_is_pointed_to_revisions_that_read_it_there() {
    let named = parse(modern_call("echo").replace("2026-07-28", "2099-01-01").as_bytes())
        .map(|message| spoken(Some(&message)));
    assert_eq!(named, Ok(vec!["2026-07-28"]));
    assert_eq!(spoken(None).len(), 5);
}

#[test]
fn what_is_mirrored_of_other_methods() {
    use Mirror::{Absent, Once, Unreadable};
    let v = Once("2026-07-28");
    // Resources and prompts are mirrored too, and completions are not.
    let modern = |method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{{params},{META}}}}}"#)
    };
    let read = modern("resources/read", r#""uri":"db://w/a""#);
    let get = modern("prompts/get", r#""name":"p""#);
    let complete = modern("completion/complete", r#""ref":{"type":"ref/prompt","name":"p"}"#);
    let task = modern("tasks/get", r#""taskId":"t-1""#);
    let vendor = modern("vendor/ask", r#""name":"p""#);
    let wanted = r#""notifications":{"resourceSubscriptions":["db://w/a"]}"#;
    let listen = modern("subscriptions/listen", wanted);
    let subscribe = modern("resources/subscribe", r#""uri":"db://w/a""#);
    for (method, name, body, agree) in [
        ("resources/read", Once("db://w/a"), &read, true),
        ("resources/read", Once("db://w/b"), &read, false),
        ("resources/read", Absent, &read, false),
        ("prompts/get", Once("p"), &get, true),
        ("prompts/get", Once("q"), &get, false),
        ("prompts/get", Absent, &get, false),
        ("tasks/get", Once("t-1"), &task, true),
        ("tasks/get", Once("=?base64?dC0x?="), &task, true),
        ("tasks/get", Once("t-2"), &task, false),
        ("tasks/get", Absent, &task, false),
        // An extension may mirror what it likes, as long as the body says it.
        ("vendor/ask", Absent, &vendor, true),
        ("vendor/ask", Once("p"), &vendor, true),
        ("vendor/ask", Once("q"), &vendor, false),
        ("vendor/ask", Unreadable, &vendor, false),
        ("subscriptions/listen", Absent, &listen, true),
        ("subscriptions/listen", Once("db://w/a"), &listen, false),
        ("completion/complete", Absent, &complete, true),
        ("completion/complete", Once("p"), &complete, false),
    ] {
        assert_eq!(era(v, Once(method), name, body).is_ok(), agree, "{method} {name:?}");
    }
    // That revision has no subscription to one resource: whatever it mirrors, it is unknown.
    assert_eq!(era(v, Once("resources/subscribe"), Absent, &subscribe), Ok(Era::Modern));
    let message = parse(subscribe.as_bytes()).unwrap();
    assert!(!message.is_in(Era::Modern) && message.is_in(Era::Older));
}

#[test]
fn what_is_no_header_or_no_revision_is_refused() {
    use Mirror::{Once, Unreadable};
    let call = modern_call("echo");
    let (v, m) = (Once("2026-07-28"), Once("tools/call"));
    // What is no printable ASCII has to be encoded; blanks around a value are none of it.
    for (value, expected) in [
        ("é", Unreadable),
        ("a\u{7f}", Unreadable),
        ("", Once("")),
        (" echo\t", Once("echo")),
        ("=?BASE64?w6k=?=", Once("=?BASE64?w6k=?=")),
    ] {
        let mut mirror = Mirror::default();
        mirror.add(Some(value));
        assert_eq!(mirror, expected, "{value:?}");
    }
    assert!(era(v, m, Once("=?BASE64?ZWNobw==?="), &call).is_err(), "markers have one case");
    for version in ["2099-01-01", "junk", "", "2026-07-28 ", "2025-06-19"] {
        let result = era(Once(version), m, Once("echo"), &call);
        assert!(result.is_err(), "{version:?}");
        assert_eq!(
            MirrorHeaders { version: Once(version), ..MirrorHeaders::default() }.bodiless_era(),
            Err(Malformed::UnsupportedVersion),
            "{version:?}"
        );
    }
}

#[test]
fn a_known_violation_is_put_up_with_only_if_that_is_switched_on() {
    use Violation::{ArrayParams, NullParams};
    let list = |params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{params}}}"#)
    };
    let read = |body: &str, put_up_with: &[Violation]| {
        parse_leniently(body.as_bytes(), put_up_with).map(|(_, violation)| violation).ok()
    };
    for (params, put_up_with, expected) in [
        ("{}", &[NullParams, ArrayParams][..], Some(None)),
        ("null", &[NullParams], Some(Some(NullParams))),
        ("[]", &[ArrayParams], Some(Some(ArrayParams))),
        ("null", &[ArrayParams], None),
        ("[]", &[NullParams], None),
        ("null", &[], None),
        ("[1]", &[ArrayParams], None),
        ("[{}]", &[ArrayParams], None),
        ("\"\"", &[NullParams, ArrayParams], None),
        ("0", &[NullParams, ArrayParams], None),
        ("false", &[NullParams, ArrayParams], None),
    ] {
        assert_eq!(read(&list(params), put_up_with), expected, "{params} {put_up_with:?}");
    }
    // What is not there names nothing.
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":null}"#;
    let (message, _) = parse_leniently(call.as_bytes(), &[NullParams]).unwrap();
    assert!(message.action().is_err());
    for violation in Violation::ALL {
        assert_eq!(violation.as_str().parse(), Ok(*violation));
    }
}

#[test]
fn only_discovery_may_come_without_its_mirrors() {
    use Mirror::{Absent, Once, Unreadable};
    let on = &[Violation::DiscoverWithoutMirrors][..];
    let discover =
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"server/discover","params":{{{META}}}}}"#);
    let era = |put_up_with, version, method, name, body: &str| {
        let message = parse(body.as_bytes()).unwrap();
        let headers = MirrorHeaders { version, method, name };
        let (filled, violation) = headers.filled_in(&message, put_up_with);
        let era = filled.era(&message, &message.action().unwrap());
        (era.ok(), violation.is_some())
    };
    let (v, m) = (Once("2026-07-28"), Once("server/discover"));
    for (put_up_with, version, method, name, expected) in [
        (on, Absent, Absent, Absent, (Some(Era::Modern), true)),
        (on, v, Absent, Absent, (Some(Era::Modern), true)),
        (on, Absent, m, Absent, (Some(Era::Modern), true)),
        (on, v, m, Absent, (Some(Era::Modern), false)),
        (&[], Absent, Absent, Absent, (None, false)),
        (&[], v, Absent, Absent, (None, false)),
        // What is there and says something else is refused all the same.
        (on, Once("2025-06-18"), Absent, Absent, (None, true)),
        (on, Absent, Once("tools/call"), Absent, (None, true)),
        (on, Absent, Unreadable, Absent, (None, true)),
        (on, Absent, Absent, Once("x"), (None, true)),
    ] {
        assert_eq!(era(put_up_with, version, method, name, &discover), expected);
    }
    for method in ["tools/list", "tools/call", "initialize"] {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{{"name":"x",{META}}}}}"#
        );
        assert_eq!(era(on, Absent, Absent, Absent, &body), (None, false), "{method}");
    }
}
