//! What the tokens of well-known identity providers look like, in one word each.
//!
//! `docs/identity-providers.md` says where each line comes from and what a provider's
//! administrator has to set up.

use super::token::{ClaimPointer, GroupClaim, HeaderType, Rules, TokenKind};

/// A provider whose tokens are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Preset {
    /// Okta, a custom authorization server.
    Okta,
    /// Microsoft Entra ID, tokens of version 2.0 (and, but for the issuer's name, 1.0).
    Entra,
    /// Keycloak.
    Keycloak,
    /// Auth0.
    Auth0,
    /// `PingFederate` and `PingOne`.
    Ping,
    /// Amazon Cognito user pools.
    Cognito,
    /// Google, which signs ID tokens and no access tokens.
    Google,
    /// Dex.
    Dex,
}

impl Preset {
    /// Every preset, by its name.
    pub const ALL: [(&'static str, Self); 8] = [
        ("okta", Self::Okta),
        ("entra", Self::Entra),
        ("keycloak", Self::Keycloak),
        ("auth0", Self::Auth0),
        ("ping", Self::Ping),
        ("cognito", Self::Cognito),
        ("google", Self::Google),
        ("dex", Self::Dex),
    ];

    /// Whether one issuer serves many organisations, so that `tenants` must be named.
    #[must_use]
    pub fn needs_tenants(self) -> bool {
        matches!(self, Self::Entra | Self::Google)
    }

    /// Whether the groups' claim has a name of the customer's own, so that it must be named.
    #[must_use]
    pub fn needs_groups(self) -> bool {
        self == Self::Auth0
    }

    /// What its tokens look like.
    #[must_use]
    pub fn rules(self) -> Rules {
        let member = ClaimPointer::member;
        let mut rules =
            Rules { header_type: HeaderType::Jwt, needs_client: true, ..Rules::default() };
        let claims = &mut rules.claims;
        match self {
            Self::Okta => {
                // `sub` is the login name, which may be given to somebody else.
                claims.subject = member("uid");
                claims.preferred_username = vec![member("sub")];
                claims.client = vec![member("cid")];
                claims.scopes = vec![member("scp")];
            }
            Self::Entra => {
                // `sub` is another one for every application.
                claims.subject = member("oid");
                claims.tenant = vec![member("tid")];
                claims.client = vec![member("azp"), member("appid")];
                claims.scopes = vec![member("scp")];
            }
            Self::Keycloak => {
                claims.client = vec![member("azp")];
                rules.expected = vec![(member("typ"), "Bearer".into())];
            }
            Self::Auth0 => claims.groups = Vec::new(),
            Self::Ping => claims.client = vec![member("client_id")],
            Self::Cognito => {
                // There is no `aud`: the client is whom the token is for.
                claims.audience = member("client_id");
                claims.client = vec![member("client_id")];
                claims.preferred_username = vec![member("username")];
                // Left out for users in no group.
                let groups = GroupClaim::of(member("cognito:groups"));
                claims.groups = vec![GroupClaim { optional: true, ..groups }];
                rules.expected = vec![(member("token_use"), "access".into())];
            }
            Self::Google => {
                rules.kind = TokenKind::Id;
                rules.needs_client = false;
                claims.tenant = vec![member("hd")];
                claims.client = vec![member("azp")];
                claims.groups = Vec::new();
            }
            Self::Dex => {
                rules.kind = TokenKind::AccessWithNonce;
                // Named only where it is not the audience.
                rules.needs_client = false;
            }
        }
        rules
    }
}
