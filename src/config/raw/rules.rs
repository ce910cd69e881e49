//! What an issuer's tokens must look like.

use jiff::SignedDuration;

use super::issuers::not_empty;
use super::{refuse, word};
use crate::authn::presets::Preset;
use crate::authn::token::{
    ClaimPointer, ClaimsRules, GroupClaim, HeaderType, Rules, Separator, TokenKind,
};
use crate::yaml::{Fields, Keys, Kind, Node, Reader};

const TYPES: [(&str, HeaderType); 2] = [("at+jwt", HeaderType::AtJwt), ("jwt", HeaderType::Jwt)];

const KINDS: [(&str, TokenKind); 3] = [
    ("access", TokenKind::Access),
    ("access-with-nonce", TokenKind::AccessWithNonce),
    ("id", TokenKind::Id),
];

const SEPARATORS: [(&str, Separator); 2] =
    [("space", Separator::Space), ("comma", Separator::Comma)];

pub(super) fn rules(
    reader: &mut Reader<'_>,
    fields: Fields<'_>,
    preset: Option<Preset>,
) -> Option<Rules> {
    let mut rules = preset.map_or_else(Rules::default, Preset::rules);
    if let Some(node) = fields.get("token_type") {
        let help = "`jwt` also accepts tokens whose `typ` is JWT or absent";
        rules.header_type = word(reader, node, &TYPES, help)?;
    }
    if let Some(node) = fields.get("token_kind") {
        let help = "say which tokens of the provider sign in";
        rules.kind = word(reader, node, &KINDS, help)?;
    }
    // An ID token without nonce and hashes looks like an access token but for its client.
    let plain = rules.header_type == HeaderType::Jwt && rules.kind == TokenKind::Access;
    rules.needs_client |= plain;
    if let (TokenKind::Id, HeaderType::AtJwt, Some(place)) =
        (rules.kind, rules.header_type, fields.key_place("token_kind"))
    {
        let message = "an ID token is never of the type `at+jwt`: nobody could sign in";
        refuse(reader, place, message, "add `token_type: jwt`");
    }
    if let Some(node) = fields.get("clock_leeway_seconds") {
        rules.clock_leeway = SignedDuration::from_secs(reader.integer(node, 0..=300)?.value);
    }
    if let Some(node) = fields.get("max_lifetime_minutes") {
        rules.max_lifetime = SignedDuration::from_mins(reader.integer(node, 1..=10_080)?.value);
    }
    if let Some(node) = fields.get("max_actors") {
        rules.max_actors = usize::try_from(reader.integer(node, 0..=16)?.value).ok()?;
    }
    if let Some(node) = fields.get("required_claims") {
        rules.required = pointers(reader, node)?;
    }
    let mut names = |key: &str| match fields.get(key) {
        None => Some(None),
        Some(node) => {
            let names = not_empty(reader, node)?;
            Some(Some(names.into_iter().map(|name| name.value.into()).collect()))
        }
    };
    let (tenants, clients) = (names("tenants")?, names("clients")?);
    (rules.tenants, rules.clients) = (tenants, clients);
    if let Some(node) = fields.get("claims") {
        claims(reader, node, &mut rules.claims)?;
    }
    needed(reader, fields, preset, &rules);
    Some(rules)
}

/// What a preset leaves to those who use it.
fn needed(reader: &mut Reader<'_>, fields: Fields<'_>, preset: Option<Preset>, rules: &Rules) {
    if preset.is_some_and(Preset::needs_tenants) && rules.tenants.is_none() {
        let message = "this provider signs in the users of many organisations";
        refuse(reader, fields.place, message, "list the identifiers of yours under `tenants`");
    }
    if preset.is_some_and(Preset::needs_groups) && rules.claims.groups.is_empty() {
        let message = "the claim that holds groups has a name of your own at this provider";
        let help =
            "name it, such as `claims: { groups: [\"/https:~1~1app.example.com~1groups\"] }`";
        refuse(reader, fields.place, message, help);
    }
    if let (Some(place), true) = (fields.key_place("tenants"), rules.claims.tenant.is_empty()) {
        let message = "no claim says which tenant a user is of";
        refuse(reader, place, message, "name it, such as `claims: { tenant: /org_id }`");
    }
}

fn claims(reader: &mut Reader<'_>, node: &Node, claims: &mut ClaimsRules) -> Option<()> {
    const KEYS: Keys = Keys {
        known: &[
            "subject",
            "audience",
            "email",
            "preferred_username",
            "client",
            "tenant",
            "scopes",
            "groups",
        ],
        later: &[],
    };
    let fields = reader.fields(node, KEYS)?;
    if let Some(node) = fields.get("subject") {
        let subject = reader.parsed(node, "a JSON Pointer", str::parse::<ClaimPointer>)?;
        if subject.value.last().is_some_and(|name| name.eq_ignore_ascii_case("email")) {
            let help = "addresses change hands; use a claim that names one person for ever";
            refuse(reader, subject.place, "an email address never identifies", help);
        }
        claims.subject = subject.value;
    }
    if let Some(node) = fields.get("audience") {
        claims.audience = reader.parsed(node, "a JSON Pointer", str::parse)?.value;
    }
    for (key, pointers_of) in [
        ("email", &mut claims.email),
        ("preferred_username", &mut claims.preferred_username),
        ("client", &mut claims.client),
        ("tenant", &mut claims.tenant),
        ("scopes", &mut claims.scopes),
    ] {
        if let Some(node) = fields.get(key) {
            *pointers_of = pointers(reader, node)?;
        }
    }
    if let Some(node) = fields.get("groups") {
        claims.groups = groups(reader, node)?;
    }
    Some(())
}

/// A pointer, or a list of them.
fn pointers(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<ClaimPointer>> {
    if matches!(node.kind, Kind::Text(_)) {
        return Some(vec![reader.parsed(node, "a JSON Pointer", str::parse)?.value]);
    }
    let texts = not_empty(reader, node)?;
    let parsed =
        texts.into_iter().map(|text| reader.parse_text(text, "a JSON Pointer", str::parse));
    parsed.map(|pointer| pointer.map(|pointer| pointer.value)).collect()
}

fn groups(reader: &mut Reader<'_>, node: &Node) -> Option<Vec<GroupClaim>> {
    const KEYS: Keys = Keys { known: &["at", "optional", "split"], later: &[] };
    let place = reader.place(node.span);
    let list = reader.list(node);
    if list.is_empty() {
        refuse(reader, place, "an empty list would accept nothing", "name at least one");
        return None;
    }
    let mut claims = Vec::new();
    for node in list {
        if !matches!(node.kind, Kind::Mapping(_)) {
            let pointer = reader.parsed(node, "a JSON Pointer", str::parse)?;
            claims.push(GroupClaim::of(pointer.value));
            continue;
        }
        let fields = reader.fields(node, KEYS)?;
        let at = reader.required(fields, "at", "name the claim, as a JSON Pointer")?;
        let mut claim = GroupClaim::of(reader.parsed(at, "a JSON Pointer", str::parse)?.value);
        if let Some(node) = fields.get("optional") {
            claim.optional = reader.boolean(node)?.value;
        }
        if let Some(node) = fields.get("split") {
            let help = "say what stands between groups where the claim is one text";
            claim.split = Some(word(reader, node, &SEPARATORS, help)?);
        }
        claims.push(claim);
    }
    Some(claims)
}
