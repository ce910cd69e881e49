//! The configuration file, key by key.

mod decisions;
mod envoy;
mod issuers;
mod keys;
mod rules;
mod tls;
mod tokens;
mod workloads;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use url::Url;

use super::{Config, DecisionsConfig, FilePath, GrpcListener, PublicUrl, TokensConfig, Told};
use crate::diagnostics::{Code, Diagnostic, Place};
use crate::mcp::Violation;
use crate::yaml::{Keys, Node, Reader};

pub(super) fn config(
    reader: &mut Reader<'_>,
    root: &Node,
    directory: &Path,
    told: Told<'_>,
) -> Option<Config> {
    const KEYS: Keys = Keys {
        known: &[
            "toolgate",
            "listen",
            "policies",
            "public_url",
            "issuers",
            "tokens",
            "workloads",
            "origins",
            "compatibility",
            "sessions",
            "decisions",
            "envoy",
        ],
        later: &[],
    };
    let fields = reader.fields(root, KEYS)?;
    let version = reader.required(fields, "toolgate", "start the file with `toolgate: 1`");
    if let Some(node) = version {
        reader.integer(node, 1..=1);
    }
    let listen = reader
        .required(fields, "listen", "say where Envoy asks, and where health is asked for")
        .and_then(|node| listen(reader, node, directory));
    let policies = reader
        .required(fields, "policies", "name the policy directory")
        .and_then(|node| reader.text(node));
    let public_url = reader
        .required(fields, "public_url", "give the URL that clients call")
        .and_then(|node| reader.parsed(node, "a public URL", public_url));
    let issuers = reader
        .required(fields, "issuers", "name at least one issuer of user tokens")
        .map(|node| issuers::issuers(reader, node, directory));
    let tokens = match fields.get("tokens") {
        None => Some(TokensConfig::default()),
        Some(node) => tokens::tokens(reader, node, directory),
    };
    let for_tls = root.at(&["listen", "tls", "from"]).is_some();
    let workloads = reader
        .required(fields, "workloads", "list the trust domains of callers")
        .and_then(|node| workloads::workloads(reader, node, directory, for_tls));
    let origins = fields.get("origins").map(|node| origins(reader, node)).unwrap_or_default();
    let compatibility =
        fields.get("compatibility").map(|node| compatibility(reader, node)).unwrap_or_default();
    let session_key = match fields.get("sessions") {
        None => None,
        Some(node) => Some(session_key(reader, node, directory)?),
    };
    let decisions = match fields.get("decisions") {
        None => Some(DecisionsConfig::default()),
        Some(node) => decisions::decisions(reader, node, directory),
    };
    let envoy = fields.get("envoy").map(|node| envoy::envoy(reader, node, directory, told));
    let from = workloads.as_ref().map(|workloads| &workloads.from);
    if let (Some(place), Some(from)) = (fields.key_place("envoy"), from) {
        workloads::needs_no_other_envoy(reader, place, from);
    }
    let (grpc, http) = listen?;
    Some(Config {
        grpc,
        http,
        policies: directory.join(policies?.value),
        public_url: public_url?.value,
        issuers: issuers?,
        tokens: tokens?,
        workloads: workloads?,
        origins,
        compatibility,
        session_key,
        decisions: decisions?,
        envoy: match envoy {
            None => None,
            Some(envoy) => Some(envoy?),
        },
    })
}

fn file_path(written: &str, directory: &Path) -> FilePath {
    FilePath { written: written.to_owned(), path: directory.join(written) }
}

fn refuse(reader: &mut Reader<'_>, place: Place, message: impl Into<String>, help: &str) {
    reader.report(Diagnostic::error(Code::Config, place, message).help(help));
}

/// One word of several.
fn word<T: Copy>(
    reader: &mut Reader<'_>,
    node: &Node,
    words: &[(&str, T)],
    help: &str,
) -> Option<T> {
    let word = reader.text(node)?;
    let found = words.iter().find(|(known, _)| *known == word.value);
    if found.is_none() {
        let known: Vec<_> = words.iter().map(|(name, _)| *name).collect();
        let message = format!("`{}` is none of {}", word.value, known.join(", "));
        refuse(reader, word.place, message, help);
    }
    found.map(|(_, value)| *value)
}

