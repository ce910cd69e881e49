use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_request::Request as Seen;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    HttpBody, HttpHeaders, HttpTrailers, ProcessingRequest, ProcessingResponse,
};
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};

use super::plan::{PLAN, Plan};
use super::processor::Exchange;

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

#[test]
fn a_plan_comes_back_as_it_went() {
    for plan in [Plan::Pass, Plan::Session] {
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
