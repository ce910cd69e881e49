//! Texts and numbers that tell tests apart.

use std::collections::BTreeSet;

use crate::json::Decimal;
use crate::policy::limits::{Scalar, Test};

/// Longer texts are not tried; no request that is read whole has one.
const MAX_TEXT: u64 = 1 << 20;
/// Nor are texts that are together longer than this, but for short ones.
const MAX_TEXTS: u64 = 1 << 24;
const SHORT: u64 = 1 << 10;

/// Values as JSON, and whether no other value passes another selection of the tests.
pub(super) struct Values {
    pub(super) texts: Vec<String>,
    pub(super) complete: bool,
}

/// What tests of one value say about it.
#[derive(Default)]
struct Seen<'a> {
    numbers: BTreeSet<Decimal>,
    literals: BTreeSet<&'a str>,
    starts: BTreeSet<&'a str>,
    lengths: BTreeSet<u64>,
    domains: BTreeSet<String>,
    examples: Vec<Option<String>>,
}

/// Scalars that pass every selection of the tests that a scalar can pass.
pub(super) fn scalars<'a>(tests: impl Iterator<Item = &'a Test>) -> Values {
    let mut seen = Seen::default();
    let mut patterns = BTreeSet::new();
    for test in tests {
        match test {
            Test::Is(scalar) => seen.scalar(scalar),
            Test::OneOf(scalars) => scalars.iter().for_each(|scalar| seen.scalar(scalar)),
            Test::Between(low, high) => seen.numbers.extend([*low, *high]),
            Test::Matches(pattern) => {
                if patterns.insert(pattern.as_str()) {
                    seen.examples.push(pattern.example());
                }
            }
            Test::StartsWith(start) => {
                seen.starts.insert(start);
            }
            Test::Domain(domains) => {
                seen.domains.extend(domains.iter().map(ToString::to_string));
            }
            Test::MaxLength(most) => {
                seen.lengths.insert(*most);
            }
            Test::MaxItems(_) | Test::Forbidden => {}
        }
    }
    let mut values: Vec<String> = ["null", "true", "false"].map(str::to_owned).to_vec();
    values.extend(seen.numbers());
    let complete = seen.complete();
    values.extend(seen.strings().into_iter().map(|text| serde_json::Value::from(text).to_string()));
    Values { texts: values, complete }
}

impl<'a> Seen<'a> {
    fn scalar(&mut self, scalar: &'a Scalar) {
        match scalar {
            Scalar::Bool(_) => {}
            Scalar::Number(number) => {
                self.numbers.insert(*number);
            }
            Scalar::Text(text) => {
                self.literals.insert(text);
            }
        }
    }

    /// Every number that is named, one between any two, and one outside.
    fn numbers(&self) -> Vec<String> {
        let mut numbers: Vec<_> = self.numbers.iter().copied().collect();
        numbers.extend(self.numbers.last().and_then(|last| last.next_up()));
        numbers.extend(self.numbers.first().and_then(|first| first.next_down()));
        let pairs = self.numbers.iter().zip(self.numbers.iter().skip(1));
        for (low, high) in pairs {
            // A whole number beside an end is what people would try.
            let beside = low.next_up().filter(|next| next < high);
            numbers.extend(beside.or_else(|| Decimal::between(*low, *high)));
        }
        if numbers.is_empty() {
            return vec!["1".to_owned()];
        }
        // Beyond ends so large or fine that one more cannot be written.
        for far in ["-999999999999999", "999999999999999"] {
            numbers.extend(far.parse::<Decimal>());
        }
        numbers.iter().map(ToString::to_string).collect()
    }

    /// Whether texts can be told apart by the ones that are tried.
    fn complete(&self) -> bool {
        let others = !self.literals.is_empty()
            || !self.starts.is_empty()
            || !self.lengths.is_empty()
            || !self.domains.is_empty();
        let patterns = match self.examples.as_slice() {
            [] => true,
            // One that matches, and null for all that do not.
            [example] => example.is_some() && !others,
            _ => false,
        };
        let longest = self.lengths.last().is_some_and(|length| *length >= self.longest());
        let odd = !self.domains.is_empty() && !self.starts.is_empty();
        patterns && !longest && !odd && self.filler().is_ascii()
    }

    /// Texts are tried up to this length.
    fn longest(&self) -> u64 {
        let each = (self.starts.len() + self.domains.len() + 1) as u64;
        let lengths = self.lengths.iter().filter(|length| **length < MAX_TEXT);
        let all = lengths.fold(0_u64, |sum, length| sum.saturating_add(2 * length * each));
        if all <= MAX_TEXTS { MAX_TEXT } else { SHORT }
    }

    /// A character that no named text holds: with it, a text starts with a named one and is none.
    fn filler(&self) -> char {
        let named = |c: char| self.literals.iter().chain(&self.starts).any(|text| text.contains(c));
        let plain = ('a'..='z').rev().chain('0'..='9').chain('A'..='Z');
        let private = '\u{E000}'..='\u{F8FF}';
        plain.chain(private).find(|c| !named(*c)).unwrap_or('\u{F8FF}')
    }

    fn strings(&self) -> Vec<String> {
        let filler = self.filler();
        let mut texts: Vec<String> = self.literals.iter().map(|text| (*text).to_owned()).collect();
        texts.extend(self.examples.iter().flatten().cloned());
        let edges = || {
            let tried = self.lengths.iter().filter(|length| **length < self.longest());
            tried.filter_map(|length| usize::try_from(*length).ok()).flat_map(|m| [m, m + 1])
        };
        for start in self.starts.iter().copied().chain([""]) {
            let length = start.chars().count();
            for wanted in
                [length, length + 1].into_iter().chain(edges()).filter(|wanted| *wanted >= length)
            {
                let mut text = start.to_owned();
                text.extend(std::iter::repeat_n(filler, wanted - length));
                texts.push(text);
            }
        }
        for domain in &self.domains {
            for wanted in std::iter::once(domain.len() + 2).chain(edges()) {
                texts.extend(address(domain, wanted, filler));
            }
        }
        texts
    }
}

/// An address at a domain, of some length: of mail if it is short, else of a page.
fn address(domain: &str, length: usize, filler: char) -> Option<String> {
    let rest_of = |count: usize| std::iter::repeat_n(filler, count).collect::<String>();
    let url = format!("https://{domain}/");
    match (length.checked_sub(url.len()), length.checked_sub(domain.len() + 1)) {
        (Some(rest), _) => Some(url + &rest_of(rest)),
        (None, Some(rest @ 1..)) => Some(format!("{}@{domain}", rest_of(rest))),
        (None, Some(0) | None) => None,
    }
}
