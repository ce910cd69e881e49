use spiffe::{JwtBundle, JwtBundleSet, TrustDomain};

use super::*;

#[derive(Default)]
struct Noted(Vec<&'static str>);

impl Subject for Noted {
    /// Whether it can be used, and which one it is.
    type Update = (bool, u8);

    const WHAT: &'static str = "nothing";

    async fn subscribe(_: &WorkloadApiClient) -> Result<Updates<(bool, u8)>, WorkloadApiError> {
        Err(WorkloadApiError::EmptyResponse)
    }

    fn accept(&mut self, (good, _): &(bool, u8), _: Instant) -> Result<(), String> {
        self.0.push(if *good { "accepted" } else { "refused" });
        if *good { Ok(()) } else { Err("no good".to_owned()) }
    }

    fn confirm(&mut self, _: Instant) {
        self.0.push("confirmed");
    }

    fn fail(&mut self, _: &str) -> bool {
        true
    }

    fn withdraw(&mut self, _: &str) -> bool {
        true
    }
}

#[test]
fn only_what_is_in_force_is_confirmed() {
    let mut noted = Noted::default();
    let mut known = Known { last: None, wait: MAX_WAIT };
    for (update, good) in
        [((true, 1), true), ((true, 1), true), ((false, 2), false), ((false, 2), false)]
    {
        assert_eq!(take(update, &mut noted, &mut known).is_ok(), good);
    }
    // The age of the first one counts on while the second one is what the agent says.
    assert!(take((true, 1), &mut noted, &mut known).is_ok());
    assert_eq!(noted.0, ["accepted", "confirmed", "refused", "refused", "accepted"]);
    assert_eq!(known.wait, FIRST_WAIT);
}

#[test]
fn who_is_denied_is_told_from_who_is_not_answered() {
    for (error, denied) in [
        (WorkloadApiError::NoIdentityIssued, true),
        (WorkloadApiError::PermissionDenied("no".to_owned()), true),
        (WorkloadApiError::EmptyResponse, false),
        (WorkloadApiError::MissingRequiredField { field: "bundles" }, false),
    ] {
        assert_eq!(matches!(Broken::from(error), Broken::Denied(_)), denied);
    }
}

#[test]
fn bundles_of_the_listed_trust_domains_are_taken_and_no_others() {
    let _ = crate::authn::install_crypto();
    // RFC 7517 §A.1.
    let key = |kid: &str| {
        format!(
            r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"{kid}","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}}]}}"#
        )
    };
    let mut set = JwtBundleSet::new();
    for (name, document) in
        [("ours", key("a")), ("partner", r#"{"keys":[]}"#.to_owned()), ("stranger", key("b"))]
    {
        let domain = TrustDomain::new(name).unwrap();
        set.add_bundle(JwtBundle::from_jwt_authorities(domain, document.as_bytes()).unwrap());
    }
    let listed = ["ours".into(), "partner".into(), "absent".into()];
    let bundles = jwt::listed(&set, &listed).unwrap();
    let found: Vec<_> = bundles.iter().map(|(name, keys)| (name, keys.len())).collect();
    assert_eq!(found, [("ours", 1), ("partner", 0)]);
}
