use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::identity::{GroupSet, Groups};

fn key(byte: u8) -> SessionKey {
    SessionKey::new(&[byte; KEY_BYTES]).unwrap()
}

/// Whose: server, environment, user, workload.
type Whose<'w> = (&'w str, &'w str, Option<(&'w str, &'w str)>, Option<&'w str>);

fn owner(key: &SessionKey, (server, environment, user, workload): Whose<'_>) -> OwnerKey {
    let user = user.map(|(issuer, subject)| User::new(issuer, subject, Groups::Unknown));
    let workload = workload.map(|id| Workload::new(id).unwrap());
    key.of(&Owner { server, environment, caller: &Caller { user: user.map(Into::into), workload } })
}

const CHAT: Option<&str> = Some("spiffe://td/chat");
const ALICE: Whose<'_> = ("presto", "prod", Some(("corp", "alice")), CHAT);

#[test]
fn a_session_is_its_owners_and_nobody_elses() {
    let bound = owner(&key(1), ALICE).bind(b"id").unwrap();
    assert_eq!(owner(&key(1), ALICE).open(bound.as_bytes()), Some("id"));
    assert_eq!(owner(&key(2), ALICE).open(bound.as_bytes()), None, "another key");
    for other in [
        ("presto", "prod", Some(("corp", "bob")), CHAT),
        ("presto", "prod", Some(("other", "alice")), CHAT),
        ("presto", "prod", Some(("corp", "alice")), Some("spiffe://td/ide")),
        ("presto", "prod", Some(("corp", "alice")), None),
        ("presto", "prod", None, CHAT),
        ("presto", "staging", Some(("corp", "alice")), CHAT),
        ("spark", "prod", Some(("corp", "alice")), CHAT),
        ("prestop", "rod", Some(("corp", "alice")), CHAT),
        ("presto", "prod", Some(("corpa", "lice")), CHAT),
        ("presto", "prod", Some(("", "corpalice")), CHAT),
    ] {
        assert_eq!(owner(&key(1), other).open(bound.as_bytes()), None, "{other:?}");
    }
}

/// What else somebody is does not matter: groups change during a session.
#[test]
fn who_somebody_is_does_not_depend_on_groups() {
    let of = |groups| {
        let user = User { email: Some("a@x".into()), ..User::new("corp", "alice", groups) };
        let caller =
            Caller { user: Some(user.into()), workload: Workload::new("spiffe://td/chat").ok() };
        key(1).of(&Owner { server: "presto", environment: "prod", caller: &caller })
    };
    assert_eq!(of(Groups::Known(GroupSet::default())), owner(&key(1), ALICE));
    assert_eq!(of(Groups::Unknown), owner(&key(1), ALICE));
}

#[test]
fn what_is_no_bound_name_opens_nothing() {
    let mine = owner(&key(1), ALICE);
    let bound = mine.bind(b"id").unwrap();
    let (proof, _) = bound.rsplit_once('.').unwrap();
    assert_eq!(bound.len(), VERSION.len() + PROOF_CHARS + ".id".len());
    let long = "x".repeat(MAX_ID_BYTES + 1);
    for wrong in [
        "",
        "id",
        ".",
        "tg1.",
        proof,
        &format!("{proof}."),
        &format!("{proof}.ie"),
        &format!("{proof}.id "),
        &format!("{proof}.id\u{e9}"),
        &format!("{proof}id"),
        &format!("{proof}..id"),
        bound.strip_prefix("t").unwrap(),
        &bound.replace("tg1.", "tg2."),
        &bound.replace("tg1.", "TG1."),
        &format!(" {bound}"),
        &format!("{bound},{bound}"),
        &long,
    ] {
        assert_eq!(mine.open(wrong.as_bytes()), None, "{wrong:?}");
    }
    assert_eq!(mine.open(&[0xff; 40]), None);
    // Every bit of the proof counts.
    for at in VERSION.len()..VERSION.len() + PROOF_CHARS {
        for other in [b'A', b'B', b'_', b'=', b'+'] {
            let mut changed = bound.clone().into_bytes();
            if changed[at] != other {
                changed[at] = other;
                assert_eq!(mine.open(&changed), None, "{at} {}", char::from(other));
            }
        }
    }
}

#[test]
fn a_server_names_sessions_in_visible_ascii_of_some_length() {
    let mine = owner(&key(1), ALICE);
    let longest = vec![b'~'; MAX_ID_BYTES];
    for good in [&b"a"[..], b"!", b"a.b.c", b"tg1.x", &longest] {
        let bound = mine.bind(good).unwrap();
        assert_eq!(mine.open(bound.as_bytes()).map(str::as_bytes), Some(good));
    }
    let too_long = vec![b'a'; MAX_ID_BYTES + 1];
    for bad in [&b""[..], b" ", b"a b", b"a\t", b"a\n", b"\x7f", b"\x80", "é".as_bytes(), &too_long]
    {
        assert_eq!(mine.bind(bad), None, "{bad:?}");
    }
    assert!(SessionKey::new(&[1; KEY_BYTES - 1]).is_none(), "a short key could be guessed");
}

#[test]
fn an_owners_key_comes_back_as_it_went() {
    let mine = owner(&key(1), ALICE);
    assert_eq!(OwnerKey::from_text(&mine.to_text()), Some(mine.clone()));
    let mut short = mine.to_text();
    short.pop();
    for wrong in ["", "x", &short, &format!("{}A", mine.to_text())] {
        assert_eq!(OwnerKey::from_text(wrong), None, "{wrong:?}");
    }
    assert_eq!(format!("{mine:?} {:?}", key(1)), "OwnerKey(..) SessionKey(..)");
}

proptest! {
    /// However parts are cut, two owners that are not the same have different keys.
    #[test]
    fn no_two_owners_are_written_alike(
        text in "[a-c]{0,6}",
        cuts in prop::collection::vec((0..=6usize, 0..=6usize, 0..=6usize, any::<bool>()), 2..12),
    ) {
        let key = key(1);
        let mut owners = BTreeSet::new();
        let mut keys = BTreeSet::new();
        for (a, b, c, signed_in) in cuts {
            let mut cuts = [a, b, c].map(|cut| cut.min(text.len()));
            cuts.sort_unstable();
            let [a, b, c] = cuts;
            let ((text, subject), (text2, _)) = (text.split_at(c), text.split_at(b));
            let issuer = text.strip_prefix(text2).unwrap();
            let (server, environment) = text2.split_at(a);
            let user = signed_in.then_some((issuer, subject));
            let whose = (server, environment, user, None);
            owners.insert(whose);
            keys.insert(owner(&key, whose).to_text());
        }
        prop_assert_eq!(owners.len(), keys.len());
    }

    #[test]
    fn what_is_bound_opens_to_what_it_was(id in "[!-~]{1,60}", other in "[!-~]{1,60}") {
        let mine = owner(&key(1), ALICE);
        let bound = mine.bind(id.as_bytes()).unwrap();
        prop_assert_eq!(mine.open(bound.as_bytes()), Some(id.as_str()));
        // A proof for one name is none for another.
        let swapped = format!("{}{other}", bound.strip_suffix(&id).unwrap());
        prop_assert_eq!(mine.open(swapped.as_bytes()).is_some(), other == id);
    }
}
