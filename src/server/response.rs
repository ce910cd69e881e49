//! From an [`Answer`] to Envoy's `CheckResponse`, as bytes. This is the only file that writes one,
//! and whatever is not an allow is denied in both places that Envoy looks at: an empty
//! `CheckResponse`, or one with status OK and a denied response, would be an allow.

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use prost::Message as _;
use tonic::Code;

use super::answer::{Answer, Forward, Reply};
use super::ext_proc::{PLAN, Plan};
use super::protobuf::{Writer, length_of_bytes, length_of_sized};
use super::record::Told;

/// Of `envoy.service.auth.v3.CheckResponse`.
mod field {
    pub(super) const STATUS: u32 = 1;
    pub(super) const DENIED_RESPONSE: u32 = 2;
    pub(super) const OK_RESPONSE: u32 = 3;
    pub(super) const DYNAMIC_METADATA: u32 = 4;

    /// Of `google.rpc.Status`, and of `envoy.type.v3.HttpStatus`.
    pub(super) const CODE: u32 = 1;

    pub(super) mod denied {
        pub(in super::super) const STATUS: u32 = 1;
        pub(in super::super) const HEADERS: u32 = 2;
        pub(in super::super) const BODY: u32 = 3;
    }

    pub(super) mod ok {
        pub(in super::super) const HEADERS: u32 = 2;
        pub(in super::super) const HEADERS_TO_REMOVE: u32 = 5;
    }

    pub(super) mod header {
        /// Of `HeaderValueOption`.
        pub(in super::super) const HEADER: u32 = 1;
        pub(in super::super) const APPEND_ACTION: u32 = 3;
        /// Of `HeaderValue`.
        pub(in super::super) const KEY: u32 = 1;
        pub(in super::super) const VALUE: u32 = 2;
    }

    /// Of `google.protobuf.Struct`, the entries of its map, and `google.protobuf.Value`.
    pub(super) mod structure {
        pub(in super::super) const FIELDS: u32 = 1;
        pub(in super::super) const KEY: u32 = 1;
        pub(in super::super) const VALUE: u32 = 2;
        pub(in super::super) const NUMBER: u32 = 2;
        pub(in super::super) const STRING: u32 = 3;
        pub(in super::super) const STRUCT: u32 = 5;
    }
}

/// `HeaderAppendAction.OVERWRITE_IF_EXISTS_OR_ADD`. Envoy 1.40 ignores the action here and always
/// replaces; it says what is meant.
const OVERWRITE_IF_EXISTS_OR_ADD: u64 = 2;

/// What an answer takes for the most part.
const USUAL_BYTES: usize = 2048;

/// The plan of most answers, written once.
static PASS: LazyLock<Vec<u8>> = LazyLock::new(|| Plan::Pass.into_value().encode_to_vec());

pub(super) fn check_response(answer: Answer, told: &Told<'_>) -> Vec<u8> {
    let mut response = Writer::with_capacity(USUAL_BYTES);
    let plan = match answer {
        Answer::Allow(forward, plan) => {
            status(&mut response, Code::Ok);
            response.message(field::OK_RESPONSE, |ok| allowed(ok, &forward));
            Some(plan)
        }
        Answer::Refuse(reply) => {
            status(&mut response, Code::PermissionDenied);
            response.message(field::DENIED_RESPONSE, |denied| refused(denied, &reply));
            None
        }
    };
    response.message(field::DYNAMIC_METADATA, |metadata| dynamic_metadata(metadata, told, plan));
    response.into_bytes()
}

fn status(response: &mut Writer, code: Code) {
    #[expect(clippy::cast_sign_loss, reason = "no code is negative")]
    let code = i32::from(code) as u64;
    response.message(field::STATUS, |status| status.number(field::CODE, code));
}

fn allowed(ok: &mut Writer, Forward { set, remove }: &Forward) {
    for (name, value) in set {
        ok.message(field::ok::HEADERS, |option| header(option, name, value));
    }
    for name in remove {
        ok.bytes(field::ok::HEADERS_TO_REMOVE, name.as_bytes());
    }
}

fn refused(denied: &mut Writer, Reply { status, headers, body }: &Reply) {
    let code = u64::from(*status);
    denied.message(field::denied::STATUS, |status| status.number(field::CODE, code));
    for (name, value) in headers {
        denied.message(field::denied::HEADERS, |option| header(option, name, value));
    }
    denied.bytes(field::denied::BODY, body.as_bytes());
}

fn header(option: &mut Writer, name: &str, value: &str) {
    let (name, value) = (name.as_bytes(), value.as_bytes());
    option.sized(field::header::HEADER, length_of_bytes(name) + length_of_bytes(value));
    option.bytes(field::header::KEY, name);
    option.bytes(field::header::VALUE, value);
    option.number(field::header::APPEND_ACTION, OVERWRITE_IF_EXISTS_OR_ADD);
}

/// What Envoy's access log and later filters are told, and what is to be done with the answer.
fn dynamic_metadata(metadata: &mut Writer, told: &Told<'_>, plan: Option<Plan>) {
    member(metadata, "toolgate", |value| {
        value.message(field::structure::STRUCT, |toolgate| {
            member(toolgate, "v", |value| value.double(field::structure::NUMBER, 1.0));
            told.each(|name, text| text_member(toolgate, name, text));
        });
    });
    if let Some(plan) = plan {
        member(metadata, PLAN, |value| match plan {
            Plan::Pass => value.whole(&PASS),
            plan @ (Plan::Session(_) | Plan::Filter(_)) => {
                value.whole(&plan.into_value().encode_to_vec());
            }
        });
    }
}

/// A member of a `Struct` that is a text.
fn text_member(structure: &mut Writer, name: &str, text: &str) {
    let (name, text) = (name.as_bytes(), text.as_bytes());
    let value = length_of_bytes(text);
    structure.sized(field::structure::FIELDS, length_of_bytes(name) + length_of_sized(value));
    structure.bytes(field::structure::KEY, name);
    structure.sized(field::structure::VALUE, value);
    structure.bytes(field::structure::STRING, text);
}

/// A member of a `Struct`.
fn member(structure: &mut Writer, name: &str, value: impl FnOnce(&mut Writer)) {
    structure.message(field::structure::FIELDS, |entry| {
        entry.bytes(field::structure::KEY, name.as_bytes());
        entry.message(field::structure::VALUE, value);
    });
}
