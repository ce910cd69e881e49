//! Sample MCP servers with canned data, each on a port of its own. Every answer tells which user
//! the server was told about, so that a demo shows what arrives behind the proxy.
#![expect(clippy::print_stdout, reason = "the addresses are what the program is started for")]

mod airflow;
mod knowledge;
mod lab;
mod presto;
mod recorder;
mod spark;
mod told;

use std::{net::SocketAddr, path::PathBuf, sync::Arc};

use anyhow::{Context as _, Result};
use axum::{Router, middleware, routing::get, serve::ListenerExt as _};
use clap::Parser;
use rmcp::{
    ServerHandler,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::local::LocalSessionManager,
    },
};
use tokio::{net::TcpListener, task::JoinSet};

use crate::recorder::Recorder;

/// Sample MCP servers, for the demo and the tests.
#[derive(Parser)]
#[command(name = "sample_servers")]
struct Args {
    /// Append every HTTP request received to this file, one JSON object a line
    #[arg(long)]
    record: Option<PathBuf>,
    #[arg(long, default_value = "127.0.0.1:7101")]
    presto: SocketAddr,
    #[arg(long, default_value = "127.0.0.1:7201")]
    presto_staging: SocketAddr,
    #[arg(long, default_value = "127.0.0.1:7102")]
    spark: SocketAddr,
    #[arg(long, default_value = "127.0.0.1:7103")]
    airflow: SocketAddr,
    #[arg(long, default_value = "127.0.0.1:7104")]
    knowledge: SocketAddr,
    #[arg(long, default_value = "127.0.0.1:7301")]
    lab: SocketAddr,
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let mut fleet = Fleet {
        recorder: args.record.as_deref().map(Recorder::open).transpose()?,
        servers: JoinSet::new(),
    };
    fleet.start("presto", args.presto, presto::Presto).await?;
    fleet.start("presto-staging", args.presto_staging, presto::Presto).await?;
    fleet.start("spark", args.spark, spark::Spark).await?;
    fleet.start("airflow", args.airflow, airflow::Airflow).await?;
    fleet.start("knowledge", args.knowledge, knowledge::Knowledge).await?;
    fleet.start("lab", args.lab, lab::Lab).await?;
    while let Some(ended) = fleet.servers.join_next().await {
        ended??;
    }
    Ok(())
}

struct Fleet {
    recorder: Option<Recorder>,
    servers: JoinSet<std::io::Result<()>>,
}

impl Fleet {
    /// Serves `server` at `/mcp`; port 0 takes a free one.
    async fn start<S>(&mut self, name: &'static str, listen: SocketAddr, server: S) -> Result<()>
    where
        S: ServerHandler + Clone + Send + Sync + 'static,
    {
        let listener = TcpListener::bind(listen)
            .await
            .with_context(|| format!("{name} could not listen on {listen}"))?;
        println!("{name} http://{}/mcp", listener.local_addr()?);
        // Answers are streams of small writes, which must not wait for acknowledgements. Where
        // that cannot be had, they are merely slow.
        let listener = listener.tap_io(|connection| drop(connection.set_nodelay(true)));

        // The default lets only loopback names into `Host`, which is what the proxy writes there.
        let mcp = StreamableHttpService::new(
            move || Ok(server.clone()),
            Arc::new(LocalSessionManager::default()),
            StreamableHttpServerConfig::default(),
        );
        let mut app =
            Router::new().route_service("/mcp", mcp).route("/healthz", get(async || "ok\n"));
        if let Some(recorder) = &self.recorder {
            let state = (name, recorder.clone());
            app = app.layer(middleware::from_fn_with_state(state, recorder::record));
        }
        self.servers.spawn(async move { axum::serve(listener, app).await });
        Ok(())
    }
}
