//! The sidecar's configuration, and the deny-list that it names.

use serde_json::{Value, json};

use super::build::{
    any_of_keys, both, claim, described, integer, list, map, matching, name, object, sequence,
    some, stated, text, version, words, workload,
};
use crate::authn::jwks::ALGORITHMS;
use crate::authn::presets::Preset;

const ADDRESS: &str = r"^([0-9.]+|\[[0-9A-Fa-f:.%]+\]):[0-9]{1,5}$";

fn address(description: &str) -> Value {
    described(description, matching(ADDRESS))
}

fn path(description: &str) -> Value {
    text(&format!("{description}; a relative path is relative to this file."))
}

pub(super) fn config() -> Value {
    let from = json!({ "properties": { "from": { "enum": ["principal", "xfcc"] } }, "required": ["from"] });
    let other_envoy = json!({
        "if": { "properties": { "workloads": from }, "required": ["workloads"] },
        "then": { "not": { "required": ["envoy"] } },
    });
    let config = object(
        "How Toolgate runs beside Envoy.",
        &["toolgate", "listen", "policies", "public_url", "issuers", "workloads"],
        [
            ("toolgate", version()),
            ("listen", listen()),
            ("policies", path("The policy directory")),
            (
                "public_url",
                described(
                    "The URL that clients call: servers live at `{public_url}/{server}/mcp`.",
                    matching("^https://[^/?#@]+/*$"),
                ),
            ),
            ("issuers", issuers()),
            ("tokens", tokens()),
            ("workloads", workloads()),
            ("origins", list("Browsers' `Origin` values that may call.", text("An origin."))),
            (
                "sessions",
                object(
                    "Sessions of revisions up to 2025-11-25.",
                    &["key"],
                    [("key", path("The key that binds them to their users; 32 bytes at least"))],
                ),
            ),
            (
                "compatibility",
                list(
                    "Violations of the protocol that are put up with.",
                    words(
                        "A violation.",
                        ["null-params", "array-params", "discover-without-mirrors"],
                    ),
                ),
            ),
            ("decisions", decisions()),
            ("envoy", envoy()),
        ],
    );
    both(config, other_envoy)
}

fn workloads() -> Value {
    let header = described(
        "A header that callers send a JWT-SVID in, besides `Authorization`; servers never see it.",
        matching("^x-[a-z0-9-]{1,18}$"),
    );
    let jwt_svid = object(
        "JWT-SVIDs that are accepted; without this, none are.",
        &["audiences"],
        [("audiences", some("Values of `aud` that mean us.", matching("."))), ("header", header)],
    );
    let from = "What proves a workload, besides JWT-SVIDs: the certificate that Envoy saw, Envoy's \
                principal alone, or `X-Forwarded-Client-Cert`.";
    let principal =
        "Needed for `from: principal`: nothing shows that its certificate is valid now.";
    let workloads = object(
        "Whose workload identities are believed.",
        &["trust_domains"],
        [
            ("trust_domains", list("The trust domains of callers.", matching("^[a-z0-9._-]+$"))),
            ("from", words(from, ["certificate", "principal", "xfcc"])),
            ("trust_principal_without_certificate", described(principal, json!({ "const": true }))),
            ("xfcc", xfcc()),
            ("jwt_svid", jwt_svid),
            (
                "bundles",
                path("The trust domains' SPIFFE bundles, for `jwt_svid` and `verify_certificates`"),
            ),
            (
                "spire",
                described(
                    "Instead of `bundles`: the SPIRE agent's socket, `unix:PATH`.",
                    matching("^unix:."),
                ),
            ),
            (
                "verify_certificates",
                described(
                    "Whether callers' certificates are verified once more, after Envoy.",
                    json!({ "type": "boolean" }),
                ),
            ),
        ],
    );
    let is_there = json!({ "anyOf": [{ "required": ["bundles"] }, { "required": ["spire"] }] });
    let verifies = json!({
        "required": ["verify_certificates"],
        "properties": { "verify_certificates": { "const": true } },
    });
    let used = json!({ "anyOf": [{ "required": ["jwt_svid"] }, verifies] });
    let needs = |from: &str, key: &str| {
        json!({
            "if": { "properties": { "from": { "const": from } }, "required": ["from"] },
            "then": { "required": [key] },
            "else": { "not": { "required": [key] } },
        })
    };
    let principal = needs("principal", "trust_principal_without_certificate");
    let by_certificate = json!({ "properties": { "from": { "const": "certificate" } } });
    let again = json!({ "if": verifies, "then": { "allOf": [is_there, by_certificate] } });
    both(
        workloads,
        json!({
            "not": { "required": ["bundles", "spire"] },
            "dependentSchemas": { "jwt_svid": is_there, "bundles": used },
            "allOf": [principal, needs("xfcc", "xfcc"), again],
        }),
    )
}

