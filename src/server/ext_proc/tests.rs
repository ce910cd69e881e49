use std::collections::HashMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, Metadata};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Seen;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, HttpTrailers, ProcessingRequest, ProcessingResponse,
};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};

use super::plan::{PLAN, Plan, View};
use super::processor::Exchange;
use crate::disk;
use crate::identity::Caller;
use crate::lists::{Bits, Rooms, Shown};
use crate::policy::digest::Digest;
use crate::policy::model::Offer;
use crate::policy::{self, PolicyFile, PolicyFiles, PolicySet};
use crate::server::sessions::{Owner, OwnerKey, SessionKey};

fn fields(fields: &[(&str, Value)]) -> Struct {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Struct { fields }
}

fn number(number: f64) -> Value {
    Value { kind: Some(Kind::NumberValue(number)) }
}

fn text(text: &str) -> Value {
    Value { kind: Some(Kind::StringValue(text.to_owned())) }
}

/// What comes back of what Check says.
fn told(plan: Value) -> Metadata {
    let filter_metadata =
        HashMap::from([("envoy.filters.http.ext_authz".to_owned(), fields(&[(PLAN, plan)]))]);
    Metadata { filter_metadata, ..Metadata::default() }
}

fn exchange() -> Exchange {
    Exchange::new(Arc::new(crate::server::tests::edge()), Rooms::new(1000, 1000))
}

/// What presto offers in the samples.
const TOOLS: [&str; 4] = ["list_tables", "run_query", "get_revenue_metrics", "overwrite_table"];

fn offer(tools: &[&str]) -> Digest {
    Offer::new(tools, Vec::new(), &[]).digest()
}

/// A list of presto's tools in which only the first may be seen.
fn view(id: Option<&str>) -> View {
    View {
        id: id.map(Into::into),
        server: "presto".into(),
        decision_id: "D".into(),
        offer: offer(&TOOLS),
        shown: Shown { tools: Some(Bits::new(4, [0])), ..Shown::default() },
        private: true,
    }
}

fn list(id: Option<&str>) -> Plan {
    Plan::Filter(Box::new(view(id)))
}

/// The headers of an upstream's answer.
fn of_upstream(plan: Plan, headers: &[(&str, &str)]) -> ProcessingRequest {
    let header = |(key, value): &(&str, &str)| HeaderValue {
        key: (*key).to_owned(),
        raw_value: value.as_bytes().to_vec(),
        ..HeaderValue::default()
    };
    let headers = Some(HeaderMap { headers: headers.iter().map(header).collect() });
    let seen = HttpHeaders { headers, ..HttpHeaders::default() };
    ProcessingRequest {
        request: Some(Seen::ResponseHeaders(seen)),
        ..self::headers(Some(told(plan.into_value())), Some("via_upstream"))
    }
}

fn piece(bytes: &[u8], end_of_stream: bool) -> ProcessingRequest {
    let body = HttpBody { body: bytes.to_vec(), end_of_stream, ..HttpBody::default() };
    seen(Seen::ResponseBody(body))
}

/// What goes on in the place of a piece of a body.
fn passed(response: &ProcessingResponse) -> String {
    let Some(Response::ResponseBody(body)) = &response.response else { panic!("no body") };
    let mutation = body.response.as_ref().unwrap().body_mutation.as_ref().unwrap();
    match mutation.mutation.as_ref().unwrap() {
        Mutation::Body(bytes) => String::from_utf8(bytes.clone()).unwrap(),
        Mutation::ClearBody(true) => String::new(),
        Mutation::ClearBody(false) | Mutation::StreamedResponse(_) => panic!("not replaced"),
    }
}

fn headers(metadata: Option<Metadata>, details: Option<&str>) -> ProcessingRequest {
    let attributes = details.map(|details| {
        let attributes = fields(&[("response.code_details", text(details))]);
        ("envoy.filters.http.ext_proc".to_owned(), attributes)
    });
    ProcessingRequest {
        metadata_context: metadata,
        attributes: attributes.into_iter().collect(),
        request: Some(Seen::ResponseHeaders(HttpHeaders::default())),
        ..ProcessingRequest::default()
    }
}

