use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use crate::diagnostics::{Place, Span};
use crate::lint::context::{Context, File};
use crate::lint::items::{ToolAt, tools};
use crate::lint::rule::{Check, Findings, rule};
use crate::yaml::{Key, Node};

/// Up to so many names every pair is looked at.
const FEW: usize = 32;

/// A word of fewer letters is not read for another that differs by one.
const LONG_ENOUGH: usize = 5;

rule! {
    /// ## What it finds
    ///
    /// Two groups, two surfaces or services, two reviews or two tools of one server whose names
    /// differ only by case, by `-` or `_`, by a plural s, or by one letter of a longer word. Names
    /// that differ by a number, such as `team-1` and `team-2`, are not meant. Of tools, only two
    /// that differ in effect, traits or approval: for others it matters little which one is named.
    ///
    /// ## Why
    ///
    /// A reader takes one for the other, and so does whoever writes the next grant. Both are
    /// declared, so nothing else notices: `developers` and `developer` may be two thousand people
    /// and three.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// groups:
    ///   data-platform: {}
    ///   data_platform: {}
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Remove the one that is a slip. A group that the identity provider really calls so can be
    /// named otherwise here: `platform-oncall: { claims: ["corp:data_platform"] }`.
    NearMissNames, Warning, Check::Policies(check)
}

/// A name, and where it stands.
type Named<'r> = (&'r str, Span);

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let blocks = [
        ("groups.yaml", &["groups"][..], "groups"),
        ("surfaces.yaml", &["surfaces", "services"], "surfaces or services"),
        ("reviews.yaml", &["reviews"], "reviews"),
    ];
    for (path, keys, kind) in blocks {
        let Some(file) = policies.file(path) else { continue };
        let entries = keys.iter().filter_map(|key| file.node(&[key])).flat_map(Node::entries);
        let names: Vec<Named<'_>> = entries.map(|(Key { text, span }, _)| (&**text, *span)).collect();
        for (one, other) in near(&names) {
            report(file, kind, one, other, findings);
        }
    }
    for (server, file) in policies.servers() {
        let tools: Vec<_> = tools(server, file).collect();
        let names: Vec<Named<'_>> =
            tools.iter().map(|ToolAt { key, .. }| (&*key.text, key.span)).collect();
        for (one, other) in near(&names) {
            let of = |(name, _): Named<'_>| server.tool(name).map(|(_, tool)| tool);
            let weighs = |named| of(named).map(|tool| (tool.effect, &tool.traits, &tool.approval));
            if weighs(one) != weighs(other) {
                report(file, "tools", one, other, findings);
            }
        }
    }
}

fn report(file: &File<'_>, kind: &str, one: Named<'_>, other: Named<'_>, findings: &mut Findings) {
    let ((first, first_span), (second, second_span)) = (one, other);
    let place = |span| -> Place { file.place(span) };
    let message = format!("two {kind} are easily taken for each other: `{second}` and `{first}`");
    findings.add(place(second_span), message, |finding| {
        finding
            .related(place(first_span), "the other one")
            .help("remove the one that is a slip; if both are meant, give one a name of its own")
    });
}

/// The pairs of names that are near each other, the earlier first.
fn near<'r>(names: &[Named<'r>]) -> Vec<(Named<'r>, Named<'r>)> {
    let pairs = if names.len() <= FEW { all_pairs(names.len()) } else { likely_pairs(names) };
    let pairs = pairs.into_iter().filter_map(|(one, other)| {
        Some((*names.get(one)?, *names.get(other)?)).filter(|(a, b)| is_near(a.0, b.0))
    });
    pairs.collect()
}

fn all_pairs(names: usize) -> Vec<(usize, usize)> {
    (0..names).flat_map(|other| (0..other).map(move |one| (one, other))).collect()
}