fn xfcc() -> Value {
    let mode = "How Envoy treats the header: it replaces it, or adds its element at the end.";
    let hops = "How many of your Envoys a request comes through; 1 is the one that asks.";
    let xfcc = object(
        "Whose `X-Forwarded-Client-Cert` is believed, for `from: xfcc`.",
        &["mode", "by"],
        [
            ("mode", words(mode, ["sanitize_set", "append_last"])),
            ("trusted_hops", integer(hops, 1, 8)),
            ("by", some("The SPIFFE IDs of your Envoys.", workload())),
        ],
    );
    let hops = json!({
        "if": { "properties": { "mode": { "const": "append_last" } } },
        "then": { "required": ["trusted_hops"] },
        "else": { "not": { "required": ["trusted_hops"] } },
    });
    both(xfcc, hops)
}

fn listen() -> Value {
    let tls = object(
        "Mutual TLS with Envoy, for a TCP listener.",
        &["identity", "accept"],
        [
            (
                "from",
                described(
                    "Instead of the files: the SPIRE agent of `workloads.spire`.",
                    words("A source.", ["spire"]),
                ),
            ),
            ("certificate", path("A PEM file")),
            ("key", path("A PEM file")),
            (
                "identity",
                described("The SPIFFE ID in the certificate; Envoy checks it.", workload()),
            ),
            ("ca", path("A PEM file with the roots of Envoy's certificate")),
            ("accept", some("Envoy's SPIFFE IDs.", workload())),
        ],
    );
    let files = ["certificate", "key", "ca"];
    let in_files = json!({ "required": files, "not": { "required": ["from"] } });
    let none = files.map(|file| json!({ "required": [file] }));
    let by_agent = json!({ "required": ["from"], "not": { "anyOf": none } });
    let tls = both(tls, json!({ "oneOf": [in_files, by_agent] }));
    object(
        "Where Envoy asks, and where health is asked for.",
        &["grpc", "http"],
        [
            (
                "grpc",
                json!({
                    "description": "Envoy's side: `unix:PATH`, or `ADDRESS:PORT`.",
                    "anyOf": [matching("^unix:"), matching(ADDRESS)],
                }),
            ),
            ("http", address("`/livez`, `/readyz`, `/status`, `/metrics`.")),
            ("tls", tls),
        ],
    )
}

