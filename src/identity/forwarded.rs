//! How people and their groups are named in headers.

use std::borrow::Cow;

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::User;

/// `subject`, or `issuer|subject` where subjects of several issuers could collide.
#[must_use]
pub fn forwarded_name(user: &User, qualified: bool) -> String {
    let subject = encoded(&user.subject);
    if qualified { format!("{}|{subject}", user.issuer) } else { subject.into_owned() }
}

/// Everything that could be read as something else: the list's comma, the escape itself, and the
/// `|` between issuer and subject. Bytes outside ASCII are always encoded.
const UNSAFE: &AsciiSet = &CONTROLS.add(b',').add(b'%').add(b'|');

/// Percent-encodes what does not survive a header, injectively. Blanks at the ends are encoded,
/// since readers trim them.
#[must_use]
pub fn encoded(text: &str) -> Cow<'_, str> {
    // What most are: the same as what follows comes to.
    let plain = |byte: u8| matches!(byte, b'!'..=b'~') & !matches!(byte, b',' | b'%' | b'|');
    // To the end without a way out: so it is done for many bytes at a time.
    if text.bytes().fold(true, |all, byte| all & plain(byte)) {
        return Cow::Borrowed(text);
    }
    let inner = text.trim_matches(' ');
    let start = text.len() - text.trim_start_matches(' ').len();
    let end = if inner.is_empty() { 0 } else { text.len() - start - inner.len() };
    let blanks = |count: usize| "%20".repeat(count);
    let inner = percent_encode(inner.as_bytes(), UNSAFE);
    Cow::Owned(format!("{}{inner}{}", blanks(start), blanks(end)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_survive_a_header() {
        for (text, expected) in [
            ("ads", "ads"),
            ("a,b", "a%2Cb"),
            ("100%", "100%25"),
            ("%2C", "%252C"),
            (" admin ", "%20admin%20"),
            ("  ", "%20%20"),
            ("two words", "two words"),
            ("a\r\nx: y", "a%0D%0Ax: y"),
            ("é", "%C3%A9"),
            ("corp|alice", "corp%7Calice"),
        ] {
            assert_eq!(encoded(text), expected, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn encoding_is_injective_and_safe(a in any::<String>(), b in any::<String>()) {
            let (x, y) = (encoded(&a), encoded(&b));
            prop_assert_eq!(a == b, x == y);
            prop_assert!(x.bytes().all(|byte| (b' '..=b'~').contains(&byte) && byte != b','));
            prop_assert_eq!(x.trim(), &*x);
        }
    }
}
