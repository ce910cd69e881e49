//! What is done with an answer, and how that goes through Envoy's dynamic metadata and back.

use std::collections::HashMap;

use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use thiserror::Error;

use crate::server::sessions::OwnerKey;

/// Where Envoy keeps what Check said.
const NAMESPACE: &str = "envoy.filters.http.ext_authz";

/// Beside what the access log shows, which a list of all that somebody may see is none of.
pub(in crate::server) const PLAN: &str = "toolgate_answer";

/// What this version writes, and all that it reads.
const VERSION: f64 = 1.0;

/// What is done with the answer to a request that was let through.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::server) enum Plan {
    /// Nothing.
    Pass,
    /// It opens a session of the older era, which is its caller's from now on.
    Session(OwnerKey),
}

/// Envoy does not say what is to be done with an answer, or says it in words of another version.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
#[error("Envoy does not say what is to be done with an answer")]
pub(super) struct NoPlan;

impl Plan {
    /// The route that the answer takes; `None` for the plain one.
    pub(in crate::server) fn route(&self) -> Option<&'static str> {
        match self {
            Self::Pass => None,
            Self::Session(_) => Some("session"),
        }
    }

    /// As Check says it.
    pub(in crate::server) fn into_value(self) -> Value {
        let kind = self.route().unwrap_or("pass");
        let mut fields = vec![("v", Kind::NumberValue(VERSION)), ("kind", text(kind))];
        match self {
            Self::Pass => {}
            Self::Session(owner) => fields.push(("owner", text(&owner.to_text()))),
        }
        structure(fields)
    }

    /// As it comes back.
    pub(super) fn of(metadata: Option<&Metadata>) -> Result<Self, NoPlan> {
        let told = metadata.and_then(|metadata| metadata.filter_metadata.get(NAMESPACE));
        let plan = told.and_then(|told| fields(told.fields.get(PLAN)?)).ok_or(NoPlan)?;
        if !matches!(plan.get("v").and_then(kind), Some(Kind::NumberValue(VERSION))) {
            return Err(NoPlan);
        }
        let Some(Kind::StringValue(kind)) = plan.get("kind").and_then(kind) else {
            return Err(NoPlan);
        };
        match kind.as_str() {
            "pass" => Ok(Self::Pass),
            "session" => {
                let Some(Kind::StringValue(owner)) = plan.get("owner").and_then(self::kind) else {
                    return Err(NoPlan);
                };
                OwnerKey::from_text(owner).map(Self::Session).ok_or(NoPlan)
            }
            _ => Err(NoPlan),
        }
    }
}

fn text(text: &str) -> Kind {
    Kind::StringValue(text.to_owned())
}

fn structure(fields: Vec<(&str, Kind)>) -> Value {
    let value = |(name, kind): (&str, Kind)| (name.to_owned(), Value { kind: Some(kind) });
    let fields: HashMap<String, Value> = fields.into_iter().map(value).collect();
    Value { kind: Some(Kind::StructValue(Struct { fields })) }
}

fn kind(value: &Value) -> Option<&Kind> {
    value.kind.as_ref()
}

fn fields(value: &Value) -> Option<&HashMap<String, Value>> {
    match kind(value)? {
        Kind::StructValue(Struct { fields }) => Some(fields),
        Kind::NullValue(_)
        | Kind::NumberValue(_)
        | Kind::StringValue(_)
        | Kind::BoolValue(_)
        | Kind::ListValue(_) => None,
    }
}