fn seen(seen: Seen) -> ProcessingRequest {
    ProcessingRequest { request: Some(seen), ..ProcessingRequest::default() }
}

/// The status of what stands in the answer's place; `None` where it passes.
fn refused(response: &ProcessingResponse) -> Option<i32> {
    if let Some(Response::ImmediateResponse(response)) = &response.response {
        return Some(response.status.as_ref().unwrap().code);
    }
    assert!(matches!(response.response, Some(Response::ResponseHeaders(_))));
    None
}

fn owner() -> OwnerKey {
    let caller = Caller::default();
    let owner = Owner { server: "presto", environment: "prod", caller: &caller };
    SessionKey::new(&[7; 32]).unwrap().of(&owner)
}

/// What is done with a session's name, of these that the upstream gives.
fn session_of(plan: Plan, names: &[&[u8]]) -> (Option<i32>, Vec<String>, Vec<String>) {
    let name = |raw: &&[u8]| HeaderValue {
        key: "mcp-session-id".to_owned(),
        raw_value: raw.to_vec(),
        ..HeaderValue::default()
    };
    let map = HeaderMap { headers: names.iter().map(name).collect() };
    let seen = HttpHeaders { headers: Some(map), ..HttpHeaders::default() };
    let request = ProcessingRequest {
        request: Some(Seen::ResponseHeaders(seen)),
        ..headers(Some(told(plan.into_value())), Some("via_upstream"))
    };
    let reply = exchange().reply(request).unwrap();
    let Some(Response::ResponseHeaders(passed)) = &reply.response else {
        return (refused(&reply), Vec::new(), Vec::new());
    };
    let mutation = passed.response.as_ref().unwrap().header_mutation.clone().unwrap();
    let set = mutation.set_headers.into_iter().map(|set| {
        assert_eq!(set.append_action, 2, "in the place of the server's");
        let header = set.header.unwrap();
        assert_eq!(header.key, "mcp-session-id");
        String::from_utf8(header.raw_value).unwrap()
    });
    (None, set.collect(), mutation.remove_headers)
}

#[test]
fn only_initialize_opens_a_session_and_it_is_its_callers() {
    let open = |names: &[&[u8]]| session_of(Plan::Session(owner()), names);
    let (refused, set, removed) = open(&[b"of-the-server"]);
    assert_eq!((refused, removed), (None, vec![]));
    assert_eq!(owner().open(set[0].as_bytes()), Some("of-the-server"));
    let gone = || (None, vec![], vec!["mcp-session-id".to_owned()]);
    assert_eq!(open(&[]), gone());
    // Nobody could have such a session.
    let long = [b'a'; 5000];
    for names in [&[&b"a b"[..]][..], &[b"a\xe9"], &[b""], &[b"a", b"a"], &[&long]] {
        assert_eq!(open(names).0, Some(503), "{names:?}");
    }
    assert_eq!(session_of(Plan::Pass, &[b"of-the-server"]), gone());
}

