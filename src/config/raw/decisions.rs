//! Where the decision record goes.

use std::path::Path;

use url::{Host, Url};

use super::refuse;
use crate::config::{DecisionsConfig, FileSink, OtlpSink, WhenFull};
use crate::yaml::{Keys, Node, Reader};

pub(super) fn decisions(
    reader: &mut Reader<'_>,
    node: &Node,
    directory: &Path,
) -> Option<DecisionsConfig> {
    const KEYS: Keys = Keys {
        known: &["stdout", "file", "otlp", "when_full", "queue", "arguments_key"],
        later: &[],
    };
    const NOTHING: Keys = Keys { known: &[], later: &[] };
    const WHEN_FULL: [(&str, WhenFull); 3] =
        [("drop", WhenFull::Drop), ("block", WhenFull::Block), ("deny", WhenFull::Deny)];
    let place = reader.place(node.span);
    let fields = reader.fields(node, KEYS)?;
    let mut config = DecisionsConfig { stdout: false, ..DecisionsConfig::default() };
    if let Some(node) = fields.get("stdout") {
        reader.fields(node, NOTHING)?;
        config.stdout = true;
    }
    if let Some(node) = fields.get("file") {
        config.file = Some(file(reader, node, directory)?);
    }
    if let Some(node) = fields.get("otlp") {
        config.otlp = Some(otlp(reader, node, directory)?);
    }
    if let Some(node) = fields.get("when_full") {
        let word = reader.text(node)?;
        if let Some((_, when_full)) = WHEN_FULL.iter().find(|(known, _)| *known == word.value) {
            config.when_full = *when_full;
        } else {
            let message = format!("`{}` is none of drop, block, deny", word.value);
            let help = "say what happens to a request whose record finds no room: its record is \
                        dropped and counted, it waits, or it is refused";
            refuse(reader, word.place, message, help);
        }
    }
    if let Some(node) = fields.get("queue") {
        let queue = reader.integer(node, 1..=1_000_000)?;
        config.queue = usize::try_from(queue.value).unwrap_or(config.queue);
    }
    if let Some(node) = fields.get("arguments_key") {
        config.arguments_key = Some(directory.join(reader.text(node)?.value));
    }
    if !config.stdout && config.file.is_none() && config.otlp.is_none() {
        let help = "name at least one of `stdout: {}`, `file` and `otlp`, or leave `decisions` out";
        refuse(reader, place, "the decision record goes nowhere", help);
    }
    Some(config)
}

fn file(reader: &mut Reader<'_>, node: &Node, directory: &Path) -> Option<FileSink> {
    const KEYS: Keys = Keys { known: &["path", "max_megabytes", "keep"], later: &[] };
    let fields = reader.fields(node, KEYS)?;
    let path = reader
        .required(fields, "path", "name the file")
        .and_then(|node| reader.text(node))
        .map(|text| directory.join(text.value));
    let mut integer = |key: &str, range, default: u64| match fields.get(key) {
        None => Some(default),
        Some(node) => u64::try_from(reader.integer(node, range)?.value).ok(),
    };
    let max_megabytes = integer("max_megabytes", 1..=1_000_000, 100);
    let keep = integer("keep", 0..=1_000, 5);
    Some(FileSink {
        path: path?,
        max_bytes: max_megabytes?.saturating_mul(1_000_000),
        keep: u32::try_from(keep?).ok()?,
    })
}

fn otlp(reader: &mut Reader<'_>, node: &Node, directory: &Path) -> Option<OtlpSink> {
    const KEYS: Keys = Keys { known: &["url", "ca"], later: &[] };
    let fields = reader.fields(node, KEYS)?;
    let url = reader
        .required(fields, "url", "give the collector's OTLP/gRPC address")
        .and_then(|node| reader.parsed(node, "a URL", Url::parse));
    let ca = match fields.get("ca") {
        None => None,
        Some(node) => Some(directory.join(reader.text(node)?.value)),
    };
    let url = url?;
    let loopback = match url.value.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        Some(Host::Domain(_)) | None => false,
    };
    match url.value.scheme() {
        "https" if ca.is_none() => {
            let help = "name the PEM file with the certificates that the collector's leads to";
            refuse(reader, url.place, "`https` needs `ca`", help);
        }
        "https" => {}
        "http" if loopback => {}
        _ => {
            let help = "off the loopback records travel by `https`; on it, write an address such \
                        as `http://127.0.0.1:4317`";
            refuse(reader, url.place, "not a collector's address", help);
        }
    }
    Some(OtlpSink { url: url.value, ca })
}
