//! The Rust SDK as a client that is asked line by line, for `tests/conformance`.
//!
//! ```text
//! rmcp_client '{"url": ..., "token": ..., "era": "older" | "modern"}'
//! {"name": "echo", "arguments": {"message": "hi"}}
//! ```
#![expect(clippy::print_stdout, reason = "the answers are what the program is started for")]

use anyhow::{Context as _, Result};
use rmcp::{
    RoleClient, ServiceError,
    model::{CallToolRequestParams, ClientConfig, ProtocolVersion},
    service::{ClientLifecycleMode, ClientServiceExt as _, RunningService},
    transport::{
        StreamableHttpClientTransport, streamable_http_client::StreamableHttpClientTransportConfig,
    },
};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Era {
    Older,
    Modern,
}

#[derive(Deserialize)]
struct Options {
    url: String,
    token: String,
    era: Era,
}

#[derive(Deserialize)]
struct Call {
    name: String,
    #[serde(default)]
    arguments: Map<String, Value>,
}

type Client = RunningService<RoleClient, ClientConfig>;

#[tokio::main]
async fn main() -> Result<()> {
    let given = std::env::args().nth(1).context("the first argument says what to connect to")?;
    let client = match connect(serde_json::from_str(&given)?).await {
        Ok(client) => client,
        Err(error) => {
            println!("{}", failed("ClientInitializeError", &error));
            return Ok(());
        }
    };
    let version = client.peer().peer_info().map(|info| info.protocol_version.clone());
    println!("{}", json!({ "kind": "connected", "version": version }));
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    while let Some(line) = lines.next_line().await? {
        println!("{}", call(&client, serde_json::from_str(&line)?).await);
    }
    Ok(())
}

async fn connect(options: Options) -> Result<Client> {
    let config =
        StreamableHttpClientTransportConfig::with_uri(options.url).auth_header(options.token);
    let http = reqwest::Client::builder().no_proxy().build()?;
    let transport = StreamableHttpClientTransport::with_client(http, config);
    let lifecycle = match options.era {
        Era::Older => ClientLifecycleMode::Initialize,
        Era::Modern => ClientLifecycleMode::Discover {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
        },
    };
    Ok(ClientConfig::default().serve_with_lifecycle(transport, lifecycle).await?)
}

async fn call(client: &Client, call: Call) -> Value {
    let asked = CallToolRequestParams::new(call.name).with_arguments(call.arguments);
    match client.call_tool(asked).await {
        Ok(result) => {
            let kind = if result.is_error == Some(true) { "tool_error" } else { "result" };
            let text = result.content.first().and_then(|first| first.as_text());
            json!({ "kind": kind, "text": text.map(|text| text.text.as_str()).unwrap_or_default() })
        }
        Err(ServiceError::McpError(error)) => json!({
            "kind": "error",
            "type": "McpError",
            "code": error.code,
            "data": error.data,
            "text": error.message,
        }),
        Err(error) => failed("ServiceError", &error.into()),
    }
}

fn failed(kind: &str, error: &anyhow::Error) -> Value {
    json!({ "kind": "error", "type": kind, "text": format!("{error:#}") })
}
