//! `toolgate status`

use std::path::PathBuf;

use serde_json::Value;

use super::admin;
use super::exit::{Exit, fail, print};

/// Show how the running process is doing
///
/// Part by part, and with what is wrong with policies and deny-list if they cannot come into force. Exits
/// with 0 if all is well, 1 if anything wants attention, 2 if the process does not answer.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The sidecar's configuration
    #[arg(long, value_name = "FILE", default_value = "envoy/toolgate.yaml")]
    config: PathBuf,
    /// How to print it
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Clone, Copy, Debug, Default, clap::ValueEnum)]
enum Format {
    #[default]
    Text,
    Json,
}

pub(super) fn run(args: &Args) -> Exit {
    let body = match admin::get(&args.config, "/status") {
        Ok((200, body)) => body,
        Ok((status, _)) => {
            return fail(format_args!("`/status` answers {status}: is that Toolgate?"));
        }
        Err(exit) => return exit,
    };
    let Ok(document) = serde_json::from_str::<Value>(&body) else {
        return fail("`/status` answers with something else than JSON: is that Toolgate?");
    };
    match args.format {
        Format::Json => print(body),
        Format::Text => print(text(&document)),
    }
    if document.pointer("/state").and_then(Value::as_str) == Some("ready") {
        Exit::Success
    } else {
        Exit::No
    }
}

fn text(document: &Value) -> String {
    let at = |pointer: &str| document.pointer(pointer).and_then(Value::as_str).unwrap_or_default();
    let mut text = format!(
        "{}, version {}, since {}\npolicy {}, in force since {}\n",
        at("/state"),
        at("/version"),
        at("/started"),
        at("/policy/digest"),
        at("/policy/loaded"),
    );
    for part in document.pointer("/parts").and_then(Value::as_array).into_iter().flatten() {
        let at = |key: &str| part.get(key).and_then(Value::as_str).unwrap_or_default();
        text.extend([format!("  {:<9} {}: {}\n", at("state"), at("part"), at("reason"))]);
    }
    for problems in [at("/policy/problems/text"), at("/deny_list/problems/text")] {
        if !problems.is_empty() {
            text.extend(["\n", problems.trim_end(), "\n"]);
        }
    }
    text
}
