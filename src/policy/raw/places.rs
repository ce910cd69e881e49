//! `surfaces.yaml`

use super::{NameCheck, RawPlace, Text, entries, named, not_empty, version};
use crate::identity::WorkloadPattern;
use crate::policy::names;
use crate::yaml::{Fields, Keys, Kind, Node, Reader};

pub(in crate::policy) fn surfaces<'n>(
    reader: &mut Reader<'_>,
    root: &'n Node,
) -> Vec<RawPlace<'n>> {
    const KEYS: Keys = Keys { known: &["toolgate", "surfaces", "services"], later: &[] };
    let Some(fields) = reader.fields(root, KEYS) else {
        return Vec::new();
    };
    version(reader, fields);
    let surface = ("a surface's name", names::plain as NameCheck);
    let service = ("a service's name", names::plain as NameCheck);
    let mut places = entries(reader, fields.get("surfaces"), surface, |reader, name, node| {
        const KEYS: Keys =
            Keys { known: &["workloads", "reaches", "channels", "clients"], later: &[] };
        let fields = reader.fields(node, KEYS)?;
        place(reader, name, fields, false)
    });
    places.extend(entries(reader, fields.get("services"), service, |reader, name, node| {
        const KEYS: Keys = Keys { known: &["workloads", "reaches"], later: &[] };
        let fields = reader.fields(node, KEYS)?;
        place(reader, name, fields, true)
    }));
    places
}

fn place<'n>(
    reader: &mut Reader<'_>,
    name: Text<'n>,
    fields: Fields<'n>,
    service: bool,
) -> Option<RawPlace<'n>> {
    let node = reader.required(fields, "workloads", "list the SPIFFE IDs that speak from here");
    let workloads = match node {
        None => return None,
        Some(Node { kind: Kind::Text(text), .. }) if text == "none" && !service => None,
        Some(node) => Some(
            not_empty(reader, node)?
                .into_iter()
                .filter_map(|text| {
                    reader.parse_text(text, "a SPIFFE ID or subtree", str::parse::<WorkloadPattern>)
                })
                .collect(),
        ),
    };
    let reaches = reader
        .required(fields, "reaches", "list the environments that can be reached from here")
        .and_then(|node| not_empty(reader, node));
    let channel = ("a channel's name", names::plain as NameCheck);
    let channels = entries(reader, fields.get("channels"), channel, |reader, name, node| {
        let ids = not_empty(reader, node)?;
        let ids = ids
            .into_iter()
            .filter_map(|id| named(reader, id, "a channel's identifier", names::channel_id));
        Some((name, ids.collect()))
    });
    let clients = match fields.get("clients") {
        None => None,
        Some(node) => Some(not_empty(reader, node)?),
    };
    Some(RawPlace { name, service, workloads, reaches: reaches?, channels, clients })
}
