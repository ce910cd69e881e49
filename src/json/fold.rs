//! Unicode simple case folding, as far as it can reach an ASCII key.
//!
//! Some JSON readers (Go's `encoding/json` among them) match object keys to struct fields under
//! simple case folding. `CaseFolding.txt` maps exactly these characters to ASCII letters: the
//! upper-case letters, U+017F LATIN SMALL LETTER LONG S to `s`, and U+212A KELVIN SIGN to `k`.

/// Whether `key` equals the ASCII string `known` under Unicode simple case folding.
#[must_use]
pub fn folds_to(key: &str, known: &str) -> bool {
    let mut left = key.chars().map(fold);
    let mut right = known.chars().map(fold);
    loop {
        match (left.next(), right.next()) {
            (None, None) => return true,
            (a, b) if a == b => {}
            _ => return false,
        }
    }
}

fn fold(c: char) -> char {
    match c {
        '\u{017F}' => 's',
        '\u{212A}' => 'k',
        c => c.to_ascii_lowercase(),
    }
}
