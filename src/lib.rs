//! Toolgate decides which person, calling from which workload, may use which tool of which MCP
//! server.

pub mod authn;
pub mod config;
pub mod diagnostics;
pub mod engine;
pub mod identity;
pub mod json;
pub mod mcp;
pub mod policy;
pub mod yaml;
