//! `from`, and what each of its values needs: trust beyond the certificate is stated, never implied.

use crate::authn::xfcc::{Mode, Trust};
use crate::config::WorkloadsFrom;
use crate::config::raw::{refuse, word};
use crate::diagnostics::Place;
use crate::identity::Workload;
use crate::yaml::{Fields, Keys, Node, Reader};

const PRINCIPAL: &str = "trust_principal_without_certificate";

/// More Envoys in a row than anybody has are a slip.
const MAX_HOPS: i64 = 8;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Certificate,
    Principal,
    Xfcc,
}

const SOURCES: [(&str, Source); 3] = [
    ("certificate", Source::Certificate),
    ("principal", Source::Principal),
    ("xfcc", Source::Xfcc),
];

pub(super) fn from(reader: &mut Reader<'_>, fields: Fields<'_>) -> Option<WorkloadsFrom> {
    let source = match fields.get("from") {
        None => Some(Source::Certificate),
        Some(node) => {
            let help = "`certificate` is what Envoy can prove, and is meant if nothing is written";
            word(reader, node, &SOURCES, help)
        }
    };
    let accepted = match fields.get(PRINCIPAL) {
        None => Some(false),
        Some(node) => reader.boolean(node).map(|accepted| accepted.value),
    };
    let trust = fields.get("xfcc").map(|node| xfcc(reader, node));
    let (source, accepted) = (source?, accepted?);
    if source != Source::Principal
        && let Some(place) = fields.key_place(PRINCIPAL)
    {
        let help = format!("remove `{PRINCIPAL}`, or write `from: principal`");
        refuse(reader, place, "no principal is believed without its certificate", &help);
    }
    if source != Source::Xfcc
        && let Some(place) = fields.key_place("xfcc")
    {
        let help = "remove `xfcc`, or write `from: xfcc`";
        refuse(reader, place, "`X-Forwarded-Client-Cert` is not read", help);
    }
    match source {
        Source::Certificate => Some(WorkloadsFrom::Certificate),
        Source::Principal if accepted => Some(WorkloadsFrom::Principal),
        Source::Principal => {
            let help = format!(
                "let Envoy send it (`include_peer_certificate: true`) and write `from: \
                 certificate`; if it cannot, add `{PRINCIPAL}: true`"
            );
            let message = "nothing shows that a principal is from a certificate that is valid now";
            refuse(reader, fields.key_place("from")?, message, &help);
            None
        }
        Source::Xfcc => {
            let Some(trust) = trust else {
                let help = "add `xfcc` with its `mode` and `by`, the SPIFFE IDs of your Envoys";
                let message = "anybody can write `X-Forwarded-Client-Cert`";
                refuse(reader, fields.key_place("from")?, message, help);
                return None;
            };
            Some(WorkloadsFrom::Xfcc(trust?))
        }
    }
}

fn xfcc(reader: &mut Reader<'_>, node: &Node) -> Option<Trust> {
    const KEYS: Keys = Keys { known: &["mode", "trusted_hops", "by"], later: &[] };
    const SANITIZE_SET: &str = "sanitize_set";
    const APPEND_LAST: &str = "append_last";
    let fields = reader.fields(node, KEYS)?;
    let help = "say how Envoy treats the header: `sanitize_set` replaces it, `append_last` adds";
    let mode = reader.required(fields, "mode", help).and_then(|node| {
        word(reader, node, &[(SANITIZE_SET, SANITIZE_SET), (APPEND_LAST, APPEND_LAST)], help)
    });
    let by = reader.required(fields, "by", "list the SPIFFE IDs of your Envoys").map(|node| {
        let texts = reader.texts(node);
        if texts.is_empty() {
            let place = reader.place(node.span);
            refuse(reader, place, "no Envoy is believed", "list the SPIFFE IDs of your Envoys");
        }
        let parse = |text| reader.parse_text(text, "a workload's SPIFFE ID", Workload::new);
        texts.into_iter().filter_map(parse).map(|id| id.value).collect()
    });
    let mode = if mode? == APPEND_LAST {
        let cure = "say how many of your Envoys a request comes through: 1 is the one that asks";
        let node = reader.required(fields, "trusted_hops", cure)?;
        let hops = reader.integer(node, 1..=MAX_HOPS)?;
        Mode::AppendLast { trusted_hops: usize::try_from(hops.value).ok()? }
    } else {
        if let Some(place) = fields.key_place("trusted_hops") {
            let help = "remove `trusted_hops`, or write `mode: append_last`";
            refuse(reader, place, "an Envoy that replaces the header leaves one hop", help);
        }
        Mode::SanitizeSet
    };
    Some(Trust { mode, by: by? })
}

/// The Envoy that is rendered sends the certificate, and strips the header.
pub(in crate::config::raw) fn needs_no_other_envoy(
    reader: &mut Reader<'_>,
    envoy: Place,
    from: &WorkloadsFrom,
) {
    let from = match from {
        WorkloadsFrom::Certificate => return,
        WorkloadsFrom::Principal => "principal",
        WorkloadsFrom::Xfcc(_) => "xfcc",
    };
    let message = format!("`envoy` stands beside `workloads.from: {from}`");
    let help = "remove `from`: the Envoy that Toolgate renders shows the certificate; or remove \
                `envoy`, if a mesh has an Envoy of its own";
    refuse(reader, envoy, message, help);
}