fn listen(
    reader: &mut Reader<'_>,
    node: &Node,
    directory: &Path,
) -> Option<(GrpcListener, SocketAddr)> {
    const KEYS: Keys = Keys { known: &["grpc", "http", "tls"], later: &[] };
    let fields = reader.fields(node, KEYS)?;
    let grpc = reader
        .required(fields, "grpc", "write `unix:PATH` or `ADDRESS:PORT`")
        .and_then(|node| reader.text(node));
    let http = reader
        .required(fields, "http", "write `127.0.0.1:PORT`")
        .and_then(|node| reader.parsed(node, "an address and port", str::parse::<SocketAddr>));
    let tls = match fields.get("tls") {
        None => None,
        Some(node) => Some(tls::tls(reader, node, directory)?),
    };
    let grpc = grpc?;
    let listener = if let Some(path) = grpc.strip_prefix("unix:") {
        if let Some(place) = fields.key_place("tls") {
            let help = "remove `tls`: the socket's permissions protect it";
            refuse(reader, place, "a Unix socket takes no TLS", help);
        }
        GrpcListener::Unix(file_path(path, directory))
    } else {
        let expected = "`unix:PATH` or an address and port";
        let address = reader.parse_text(grpc, expected, str::parse::<SocketAddr>)?.value;
        if tls.is_none() && !address.ip().is_loopback() {
            let message = "a listener off the loopback would answer anybody";
            let help = "add `listen.tls` with Envoy's SPIFFE ID, or use a Unix socket";
            refuse(reader, grpc.place, message, help);
        }
        GrpcListener::Tcp { address, tls }
    };
    Some((listener, http?.value))
}

fn public_url(text: &str) -> Result<PublicUrl, &'static str> {
    let url = Url::parse(text).map_err(|_| "not a URL")?;
    let host = url.host_str().ok_or("it has no host")?;
    if url.scheme() != "https" {
        return Err("it must be `https`");
    }
    let bare = url.username().is_empty()
        && url.password().is_none()
        && url.path() == "/"
        && url.query().is_none()
        && url.fragment().is_none();
    if !bare {
        return Err("it has more than scheme, host and port");
    }
    let canonical = url.as_str().trim_end_matches('/');
    if text.trim_end_matches('/') != canonical {
        return Err("scheme and host are written in lower case, without the default port");
    }
    Ok(PublicUrl { text: canonical.into(), host: host.into(), port: url.port() })
}

fn session_key(reader: &mut Reader<'_>, node: &Node, directory: &Path) -> Option<PathBuf> {
    const KEYS: Keys = Keys { known: &["key"], later: &[] };
    let fields = reader.fields(node, KEYS)?;
    let node = reader.required(fields, "key", "name a file of at least 32 random bytes")?;
    Some(directory.join(reader.text(node)?.value))
}

fn compatibility(reader: &mut Reader<'_>, node: &Node) -> Vec<Violation> {
    let mut found = Vec::new();
    for text in reader.texts(node) {
        if let Ok(violation) = text.value.parse() {
            found.push(violation);
            continue;
        }
        let names: Vec<_> = Violation::ALL.iter().map(|known| known.as_str()).collect();
        let message = format!("`{}` is nothing that can be put up with", text.value);
        refuse(reader, text.place, message, &format!("known are {}", names.join(", ")));
    }
    found
}

fn origins(reader: &mut Reader<'_>, node: &Node) -> Vec<Box<str>> {
    let parse = |text: &str| match Url::parse(text) {
        Ok(url) if url.origin().is_tuple() && url.origin().ascii_serialization() == text => Ok(()),
        _ => Err("write scheme, host and port as a browser sends them"),
    };
    reader
        .texts(node)
        .into_iter()
        .filter(|text| reader.parse_text(*text, "an origin", parse).is_some())
        .map(|text| text.value.into())
        .collect()
}
