//! What Envoy is told of an answer. This is the only file that builds a `ProcessingResponse`.

use envoy_types::pb::envoy::config::core::v3::{HeaderValue, HeaderValueOption};
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::ProcessingMode;
use envoy_types::pb::envoy::extensions::filters::http::ext_proc::v3::processing_mode::{
    BodySendMode, HeaderSendMode,
};
use envoy_types::pb::envoy::service::ext_proc::v3::processing_response::Response;
use envoy_types::pb::envoy::service::ext_proc::v3::{
    BodyResponse, HeaderMutation, HeadersResponse, ImmediateResponse, ProcessingResponse,
};
use envoy_types::pb::envoy::r#type::v3::HttpStatus;

use crate::server::answer::Reply;

/// The headers pass, and so does the body, unseen.
pub(super) fn pass() -> ProcessingResponse {
    ProcessingResponse {
        mode_override: Some(ProcessingMode {
            request_header_mode: HeaderSendMode::Skip.into(),
            response_header_mode: HeaderSendMode::Send.into(),
            response_body_mode: BodySendMode::None.into(),
            response_trailer_mode: HeaderSendMode::Skip.into(),
            ..ProcessingMode::default()
        }),
        ..headers(HeadersResponse::default())
    }
}

/// A part of a body passes: where the mode could not be changed.
pub(super) fn pass_body() -> ProcessingResponse {
    response(Response::ResponseBody(BodyResponse::default()))
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
        ..HeaderValueOption::default()
    }
}
