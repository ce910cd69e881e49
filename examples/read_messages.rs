//! How Toolgate reads messages: a body in Base64 on every line of standard input, and what it says
//! on a line of standard output each. `tests/readers` compares that with what others read.
//!
//! `null` where Toolgate lets nothing through; otherwise the method, the target and the arguments.

use std::io::{self, BufRead, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use toolgate::mcp::{self, Action};

fn main() -> io::Result<()> {
    let mut out = io::BufWriter::new(io::stdout().lock());
    for line in io::stdin().lock().lines() {
        let body = STANDARD.decode(line?).map_err(io::Error::other)?;
        writeln!(out, "{}", read(&body).unwrap_or(Value::Null))?;
    }
    out.flush()
}

fn read(body: &[u8]) -> Option<Value> {
    let message = mcp::parse(body).ok()?;
    let mut arguments = None;
    let target = match message.action().ok()? {
        Action::CallTool { name, arguments: given, task: _ } => {
            arguments = Some(given.to_canonical());
            json!(name)
        }
        Action::Resource { op: _, uri } => json!(uri),
        Action::Prompt { op: _, name } => json!(name),
        Action::Task { id } => json!(id),
        Action::Listen(uris) => json!(uris.iter().collect::<Vec<_>>()),
        Action::Discover(_) | Action::Extension(_) => Value::Null,
        Action::Unknown => return None,
    };
    Some(json!({ "method": message.method(), "target": target, "arguments": arguments }))
}
