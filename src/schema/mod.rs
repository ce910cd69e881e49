//! JSON Schema (draft 2020-12) of every file that people write, for their editors.
//!
//! A schema sees one file at a time and no names that others declare, so it is no second loader.
//! It is for people who write: nothing is decided by it. It knows the same keys as the loader, and
//! takes what the samples and a file with every key say; tests hold that.

mod build;
mod config;
mod items;
mod rules;
mod server;
mod shared;
mod suite;

use serde_json::{Value, json};

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `servers/NAME.yaml`
    Server,
    /// `surfaces.yaml`
    Surfaces,
    /// `groups.yaml`
    Groups,
    /// `reviews.yaml`
    Reviews,
    /// `guardrails.yaml`
    Guardrails,
    /// `tests/NAME.yaml`
    Tests,
    /// The sidecar's configuration.
    Config,
    /// The deny-list that the configuration names.
    Revoked,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Server,
        Self::Surfaces,
        Self::Groups,
        Self::Reviews,
        Self::Guardrails,
        Self::Tests,
        Self::Config,
        Self::Revoked,
    ];

    /// The kind's name: its schema's file is `NAME.json`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Surfaces => "surfaces",
            Self::Groups => "groups",
            Self::Reviews => "reviews",
            Self::Guardrails => "guardrails",
            Self::Tests => "tests",
            Self::Config => "config",
            Self::Revoked => "revoked",
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::Server => "Toolgate: an MCP server's policy",
            Self::Surfaces => "Toolgate: surfaces and services",
            Self::Groups => "Toolgate: groups",
            Self::Reviews => "Toolgate: reviews",
            Self::Guardrails => "Toolgate: guardrails",
            Self::Tests => "Toolgate: tests of policies",
            Self::Config => "Toolgate: the sidecar's configuration",
            Self::Revoked => "Toolgate: tokens and users that are denied",
        }
    }
}

/// The schema of a kind of file. Keys that the loader knows and does not enforce yet are not in
/// it.
#[must_use]
pub fn schema(kind: Kind) -> Value {
    let body = match kind {
        Kind::Server => server::server(),
        Kind::Surfaces => shared::surfaces(),
        Kind::Groups => shared::groups(),
        Kind::Reviews => shared::reviews(),
        Kind::Guardrails => shared::guardrails(),
        Kind::Tests => suite::suite(),
        Kind::Config => config::config(),
        Kind::Revoked => config::revoked(),
    };
    let head = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": kind.title(),
    });
    build::both(head, body)
}
