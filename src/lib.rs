//! Toolgate decides which person, calling from which workload, may use which tool of which MCP
//! server.

pub mod diagnostics;
pub mod json;
pub mod yaml;