#[test]
fn a_plan_comes_back_as_it_went() {
    let shown = Shown {
        tools: Some(Bits::new(21, [0, 7, 8, 20])),
        resources: Some(Bits::new(2, [1])),
        prompts: Some(Bits::new(0, [])),
    };
    let everything = View { shown, private: false, ..view(None) };
    for plan in [
        Plan::Pass,
        Plan::Session(owner()),
        list(Some(r#""\u0041 9""#)),
        list(Some("9007199254740993")),
        list(None),
        Plan::Filter(Box::new(everything)),
    ] {
        let metadata = told(plan.clone().into_value());
        assert_eq!(Plan::of(Some(&metadata)), Ok(plan));
    }
}

#[test]
fn an_answer_that_nobody_planned_for_does_not_pass() {
    let plan = |fields: &[(&str, Value)]| {
        Some(told(Value { kind: Some(Kind::StructValue(self::fields(fields))) }))
    };
    let without = |name: &str| {
        let mut plan = list(Some("1")).into_value();
        let Some(Kind::StructValue(Struct { fields })) = &mut plan.kind else { panic!("none") };
        assert!(fields.remove(name).is_some());
        Some(told(plan))
    };
    let with = |name: &str, value: Value| {
        let mut plan = list(Some("1")).into_value();
        let Some(Kind::StructValue(Struct { fields })) = &mut plan.kind else { panic!("none") };
        fields.insert(name.to_owned(), value);
        Some(told(plan))
    };
    for (index, metadata) in [
        None,
        Some(Metadata::default()),
        Some(told(text("pass"))),
        plan(&[]),
        plan(&[("kind", text("pass"))]),
        plan(&[("v", number(1.0)), ("kind", text("pass"))]),
        plan(&[("v", number(3.0)), ("kind", text("pass"))]),
        plan(&[("v", text("2")), ("kind", text("pass"))]),
        plan(&[("v", number(2.0))]),
        plan(&[("v", number(2.0)), ("kind", text(""))]),
        plan(&[("v", number(2.0)), ("kind", text("everything"))]),
        plan(&[("v", number(2.0)), ("kind", number(1.0))]),
        plan(&[("v", number(2.0)), ("kind", text("session"))]),
        plan(&[("v", number(2.0)), ("kind", text("session")), ("owner", text("x"))]),
        plan(&[("v", number(2.0)), ("kind", text("session")), ("owner", number(1.0))]),
        without("id"),
        without("private"),
        without("server"),
        without("decision_id"),
        without("offer"),
        with("v", number(1.0)),
        with("offer", text("presto")),
        with("offer", number(1.0)),
        with("tools", text("*")),
        with("tools", text("AQ")),
        with("tools", text("AR==")),
        with("tools", text("AQ==\n")),
        with("tools", number(1.0)),
        with("tools", text("list_tables\n")),
    ]
    .into_iter()
    .enumerate()
    {
        for details in [None, Some(""), Some("via_upstream")] {
            let mut exchange = exchange();
            let reply = exchange.reply(headers(metadata.clone(), details)).unwrap();
            assert_eq!(refused(&reply), Some(503), "case {index}, {details:?}");
            let body = exchange.reply(seen(Seen::ResponseBody(HttpBody::default())));
            assert!(body.is_err(), "case {index}: what comes after it");
        }
        // Envoy's own: nobody was asked what is to be done with it.
        let reply = exchange().reply(headers(metadata, Some("route_not_found"))).unwrap();
        assert_eq!(refused(&reply), None, "case {index}");
    }
}

#[test]
fn what_is_not_expected_ends_the_exchange() {
    let whole = |messages: Vec<ProcessingRequest>| {
        let mut exchange = exchange();
        messages.into_iter().map(|message| exchange.reply(message).is_ok()).collect::<Vec<_>>()
    };
    let pass = || headers(Some(told(Plan::Pass.into_value())), Some("via_upstream"));
    let body = || seen(Seen::ResponseBody(HttpBody::default()));
    assert_eq!(whole(vec![pass(), body(), body()]), [true, true, true]);
    assert_eq!(whole(vec![body(), pass()]), [false, false]);
    assert_eq!(whole(vec![pass(), pass(), body()]), [true, false, false]);
    assert_eq!(whole(vec![ProcessingRequest::default(), pass()]), [false, false]);
    let of_request = seen(Seen::RequestHeaders(HttpHeaders::default()));
    assert_eq!(whole(vec![of_request, pass()]), [false, false]);
    let trailers = seen(Seen::ResponseTrailers(HttpTrailers::default()));
    assert_eq!(whole(vec![pass(), trailers]), [true, false]);
}

const OK: (&str, &str) = (":status", "200");
const LIST: &[u8] = br#"{"id":1,"result":{"tools":[{"name":"run_query"},{"name":"list_tables"}]}}"#;
const LEFT: &str = r#"{"id":1,"result":{"cacheScope":"private","tools":[{"name":"list_tables"}]}}"#;

#[test]
fn a_list_is_held_until_it_is_whole() {
    for content_type in ["application/json", "text/event-stream"] {
        let events = content_type == "text/event-stream";
        let mut exchange = exchange();
        let first = of_upstream(list(Some("1")), &[OK, ("content-type", content_type)]);
        let begun = exchange.reply(first).unwrap();
        assert_eq!((refused(&begun), &begun.mode_override), (None, &None), "the body comes");
        let Some(Response::ResponseHeaders(headers)) = begun.response else { panic!("none") };
        let removed = headers.response.unwrap().header_mutation.unwrap().remove_headers;
        assert_eq!(removed, ["content-length", "mcp-session-id"], "only `initialize` opens one");
        let (start, end, left) = if events {
            (&b"data: "[..], &b"\n\n"[..], format!("data: {LEFT}\n\n"))
        } else {
            (&b""[..], &b""[..], LEFT.to_owned())
        };
        let mut push = |bytes: &[u8], last| passed(&exchange.reply(piece(bytes, last)).unwrap());
        assert_eq!(push(start, false), "");
        assert_eq!(push(LIST, false), "");
        assert_eq!(push(end, !events), left);
        if events {
            assert_eq!(push(b"data: {}\n\n", false), "data: {}\n\n");
            assert_eq!(push(b"", true), "");
        }
        assert!(exchange.reply(piece(b"more", true)).is_err(), "it was over");
        let metrics = exchange_metrics(&exchange);
        assert!(metrics.contains(r#"toolgate_lists_total{outcome="filtered"} 1"#), "{metrics}");
    }
}

fn exchange_metrics(exchange: &Exchange) -> String {
    exchange.edge.metrics.render(crate::telemetry::Observed::default())
}

#[test]
fn an_answer_that_cannot_be_looked_at_is_an_error_with_the_requests_id() {
    let html = [OK, ("content-type", "text/html")];
    let reply = exchange().reply(of_upstream(list(Some(r#""x""#)), &html)).unwrap();
    assert_eq!(refused(&reply), Some(200));
    let Some(Response::ImmediateResponse(response)) = reply.response else { panic!("none") };
    let body: serde_json::Value = serde_json::from_slice(&response.body).unwrap();
    assert_eq!((&body["id"], &body["error"]["code"]), (&"x".into(), &403.into()));
    assert_eq!(body["error"]["data"]["reason"], "unavailable");
    assert_eq!(body["error"]["data"]["decision_id"], "D");
    // A stream that is read again answers no request of its own.
    let reply = exchange().reply(of_upstream(list(None), &html)).unwrap();
    assert_eq!(refused(&reply), Some(503));
    // In the middle of one.
    let mut exchange = exchange();
    let json = [OK, ("content-type", "application/json")];
    exchange.reply(of_upstream(list(Some("7")), &json)).unwrap();
    let said = passed(&exchange.reply(piece(br#"{"result":{"tools":[{"na"#, true)).unwrap());
    let body: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&body["id"], &body["error"]["code"]), (&7.into(), &403.into()));
}

#[test]
fn nothing_is_held_of_an_answer_that_is_gone() {
    let rooms = Rooms::new(1000, 1000);
    let edge = Arc::new(crate::server::tests::edge());
    let json = [OK, ("content-type", "application/json")];
    for round in 0..3 {
        let mut exchange = Exchange::new(Arc::clone(&edge), rooms.clone());
        exchange.reply(of_upstream(list(Some("7")), &json)).unwrap();
        let held = exchange.reply(piece(&[b' '; 900], false)).unwrap();
        assert_eq!(passed(&held), "", "round {round}");
    }
}

/// The samples with one text replaced by another.
fn samples(from: &str, to: &str) -> PolicySet {
    let mut files = disk::read_policies("policies".as_ref());
    let edit = |file: &mut PolicyFile| {
        let text = String::from_utf8(file.bytes.to_vec()).unwrap();
        file.bytes = text.replace(from, to).into_bytes().into();
    };
    files.files.iter_mut().for_each(edit);
    policy::load(PolicyFiles { ..files }).unwrap()
}

/// What becomes of a list that was decided on so.
fn listed(exchange: &mut Exchange, view: View) -> Result<String, i32> {
    let json = [OK, ("content-type", "application/json")];
    let begun = exchange.reply(of_upstream(Plan::Filter(Box::new(view)), &json)).unwrap();
    match refused(&begun) {
        Some(status) => Err(status),
        None => Ok(passed(&exchange.reply(piece(LIST, true)).unwrap())),
    }
}

#[test]
fn bits_of_something_else_do_not_pass() {
    let [a, b, c, d] = TOOLS;
    let more = [a, b, c, d, "more"];
    for (tools, passes) in [
        (&TOOLS[..], true),
        (&[b, a, c, d], false),
        (&[a, b, d, c], false),
        (&[a, b, c], false),
        (&[a, b, c, "other"], false),
        (&more, false),
        (&[], false),
    ] {
        let mut exchange = exchange();
        let answer = listed(&mut exchange, View { offer: offer(tools), ..view(Some("1")) });
        assert_eq!(answer, if passes { Ok(LEFT.to_owned()) } else { Err(200) }, "{tools:?}");
        let refused = r#"toolgate_lists_total{outcome="refused"} 1"#;
        assert_eq!(exchange_metrics(&exchange).contains(refused), !passes, "{tools:?}");
    }
    for server in ["spark", "Presto", "nobody", ""] {
        let view = View { server: server.into(), ..view(Some("1")) };
        assert_eq!(listed(&mut exchange(), view), Err(200), "{server:?}");
    }
    for bits in [&[][..], &[0b1_0000], &[1, 0], &[1; 10_000]] {
        let shown = Shown { tools: Some(Bits::of_bytes(bits)), ..Shown::default() };
        let view = View { shown, ..view(Some("1")) };
        assert_eq!(listed(&mut exchange(), view), Err(200), "{} bytes", bits.len());
    }
    let replayed = View { offer: offer(&[a]), ..view(None) };
    assert_eq!(listed(&mut exchange(), replayed), Err(503));
}

#[test]
fn policies_may_change_while_an_answer_is_on_its_way() {
    let passes = || Ok(LEFT.to_owned());
    let edge = || Arc::new(crate::server::tests::edge());
    let new = |edge: &Arc<_>| Exchange::new(Arc::clone(edge), Rooms::new(1000, 1000));
    // What was decided stays so, whatever is granted by now.
    let other_grants = edge();
    other_grants.replace(samples("    call: [browse, run_query]\n", "    call: [run_query]\n"));
    assert_eq!(listed(&mut new(&other_grants), view(Some("1"))), passes());
    let other_tools = edge();
    let mut under_way = new(&other_tools);
    let json = [OK, ("content-type", "application/json")];
    under_way.reply(of_upstream(list(Some("1")), &json)).unwrap();
    let one_more = samples("\ntools:    ", "\ntools:\n  first: { effect: read }\n\n#");
    let policy = Arc::downgrade(&other_tools.replace(one_more).policy);
    assert_eq!(listed(&mut new(&other_tools), view(Some("1"))), Err(200));
    // One that has begun keeps what its bits mean, and no more of the policies that they are of.
    assert!(policy.upgrade().is_none());
    assert_eq!(passed(&under_way.reply(piece(LIST, true)).unwrap()), LEFT);
}
