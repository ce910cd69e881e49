use axum::body::Bytes;
use envoy_types::ext_authz::v3::CheckResponseExt as _;
use envoy_types::ext_authz::v3::pb::{CheckResponse, HttpResponse, HttpStatusCode};
use envoy_types::ext_authz::v3::{DeniedHttpResponseBuilder, OkHttpResponseBuilder};
use prost::Message as _;
use tonic::Status;

use super::{GrpcAnswer, Judge};
use crate::grpc::frame;
use crate::plan::Expect;

fn judge(code: i32, status: u16, header: Option<&str>) -> Judge {
    Judge::new(Expect { code: Some(code), status, header: header.map(str::to_owned), body: None })
}

fn sent(body: Bytes) -> GrpcAnswer {
    GrpcAnswer { status: 200, grpc_status: Some("0".to_owned()), grpc_message: None, body }
}

fn answer(status: Status, response: impl Into<Option<HttpResponse>>) -> Bytes {
    let mut answer = CheckResponse::default();
    answer.set_status(status);
    answer.http_response = response.into();
    frame(&answer.encode_to_vec()).unwrap()
}

fn allowed(header: Option<&str>) -> HttpResponse {
    let mut ok = OkHttpResponseBuilder::new();
    if let Some(header) = header {
        ok.add_header(header, "alice", None, false);
    }
    HttpResponse::OkResponse(ok.build())
}

fn denied(status: HttpStatusCode) -> HttpResponse {
    let mut denied = DeniedHttpResponseBuilder::new();
    denied.set_http_status(status);
    HttpResponse::DeniedResponse(denied.build())
}

#[test]
fn only_the_expected_decision_is_right() {
    let ok = || Status::ok("");
    let no = || Status::permission_denied("");
    let forbidden = || denied(HttpStatusCode::Forbidden);
    let user = Some("x-forwarded-user");
    let table = [
        ("allowed", answer(ok(), allowed(None)), judge(0, 200, None), true),
        ("allowed without a response", answer(ok(), None), judge(0, 200, None), true),
        ("allowed with the header", answer(ok(), allowed(user)), judge(0, 200, user), true),
        ("denied", answer(no(), forbidden()), judge(7, 403, None), true),
        ("allowed for denied", answer(ok(), allowed(None)), judge(7, 403, None), false),
        ("denied for allowed", answer(no(), forbidden()), judge(0, 200, None), false),
        ("another status", answer(no(), forbidden()), judge(7, 401, None), false),
        ("denied without a response", answer(no(), None), judge(7, 403, None), false),
        ("OK, but denied", answer(ok(), forbidden()), judge(0, 403, None), false),
        ("OK, but denied, for allowed", answer(ok(), forbidden()), judge(0, 200, None), false),
        ("denied, but allowed", answer(no(), allowed(None)), judge(7, 403, None), false),
        ("no header", answer(ok(), allowed(None)), judge(0, 200, user), false),
        ("another header", answer(ok(), allowed(Some("x"))), judge(0, 200, user), false),
        ("header of no response", answer(ok(), None), judge(0, 200, user), false),
        ("no message", Bytes::new(), judge(0, 200, None), false),
        ("a message without a status", frame(&[]).unwrap(), judge(0, 200, None), false),
        ("not protobuf", frame(&[0xff]).unwrap(), judge(0, 200, None), false),
        ("compressed", Bytes::from_static(&[1, 0, 0, 0, 0]), judge(0, 200, None), false),
        ("cut short", Bytes::from_static(&[0, 0, 0, 0, 1]), judge(0, 200, None), false),
    ];
    for (name, body, mut judge, right) in table {
        assert_eq!(judge.grpc(sent(body)).is_ok(), right, "{name}");
    }
}

#[test]
fn a_right_answer_vouches_only_for_the_same_bytes() {
    let mut judge = judge(0, 200, None);
    let right = answer(Status::ok(""), allowed(None));
    let wrong = answer(Status::permission_denied(""), denied(HttpStatusCode::Forbidden));
    assert!(judge.grpc(sent(right.clone())).is_ok());
    assert!(judge.grpc(sent(right.clone())).is_ok());
    assert!(judge.grpc(sent(wrong.clone())).is_err());
    assert!(judge.grpc(sent(wrong)).is_err());
    for grpc_status in [None, Some("12".to_owned())] {
        let answer = GrpcAnswer { grpc_status, ..sent(right.clone()) };
        assert!(judge.grpc(answer).is_err());
    }
    assert!(judge.grpc(GrpcAnswer { status: 503, ..sent(right) }).is_err());
}

#[test]
fn bodies_are_searched() {
    let expect = |status, body: Option<&str>| {
        Judge::new(Expect { code: None, status, header: None, body: body.map(str::to_owned) })
    };
    let table = [
        (expect(200, None), 200, "", true),
        (expect(200, None), 403, "", false),
        (expect(200, Some("id")), 200, "{\"id\":1}", true),
        (expect(200, Some("id")), 200, "{\"i\":1}", false),
        (expect(200, Some("id")), 200, "", false),
        (expect(403, Some("id")), 200, "id", false),
    ];
    for (judge, status, body, right) in table {
        assert_eq!(judge.http(status, body.as_bytes()).is_ok(), right, "{status} {body:?}");
    }
}
