//! `envoy`: what is rendered beside the routes.

use std::net::SocketAddr;
use std::path::Path;

use super::{file_path, refuse};
use crate::config::{EnvoyConfig, EnvoyIdentity, Told, spire_socket};
use crate::yaml::{Fields, Keys, Node, Reader};

pub(super) fn envoy(
    reader: &mut Reader<'_>,
    node: &Node,
    directory: &Path,
    told: Told<'_>,
) -> Option<EnvoyConfig> {
    const KEYS: Keys =
        Keys { known: &["listen", "certificate", "bundles", "spire", "files"], later: &[] };
    let fields = reader.fields(node, KEYS)?;
    let listen = reader
        .required(fields, "listen", "say where clients call")
        .and_then(|node| listen(reader, node));
    let Told { spire: socket } = told;
    let identity = match (socket, fields.get("spire")) {
        (Some(socket), written) => {
            nothing_beside(reader, fields, "--spire");
            if let Some(written) = written {
                same(reader, written, socket);
            }
            Some(EnvoyIdentity::Spire { socket: socket.to_owned() })
        }
        (None, Some(node)) => {
            nothing_beside(reader, fields, "spire");
            spire(reader, node)
        }
        (None, None) => in_files(reader, fields),
    };
    let files = match fields.get("files") {
        None => None,
        Some(node) => Some(file_path(reader.text(node)?.value, directory)),
    };
    let (mtls, plain) = listen?;
    Some(EnvoyConfig { mtls, plain, identity: identity?, files })
}

fn listen(reader: &mut Reader<'_>, node: &Node) -> Option<(SocketAddr, Option<SocketAddr>)> {
    const KEYS: Keys = Keys { known: &["mtls", "plain"], later: &[] };
    let fields = reader.fields(node, KEYS)?;
    let address = |reader: &mut Reader<'_>, node: &Node| {
        reader.parsed(node, "an address and port", str::parse::<SocketAddr>)
    };
    let mtls = reader
        .required(fields, "mtls", "write `ADDRESS:PORT`")
        .and_then(|node| address(reader, node));
    let plain = match fields.get("plain") {
        None => None,
        Some(node) => {
            let plain = address(reader, node)?;
            if !plain.ip().is_loopback() {
                let message = "a plain listener is for the loopback";
                let help = "callers from elsewhere use mutual TLS";
                refuse(reader, plain.place, message, help);
            }
            Some(plain.value)
        }
    };
    Some((mtls?.value, plain))
}

/// Two sources would leave open which one counts.
fn nothing_beside(reader: &mut Reader<'_>, fields: Fields<'_>, spire: &str) {
    for key in ["certificate", "bundles"] {
        if let Some(place) = fields.key_place(key) {
            let help = format!("remove `{key}`, or `{spire}`: one of them says who is believed");
            refuse(reader, place, format!("`{key}` stands beside `{spire}`"), &help);
        }
    }
}

fn same(reader: &mut Reader<'_>, node: &Node, told: &str) {
    let Some(written) = reader.text(node) else {
        return;
    };
    if spire_socket(&written) != Some(told) {
        let message = format!("`--spire` names another agent, `unix:{told}`");
        refuse(reader, written.place, message, "remove `spire`, or leave `--spire` out");
    }
}

fn spire(reader: &mut Reader<'_>, node: &Node) -> Option<EnvoyIdentity> {
    let socket = socket(reader, node)?;
    Some(EnvoyIdentity::Spire { socket: socket.to_owned() })
}

/// The path of a SPIRE agent's socket.
pub(super) fn socket<'n>(reader: &mut Reader<'_>, node: &'n Node) -> Option<&'n str> {
    let text = reader.text(node)?;
    let socket = spire_socket(text.value);
    if socket.is_none() {
        let message = format!("`{}` is no Unix socket", text.value);
        let help = "write `unix:PATH`: an agent knows callers by their process, and only there";
        refuse(reader, text.place, message, help);
    }
    socket
}

fn in_files(reader: &mut Reader<'_>, fields: Fields<'_>) -> Option<EnvoyIdentity> {
    const KEYS: Keys = Keys { known: &["cert", "key"], later: &[] };
    let certificate = reader
        .required(fields, "certificate", "name Envoy's certificate and key, or write `spire`")
        .and_then(|node| reader.fields(node, KEYS));
    let bundles = required_text(reader, fields, "bundles", "name the SPIFFE bundles of callers");
    let certificate = certificate?;
    let cert = required_text(reader, certificate, "cert", "name the PEM file");
    let key = required_text(reader, certificate, "key", "name the PEM file");
    Some(EnvoyIdentity::Files { certificate: cert?, key: key?, bundles: bundles? })
}

fn required_text(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    key: &str,
    cure: &str,
) -> Option<String> {
    let node = reader.required(fields, key, cure)?;
    reader.text(node).map(|text| text.value.to_owned())
}
