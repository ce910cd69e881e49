use std::sync::Arc;

use super::*;
use crate::policy::model::Offer;
use proptest::prelude::*;

/// Of what its server offers, `a`, `b` and `p` may be seen, one resource, and those below a path.
fn offer() -> Arc<Offer> {
    let patterns = ["db://w/b", "db://w/a", "db://w/open/*", "db://w/closed/*"];
    let patterns = patterns.iter().map(|pattern| pattern.parse().unwrap()).collect();
    Arc::new(Offer::new(&["c", "a", "b"], patterns, &["a", "p"]))
}

fn shown() -> Shown {
    Shown {
        tools: Some(Bits::new(3, [1, 2])),
        resources: Some(Bits::new(4, [1, 2])),
        prompts: Some(Bits::new(2, [1])),
    }
}

fn rules() -> Rules {
    Rules { visible: Visible::new(offer(), shown()).unwrap(), private: false }
}

fn private() -> Rules {
    Rules { private: true, ..rules() }
}

fn only_tools() -> Rules {
    let shown = Shown { resources: None, prompts: None, ..shown() };
    Rules { visible: Visible::new(offer(), shown).unwrap(), private: false }
}

#[test]
fn bits_are_one_for_each_and_none_beyond() {
    for (bytes, fit) in [
        (&[0b110][..], true),
        (&[0], true),
        (&[0b111], true),
        (&[], false),
        (&[0b1000], false),
        (&[0b1000_0000], false),
        (&[0b110, 0], false),
    ] {
        let tools = Some(Bits::of_bytes(bytes));
        let visible = Visible::new(offer(), Shown { tools, ..shown() });
        assert_eq!(visible.is_some(), fit, "{bytes:?}");
    }
    for count in 0..20 {
        let all = Bits::new(count, 0..100);
        let names: Vec<_> = (0..count).map(|index| index.to_string()).collect();
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        let offer = Arc::new(Offer::new(&[], Vec::new(), &names));
        let shown = Shown { prompts: Some(all.clone()), ..Shown::default() };
        assert!(Visible::new(Arc::clone(&offer), shown).is_some(), "{count}");
        let of_another = Some(Bits::of_bytes(&[all.as_bytes(), &[0]].concat()));
        let shown = Shown { prompts: of_another, ..Shown::default() };
        assert!(Visible::new(offer, shown).is_none(), "{count}");
    }
}

/// What is left of a message, or why it does not pass.
fn left(rules: &Rules, message: &str) -> Result<String, Unreadable> {
    let (text, _) = filter(message.as_bytes(), rules)?;
    Ok(String::from_utf8(text.into_owned()).unwrap())
}

