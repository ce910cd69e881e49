//! What is written is what prost would write.

use std::borrow::Cow;
use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::service::auth::v3::check_response::HttpResponse;
use envoy_types::pb::envoy::service::auth::v3::{
    CheckResponse, DeniedHttpResponse, OkHttpResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use envoy_types::pb::google::rpc::Status;
use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::record::{Decision, Rule, User};

/// The plain path.
fn plain(answer: Answer, told: &Told<'_>) -> CheckResponse {
    let mut metadata = dynamic_metadata(told);
    let (code, http_response) = match answer {
        Answer::Allow(Forward { set, remove }, plan) => {
            metadata.fields.insert(PLAN.to_owned(), plan.into_value());
            let ok = OkHttpResponse {
                headers: set.into_iter().map(header).collect(),
                headers_to_remove: remove.into_iter().map(Cow::into_owned).collect(),
                ..OkHttpResponse::default()
            };
            (Code::Ok, HttpResponse::OkResponse(ok))
        }
        Answer::Refuse(Reply { status, headers, body }) => {
            let denied = DeniedHttpResponse {
                status: Some(HttpStatus { code: i32::from(status) }),
                headers: headers.into_iter().map(header).collect(),
                body,
            };
            (Code::PermissionDenied, HttpResponse::DeniedResponse(denied))
        }
    };
    CheckResponse {
        status: Some(Status { code: code.into(), ..Status::default() }),
        dynamic_metadata: Some(metadata),
        http_response: Some(http_response),
    }
}

fn header((name, value): (&'static str, String)) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name.to_owned(), value, ..HeaderValue::default() }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

fn dynamic_metadata(told: &Told<'_>) -> Struct {
    let value = |kind| Value { kind: Some(kind) };
    let mut fields = HashMap::from([("v".to_owned(), value(Kind::NumberValue(1.0)))]);
    told.each(|name, text| {
        fields.insert(name.to_owned(), value(Kind::StringValue(text.to_owned())));
    });
    let toolgate = value(Kind::StructValue(Struct { fields }));
    Struct { fields: HashMap::from([("toolgate".to_owned(), toolgate)]) }
}

fn answer() -> impl Strategy<Value = Answer> {
    let headers = || {
        let name = prop_oneof![Just("x-forwarded-user"), Just("x-toolgate-surface"), Just("x")];
        vec((name, "[ -~é]{0,300}"), 0..10)
    };
    let allow = (headers(), vec("[a-z-]{1,30}", 0..20)).prop_map(|(set, remove)| {
        let remove = remove.into_iter().map(Cow::Owned).collect();
        Answer::Allow(Forward { set, remove }, Plan::Pass)
    });
    let refuse = (any::<u16>(), headers(), "[ -~é]{0,3000}")
        .prop_map(|(status, headers, body)| Answer::Refuse(Reply { status, headers, body }));
    prop_oneof![allow, refuse]
}

prop_compose! {
    fn record()(texts in vec("[ -~]{0,150}", 12), user in any::<bool>(), rule in any::<bool>()) -> Decision {
        let text = |at: usize| texts[at].clone();
        Decision {
            id: text(0),
            policy: text(1),
            server: text(2),
            environment: text(3),
            method: text(4),
            tool: text(5),
            reason: text(6),
            workload: text(7),
            surface: text(8),
            user: user.then(|| User { issuer: text(9), subject: text(10), ..User::default() }),
            rule: rule.then(|| Rule { name: text(11), file: text(10), line: 7 }),
            ..Decision::default()
        }
    }
}

proptest! {
    #[test]
    fn what_is_written_is_what_prost_would_write(
        answer in answer(),
        record in record(),
        unrecorded in any::<bool>(),
    ) {
        let told = if unrecorded { Told::unrecorded(&record) } else { Told::of(&record) };
        let written = check_response(answer.clone(), &told);
        prop_assert_eq!(CheckResponse::decode(&*written).unwrap(), plain(answer, &told));
    }
}

#[test]
fn every_answer_but_an_allow_is_denied_in_both_places_that_envoy_looks_at() {
    let record = Decision::default();
    let said = |answer| {
        let written = check_response(answer, &Told::of(&record));
        let CheckResponse { status, http_response, .. } = CheckResponse::decode(&*written).unwrap();
        (status.unwrap().code, matches!(http_response, Some(HttpResponse::OkResponse(_))))
    };
    let refuse = Answer::Refuse(Reply { status: 200, headers: Vec::new(), body: String::new() });
    assert_eq!(said(refuse), (7, false));
    assert_eq!(said(Answer::Allow(Forward::default(), Plan::Pass)), (0, true));
}
