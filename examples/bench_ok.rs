//! What `make bench` compares with: an authorization service that gives every request the same
//! answer, as the documentation of tonic has it, on one thread; and an upstream for Envoy.
//!
//! `bench_ok --grpc unix:/path`, `--grpc 127.0.0.1:1`, `--http 127.0.0.1:1`.
#![expect(clippy::print_stdout, reason = "a line says that it listens, and where")]

use anyhow::Result;
use axum::Router;
use axum::serve::ListenerExt as _;
use clap::{Parser, ValueEnum};
use envoy_types::ext_authz::v3::CheckResponseExt as _;
use envoy_types::ext_authz::v3::pb::{
    Authorization, AuthorizationServer, CheckRequest, CheckResponse, HttpStatusCode,
};
use envoy_types::ext_authz::v3::{DeniedHttpResponseBuilder, OkHttpResponseBuilder};
use tikv_jemallocator::Jemalloc;
use tokio::net::{TcpListener, UnixListener};
use tokio_stream::wrappers::UnixListenerStream;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

/// Toolgate's own: it is not what is compared.
#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[derive(Parser)]
struct Options {
    /// Be an authorization service at `unix:/path` or `address:port`
    #[arg(long, required_unless_present = "http")]
    grpc: Option<String>,
    /// Be an upstream at `address:port`
    #[arg(long)]
    http: Option<String>,
    /// What the authorization service says
    #[arg(long, default_value = "ok")]
    answer: Answer,
}

/// All but `Ok` are there to see that a load generator notices.
#[derive(Clone, Copy, ValueEnum)]
enum Answer {
    Ok,
    Denied,
    Unimplemented,
}

#[tonic::async_trait]
impl Authorization for Answer {
    async fn check(&self, _: Request<CheckRequest>) -> Result<Response<CheckResponse>, Status> {
        let mut response = CheckResponse::default();
        match self {
            Self::Ok => response
                .set_status(Status::ok(""))
                .set_http_response(OkHttpResponseBuilder::new().build()),
            Self::Denied => {
                let mut denied = DeniedHttpResponseBuilder::new();
                denied.set_http_status(HttpStatusCode::Forbidden);
                response.set_status(Status::permission_denied("")).set_http_response(denied.build())
            }
            Self::Unimplemented => return Err(Status::unimplemented("as told")),
        };
        Ok(Response::new(response))
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let Options { grpc, http, answer } = Options::parse();
    tokio::try_join!(serve_grpc(grpc, answer), serve_http(http))?;
    Ok(())
}

async fn serve_grpc(target: Option<String>, answer: Answer) -> Result<()> {
    let Some(target) = target else { return Ok(()) };
    let server = Server::builder().add_service(AuthorizationServer::new(answer));
    if let Some(path) = target.strip_prefix("unix:") {
        let listener = UnixListener::bind(path)?;
        println!("grpc unix:{path}");
        server.serve_with_incoming(UnixListenerStream::new(listener)).await?;
    } else {
        let listener = TcpListener::bind(target).await?;
        println!("grpc {}", listener.local_addr()?);
        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        server.serve_with_incoming(incoming).await?;
    }
    Ok(())
}

async fn serve_http(address: Option<String>) -> Result<()> {
    let Some(address) = address else { return Ok(()) };
    let listener = TcpListener::bind(address).await?;
    println!("http {}", listener.local_addr()?);
    // A socket that cannot be set so is slower, not wrong.
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    let headers = [("content-type", "application/json")];
    let body = r#"{"jsonrpc":"2.0","id":1,"result":{"content":[],"isError":false}}"#;
    let router = Router::new().fallback(move || async move { (headers, body) });
    axum::serve(listener, router).await?;
    Ok(())
}