fn issuers() -> Value {
    let algorithm = words("An algorithm.", ALGORITHMS.iter().map(|(name, _)| *name));
    let kind = "Which tokens sign in; `access-with-nonce` is for a provider that copies the \
                sign-in's nonce into access tokens.";
    let leeway = "How far the issuer's clock may be ahead; never applied to the end of a token.";
    let prefix = "What its groups' names start with here; needed with several issuers.";
    let preset = "The provider: sets everything below that is not written.";
    let issuer = object(
        "An issuer of user tokens.",
        &["issuer", "audiences"],
        [
            ("preset", words(preset, Preset::ALL.iter().map(|(name, _)| *name))),
            (
                "issuer",
                described(
                    "The `iss` of its tokens, byte for byte.",
                    matching(r"^(https://|http://(127\.|\[::1\]))[^?#]+$"),
                ),
            ),
            ("audiences", some("The `aud` values that mean this gateway.", text("An audience."))),
            ("keys", keys()),
            ("algorithms", some("The signature algorithms; RS256 with a preset.", algorithm)),
            (
                "token_type",
                words("`jwt` also accepts tokens whose `typ` is JWT or absent.", ["at+jwt", "jwt"]),
            ),
            ("token_kind", words(kind, ["access", "access-with-nonce", "id"])),
            ("clock_leeway_seconds", integer(leeway, 0, 300)),
            ("max_lifetime_minutes", integer("No token lives longer.", 1, 10_080)),
            ("max_actors", integer("How many may act for a person, in a chain.", 0, 16)),
            (
                "required_claims",
                pointers("Claims that must be there, as JSON Pointers, such as `/jti`."),
            ),
            ("tenants", some("The tenants whose users sign in.", text("A tenant."))),
            ("clients", some("The OAuth clients that tokens are issued to.", text("A client."))),
            ("claims", claims()),
            ("group_prefix", text(prefix)),
        ],
    );
    let asked =
        json!({ "anyOf": [{ "required": ["preset"] }, { "required": ["keys", "algorithms"] }] });
    let issuer = both(issuer, asked);
    both(map("Issuers of user tokens, by name.", name(), issuer), json!({ "minProperties": 1 }))
}

fn pointers(description: &str) -> Value {
    json!({ "description": description, "anyOf": [claim(), some("Several.", claim())] })
}

fn claims() -> Value {
    let what = |what: &str| {
        pointers(&format!(
            "The claim with {what}, as a JSON Pointer, or several: the first counts."
        ))
    };
    let one =
        |what: &str| described(&format!("The claim with {what}, as a JSON Pointer."), claim());
    let group = object(
        "A claim that holds groups.",
        &["at"],
        [
            ("at", one("groups")),
            ("optional", stated("Its absence means no groups, and not unknown ones.")),
            ("split", words("What stands between groups in one text.", ["space", "comma"])),
        ],
    );
    let group = json!({ "anyOf": [claim(), group] });
    object(
        "Which claims are read.",
        &[],
        [
            ("subject", one("the subject, never an address")),
            ("audience", one("the audience")),
            ("email", what("the email address")),
            ("preferred_username", what("the name shown to people")),
            ("client", what("the OAuth client")),
            ("tenant", what("the organisation")),
            ("scopes", what("the scopes")),
            ("groups", some("The claims that hold groups; all of them are merged.", group)),
        ],
    )
}

fn tokens() -> Value {
    object(
        "What holds for the tokens of every issuer.",
        &[],
        [
            ("max_kilobytes", integer("No longer token is looked at.", 1, 48)),
            ("cache_megabytes", integer("What verified tokens may weigh that are kept.", 0, 4096)),
            ("revoked", path("The deny-list of tokens and users")),
        ],
    )
}

fn keys() -> Value {
    let keys = object(
        "Where the keys come from: discovery, a URL, a file, or here.",
        &[],
        [
            (
                "discovery",
                words(
                    "The provider's metadata names them; `keys: discovery` is the first of these.",
                    ["openid-configuration", "oauth-authorization-server"],
                ),
            ),
            (
                "url",
                described(
                    "A JWKS URL: `https`, or `http` on the loopback.",
                    matching("^https?://"),
                ),
            ),
            ("file", path("A JWKS file")),
            ("inline", text("A JWKS, as JSON text.")),
            ("ca", path("The only roots that the provider's certificate may lead to, PEM")),
            (
                "hosts",
                list(
                    "Hosts that metadata may name, beside the issuer's own.",
                    matching(r"^[0-9a-z._\[\]:-]+$"),
                ),
            ),
            (
                "max_stale_minutes",
                integer("How long the last good keys count once they are old.", 1, 1440),
            ),
            (
                "refetch_seconds",
                integer("The least time between two fetches for unknown keys.", 5, 300),
            ),
        ],
    );
    let place = |key: &str| json!({ "type": "object", "required": [key] });
    let alone = json!({ "maxProperties": 1 });
    both(
        keys,
        json!({
            "type": ["object", "string"],
            "pattern": "^discovery$",
            "oneOf": [
                { "type": "string" },
                place("discovery"), place("url"), place("file"), place("inline"),
            ],
            "dependentRequired": { "hosts": ["discovery"] },
            "dependentSchemas": { "file": alone, "inline": alone },
        }),
    )
}

