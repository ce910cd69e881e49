//! What Envoy is told of an answer. This is the only file that builds a `ProcessingResponse`.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{
    BodySendMode, HeaderSendMode,
};
use envoy_types::pb::envoy::service::ext_proc::v3::body_mutation::Mutation;
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyMutation, BodyResponse, CommonResponse, HeaderMutation, HeadersResponse, ImmediateResponse,
    ProcessingResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};

use super::plan::{NAMESPACE, PLAN};
use crate::server::answer::Reply;
use crate::server::sessions::HEADER;

/// The headers pass, but for a session's name, and so does the body, unseen. Nothing opens a
/// session but what [`pass_with_session`] lets pass.
pub(super) fn pass() -> ProcessingResponse {
    pass_with_session(None)
}

/// The same, with the name that the caller is given for its session.
pub(super) fn pass_with_session(name: Option<String>) -> ProcessingResponse {
    let mutation = match name {
        Some(name) => {
            let set_headers = vec![HeaderValueOption {
                append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
                ..header((HEADER, name))
            }];
            HeaderMutation { set_headers, ..HeaderMutation::default() }
        }
        None => {
            HeaderMutation { remove_headers: vec![HEADER.to_owned()], ..HeaderMutation::default() }
        }
    };
    let response = CommonResponse { header_mutation: Some(mutation), ..CommonResponse::default() };
    ProcessingResponse {
        mode_override: Some(ProcessingMode {
            request_header_mode: HeaderSendMode::Skip.into(),
            response_header_mode: HeaderSendMode::Send.into(),
            response_body_mode: BodySendMode::None.into(),
            response_trailer_mode: HeaderSendMode::Skip.into(),
            ..ProcessingMode::default()
        }),
        ..headers(HeadersResponse { response: Some(response) })
    }
}

/// The headers pass, but for a session's name, and the body comes. What it will be long is not
/// known yet.
pub(super) fn look_at_body() -> ProcessingResponse {
    let header_mutation = Some(HeaderMutation {
        remove_headers: vec!["content-length".to_owned(), HEADER.to_owned()],
        ..HeaderMutation::default()
    });
    let response = Some(CommonResponse { header_mutation, ..CommonResponse::default() });
    ProcessingResponse {
        dynamic_metadata: Some(done_with()),
        ..headers(HeadersResponse { response })
    }
}

/// In the place of the plan, which is known by now: Envoy sends it along with every piece of the
/// body.
fn done_with() -> Struct {
    let structure = |name: &str, value: Kind| Struct {
        fields: HashMap::from([(name.to_owned(), Value { kind: Some(value) })]),
    };
    let said = structure(PLAN, Kind::StringValue(String::new()));
    structure(NAMESPACE, Kind::StructValue(said))
}

/// A part of a body passes: where the mode could not be changed.
pub(super) fn pass_body() -> ProcessingResponse {
    response(Response::ResponseBody(BodyResponse::default()))
}

/// In the place of a part of a body: what goes on by now.
pub(super) fn body(bytes: Vec<u8>) -> ProcessingResponse {
    let mutation = if bytes.is_empty() { Mutation::ClearBody(true) } else { Mutation::Body(bytes) };
    let body_mutation = Some(BodyMutation { mutation: Some(mutation) });
    let common = CommonResponse { body_mutation, ..CommonResponse::default() };
    response(Response::ResponseBody(BodyResponse { response: Some(common) }))
}

/// Another answer, in the place of the upstream's.
pub(super) fn refuse(reply: Reply) -> ProcessingResponse {
    let Reply { status, headers, body } = reply;
    let set_headers = headers.into_iter().map(header).collect();
    response(Response::ImmediateResponse(ImmediateResponse {
        status: Some(HttpStatus { code: i32::from(status) }),
        headers: Some(HeaderMutation { set_headers, ..HeaderMutation::default() }),
        body: body.into_bytes(),
        details: "toolgate_refused_answer".to_owned(),
        ..ImmediateResponse::default()
    }))
}

fn headers(response: HeadersResponse) -> ProcessingResponse {
    self::response(Response::ResponseHeaders(response))
}

fn response(response: Response) -> ProcessingResponse {
    ProcessingResponse { response: Some(response), ..ProcessingResponse::default() }
}

fn header((name, value): (&'static str, String)) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(HeaderValue {
            key: name.to_owned(),
            raw_value: value.into_bytes(),
            ..HeaderValue::default()
        }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
        ..HeaderValueOption::default()
    }
}
