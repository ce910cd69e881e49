//! What the tokens of one issuer must look like, and which claims say what.

use jiff::SignedDuration;
use jsonwebtoken::Algorithm;

use super::pointer::ClaimPointer;

/// An issuer of user tokens.
#[derive(Clone, Debug)]
pub struct Issuer {
    /// The configured name.
    pub name: Box<str>,
    /// The `iss` claim, compared byte for byte.
    pub issuer: Box<str>,
    /// Accepted audiences; a token names at least one of them, byte for byte.
    pub audiences: Vec<Box<str>>,
    /// Accepted algorithms.
    pub algorithms: Vec<Algorithm>,
    /// Put before every group that is not mapped by value.
    pub group_prefix: Box<str>,
    /// Everything else.
    pub rules: Rules,
}

/// What an issuer's tokens must look like, besides who issued them for whom.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What the header's `typ` may be.
    pub header_type: HeaderType,
    /// Which kind of token signs in.
    pub kind: TokenKind,
    /// How far the issuer's clock may be ahead of ours, for `nbf` and `iat`. Never applied to the
    /// end of a token.
    pub clock_leeway: SignedDuration,
    /// No token lives longer, from its `iat` and from now.
    pub max_lifetime: SignedDuration,
    /// Claims that must be there, besides `iss`, `exp`, the audience and the subject.
    pub required: Vec<ClaimPointer>,
    /// Claims that must have a certain value.
    pub expected: Vec<(ClaimPointer, Box<str>)>,
    /// The tenants whose users sign in; `None` for any.
    pub tenants: Option<Vec<Box<str>>>,
    /// Whether a client must be named: ID tokens of a provider whose `typ` says nothing name none.
    pub needs_client: bool,
    /// The OAuth clients that tokens are issued to; `None` for any.
    pub clients: Option<Vec<Box<str>>>,
    /// How many may act for a person, one for another (`act`, RFC 8693 §4.1).
    pub max_actors: usize,
    /// Which claims say what.
    pub claims: ClaimsRules,
}

/// What the header's `typ` may be (RFC 9068 §2.1, §4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderType {
    /// `at+jwt` only.
    AtJwt,
    /// Also `JWT`, or none.
    Jwt,
}

/// Which kind of token signs in. All kinds are signed with the same keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// Access tokens. Claims that only ID tokens have mark one.
    Access,
    /// Access tokens of a provider that copies the sign-in's `nonce` into them.
    AccessWithNonce,
    /// ID tokens, of a provider that issues no other JWT.
    Id,
}

/// Which claims say what. Of several pointers the first counts that leads somewhere, except for
/// groups, which are merged. There is one for the subject: two claims are two name spaces.
#[derive(Clone, Debug)]
pub struct ClaimsRules {
    /// The subject.
    pub subject: ClaimPointer,
    /// What names the audience: `aud`, unless the provider has no such claim.
    pub audience: ClaimPointer,
    /// The email address, believed only with `email_verified: true`.
    pub email: Vec<ClaimPointer>,
    /// The preferred name.
    pub preferred_username: Vec<ClaimPointer>,
    /// The OAuth client.
    pub client: Vec<ClaimPointer>,
    /// The organisation.
    pub tenant: Vec<ClaimPointer>,
    /// The scopes.
    pub scopes: Vec<ClaimPointer>,
    /// The groups: all of these claims, merged. Without any, groups are unknown.
    pub groups: Vec<GroupClaim>,
}

/// A claim that holds groups.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupClaim {
    /// Where it is.
    pub pointer: ClaimPointer,
    /// Whether its absence means no groups; otherwise it means that they are unknown.
    pub optional: bool,
    /// What stands between the groups where the claim is one text; `None` if a text is one group.
    pub split: Option<Separator>,
}

/// What stands between groups in one text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Separator {
    /// A blank.
    Space,
    /// A comma.
    Comma,
}

impl Default for Rules {
    /// Access tokens as RFC 9068 has them.
    fn default() -> Self {
        Self {
            header_type: HeaderType::AtJwt,
            kind: TokenKind::Access,
            clock_leeway: SignedDuration::from_secs(30),
            max_lifetime: SignedDuration::from_hours(24),
            required: Vec::new(),
            expected: Vec::new(),
            tenants: None,
            needs_client: false,
            clients: None,
            max_actors: 4,
            claims: ClaimsRules::default(),
        }
    }
}

impl Default for ClaimsRules {
    fn default() -> Self {
        let one = |name| vec![ClaimPointer::member(name)];
        Self {
            subject: ClaimPointer::member("sub"),
            audience: ClaimPointer::member("aud"),
            email: one("email"),
            preferred_username: one("preferred_username"),
            client: vec![ClaimPointer::member("azp"), ClaimPointer::member("client_id")],
            tenant: Vec::new(),
            scopes: vec![ClaimPointer::member("scope"), ClaimPointer::member("scp")],
            groups: vec![GroupClaim::of(ClaimPointer::member("groups"))],
        }
    }
}

impl GroupClaim {
    /// A claim whose absence leaves the groups unknown, and whose texts are one group each.
    #[must_use]
    pub fn of(pointer: ClaimPointer) -> Self {
        Self { pointer, optional: false, split: None }
    }
}
