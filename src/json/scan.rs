//! Strings, eight bytes at a time.

/// Where the bytes end, from `at` on, that stand for themselves in a string: at a quote, a
/// backslash, a control character or the end.
#[inline]
pub(super) fn run_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let special = special(u64::from_le_bytes(*eight));
        if special != 0 {
            return at + special.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    tail_end(bytes, at)
}

/// Of the last bytes of a document.
#[cold]
fn tail_end(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let special = |byte: &u8| matches!(byte, b'"' | b'\\' | 0x00..=0x1F);
    at + rest.iter().position(special).unwrap_or(rest.len())
}

const ONES: u64 = u64::from_le_bytes([0x01; 8]);
const HIGH: u64 = u64::from_le_bytes([0x80; 8]);

/// The high bits of the bytes that are special, of which the lowest is right: a borrow makes a
/// byte look special only above one that is.
fn special(eight: u64) -> u64 {
    let below = |bytes: u64, limit: u8| bytes.wrapping_sub(ONES * u64::from(limit)) & !bytes;
    // With its second bit turned, a quote comes right after the control characters.
    let control_or_quote = below(eight ^ (ONES * 0x02), 0x21);
    let backslash = below(eight ^ (ONES * u64::from(b'\\')), 1);
    (control_or_quote | backslash) & HIGH
}
