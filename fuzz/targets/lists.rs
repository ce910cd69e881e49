//! Answers out of any bytes: the first byte says how they are framed and in which pieces they come.
//!
//! Pieces do not matter. Whoever reads what has passed finds no name in a list that may not be seen,
//! whatever reader that is; and looked at again, it passes as it is.

#![no_main]

use std::sync::Arc;

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use toolgate::lists::{Bits, Body, Framing, Released, Rooms, Rules, Shown, Visible};
use toolgate::policy::model::Offer;

const ERROR: &str = r#""error":{"code":403,"message":"no"}"#;

fn pushed<'p>(framing: Framing, pieces: impl Iterator<Item = &'p [u8]>) -> Released {
    let pattern = |text: &str| text.parse().expect("a pattern");
    let patterns = vec![pattern("db://w/*"), pattern("db://x/*")];
    let offer = Offer::new(&["a", "c", "b"], patterns, &["b", "a", "c"]);
    let bits = |count, set: &[usize]| Some(Bits::new(count, set.iter().copied()));
    let (tools, resources, prompts) = (bits(3, &[0, 2]), bits(2, &[0]), bits(3, &[0, 1]));
    let shown = Shown { tools, resources, prompts };
    let visible = Visible::new(Arc::new(offer), shown).expect("as many bits");
    let rules = Rules { visible, private: true };
    let room = Rooms::new(1 << 20, 1 << 20).one();
    let mut body = Body::new(framing, rules, Some("1".into()), ERROR.into(), room);
    let mut all = Released::default();
    let mut take = |released: Released| {
        all.bytes.extend(released.bytes);
        all.counts.lists += released.counts.lists;
        all.counts.hidden += released.counts.hidden;
        all.refused.extend(released.refused);
    };
    for piece in pieces {
        take(body.push(piece, false));
    }
    take(body.push(b"", true));
    all
}

/// No list holds anything but what may be seen.
fn check(message: &Value) {
    let result = &message["result"];
    let lists = [("tools", "name"), ("prompts", "name"), ("resources", "uri")];
    for (list, name) in lists {
        for item in result[list].as_array().into_iter().flatten() {
            let name = item[name].as_str().expect("an item says which it is");
            let seen = if list == "resources" {
                name.starts_with("db://w/")
            } else {
                ["a", "b"].contains(&name)
            };
            assert!(seen, "{name} is seen");
        }
    }
}

fuzz_target!(|bytes: &[u8]| {
    let Some((&how, stream)) = bytes.split_first() else { return };
    let framing = if how & 1 == 0 { Framing::Json } else { Framing::Events };
    let size = usize::from(how >> 1) + 1;
    let whole = pushed(framing, std::iter::once(stream));
    assert_eq!(whole, pushed(framing, stream.chunks(size)), "pieces matter");
    let again = pushed(framing, std::iter::once(&*whole.bytes));
    assert_eq!(again.bytes, whole.bytes, "what has passed does not pass");
    assert_eq!(again.counts.hidden, 0, "something was left to leave out");
    match framing {
        Framing::Json => {
            serde_json::from_slice(&whole.bytes).ok().as_ref().map(check);
        }
        // A reader that knows one kind of line end, and one kind of event.
        Framing::Events => {
            for line in whole.bytes.split(|byte| matches!(byte, b'\n' | b'\r')) {
                let data = line.strip_prefix(b"data:");
                data.and_then(|data| serde_json::from_slice(data).ok()).as_ref().map(check);
            }
        }
    }
});