/// The pairs that are the same once a byte is left out of one or of both: all that [`is_near`]
/// could mean, without looking at every pair of thousands. Two bytes that changed places are the
/// same once either is left out.
fn likely_pairs(names: &[Named<'_>]) -> Vec<(usize, usize)> {
    let mut seen: HashMap<u64, Vec<usize>> = HashMap::new();
    let mut pairs = HashSet::new();
    for (other, (name, _)) in names.iter().enumerate() {
        let folded: Vec<u8> = folded(name).collect();
        for left_out in 0..=folded.len() {
            let mut hash = DefaultHasher::new();
            for (at, byte) in folded.iter().enumerate() {
                if at != left_out {
                    byte.hash(&mut hash);
                }
            }
            let same = seen.entry(hash.finish()).or_default();
            pairs.extend(same.iter().filter(|one| **one != other).map(|one| (*one, other)));
            // Digits that count, as in a thousand reviews, are the same but for one byte.
            let counts = folded.get(left_out).is_some_and(u8::is_ascii_digit);
            if !counts && same.last() != Some(&other) {
                same.push(other);
            }
        }
    }
    let mut pairs: Vec<_> = pairs.into_iter().collect();
    pairs.sort_unstable_by_key(|(one, other)| (*other, *one));
    pairs
}

/// As a tired reader sees it.
fn folded(name: &str) -> impl DoubleEndedIterator<Item = u8> + ExactSizeIterator {
    name.bytes().map(|byte| if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() })
}

fn is_near(one: &str, other: &str) -> bool {
    let (short, long) = if one.len() <= other.len() { (one, other) } else { (other, one) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let same = |(a, b): &(u8, u8)| a == b;
    let before = folded(short).zip(folded(long)).take_while(same).count();
    let behind = folded(short).rev().zip(folded(long).rev()).take_while(same).count();
    let behind = behind.min(short.len() - before);
    if long.len() - before - behind > 2 {
        return false;
    }
    let middle = |name: &str| -> Vec<u8> {
        folded(name).take(name.len() - behind).skip(before).collect()
    };
    let word = word_at(long, before);
    match (middle(short).as_slice(), middle(long).as_slice()) {
        ([], [] | [b'-']) => true,
        ([], [b's']) if is_end_of_word(long, before) => word > 3,
        ([], [a]) => a.is_ascii_alphabetic() && word > LONG_ENOUGH,
        ([a], [b]) => [a, b].iter().all(|it| it.is_ascii_alphabetic()) && word >= LONG_ENOUGH,
        ([a, b], [c, d]) => {
            a == d && b == c && [a, b].iter().all(|it| it.is_ascii_alphabetic()) && word >= LONG_ENOUGH
        }
        _ => false,
    }
}

/// How many letters the word has in which a byte stands; none if it has others, too.
fn word_at(name: &str, at: usize) -> usize {
    let is_letter = |byte: &u8| byte.is_ascii_alphabetic();
    let before = folded(name).rev().skip(name.len() - at).take_while(is_letter).count();
    before + folded(name).skip(at).take_while(is_letter).count()
}

fn is_end_of_word(name: &str, at: usize) -> bool {
    folded(name).nth(at + 1).is_none_or(|byte| !byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEAR: &[(&str, &str)] = &[
        ("data-platform", "data_platform"),
        ("data-platform", "dataplatform"),
        ("Infra", "infra"),
        ("developer", "developers"),
        ("user-groups", "users-groups"),
        ("finance", "finanse"),
        ("finance", "fiannce"),
        ("finance", "financce"),
    ];

    const FAR: &[(&str, &str)] = &[
        ("team-1", "team-2"),
        ("team-1", "team-11"),
        ("v1", "v2"),
        ("get_user", "set_user"),
        ("team-a", "team-b"),
        ("ads", "adx"),
        ("prod-eu", "prod-us"),
        ("SEC-1412", "SEC-1421"),
        ("finance", "finances-eu"),
        ("list_tables", "list_views"),
    ];

    #[test]
    fn near_is_what_a_tired_reader_takes_for_the_other() {
        for (near, pairs) in [(true, NEAR), (false, FAR)] {
            for (one, other) in pairs {
                assert_eq!(is_near(one, other), near, "{one} {other}");
                assert_eq!(is_near(other, one), near, "{other} {one}");
            }
        }
    }

    #[test]
    fn among_many_names_the_same_pairs_are_found() {
        let fillers: Vec<String> = (0..FEW).map(|number| format!("filler-{number}")).collect();
        for (one, other) in NEAR {
            let names = fillers.iter().map(String::as_str).chain([*one, *other]);
            let names: Vec<_> = names.map(|name| (name, Span::default())).collect();
            let found: Vec<_> = near(&names).iter().map(|(a, b)| (a.0, b.0)).collect();
            assert_eq!(found, [(*one, *other)]);
        }
    }
}
