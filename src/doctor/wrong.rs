//! What is wrong with a token, and how to mend it: the verifier's error, in the words of what stands
//! in the token and in the configuration.

use serde_json::Value;

use super::reading::{Reading, plain};
use super::steps::Told;
use super::words::{duration, instant, list, quoted};
use crate::authn::jwks::ALGORITHMS;
use crate::authn::token::{ClaimPointer, HeaderType, Issuer, TokenError, TokenKind};

impl Told<'_> {
    /// What is wrong, and how to mend it.
    pub(super) fn bad(&self, error: TokenError) -> (String, Option<String>) {
        let Some(issuer) = self.reading.issuer else {
            return self.bad_of_nobody(error);
        };
        let rules = &issuer.rules;
        let hint = |text: String| Some(text);
        match error {
            TokenError::TooLong
            | TokenError::NotCompact
            | TokenError::BadHeader
            | TokenError::HeaderMember
            | TokenError::BadPayload
            | TokenError::Issuer
            | TokenError::Workload => self.bad_of_nobody(error),
            TokenError::Algorithm => self.bad_algorithm(Some(issuer)),
            TokenError::Type => self.bad_kind(issuer),
            TokenError::Required => {
                let missing = rules
                    .required
                    .iter()
                    .filter(|pointer| self.reading.claim(pointer).is_none_or(Value::is_null));
                let missing = list(missing.map(ToString::to_string));
                let cure = "have the provider put it in, or take it out of `required_claims`";
                (format!("required, and missing: {missing}"), hint(cure.to_owned()))
            }
            TokenError::Expected => {
                let wrong = rules.expected.iter().filter(|(pointer, wanted)| {
                    self.reading.claim(pointer).and_then(Value::as_str) != Some(wanted)
                });
                let wrong = wrong.map(|(pointer, wanted)| {
                    format!("{}, and must be {}", self.claim_words(pointer), quoted(wanted))
                });
                (list(wrong), hint("this is another kind of token of that provider".to_owned()))
            }
            TokenError::ClaimType => (self.odd_claims(issuer), None),
            TokenError::Subject => {
                let pointer = &rules.claims.subject;
                let cure = "a subject is a text of 1 to 256 bytes without control characters; \
                            `claims: { subject: … }` says where it is";
                (self.claim_words(pointer), hint(cure.to_owned()))
            }
            TokenError::Expired | TokenError::NotYet | TokenError::Lifetime => {
                self.bad_time(error, issuer)
            }
            TokenError::Audience => self.bad_audience(issuer),
            TokenError::Tenant => {
                let wanted = rules.tenants.iter().flatten().map(|tenant| quoted(tenant));
                let found = self.first_words(&rules.claims.tenant);
                (format!("{found}, wants {}", list(wanted)), None)
            }
            TokenError::Client => {
                let wanted = rules.clients.iter().flatten().map(|client| quoted(client));
                let found = self.first_words(&rules.claims.client);
                (format!("{found}, wants {}", list(wanted)), None)
            }
            TokenError::Groups => {
                let found =
                    rules.claims.groups.iter().map(|claim| self.claim_words(&claim.pointer));
                let cure = "groups are texts of at most 256 bytes, at most 4000 of them";
                (list(found), hint(cure.to_owned()))
            }
            TokenError::Actors => {
                let most = rules.max_actors;
                let detail = format!("`act` is no chain of at most {most} subjects");
                (detail, hint("`max_actors` says how many may act for a person".to_owned()))
            }
            TokenError::Bound | TokenError::Certificate => {
                let detail = "bound by `cnf` to something that cannot be proved here".to_owned();
                (detail, hint("only `x5t#S256`, a certificate's hash, is understood".to_owned()))
            }
            TokenError::UnknownKey => self.bad_key(issuer),
            TokenError::Signature => {
                let detail = format!("does not hold under {}", self.key_words());
                let cure = "the token was changed on its way, cut, or signed by somebody else";
                (detail, hint(cure.to_owned()))
            }
            TokenError::Revoked => {
                let cure = "`tokens.revoked` names the file; whoever put it there knows why";
                ("the token or its user is on it".to_owned(), hint(cure.to_owned()))
            }
        }
    }

    /// What is wrong whoever issued the token.
    fn bad_of_nobody(&self, error: TokenError) -> (String, Option<String>) {
        let hint = |text: &str| Some(text.to_owned());
        match error {
            TokenError::TooLong => {
                let Reading { bytes, .. } = self.reading;
                let most = self.with.config.tokens.max_bytes;
                let cure = "`tokens.max_kilobytes`, or fewer groups in the token";
                (format!("{bytes} bytes, and at most {most} are looked at"), hint(cure))
            }
            TokenError::NotCompact => self.bad_form(),
            TokenError::HeaderMember => {
                let header = self.reading.header.as_ref().and_then(Value::as_object);
                let usual = ["alg", "kid", "typ", "x5t", "x5t#S256"];
                let members = header.into_iter().flatten().map(|(name, _)| name);
                let others = members.filter(|name| !usual.contains(&name.as_str()));
                let others = list(others.map(|name| quoted(name)));
                (
                    format!("has what is not accepted, among {others}"),
                    hint("such members bring a key, an address, or another meaning"),
                )
            }
            TokenError::Algorithm => self.bad_algorithm(None),
            TokenError::Issuer => self.bad_issuer(),
            TokenError::Workload => {
                let cure = "a workload shows its certificate; `Authorization` is for users";
                (format!("{} is a workload's", value_of(self.reading.text("sub"))), hint(cure))
            }
            TokenError::Type => (format!("another kind of token: {}", self.header_words()), None),
            TokenError::BadHeader | TokenError::BadPayload => {
                (error.to_string(), hint("a member stands twice, or it is no JSON at all"))
            }
            TokenError::UnknownKey
            | TokenError::Signature
            | TokenError::Audience
            | TokenError::Expired
            | TokenError::NotYet
            | TokenError::Lifetime
            | TokenError::Required
            | TokenError::Expected
            | TokenError::Tenant
            | TokenError::Client
            | TokenError::Subject
            | TokenError::ClaimType
            | TokenError::Groups
            | TokenError::Actors
            | TokenError::Bound
            | TokenError::Certificate
            | TokenError::Revoked => (error.to_string(), None),
        }
    }

    fn bad_form(&self) -> (String, Option<String>) {
        let Reading { bytes, parts, .. } = self.reading;
        match (bytes, parts) {
            (0, _) => {
                ("there is no token".to_owned(), Some("give it on the standard input".to_owned()))
            }
            (_, 5) => (
                "five parts: an encrypted token (JWE)".to_owned(),
                Some(
                    "have the provider sign tokens for this gateway, and not encrypt them"
                        .to_owned(),
                ),
            ),
            (_, 3) => (
                "three parts, and not all of them are base64url".to_owned(),
                Some("it was cut, or changed on its way".to_owned()),
            ),
            (_, parts) => (
                format!("a JWT has three parts with dots between them; this has {parts}"),
                Some(
                    "an opaque token cannot be read here: have the provider issue JWTs for this \
                     gateway's audience"
                        .to_owned(),
                ),
            ),
        }
    }

    fn bad_algorithm(&self, issuer: Option<&Issuer>) -> (String, Option<String>) {
        let said = value_of(self.reading.header("alg"));
        let names = ALGORITHMS.iter().filter(|(_, algorithm)| {
            issuer.is_none_or(|issuer| issuer.algorithms.contains(algorithm))
        });
        let names = list(names.map(|(name, _)| (*name).to_owned()));
        let known = ALGORITHMS.iter().any(|(name, _)| Some(*name) == self.reading.header("alg"));
        let cure = if known {
            "`algorithms` of the issuer, if the provider is meant to sign so"
        } else {
            "tokens are signed with a key pair; a shared secret, or none, proves nothing"
        };
        (format!("alg {said}, wants {names}"), Some(cure.to_owned()))
    }

    fn bad_issuer(&self) -> (String, Option<String>) {
        let said = self.reading.text("iss");
        let (Some(said), Some(near)) = (said, self.reading.issuer) else {
            let issuers = self.with.config.issuers.iter();
            let known = list(issuers.map(|config| quoted(&config.issuer.issuer)));
            return (format!("`iss` is {}, configured: {known}", value_of(said)), None);
        };
        let wanted = &*near.issuer;
        let scheme = |text: &str| text.to_lowercase().starts_with("http://");
        let (why, cure) = if plain(said) != plain(wanted) {
            (
                "the nearest that is configured",
                "this is another issuer, unless `issuer` is misspelled",
            )
        } else if scheme(said) != scheme(wanted) {
            ("it differs in `http` and `https`", "have the provider call itself `https`")
        } else {
            let why = if said.ends_with('/') == wanted.ends_with('/') {
                "it differs in capital letters or slashes"
            } else {
                "it differs in the slash at the end"
            };
            (why, "write `issuer` as the provider's metadata does, byte for byte")
        };
        let detail =
            format!("`iss` is {}, {} is {}: {why}", quoted(said), near.name, quoted(wanted));
        (detail, Some(cure.to_owned()))
    }

    fn bad_audience(&self, issuer: &Issuer) -> (String, Option<String>) {
        let pointer = &issuer.rules.claims.audience;
        let found = self.claim_words(pointer);
        if let Some(resource) = self.with.resource {
            let detail = format!("{found}, wants {} alone", quoted(resource));
            let cure = "a server with a `resource` of its own takes no token for anything else";
            return (detail, Some(cure.to_owned()));
        }
        let wanted = list(issuer.audiences.iter().map(|audience| quoted(audience)));
        let said = self.reading.claim(pointer);
        let said = said.and_then(|said| said.get(0).unwrap_or(said).as_str());
        let mut servers =
            self.with.policy.servers().into_iter().filter(|server| server.own_resource().is_some());
        let cure = match servers.find(|server| server.own_resource() == said) {
            Some(server) => format!("it is for {0} alone: `--server {0}`", server.name),
            None => "the client asks the provider for a token for this gateway; or, if that \
                     audience means it as well, it belongs in `audiences`"
                .to_owned(),
        };
        (format!("{found}, wants {wanted}"), Some(cure))
    }

    fn bad_kind(&self, issuer: &Issuer) -> (String, Option<String>) {
        let typ = self.reading.header("typ").unwrap_or_default().to_ascii_lowercase();
        let is_at_jwt = typ.trim_start_matches("application/") == "at+jwt";
        let hashes = ["at_hash", "c_hash", "s_hash"];
        let is_id = hashes.iter().any(|claim| self.reading.has(claim))
            || self.reading.has("nonce")
            || self.reading.text("typ") == Some("ID")
            || self.reading.text("token_use") == Some("id");
        if is_id && issuer.rules.kind != TokenKind::Id {
            let cure = "send the access token; or say `token_kind` if this provider has no other";
            return ("this is an ID token".to_owned(), Some(cure.to_owned()));
        }
        if issuer.rules.header_type == HeaderType::AtJwt && !is_at_jwt {
            let said = value_of(self.reading.header("typ"));
            let cure = "`token_type: jwt` (or a `preset`) also accepts JWT and none";
            return (format!("typ is {said}, wants \"at+jwt\""), Some(cure.to_owned()));
        }
        let said = ["typ", "token_use", "events"];
        let said = said.iter().filter(|claim| self.reading.has(claim));
        let said = list(said.map(|claim| self.claim_words(&ClaimPointer::member(claim))));
        let wants = match issuer.rules.kind {
            TokenKind::Access | TokenKind::AccessWithNonce => "an access token",
            TokenKind::Id => "an ID token",
        };
        (format!("another kind of token ({said}), wants {wants}"), None)
    }

    fn bad_time(&self, error: TokenError, issuer: &Issuer) -> (String, Option<String>) {
        let (now, rules) = (self.with.now, &issuer.rules);
        let [end, begin, made] = ["exp", "nbf", "iat"].map(|claim| self.reading.instant(claim));
        let hint = |text: &str| Some(text.to_owned());
        match (error, end) {
            (TokenError::Expired, None) => ("`exp` is missing".to_owned(), None),
            (TokenError::Expired, Some(end)) => {
                let ago = duration(now.duration_since(end));
                let detail = format!("expired {ago} ago, at {}", instant(end));
                (detail, hint("sign in again, or refresh the token"))
            }
            (TokenError::NotYet, _) => {
                let from = begin.max(made).unwrap_or(now);
                let ahead = duration(from.duration_since(now));
                let detail = format!("not valid for another {ahead}, until {}", instant(from));
                let cure = "one of the clocks is wrong; `clock_leeway_seconds` takes up to 300";
                (detail, hint(cure))
            }
            (_, end) => {
                let from = made.unwrap_or(now).min(now);
                let lives = end.map_or_else(String::new, |end| duration(end.duration_since(from)));
                let most = duration(rules.max_lifetime);
                let detail = format!("lives {lives}, and at most {most} are accepted");
                let cure = "shorter tokens at the provider, or `max_lifetime_minutes`";
                (detail, hint(cure))
            }
        }
    }

    fn bad_key(&self, issuer: &Issuer) -> (String, Option<String>) {
        let Ok(keys) = self.with.keys else {
            return (TokenError::UnknownKey.to_string(), None);
        };
        let (count, name) = (keys.len(), &issuer.name);
        let Some(kid) = self.reading.header("kid") else {
            let detail = format!("the token names no key, and {name} has {count} usable ones");
            return (detail, Some("have the provider write `kid`".to_owned()));
        };
        let shown = quoted(kid);
        let left_out = keys.skipped().iter().find(|key| key.id.as_deref() == Some(kid));
        if let Some(left_out) = left_out {
            return (
                format!("{shown} is a key of {name} that is left out: {}", left_out.error),
                None,
            );
        }
        let ids = list(keys.ids().map(quoted));
        if keys.names(kid) {
            let alg = value_of(self.reading.header("alg"));
            return (format!("{shown} is a key of {name}, and not for {alg}"), None);
        }
        let cure = "the keys come from another place than the token, or were changed; the token may \
                    be of another environment of the provider";
        (
            format!("{shown} is not among the {count} usable keys of {name}: {ids}"),
            Some(cure.to_owned()),
        )
    }

    /// Claims that have not the type that they should.
    fn odd_claims(&self, issuer: &Issuer) -> String {
        let claims = &issuer.rules.claims;
        let texts = [&claims.email, &claims.preferred_username, &claims.client, &claims.tenant];
        let [exp, nbf, iat, jti] = ["exp", "nbf", "iat", "jti"].map(ClaimPointer::member);
        let is_text = |found: &Value| found.as_str().is_some_and(|text| text.len() <= 256);
        let texts = texts
            .into_iter()
            .flatten()
            .chain([&jti])
            .filter(|pointer| self.reading.claim(pointer).is_some_and(|found| !is_text(found)));
        let scopes = claims
            .scopes
            .iter()
            .filter(|pointer| self.reading.claim(pointer).is_some_and(|found| !found.is_string()));
        let instants = [&exp, &nbf, &iat]
            .into_iter()
            .filter(|pointer| self.reading.claim(pointer).is_some_and(|found| !found.is_i64()));
        let odd: Vec<_> = texts.chain(scopes).chain(instants).collect();
        if odd.is_empty() {
            return TokenError::ClaimType.to_string();
        }
        let odd = list(odd.into_iter().map(|pointer| self.claim_words(pointer)));
        format!("of the wrong type or too long: {odd}")
    }
}

fn value_of(text: Option<&str>) -> String {
    text.map_or("missing".to_owned(), quoted)
}