#[test]
fn what_may_not_be_seen_is_left_out_and_nothing_else_changes() {
    for (message, expected) in [
        // Nothing to leave out: as it was, blanks and all.
        (
            r#" {"jsonrpc":"2.0", "id":1,"result":{ "tools" : [ {"name":"a"} , {"name" : "b"} ], "nextCursor":"x" } } "#,
            None,
        ),
        (
            r#"{"id":"x","result":{"tools":[{"name":"c","title":"C"},{ "title":"\u0041", "name":"\u0061","x":1.50 },{"name":"d"}],"nextCursor":"7","ttlMs":5}}"#,
            Some(
                r#"{"id":"x","result":{"tools":[{ "title":"\u0041", "name":"\u0061","x":1.50 }],"nextCursor":"7","ttlMs":5}}"#,
            ),
        ),
        (
            r#"{"result":{"tools":[{"name":"A"},{"name":"a "},{"name":""}]}}"#,
            Some(r#"{"result":{"tools":[]}}"#),
        ),
        (
            r#"{"result":{"prompts":[{"name":"p"},{"name":"a"}]}}"#,
            Some(r#"{"result":{"prompts":[{"name":"p"}]}}"#),
        ),
        (
            r#"{"result":{"resources":[{"uri":"db://w/a"},{"uri":"db://w/b"},{"uri":"db://w/open/x"},{"uri":"db://w/open/../b"},{"uri":"db://w/open/x?y"}]}}"#,
            Some(r#"{"result":{"resources":[{"uri":"db://w/a"},{"uri":"db://w/open/x"}]}}"#),
        ),
        (
            r#"{"result":{"resourceTemplates":[{"uriTemplate":"db://w/open/{x}"},{"uriTemplate":"db://w/{x}"},{"uriTemplate":"db://w/open{x}"},{"uriTemplate":"db://w/open/../{x}"},{"uriTemplate":"db://w/open/a?b={x}"},{"uriTemplate":"{+x}"},{"uriTemplate":"db://w/open/sub-{x}"},{"uriTemplate":"db://w/a"},{"uriTemplate":"db://w/a{x}"}]}}"#,
            Some(
                r#"{"result":{"resourceTemplates":[{"uriTemplate":"db://w/open/{x}"},{"uriTemplate":"db://w/open/sub-{x}"},{"uriTemplate":"db://w/a"}]}}"#,
            ),
        ),
        // No lists, whatever they say.
        (
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"tools":[{"name":"c"}]}}"#,
            None,
        ),
        (r#"{"id":1,"error":{"code":-1,"message":"no","data":{"tools":[{"name":"c"}]}}}"#, None),
        (
            r#"{"id":1,"result":{"content":[{"type":"text","text":"tools"}],"structuredContent":{"tools":[{"name":"c"}]}}}"#,
            None,
        ),
        (r#"{"id":1,"result":{}}"#, None),
        ("{}", None),
    ] {
        assert_eq!(
            left(&rules(), message).as_deref(),
            Ok(expected.unwrap_or(message)),
            "{message}"
        );
    }
}

#[test]
fn a_list_that_cannot_be_read_does_not_pass() {
    use Unreadable as U;
    for (message, problem) in [
        ("[]", U::NotAnObject),
        (r#"[{"result":{"tools":[]}}]"#, U::NotAnObject),
        ("7", U::NotAnObject),
        (r#"{"result":[{"name":"c"}]}"#, U::Result),
        (r#"{"result":"tools"}"#, U::Result),
        (r#"{"Result":{"tools":[{"name":"c"}]}}"#, U::FoldedKey),
        (r#"{"reſult":{"tools":[{"name":"c"}]}}"#, U::FoldedKey),
        (r#"{"result":{"Tools":[{"name":"c"}]}}"#, U::FoldedKey),
        (r#"{"result":{"tools":[],"TOOLS":[{"name":"c"}]}}"#, U::FoldedKey),
        (r#"{"result":{"tools":[{"name":"a","Name":"c"}]}}"#, U::FoldedKey),
        (r#"{"result":{"tools":{"a":{"name":"c"}}}}"#, U::NotAList),
        (r#"{"result":{"tools":null}}"#, U::NotAList),
        (r#"{"result":{"tools":["a"]}}"#, U::NotAList),
        (r#"{"result":{"tools":[{"name":"a"},null]}}"#, U::NotAList),
        (r#"{"result":{"tools":[{"name":"a"},]}}"#, U::NotAList),
        (r#"{"result":{"tools":[{"title":"a"}]}}"#, U::Nameless),
        (r#"{"result":{"tools":[{"name":["a"]}]}}"#, U::Nameless),
        (r#"{"result":{"tools":[{"name":7}]}}"#, U::Nameless),
        (r#"{"result":{"resources":[{"name":"a"}]}}"#, U::Nameless),
        (r#"{"result":{"tools":[],"prompts":[]}}"#, U::OtherList),
        (r#"{"result":{"resources":[{"uri":"db://w/a"}]}}"#, U::OtherList),
    ] {
        let rules = if problem == U::OtherList { only_tools() } else { rules() };
        assert_eq!(left(&rules, message), Err(problem), "{message}");
    }
    for message in [
        "",
        r#"{"result":{"tools":[{"name":"a"}]}"#,
        r#"{"result":{"tools":[{"name":"a"}]}} {}"#,
        r#"{"result":{"tools":[{"name":"a","name":"c"}]}}"#,
        r#"{"result":{"tools":[{"name":"a","n\u0061me":"c"}]}}"#,
        r#"{"result":{"tools":[]},"result":{"tools":[{"name":"c"}]}}"#,
        r#"{"result":{"tools":[],"tools":[{"name":"c"}]}}"#,
        r#"{'result':{"tools":[{"name":"c"}]}}"#,
        "\u{FEFF}{}",
    ] {
        assert!(matches!(left(&rules(), message), Err(U::Json(_))), "{message}");
    }
}

#[test]
fn a_list_of_the_newer_era_says_that_it_is_for_nobody_else() {
    for (message, expected) in [
        (
            r#"{"result":{"tools":[{"name":"a"}]}}"#,
            r#"{"result":{"cacheScope":"private","tools":[{"name":"a"}]}}"#,
        ),
        (
            r#"{"result":{ "tools":[{"name":"c"}], "cacheScope" : "public" }}"#,
            r#"{"result":{ "tools":[], "cacheScope" : "private" }}"#,
        ),
        (
            r#"{"result":{"cacheScope":{},"tools":[]}}"#,
            r#"{"result":{"cacheScope":"private","tools":[]}}"#,
        ),
        (
            r#"{"result":{"cacheScope":"private","tools":[]}}"#,
            r#"{"result":{"cacheScope":"private","tools":[]}}"#,
        ),
        (
            r#"{"result":{"contents":[],"cacheScope":"public"}}"#,
            r#"{"result":{"contents":[],"cacheScope":"public"}}"#,
        ),
        (r#"{"error":{"code":1,"message":""}}"#, r#"{"error":{"code":1,"message":""}}"#),
    ] {
        assert_eq!(left(&private(), message).as_deref(), Ok(expected), "{message}");
    }
    let twice = r#"{"result":{"tools":[],"CacheScope":"public"}}"#;
    assert_eq!(left(&private(), twice), Err(Unreadable::FoldedKey));
}

const ERROR: &str = r#""error":{"code":403,"message":"no"}"#;

fn body(framing: Framing, id: Option<&str>) -> Body {
    let rooms = Rooms::new(4096, 8192);
    Body::new(framing, rules(), id.map(Into::into), ERROR.into(), rooms.one())
}

/// What comes out of a stream of events, in pieces.
fn events(pieces: &[&[u8]]) -> Released {
    pushed(body(Framing::Events, None), pieces)
}

fn pushed(mut body: Body, pieces: &[&[u8]]) -> Released {
    let mut all = Released::default();
    for (index, piece) in pieces.iter().enumerate() {
        let Released { bytes, counts, refused } = body.push(piece, index + 1 == pieces.len());
        all.bytes.extend(bytes);
        all.counts.lists += counts.lists;
        all.counts.hidden += counts.hidden;
        all.refused.extend(refused);
    }
    all
}

const LIST: &str = r#"{"id":1,"result":{"tools":[{"name":"c"},{"name":"a"}]}}"#;
const LEFT: &str = r#"{"id":1,"result":{"tools":[{"name":"a"}]}}"#;

#[test]
fn events_keep_their_lines() {
    for (stream, expected) in [
        (format!("data: {LIST}\n\n"), format!("data: {LEFT}\n\n")),
        (format!("data:{LIST}\r\n\r\n"), format!("data: {LEFT}\r\n\r\n")),
        (format!("data:{LIST}\r\r"), format!("data: {LEFT}\r\r")),
        // A return and a line feed of two lines do not become the end of one.
        (format!("data\rdata:{LIST}\n\n"), format!("data: \rdata: {LEFT}\n\n")),
        (format!("data:{LIST}\n:\rdata\n\n"), format!("data: {LEFT}\ndata: \n:\n\n")),
        (
            format!("\u{FEFF}id: 7\nevent: message\n: why\ndata: {LIST}\nretry: 5\nother\n\n"),
            format!("\u{FEFF}id: 7\nevent: message\n: why\ndata: {LEFT}\nretry: 5\nother\n\n"),
        ),
        // Several lines are one text.
        (
            "data: {\"id\":1,\ndata:  \"result\":{\"tools\":[{\"name\":\"c\"},\nid: 3\ndata:{\"name\":\ndata: \"a\"}]}}\n\n".to_owned(),
            "data: {\"id\":1,\ndata:  \"result\":{\"tools\":[{\"name\":\ndata: \"a\"}]}}\nid: 3\n\n".to_owned(),
        ),
        // No data, or none that says anything.
        (": still here\n\n".to_owned(), ": still here\n\n".to_owned()),
        ("\n\n\r\n".to_owned(), "\n\n\r\n".to_owned()),
        ("id: 1\ndata\n\n".to_owned(), "id: 1\ndata\n\n".to_owned()),
        ("data:  \nevent: x\n\n".replace("  ", " "), "data: \nevent: x\n\n".to_owned()),
        // The stream ends where nothing is missing but the end of the event.
        (format!("data: {LIST}"), format!("data: {LEFT}\n")),
        (format!("data: {LEFT}\n"), format!("data: {LEFT}\n")),
    ] {
        let released = events(&[stream.as_bytes()]);
        assert_eq!(String::from_utf8(released.bytes).as_deref(), Ok(expected.as_str()), "{stream:?}");
        assert_eq!(released.refused, [], "{stream:?}");
    }
}

#[test]
fn an_event_goes_on_once_it_is_over_and_no_sooner() {
    let mut body = body(Framing::Events, None);
    let mut push =
        |piece: &str| String::from_utf8(body.push(piece.as_bytes(), false).bytes).unwrap();
    assert_eq!(push("event: message\n"), "");
    assert_eq!(push("data: {\"method\":"), "");
    assert_eq!(push("\"x\"}\n"), "");
    assert_eq!(push("\n"), "event: message\ndata: {\"method\":\"x\"}\n\n");
    // The end of an event by a carriage return is not waited upon, and the line feed that belongs
    // to it ends nothing else.
    assert_eq!(push("data: {}\r\n\r"), "data: {}\r\n\r");
    assert_eq!(push("\n"), "\n");
    assert_eq!(push("data: {}\r"), "");
    assert_eq!(push("\n"), "");
    assert_eq!(push("\r\ndata"), "data: {}\r\n\r\n");
    assert_eq!(push(": {}\n\n: a"), "data: {}\n\n");
}

#[test]
fn an_error_stands_in_the_place_of_what_does_not_pass() {
    let refused =
        |id: &str| format!("event: message\ndata: {{\"jsonrpc\":\"2.0\",\"id\":{id},{ERROR}}}\n\n");
    let bad = r#"{"id":"\u0041","result":{"tools":[{"title":"x"}]}}"#;
    let stream = format!("data: {LEFT}\n\nid: 9\ndata: {bad}\n\ndata: {LIST}\n\n");
    for (id, said) in [(Some("7"), "7"), (None, r#""\u0041""#)] {
        let Released { bytes, counts, refused: why } =
            pushed(body(Framing::Events, id), &[stream.as_bytes()]);
        let expected = format!("data: {LEFT}\n\n{}data: {LEFT}\n\n", refused(said));
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
        assert_eq!(why, [Unreadable::Nameless]);
        assert_eq!(counts, Counts { lists: 2, hidden: 1 });
    }
    for stream in
        ["data: {\"result\":{\"tools\":[{\"na", "data: {\"a\":1}x\n\n", "data: \u{FEFF}{}\n\n"]
    {
        let Released { bytes, refused: why, .. } = events(&[stream.as_bytes()]);
        assert_eq!(String::from_utf8(bytes).unwrap(), refused("null"), "{stream}");
        assert!(matches!(why.as_slice(), [Unreadable::Json(_)]), "{stream}");
    }
    for stream in [" data: {}\n\n", "DATA: {}\n\n", "data : {}\n\n", "Data\n\n"] {
        let Released { bytes, refused: why, .. } = events(&[stream.as_bytes()]);
        assert!(String::from_utf8(bytes).unwrap().ends_with(&refused("null")), "{stream}");
        assert_eq!(why, [Unreadable::Event], "{stream}");
    }
    // The end of an event goes with it, whenever it comes.
    let Released { bytes, .. } = events(&[b"data: [\r\n\r", b"\ndata: {}\n\n"]);
    assert_eq!(String::from_utf8(bytes).unwrap(), format!("{}data: {{}}\n\n", refused("null")));
    let document = |text: &str| pushed(body(Framing::Json, Some("7")), &[text.as_bytes()]);
    assert_eq!(document(LIST).bytes, LEFT.as_bytes());
    assert_eq!(document("").bytes, b"");
    for text in ["[]", " ", "data: {}", LIST.split_at(20).0] {
        let released = document(text);
        let expected = format!("{{\"jsonrpc\":\"2.0\",\"id\":7,{ERROR}}}");
        assert_eq!(String::from_utf8(released.bytes).unwrap(), expected, "{text}");
        assert_eq!(released.refused.len(), 1, "{text}");
    }
}

#[test]
fn what_is_too_large_is_refused_and_what_follows_is_not() {
    let long = "x".repeat(5000);
    let stream = format!("data: {LIST}\n\ndata: \"{long}\"\nid: 1\n\ndata: {LIST}\n\n");
    for size in [1, 1000, stream.len()] {
        let pieces: Vec<&[u8]> = stream.as_bytes().chunks(size).collect();
        let Released { bytes, refused, .. } = events(&pieces);
        assert_eq!(refused, [Unreadable::TooLarge], "{size}");
        let text = String::from_utf8(bytes).unwrap();
        let first = format!("data: {LEFT}\n\n");
        assert!(text.starts_with(&first) && text.ends_with(&first) && text.len() < 300, "{text}");
    }
    let Released { bytes, refused, .. } =
        pushed(body(Framing::Json, Some("7")), &[long.as_bytes(), b"}", b""]);
    assert_eq!(refused, [Unreadable::TooLarge]);
    assert!(bytes.starts_with(b"{\"jsonrpc\":\"2.0\",\"id\":7,"), "and nothing after it");
    assert!(bytes.ends_with(b"}}"));
}

#[test]
fn all_answers_together_hold_no_more_than_there_is_room_for() {
    let rooms = Rooms::new(100, 150);
    let new = || Body::new(Framing::Json, rules(), None, ERROR.into(), rooms.one());
    let (mut first, mut second) = (new(), new());
    assert_eq!(first.push(&[b' '; 90], false).refused, []);
    assert_eq!(second.push(&[b' '; 60], false).refused, []);
    assert_eq!(second.push(&[b' '; 1], false).refused, [Unreadable::TooLarge]);
    // Whoever has given up has given back.
    assert_eq!(first.push(&[b' '; 10], false).refused, []);
    drop(first);
    let mut third = new();
    assert_eq!(third.push(&[b' '; 100], false).refused, []);
    assert_eq!(new().push(&[b' '; 50], false).refused, []);
}

/// Parts of streams, well-formed and not.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"data: ".to_vec()),
        Just(b"data".to_vec()),
        Just(b"id: 1".to_vec()),
        Just(b": \xE2\x82\xAC".to_vec()),
        Just(b"\xEF\xBB\xBF".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(LIST.as_bytes().to_vec()),
        Just(LEFT.as_bytes().to_vec()),
        Just(br#"{"method":"x"}"#.to_vec()),
        proptest::collection::vec(any::<u8>(), 0..4),
    ];
    proptest::collection::vec(part, 0..24).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn pieces_do_not_matter(stream in stream(), cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12)) {
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.sort_unstable();
        let mut pieces = Vec::new();
        let mut from = 0;
        for cut in cuts.into_iter().chain([stream.len()]) {
            pieces.push(&stream[from..cut]);
            from = cut;
        }
        for framing in [Framing::Events, Framing::Json] {
            let whole = pushed(body(framing, Some("1")), &[&stream]);
            let cut = pushed(body(framing, Some("1")), &pieces);
            prop_assert_eq!(&whole, &cut);
            // Whoever looks at what has passed finds nothing to leave out.
            let again = pushed(body(framing, Some("1")), &[&whole.bytes]);
            prop_assert_eq!(again.counts.hidden, 0);
            prop_assert_eq!(again.bytes, whole.bytes);
        }
    }

    #[test]
    fn nobody_reads_what_may_not_be_seen(names in proptest::collection::vec("[abcd]", 0..9)) {
        let items: Vec<_> = names.iter().map(|name| format!(r#"{{"name":"{name}"}}"#)).collect();
        let message = format!(r#"{{"id":1,"result":{{"tools":[{}]}}}}"#, items.join(" , "));
        let text = left(&rules(), &message).unwrap();
        let read: serde_json::Value = serde_json::from_str(&text).unwrap();
        let shown: Vec<_> = read["result"]["tools"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
        let expected: Vec<_> = names.iter().map(String::as_str).filter(|name| ["a", "b"].contains(name)).collect();
        prop_assert_eq!(shown, expected);
    }
}
