//! The issuers of user tokens.

use std::collections::HashMap;
use std::path::Path;

use jsonwebtoken::Algorithm;
use url::Url;

use super::{keys, refuse, rules, word};
use crate::authn::jwks::ALGORITHMS;
use crate::authn::presets::Preset;
use crate::authn::token::Issuer;
use crate::config::IssuerConfig;
use crate::config::keys::address;
use crate::diagnostics::{Code, Diagnostic, Place};
use crate::yaml::{Keys, Node, Reader, Spanned};

pub(super) fn issuers(reader: &mut Reader<'_>, node: &Node, directory: &Path) -> Vec<IssuerConfig> {
    let place = reader.place(node.span);
    let entries = reader.entries(node);
    let (nobody, several) = (entries.is_empty(), entries.len() > 1);
    let mut issuers: Vec<IssuerConfig> = Vec::new();
    let mut seen: HashMap<Box<str>, Place> = HashMap::new();
    for (name, node) in entries {
        let Some(issuer) = issuer(reader, name, node, directory) else {
            continue;
        };
        if let Some(first) = seen.insert(issuer.issuer.issuer.clone(), name.place) {
            let message = format!("`{}` is configured twice", issuer.issuer.issuer);
            reader.report(
                Diagnostic::error(Code::Config, name.place, message).related(first, "first here"),
            );
        }
        if several {
            let prefix = &issuer.issuer.group_prefix;
            let clash = issuers.iter().find(|other| {
                let other = &other.issuer.group_prefix;
                prefix.starts_with(&**other) || other.starts_with(&**prefix)
            });
            if prefix.is_empty() || clash.is_some() {
                let message = "with several issuers, groups of one could be taken for another's";
                let help = "give each issuer a `group_prefix` that no other one starts with";
                refuse(reader, name.place, message, help);
            }
        }
        issuers.push(issuer);
    }
    if nobody {
        refuse(reader, place, "no issuer: nobody could sign in", "name at least one issuer");
    }
    issuers
}

fn issuer(
    reader: &mut Reader<'_>,
    name: Spanned<&str>,
    node: &Node,
    directory: &Path,
) -> Option<IssuerConfig> {
    const KEYS: Keys = Keys {
        known: &[
            "preset",
            "issuer",
            "audiences",
            "keys",
            "algorithms",
            "token_type",
            "token_kind",
            "clock_leeway_seconds",
            "max_lifetime_minutes",
            "required_claims",
            "tenants",
            "clients",
            "max_actors",
            "claims",
            "group_prefix",
        ],
        later: &[],
    };
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || name.len() > 63 || !name.chars().all(plain) {
        let help = "use 1 to 63 of a-z, 0-9 and `-`";
        refuse(reader, name.place, "not an issuer's name", help);
    }
    let fields = reader.fields(node, KEYS)?;
    let preset = match fields.get("preset") {
        None => None,
        Some(node) => Some(word(reader, node, &Preset::ALL, "name the provider")?),
    };
    let issuer = reader
        .required(fields, "issuer", "give the `iss` of its tokens, byte for byte")
        .and_then(|node| reader.parsed(node, "an issuer", issuer_url));
    let audiences = reader
        .required(fields, "audiences", "list the `aud` values that mean this gateway")
        .and_then(|node| not_empty(reader, node));
    let named = issuer.as_ref().map(|issuer| &*issuer.value);
    let keys = match (preset, fields.get("keys")) {
        // Every one of these providers says in its metadata where its keys are.
        (Some(_), None) => named.and_then(|issuer| keys::discovered(reader, issuer, name.place)),
        (_, Some(node)) => keys::keys(reader, node, named, directory),
        (None, None) => {
            reader.required(fields, "keys", "write `discovery`, or say where the keys are");
            None
        }
    };
    let algorithms = match (preset, fields.get("algorithms")) {
        // Every one of these providers signs so unless it is told otherwise.
        (Some(_), None) => Some(vec![Algorithm::RS256]),
        (_, Some(node)) => not_empty(reader, node)
            .map(|names| names.into_iter().filter_map(|name| algorithm(reader, name)).collect()),
        (None, None) => {
            reader.required(fields, "algorithms", "list the signature algorithms, such as RS256");
            None
        }
    };
    let group_prefix = match fields.get("group_prefix") {
        None => "",
        Some(node) => reader.text(node)?.value,
    };
    let rules = rules::rules(reader, fields, preset);
    Some(IssuerConfig {
        issuer: Issuer {
            name: name.value.into(),
            issuer: issuer?.value,
            audiences: audiences?.into_iter().map(|text| text.value.into()).collect(),
            algorithms: algorithms?,
            group_prefix: group_prefix.into(),
            rules: rules?,
        },
        keys: keys?,
    })
}

fn issuer_url(text: &str) -> Result<Box<str>, &'static str> {
    let url = Url::parse(text).map_err(|_| "not a URL")?;
    // `http` on the loopback is a development provider's: what is true of its keys is of it.
    let safe = url.scheme() == "https" || (url.scheme() == "http" && address(text).is_ok());
    if safe && url.query().is_none() && url.fragment().is_none() {
        Ok(text.into())
    } else {
        Err("it must be an `https` URL without query and fragment")
    }
}

pub(super) fn not_empty<'n>(
    reader: &mut Reader<'_>,
    node: &'n Node,
) -> Option<Vec<Spanned<&'n str>>> {
    let list = reader.texts(node);
    if list.is_empty() {
        let place = reader.place(node.span);
        refuse(reader, place, "an empty list would accept nothing", "name at least one");
        return None;
    }
    Some(list)
}

fn algorithm(reader: &mut Reader<'_>, name: Spanned<&str>) -> Option<Algorithm> {
    let found = ALGORITHMS.iter().find(|(known, _)| *known == name.value);
    if found.is_none() {
        let known: Vec<_> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
        // No guess: `HS256` is one letter from `ES256`, and means something else.
        let help = format!("supported: {}", known.join(", "));
        let message = format!("unsupported algorithm `{}`", name.value);
        refuse(reader, name.place, message, &help);
    }
    found.map(|(_, algorithm)| *algorithm)
}
