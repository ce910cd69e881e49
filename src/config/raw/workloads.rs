//! Whose workload identities are believed, and how they may be proved.

mod from;

use std::path::Path;

use spiffe::TrustDomain;

use super::{envoy, refuse};
use crate::config::{BundlesSource, JwtSvidConfig, WorkloadsConfig, WorkloadsFrom};
use crate::yaml::{Fields, Keys, Node, Reader};

/// No header that a caller names itself by has a longer name: Envoy bounds the size of the
/// expression that says which headers may be removed.
const MAX_HEADER_BYTES: usize = 20;

/// What headers mean already that begin so.
const TAKEN: &[&str] = &["x-toolgate-", "x-forwarded-", "x-envoy-", "x-auth-request-", "x-remote-"];

pub(super) use self::from::needs_no_other_envoy;

/// `for_tls` says whether our own certificate comes from the agent that is named here.
pub(super) fn workloads(
    reader: &mut Reader<'_>,
    node: &Node,
    directory: &Path,
    for_tls: bool,
) -> Option<WorkloadsConfig> {
    const KEYS: Keys = Keys {
        known: &[
            "trust_domains",
            "from",
            "trust_principal_without_certificate",
            "xfcc",
            "jwt_svid",
            "bundles",
            "spire",
            "verify_certificates",
        ],
        later: &[],
    };
    let fields = reader.fields(node, KEYS)?;
    let domains = reader.required(fields, "trust_domains", "list the trust domains of callers");
    let from = from::from(reader, fields);
    let jwt_svid = fields.get("jwt_svid").map(|node| jwt_svid(reader, node));
    let verify = fields.get("verify_certificates").and_then(|node| reader.boolean(node));
    let verify_certificates = verify.is_some_and(|verify| verify.value);
    let by_certificate = from.as_ref().is_none_or(|from| *from == WorkloadsFrom::Certificate);
    if verify_certificates
        && !by_certificate
        && let Some(place) = fields.key_place("verify_certificates")
    {
        let help = "remove `verify_certificates`, or write `from: certificate`";
        refuse(reader, place, "it is not the certificate that proves the workload", help);
    }
    let bundles = if for_tls && fields.get("spire").is_none() {
        let message = "`listen.tls` says `from: spire`, and no agent is named";
        refuse(reader, fields.place, message, "add `spire: unix:PATH`");
        None
    } else {
        let needed = jwt_svid.is_some() || verify_certificates || for_tls;
        bundles(reader, fields, directory, needed)
    };
    Some(WorkloadsConfig {
        trust_domains: trust_domains(reader, domains?),
        from: from?,
        jwt_svid: match jwt_svid {
            None => None,
            Some(jwt_svid) => Some(jwt_svid?),
        },
        bundles,
        verify_certificates,
    })
}

/// Where the bundles come from; `needed` says whether anything is verified with them.
fn bundles(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    directory: &Path,
    needed: bool,
) -> Option<BundlesSource> {
    match (fields.get("bundles"), fields.get("spire")) {
        (Some(file), None) => {
            unneeded(reader, fields, "bundles", needed);
            Some(BundlesSource::File(directory.join(reader.text(file)?.value)))
        }
        (None, Some(socket)) => {
            unneeded(reader, fields, "spire", needed);
            Some(BundlesSource::Spire(directory.join(envoy::socket(reader, socket)?)))
        }
        // Two sources would leave open which one counts.
        (Some(_), Some(_)) => {
            let help = "remove `bundles`, or `spire`: one of them says who is believed";
            refuse(reader, fields.key_place("bundles")?, "`bundles` stands beside `spire`", help);
            None
        }
        (None, None) => {
            let cure = "name the file with the trust domains' bundles, or the agent as `spire`";
            if needed {
                reader.required(fields, "bundles", cure);
            }
            None
        }
    }
}

fn unneeded(reader: &mut Reader<'_>, fields: Fields<'_>, key: &str, needed: bool) {
    if let (false, Some(place)) = (needed, fields.key_place(key)) {
        let help = format!("add `jwt_svid` or `verify_certificates: true`, or remove `{key}`");
        refuse(reader, place, "nothing is verified with these bundles", &help);
    }
}

fn trust_domains(reader: &mut Reader<'_>, node: &Node) -> Vec<Box<str>> {
    let parse = |text: &str| match TrustDomain::new(text) {
        Ok(domain) if domain.as_str() == text => Ok(()),
        Ok(_) => Err("write it in lower case, without `spiffe://`".to_owned()),
        Err(error) => Err(error.to_string()),
    };
    let domains = reader.texts(node).into_iter();
    domains
        .filter(|text| reader.parse_text(*text, "a trust domain", parse).is_some())
        .map(|text| text.value.into())
        .collect()
}

fn jwt_svid(reader: &mut Reader<'_>, node: &Node) -> Option<JwtSvidConfig> {
    const KEYS: Keys = Keys { known: &["audiences", "header"], later: &[] };
    let fields = reader.fields(node, KEYS)?;
    let audiences = reader.required(fields, "audiences", "list the `aud` values that mean us");
    let audiences = audiences.map(|node| {
        let texts = reader.texts(node);
        if texts.is_empty() || texts.iter().any(|text| text.value.is_empty()) {
            let (place, help) = (reader.place(node.span), "list the `aud` values that mean us");
            refuse(reader, place, "an audience is missing or empty", help);
        }
        texts.into_iter().map(|text| text.value.into()).collect()
    });
    let header = match fields.get("header") {
        None => None,
        Some(node) => {
            let expected = "a header that callers send a JWT-SVID in";
            reader.parsed(node, expected, header).map(|name| name.value)
        }
    };
    Some(JwtSvidConfig { audiences: audiences?, header })
}

fn header(text: &str) -> Result<Box<str>, &'static str> {
    let is_name = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
    };
    match text.strip_prefix("x-") {
        Some(rest) if is_name(rest) => {}
        _ => return Err("write `x-` and lower-case letters, digits and `-`"),
    }
    if TAKEN.iter().any(|taken| text.starts_with(taken)) {
        return Err("headers that begin so are something else");
    }
    if text.len() > MAX_HEADER_BYTES {
        return Err("longer than 20 bytes");
    }
    Ok(text.into())
}
