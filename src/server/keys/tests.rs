use super::*;
use crate::config;

const KEY: &str =
    r#"{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

fn keys(sources: &[(&str, &str)]) -> Keys {
    let issuer = |(name, source): &(&str, &str)| {
        format!(
            "  {name}: {{ issuer: 'https://{name}.example', audiences: [m], keys: {source}, \
             algorithms: [EdDSA], group_prefix: '{name}:' }}\n"
        )
    };
    let issuers: String = sources.iter().map(issuer).collect();
    let text = format!(
        "toolgate: 1\nlisten: {{ grpc: 'unix:a', http: '127.0.0.1:1' }}\npolicies: p\n\
         public_url: https://mcp.example.com\nissuers:\n{issuers}workloads: {{ trust_domains: [td] }}\n"
    );
    let config = config::parse("toolgate.yaml".as_ref(), &text);
    Keys::new(&config.unwrap_or_else(|problems| panic!("{problems}")).issuers)
}

fn document(keys: &[&str]) -> String {
    format!(r#"{{"keys":[{}]}}"#, keys.join(","))
}

fn parsed(keys: &[&str]) -> KeySet {
    KeySet::parse(document(keys).as_bytes()).unwrap()
}

fn number(keys: &Keys, issuer: &str) -> Option<u64> {
    match keys.of(issuer) {
        Keyset::Known(generation) => Some(generation.number),
        Keyset::Never | Keyset::Stale => None,
    }
}

/// As of now, for this long.
fn fresh(seconds: u64) -> Validity {
    Validity::new(Instant::now(), Duration::from_secs(seconds), Duration::ZERO)
}

#[test]
fn a_generation_ends_when_other_keys_verify_and_not_before() {
    let other = KEY.replace(r#""kid":"a""#, r#""kid":"b""#);
    let broken = r#"{"kty":"oct","kid":"c","k":"AAAA"}"#;
    let keys = keys(&[("corp", "{ file: a }"), ("partner", "{ file: b }")]);
    for (documents, expected) in [
        (vec![KEY], 1),
        (vec![KEY], 1),
        (vec![KEY, KEY], 1),
        (vec![KEY, broken], 1),
        (vec![KEY, &other], 2),
        (vec![&other, KEY], 2),
        (vec![&other], 3),
        (vec![], 4),
        (vec![broken], 4),
        // What was once is not what it was.
        (vec![KEY], 5),
    ] {
        assert!(keys.accept("corp", document(&documents).as_bytes()).is_ok());
        assert_eq!(number(&keys, "corp"), Some(expected), "{documents:?}");
    }
    assert!(keys.accept("corp", b"<html>").is_err());
    assert_eq!(number(&keys, "corp"), Some(5));
    // Nor has another issuer's set the number of this one's.
    assert!(keys.accept("partner", document(&[KEY]).as_bytes()).is_ok());
    assert_eq!(number(&keys, "partner"), Some(6));
}

#[test]
fn keys_that_stand_in_the_configuration_are_there_from_the_beginning() {
    let keys = keys(&[("corp", &format!("{{ inline: '{}' }}", document(&[KEY])))]);
    assert_eq!((number(&keys, "corp"), keys.missing()), (Some(1), vec![]));
}

#[test]
fn stale_keys_do_not_count_until_they_are_confirmed() {
    let keys = keys(&[("corp", "discovery"), ("partner", "discovery")]);
    assert!(matches!(keys.of("corp"), Keyset::Never));
    keys.replace("partner", parsed(&[KEY]), Some(fresh(60)));
    keys.replace("corp", parsed(&[KEY]), Some(fresh(0)));
    assert!(matches!(keys.of("corp"), Keyset::Stale));
    assert_eq!(keys.missing(), ["corp"]);
    assert!(number(&keys, "partner").is_some());
    let [corp, partner] = &keys.observed()[..] else { panic!("two issuers") };
    assert_eq!((corp.usable, partner.usable), (None, Some(1)));
    let before = keys.status();
    keys.trouble("corp", &"x".repeat(10_000));
    assert_eq!(before[0].known.as_ref().unwrap().age.unwrap().1, Age::Stale);
    assert_eq!(keys.status()[0].trouble.as_ref().unwrap().len(), MAX_SHOWN);
    keys.confirm("corp", fresh(60));
    // The same keys: what was verified with them is verified.
    assert_eq!((number(&keys, "corp"), keys.missing()), (Some(2), vec![]));
    assert_eq!(keys.status()[0].trouble, None);
}

fn unknown(issuer: &str, id: &str) -> UnknownKey {
    UnknownKey { issuer: issuer.into(), id: id.into() }
}

#[tokio::test]
async fn only_an_issuer_that_can_be_asked_is_waited_for_and_not_for_long() {
    let inline = format!("{{ inline: '{}' }}", document(&[KEY]));
    let keys = keys(&[("corp", "discovery"), ("file", "{ file: a }"), ("inline", &inline)]);
    for issuer in ["file", "inline", "nobody"] {
        assert!(keys.unknown(&unknown(issuer, "x")).is_none(), "{issuer}");
    }
    // Nobody fetches here.
    let began = Instant::now();
    keys.unknown(&unknown("corp", "x")).unwrap().await;
    assert!((PATIENCE..2 * PATIENCE).contains(&began.elapsed()));
}

#[tokio::test]
async fn all_who_wait_go_on_when_the_fetch_has_ended() {
    let keys = keys(&[("corp", "discovery"), ("partner", "discovery")]);
    let [first, same, other] =
        ["x", "x", "y"].map(|id| keys.unknown(&unknown("corp", id)).unwrap());
    // One issuer's fetch is not another's.
    assert!(keys.unknown(&unknown("partner", "x")).is_some());
    let began = Instant::now();
    let remote = keys.remote("corp").unwrap();
    lock(&remote.unknown).begins();
    lock(&remote.unknown).ended(true, Instant::now());
    remote.ended.send_replace(());
    tokio::join!(first, same, other);
    assert!(began.elapsed() < PATIENCE / 2);
    for id in ["x", "z"] {
        assert!(keys.unknown(&unknown("corp", id)).is_none(), "{id}");
    }
    let refetches: Vec<_> = keys.observed().into_iter().map(|state| state.refetches).collect();
    assert_eq!(refetches, [Some(1), Some(1)]);
}

#[tokio::test]
async fn so_many_wait_and_no_more() {
    let sources: Vec<_> = (0..9_u8).map(|n| char::from(b'a' + n).to_string()).collect();
    for issuers in [1, 2, 9] {
        let sources: Vec<_> =
            sources.iter().take(issuers).map(|s| (s.as_str(), "discovery")).collect();
        let keys = keys(&sources);
        let wait = |issuer: &str, n: usize| keys.unknown(&unknown(issuer, &n.to_string()));
        let of = |issuer| (0..1001).map_while(|n| wait(issuer, n)).collect::<Vec<_>>();
        let waiting: Vec<_> = sources.iter().map(|(issuer, _)| of(issuer)).collect();
        // One issuer's flood takes no place of another's, and all of them leave Envoy room for
        // the requests of everybody else.
        let counts: Vec<_> = waiting.iter().map(Vec::len).collect();
        assert!(counts.iter().all(|count| *count == 256 / issuers), "{counts:?}");
        drop(waiting);
        assert!(wait("a", 0).is_some());
    }
}
