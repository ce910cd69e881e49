//! Toolgate decides which person, calling from which workload, may use which tool of which MCP
//! server. It runs beside Envoy as an external-authorization service.
//!
//! This is the map; `docs/architecture.md` says why it is drawn this way.
//!
//! | module | what it is | knows |
//! |---|---|---|
//! | [`json`] | the one strict JSON reader | nothing |
//! | [`yaml`] | the one strict YAML reader | [`diagnostics`] |
//! | [`diagnostics`] | problems as data, and their renderers | nothing |
//! | [`identity`] | WHO: users, groups, workloads | nothing |
//! | [`mcp`] | WHAT: one MCP message, strictly, as an action | [`json`] |
//! | [`policy`] | THE LANGUAGE: files in, a valid policy set out | [`identity`], [`json`], [`mcp`], [`yaml`] |
//! | [`engine`] | THE DECISION: `decide`, reasons, trace | [`policy::model`], [`policy::limits`], [`identity`], [`json`], [`mcp`] |
//! | [`lists`] | answers that list things, with what their caller may not use left out | [`json`], [`policy::model::Offer`], [`policy::uri`] |
//! | [`authn`] | token and certificate verification; no network, no clock | [`identity`], [`json`] |
//! | [`config`] | the sidecar's configuration | [`authn`], [`mcp`], [`yaml`] |
//! | [`envoy`] | Envoy's configuration, rendered from the policies | [`config`], [`policy`] |
//! | [`doctor`] | why a token is refused, in words, and who it would be | [`authn`], [`config`], [`identity`], [`policy`] |
//! | [`record`] | what is kept of every decision; generated from `proto/` | nothing |
//! | [`disk`] | reading policy directories, replacing files | [`policy`] |
//! | [`git`] | policies as of a git revision | [`policy`] |
//! | [`explain`] | one decision, in words | [`engine`], [`policy`] |
//! | [`scenario`] | `policies/tests/`: what must be allowed and refused, and what must always hold | [`access`], [`explain`], [`policy`], [`yaml`] |
//! | [`lint`] | findings in policies that load; one rule per file | [`access`], [`engine`], [`identity`], [`policy`], [`scenario`], [`yaml`] |
//! | [`access`] | exact access over all callers, of one policy set or two | [`engine`], [`identity`], [`json`], [`mcp`], [`policy`] |
//! | [`matrix`] | who may call what, as a table, and what one group or place reaches | [`access`], [`engine`], [`identity`], [`policy`] |
//! | [`diff`] | what changes from one policy set to another, in lines | [`access`], [`engine`], [`policy`], [`yaml`] |
//! | [`schema`] | JSON Schema of every file, for editors | [`authn`], [`engine`], [`policy`] |
//! | [`cli`] | one file per command | all of these |
//! | `server` | Envoy's side at run time (feature `serve`) | all but [`cli`] |
//! | `telemetry` | logs, metrics, the decision log (feature `serve`) | [`config`], [`record`] |
//!
//! Everything above `server` has no clock, no network and no async runtime, and the compiler
//! proves it: `cargo check --lib --no-default-features`. A test keeps the arrows.
//!
//! ```
//! use toolgate::engine::{NoTrace, Query, Reason, decide};
//! use toolgate::identity::Caller;
//! use toolgate::mcp::{Action, Discovery};
//! use toolgate::{disk, policy};
//!
//! let policies = policy::load(disk::read_policies("policies".as_ref()))?;
//! let nobody = Caller::default();
//! let query = Query {
//!     server: "presto",
//!     environment: "prod",
//!     caller: &nobody,
//!     channel: None,
//!     action: Action::Discover(Discovery::Initialize),
//!     now: "2026-11-20T12:00:00Z".parse()?,
//! };
//! assert_eq!(decide(&policies, &query, &mut NoTrace).reason, Some(Reason::Unauthenticated));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod access;
pub mod authn;
pub mod cli;
pub mod config;
pub mod diagnostics;
pub mod diff;
pub mod disk;
pub mod doctor;
pub mod engine;
pub mod envoy;
pub mod explain;
pub mod git;
pub mod identity;
pub mod json;
pub mod lint;
pub mod lists;
pub mod matrix;
pub mod mcp;
pub mod policy;
pub mod record;
pub mod scenario;
pub mod schema;
#[cfg(feature = "serve")]
pub mod server;
#[cfg(feature = "serve")]
pub mod telemetry;
pub mod yaml;
