use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::{HeaderMap, HeaderValue, Metadata};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Seen;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, HttpTrailers, ProcessingRequest, ProcessingResponse,
};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};

use super::plan::{PLAN, Plan};
use super::processor::Exchange;
use crate::identity::Caller;
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
    let reply = Exchange::new().reply(request).unwrap();
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
    for plan in [Plan::Pass, Plan::Session(owner())] {
        let metadata = told(plan.clone().into_value());
        assert_eq!(Plan::of(Some(&metadata)), Ok(plan));
    }
}

#[test]
fn an_answer_that_nobody_planned_for_does_not_pass() {
    let plan = |fields: &[(&str, Value)]| {
        Some(told(Value { kind: Some(Kind::StructValue(self::fields(fields))) }))
    };
    for (index, metadata) in [
        None,
        Some(Metadata::default()),
        Some(told(text("pass"))),
        plan(&[]),
        plan(&[("kind", text("pass"))]),
        plan(&[("v", number(2.0)), ("kind", text("pass"))]),
        plan(&[("v", text("1")), ("kind", text("pass"))]),
        plan(&[("v", number(1.0))]),
        plan(&[("v", number(1.0)), ("kind", text(""))]),
        plan(&[("v", number(1.0)), ("kind", text("everything"))]),
        plan(&[("v", number(1.0)), ("kind", number(1.0))]),
        plan(&[("v", number(1.0)), ("kind", text("session"))]),
        plan(&[("v", number(1.0)), ("kind", text("session")), ("owner", text("x"))]),
        plan(&[("v", number(1.0)), ("kind", text("session")), ("owner", number(1.0))]),
    ]
    .into_iter()
    .enumerate()
    {
        for details in [None, Some(""), Some("via_upstream")] {
            let mut exchange = Exchange::new();
            let reply = exchange.reply(headers(metadata.clone(), details)).unwrap();
            assert_eq!(refused(&reply), Some(503), "case {index}, {details:?}");
            let body = exchange.reply(seen(Seen::ResponseBody(HttpBody::default())));
            assert!(body.is_err(), "case {index}: what comes after it");
        }
        // Envoy's own: nobody was asked what is to be done with it.
        let reply = Exchange::new().reply(headers(metadata, Some("route_not_found"))).unwrap();
        assert_eq!(refused(&reply), None, "case {index}");
    }
}

#[test]
fn what_is_not_expected_ends_the_exchange() {
    let whole = |messages: Vec<ProcessingRequest>| {
        let mut exchange = Exchange::new();
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
