//! The words of a name.

/// Verbs that look.
pub(super) const LOOKING: &[&str] = &[
    "analyze",
    "browse",
    "check",
    "compare",
    "count",
    "describe",
    "diff",
    "download",
    "estimate",
    "explain",
    "export",
    "fetch",
    "filter",
    "find",
    "get",
    "has",
    "inspect",
    "is",
    "list",
    "lookup",
    "monitor",
    "peek",
    "plan",
    "poll",
    "preview",
    "query",
    "read",
    "retrieve",
    "search",
    "show",
    "simulate",
    "summarize",
    "tail",
    "test",
    "validate",
    "verify",
    "view",
    "watch",
];

/// Splits at whatever is neither letter nor digit, and where a word starts in camel case.
pub(super) fn words(name: &str) -> Vec<&str> {
    let mut words = Vec::new();
    for part in name.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        if part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit()) {
            words.push(part);
        } else {
            words.extend(humps(part));
        }
    }
    words
}

/// `sendMail` is two words, `HTTPRequest` too.
fn humps(part: &str) -> impl Iterator<Item = &str> {
    let mut starts = vec![0];
    let characters: Vec<(usize, char)> = part.char_indices().collect();
    for two in characters.windows(2) {
        if let [(_, before), (at, this)] = two
            && before.is_lowercase()
            && this.is_uppercase()
        {
            starts.push(*at);
        }
    }
    for three in characters.windows(3) {
        if let [(_, before), (at, this), (_, next)] = three
            && before.is_uppercase()
            && this.is_uppercase()
            && next.is_lowercase()
        {
            starts.push(*at);
        }
    }
    starts.sort_unstable();
    let ends: Vec<_> = starts.iter().copied().skip(1).chain([part.len()]).collect();
    let word = move |(start, end)| part.get(start..end).filter(|word| !word.is_empty());
    starts.into_iter().zip(ends).filter_map(word)
}

/// Whether the word is in the list, ASCII case ignored.
pub(super) fn is_one_of(word: &str, list: &[&str]) -> bool {
    list.iter().any(|other| other.eq_ignore_ascii_case(word))
}

/// Whether words stand in a name, one behind the other.
pub(super) fn contains(name: &[&str], part: &[&str]) -> bool {
    let is_part = |window: &[&str]| window.iter().zip(part).all(|(a, b)| a.eq_ignore_ascii_case(b));
    !part.is_empty() && name.windows(part.len()).any(is_part)
}

/// `a, b and c`; of more than four the first three, and how many others there are.
pub(super) fn listed<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.into_iter().map(|name| format!("`{name}`")).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] if names.len() <= 4 => format!("{} and {last}", before.join(", ")),
        [a, b, c, others @ ..] => format!("{a}, {b}, {c} and {} others", others.len()),
        [..] => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fall_into_words() {
        for (name, expected) in [
            ("run_query", &["run", "query"][..]),
            ("github.create-issue", &["github", "create", "issue"]),
            ("sendMail", &["send", "Mail"]),
            ("HTTPRequestURL", &["HTTP", "Request", "URL"]),
            ("getURL2", &["get", "URL2"]),
            ("__x__", &["x"]),
            ("", &[]),
        ] {
            assert_eq!(words(name), expected, "{name}");
        }
    }

    #[test]
    fn words_stand_in_a_name_only_as_a_whole_and_in_order() {
        assert!(contains(&["ads", "eng", "query"], &["ads", "eng"]));
        assert!(contains(&["the", "ADS"], &["ads"]));
        assert!(!contains(&["ads", "query", "eng"], &["ads", "eng"]));
        assert!(!contains(&["adstock"], &["ads"]) && !contains(&["a"], &[]));
    }

    #[test]
    fn lists_read_like_a_sentence() {
        assert_eq!(listed(["a"]), "`a`");
        assert_eq!(listed(["a", "b"]), "`a` and `b`");
        assert_eq!(listed(["a", "b", "c", "d"]), "`a`, `b`, `c` and `d`");
        assert_eq!(listed(["a", "b", "c", "d", "e"]), "`a`, `b`, `c` and 2 others");
    }
}
