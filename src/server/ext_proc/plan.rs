//! What is done with an answer, and how that goes through Envoy's dynamic metadata and back.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use envoy_types::pb::envoy::config::core::v3::Metadata;
use envoy_types::pb::google::protobuf::value::Kind;
use envoy_types::pb::google::protobuf::{Struct, Value};
use thiserror::Error;

use crate::lists::{Bits, Shown};
use crate::policy::digest::Digest;
use crate::server::sessions::OwnerKey;

/// Where Envoy keeps what Check said.
pub(super) const NAMESPACE: &str = "envoy.filters.http.ext_authz";

/// Beside what the access log shows, which what somebody may see is no part of.
pub(in crate::server) const PLAN: &str = "toolgate_answer";

/// What this version writes, and all that it reads.
const VERSION: f64 = 2.0;

/// What is done with the answer to a request that was let through.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::server) enum Plan {
    /// Nothing.
    Pass,
    /// It opens a session of the older era, which is its caller's from now on.
    Session(OwnerKey),
    /// What its caller may not see is left out.
    Filter(Box<View>),
}

/// What the caller of a request may see in its answer.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::server) struct View {
    /// The request's id, as it stands in JSON; without one, a stream is read again, and any
    /// message could be the answer to any request.
    pub(super) id: Option<Box<str>>,
    pub(super) server: Box<str>,
    /// What is said of an answer that does not pass.
    pub(super) decision_id: Box<str>,
    /// Of what the server offered when this was decided: what the bits mean.
    pub(super) offer: Digest,
    pub(super) shown: Shown,
    /// Whether lists say that nobody else may be shown them.
    pub(super) private: bool,
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
            Self::Filter(view) => Some(if view.id.is_some() { "list" } else { "replay" }),
        }
    }

    /// As Check says it.
    pub(in crate::server) fn into_value(self) -> Value {
        let kind = self.route().unwrap_or("pass");
        let mut fields = vec![("v", Kind::NumberValue(VERSION)), ("kind", text(kind))];
        match self {
            Self::Pass => {}
            Self::Session(owner) => fields.push(("owner", text(&owner.to_text()))),
            Self::Filter(view) => {
                let View { id, server, decision_id, offer, shown, private } = *view;
                let Shown { tools, resources, prompts } = shown;
                fields.extend(id.map(|id| ("id", text(&id))));
                fields.push(("server", text(&server)));
                fields.push(("decision_id", text(&decision_id)));
                fields.push(("offer", text(&offer.to_string())));
                fields.push(("private", Kind::BoolValue(private)));
                let shown = [("tools", tools), ("resources", resources), ("prompts", prompts)];
                let said = |(kind, bits): (_, Option<Bits>)| {
                    Some((kind, text(&STANDARD.encode(bits?.as_bytes()))))
                };
                fields.extend(shown.into_iter().filter_map(said));
            }
        }
        let value = |(name, kind): (&str, Kind)| (name.to_owned(), Value { kind: Some(kind) });
        let fields = fields.into_iter().map(value).collect();
        Value { kind: Some(Kind::StructValue(Struct { fields })) }
    }

    /// As it comes back.
    pub(super) fn of(metadata: Option<&Metadata>) -> Result<Self, NoPlan> {
        let told = metadata.and_then(|metadata| metadata.filter_metadata.get(NAMESPACE));
        let plan = told.and_then(|told| told.fields.get(PLAN)?.kind.as_ref()).ok_or(NoPlan)?;
        let Kind::StructValue(Struct { fields }) = plan else {
            return Err(NoPlan);
        };
        let told = Told(fields);
        if told.version() != Some(VERSION) {
            return Err(NoPlan);
        }
        match told.text("kind").ok_or(NoPlan)? {
            "pass" => Ok(Self::Pass),
            "session" => {
                let owner = told.text("owner").ok_or(NoPlan)?;
                OwnerKey::from_text(owner).map(Self::Session).ok_or(NoPlan)
            }
            kind @ ("list" | "replay") => told.view(kind == "list").map(Self::Filter),
            _ => Err(NoPlan),
        }
    }
}

/// A plan's members.
#[derive(Clone, Copy)]
struct Told<'v>(&'v HashMap<String, Value>);

impl<'v> Told<'v> {
    fn kind(self, name: &str) -> Option<&'v Kind> {
        self.0.get(name)?.kind.as_ref()
    }

    fn version(self) -> Option<f64> {
        if let Some(Kind::NumberValue(version)) = self.kind("v") { Some(*version) } else { None }
    }

    fn text(self, name: &str) -> Option<&'v str> {
        if let Some(Kind::StringValue(text)) = self.kind(name) { Some(text) } else { None }
    }

    /// The bits that a member says; `None` without it.
    fn bits(self, name: &str) -> Result<Option<Bits>, NoPlan> {
        if self.kind(name).is_none() {
            return Ok(None);
        }
        let bytes = STANDARD.decode(self.text(name).ok_or(NoPlan)?).map_err(|_| NoPlan)?;
        Ok(Some(Bits::of_bytes(&bytes)))
    }

    fn view(self, of_request: bool) -> Result<Box<View>, NoPlan> {
        let id = self.text("id").map(Box::from);
        if id.is_some() != of_request {
            return Err(NoPlan);
        }
        let Some(Kind::BoolValue(private)) = self.kind("private") else {
            return Err(NoPlan);
        };
        let shown = Shown {
            tools: self.bits("tools")?,
            resources: self.bits("resources")?,
            prompts: self.bits("prompts")?,
        };
        let offer = self.text("offer").and_then(|offer| offer.parse().ok());
        Ok(Box::new(View {
            id,
            server: self.text("server").ok_or(NoPlan)?.into(),
            decision_id: self.text("decision_id").ok_or(NoPlan)?.into(),
            offer: offer.ok_or(NoPlan)?,
            shown,
            private: *private,
        }))
    }
}

fn text(text: &str) -> Kind {
    Kind::StringValue(text.to_owned())
}