/// `tokens.revoked`
pub(super) fn revoked() -> Value {
    let issuer = || described("The issuer's name in the configuration.", name());
    let id = json!({ "type": "string", "minLength": 1, "maxLength": 256 });
    let token = object(
        "One token.",
        &["issuer", "jti"],
        [("issuer", issuer()), ("jti", described("The token's `jti`.", id))],
    );
    let user = matching(r"^[a-z0-9-]+:(?!//)\S(.*\S)?$");
    object(
        "What is denied whatever its signature says. Followed as it changes.",
        &["toolgate"],
        [
            ("toolgate", version()),
            ("tokens", sequence("Tokens, by issuer and identifier.", token)),
            ("users", sequence("Users, with all their tokens, as `ISSUER:SUBJECT`.", user)),
        ],
    )
}

fn decisions() -> Value {
    let file = object(
        "A file that is rotated.",
        &["path"],
        [
            ("path", path("The file")),
            ("max_megabytes", integer("Beyond this size it becomes `PATH.1`.", 1, 1_000_000)),
            ("keep", integer("How many of those are kept.", 0, 1_000)),
        ],
    );
    let otlp = object(
        "An OpenTelemetry collector.",
        &["url"],
        [
            (
                "url",
                described(
                    "Its OTLP/gRPC address: `https`, or `http` on the loopback.",
                    matching("^https?://"),
                ),
            ),
            ("ca", path("The certificates that its own must lead to, PEM; for `https`")),
        ],
    );
    let decisions = object(
        "Where the record of every decision goes.",
        &[],
        [
            ("stdout", object("One JSON line each, to standard output.", &[], [])),
            ("file", file),
            ("otlp", otlp),
            (
                "when_full",
                words(
                    "A request whose record finds no room: its record is dropped, it waits, or it is refused.",
                    ["drop", "block", "deny"],
                ),
            ),
            ("queue", integer("How many records may wait.", 1, 1_000_000)),
            ("arguments_key", path("The key of the arguments' digest")),
        ],
    );
    both(decisions, any_of_keys(&["stdout", "file", "otlp"]))
}

fn envoy() -> Value {
    let envoy = object(
        "What `toolgate envoy` renders beside the routes.",
        &["listen"],
        [
            (
                "listen",
                object(
                    "Where clients call.",
                    &["mtls"],
                    [
                        ("mtls", address("The listener with mutual TLS.")),
                        ("plain", address("A plain listener, on the loopback.")),
                    ],
                ),
            ),
            (
                "certificate",
                object(
                    "Envoy's certificate and key.",
                    &["cert", "key"],
                    [("cert", text("A PEM file.")), ("key", text("A PEM file."))],
                ),
            ),
            ("bundles", text("The file with the SPIFFE bundles of callers.")),
            (
                "spire",
                described(
                    "Instead of `certificate` and `bundles`: the SPIRE agent's socket, `unix:PATH`.",
                    matching("^unix:."),
                ),
            ),
            (
                "files",
                path("Where envoy.json, secrets.json, routes.json and clusters.json are written"),
            ),
        ],
    );
    let in_files = json!({
        "required": ["certificate", "bundles"],
        "not": { "required": ["spire"] },
    });
    let by_agent = json!({
        "required": ["spire"],
        "not": { "anyOf": [{ "required": ["certificate"] }, { "required": ["bundles"] }] },
    });
    both(envoy, json!({ "oneOf": [in_files, by_agent] }))
}
