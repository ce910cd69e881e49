//! `listen.tls`: who Toolgate is to Envoy, and who may ask.

use std::path::{Path, PathBuf};

use super::{refuse, word};
use crate::config::{GrpcTls, TlsFiles, TlsSource};
use crate::identity::Workload;
use crate::yaml::{Fields, Keys, Node, Reader};

/// What is in files, where nothing comes from the agent.
const FILES: [&str; 3] = ["certificate", "key", "ca"];

pub(super) fn tls(reader: &mut Reader<'_>, node: &Node, directory: &Path) -> Option<GrpcTls> {
    const KEYS: Keys =
        Keys { known: &["from", "certificate", "key", "identity", "ca", "accept"], later: &[] };
    let fields = reader.fields(node, KEYS)?;
    let source = if let Some(node) = fields.get("from") {
        from(reader, node, fields)
    } else {
        files(reader, fields, directory).map(TlsSource::Files)
    };
    let identity = reader
        .required(fields, "identity", "give the SPIFFE ID in the certificate; Envoy checks it")
        .and_then(|node| reader.parsed(node, "a workload's SPIFFE ID", Workload::new));
    let accept = reader.required(fields, "accept", "list Envoy's SPIFFE ID")?;
    let list: Vec<_> = reader
        .texts(accept)
        .into_iter()
        .filter_map(|text| reader.parse_text(text, "a workload's SPIFFE ID", Workload::new))
        .map(|id| id.value)
        .collect();
    if list.is_empty() {
        let place = reader.place(accept.span);
        refuse(reader, place, "nobody may ask", "list Envoy's SPIFFE ID");
    }
    Some(GrpcTls { identity: identity?.value, accept: list, source: source? })
}

fn from(reader: &mut Reader<'_>, node: &Node, fields: Fields<'_>) -> Option<TlsSource> {
    let help = "leave it out where certificate, key and roots are in files";
    let source = word(reader, node, &[("spire", ())], help);
    // Two sources would leave open which one counts.
    for key in FILES {
        if let Some(place) = fields.key_place(key) {
            let help = format!("remove `{key}`, or `from`: one of them says who is believed");
            refuse(reader, place, format!("`{key}` stands beside `from: spire`"), &help);
        }
    }
    source.map(|()| TlsSource::Spire)
}

fn files(reader: &mut Reader<'_>, fields: Fields<'_>, directory: &Path) -> Option<TlsFiles> {
    let mut path = |key: &str| -> Option<PathBuf> {
        let node = reader.required(fields, key, "name a PEM file, or write `from: spire`")?;
        Some(directory.join(reader.text(node)?.value))
    };
    let [certificate, key, ca] = FILES.map(&mut path);
    Some(TlsFiles { certificate: certificate?, key: key?, ca: ca? })
}
