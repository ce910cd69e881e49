//! Development identities, for the demo and the tests: the certificates of a small mesh and an
//! identity provider that gives a token to anybody who asks. Never run it where it matters.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "results go to standard output, warnings to standard error"
)]

mod files;
mod keys;
mod pki;
mod serve;
mod token;

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::{
    keys::Keys,
    token::{Defaults, TokenRequest},
};

/// DEVELOPMENT ONLY: make certificates and tokens for anybody who asks.
///
/// Nothing here checks who is asking. The keys lie on the disk unprotected. Whoever trusts them
/// trusts everybody on this machine.
#[derive(Parser)]
#[command(name = "dev_identity")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make a development CA, its trust bundle, and one certificate per workload
    Pki(PkiArgs),
    /// Run the development identity provider, on loopback only
    Serve(ServeArgs),
    /// Print one token
    Token(TokenArgs),
}

#[derive(Args)]
struct PkiArgs {
    /// Where the files go; older ones are replaced
    #[arg(long)]
    dir: PathBuf,
    /// The SPIFFE trust domain that the CA speaks for
    #[arg(long, default_value = "prod.example.com")]
    trust_domain: String,
    /// Lifetime of the certificate `short`, in seconds
    #[arg(long, default_value_t = 8)]
    short_seconds: u64,
}

#[derive(Args)]
struct IssuerArgs {
    /// The `iss` of tokens that do not ask for another
    #[arg(long, default_value = "https://login.example.com")]
    issuer: String,
    /// The `aud` of tokens that do not ask for another
    #[arg(long, default_value = "https://mcp.example.com")]
    audience: String,
    /// Directory of the signing keys, made when missing, with their public halves in `jwks.json`
    #[arg(long)]
    keys: PathBuf,
}

impl IssuerArgs {
    fn open(self) -> Result<(Keys, Defaults)> {
        let keys = Keys::open(&self.keys)?;
        Ok((keys, Defaults { issuer: self.issuer, audience: self.audience }))
    }
}

#[derive(Args)]
struct ServeArgs {
    /// Where to listen; port 0 takes a free one and prints it
    #[arg(long, default_value = "127.0.0.1:7080")]
    listen: SocketAddr,
    #[command(flatten)]
    issuer: IssuerArgs,
}

#[derive(Args)]
struct TokenArgs {
    #[command(flatten)]
    issuer: IssuerArgs,
    #[command(flatten)]
    request: TokenRequest,
}

#[tokio::main]
async fn main() -> Result<()> {
    // Only fails when a provider is installed already, which is just as well.
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().ok();

    let command = Cli::parse().command;
    eprintln!("dev_identity: for development only, never trust it outside this machine");
    match command {
        Command::Pki(args) => pki::write(&args.dir, &args.trust_domain, args.short_seconds),
        Command::Serve(args) => {
            let (keys, defaults) = args.issuer.open()?;
            serve::run(args.listen, keys, defaults).await
        }
        Command::Token(args) => {
            let (keys, defaults) = args.issuer.open()?;
            println!("{}", args.request.sign(&keys, &defaults)?.access_token);
            Ok(())
        }
    }
}
