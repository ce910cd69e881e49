//! From an [`Answer`] to Envoy's `CheckResponse`. This is the only file that builds one, and it
//! starts from "denied": an empty `CheckResponse`, or one with status OK and a denied response,
//! would be an allow.

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
use tonic::Code;

use super::answer::{Answer, Forward, Reply};
use super::ext_proc::PLAN;

/// What Envoy's access log and later filters are told, as text by name.
pub(super) type Metadata = Vec<(&'static str, String)>;

pub(super) fn check_response(answer: Answer, metadata: Metadata) -> CheckResponse {
    let mut told = dynamic_metadata(metadata);
    let mut response = CheckResponse {
        status: Some(status(Code::PermissionDenied)),
        dynamic_metadata: None,
        http_response: Some(HttpResponse::DeniedResponse(DeniedHttpResponse::default())),
    };
    match answer {
        Answer::Allow(Forward { set, remove }, plan) => {
            told.fields.insert(PLAN.to_owned(), plan.into_value());
            response.http_response = Some(HttpResponse::OkResponse(OkHttpResponse {
                headers: set.into_iter().map(header).collect(),
                headers_to_remove: remove,
                ..OkHttpResponse::default()
            }));
            response.status = Some(status(Code::Ok));
        }
        Answer::Refuse(Reply { status, headers, body }) => {
            response.http_response = Some(HttpResponse::DeniedResponse(DeniedHttpResponse {
                status: Some(HttpStatus { code: i32::from(status) }),
                headers: headers.into_iter().map(header).collect(),
                body,
            }));
        }
    }
    response.dynamic_metadata = Some(told);
    response
}

fn status(code: Code) -> Status {
    Status { code: code.into(), ..Status::default() }
}

fn header((name, value): (&'static str, String)) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue { key: name.to_owned(), value, ..HeaderValue::default() }),
        // Envoy 1.40 ignores the action here and always replaces; it says what is meant.
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}

fn dynamic_metadata(metadata: Metadata) -> Struct {
    let text = |text: String| Value { kind: Some(Kind::StringValue(text)) };
    let mut fields: HashMap<String, Value> =
        metadata.into_iter().map(|(name, value)| (name.to_owned(), text(value))).collect();
    fields.insert("v".to_owned(), Value { kind: Some(Kind::NumberValue(1.0)) });
    let toolgate = Value { kind: Some(Kind::StructValue(Struct { fields })) };
    Struct { fields: HashMap::from([("toolgate".to_owned(), toolgate)]) }
}
