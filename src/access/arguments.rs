//! The arguments of a call, as a finite choice of values for each.
//!
//! Limits hold or not by the engine's own code, asked about real values; what is added here is
//! only which values to try. Two values that keep and break the same limits are one choice.

use std::collections::BTreeSet;

use super::strings::{self, Values};
use crate::engine::inside;
use crate::json::{self, Object, Value};
use crate::policy::limits::{Limit, Test, Token};

/// More combinations of elements and members than this are not tried.
const MAX_COMBINATIONS: usize = 512;

/// More values of one argument than this are not tried: each excludes all others.
const MAX_CHOICES: usize = 1000;

/// Deeper than any argument is read.
const DEPTH: json::Limits = json::Limits { max_depth: 256, guarded_keys: &[] };

/// What one argument could be.
pub(super) struct Argument {
    pub(super) name: Box<str>,
    /// Without it, and with every value that tells limits apart.
    pub(super) choices: Vec<Choice>,
    /// Whether no other value keeps another selection of limits.
    pub(super) complete: bool,
}

/// One value.
pub(super) struct Choice {
    /// The value as JSON; `None` if the argument is left out.
    pub(super) text: Option<String>,
    /// Which limits it keeps, in the order in which they were given.
    pub(super) keeps: Vec<bool>,
}

/// A limit, and how many steps of its pointer lead here.
type Here<'a> = (&'a Limit, &'a [Token]);

/// The choices for one argument. Limits on other arguments are kept by whatever it is.
pub(super) fn choices(name: &str, limits: &[&Limit]) -> Argument {
    let about = |limit: &&&Limit| limit.pointer.argument() == name;
    let here: Vec<Here<'_>> =
        limits.iter().filter(about).map(|limit| (*limit, limit.pointer.rest())).collect();
    let (mut values, mut complete) = values(&here);
    complete &= values.len() <= MAX_CHOICES;
    values.truncate(MAX_CHOICES);
    let mut choices: Vec<Choice> = Vec::new();
    for text in std::iter::once(None).chain(values.into_iter().map(Some)) {
        let shown = match &text {
            Some(text) => format!("{{{}:{text}}}", quoted(name)),
            None => "{}".to_owned(),
        };
        let Some(object) = object(&shown) else { continue };
        let keeps: Vec<_> = limits
            .iter()
            .map(|limit| limit.pointer.argument() != name || crate::engine::holds(limit, &object))
            .collect();
        let same =
            |choice: &Choice| choice.keeps == keeps && choice.text.is_none() == text.is_none();
        if !choices.iter().any(same) {
            choices.push(Choice { text, keeps });
        }
    }
    Argument { name: name.into(), choices, complete }
}

/// The arguments as they would stand in a request.
pub(super) fn object(text: &str) -> Option<Object<'_>> {
    match json::parse(text.as_bytes(), DEPTH) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) | Err(_) => None,
    }
}

pub(super) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Values that keep every selection of the limits that a value can keep, and whether they do.
fn values(here: &[Here<'_>]) -> (Vec<String>, bool) {
    let ends = here.iter().filter(|(_, rest)| rest.is_empty());
    let tests = || ends.clone().flat_map(|(limit, _)| &limit.tests);
    let Values { mut texts, mut complete } = strings::scalars(tests());
    texts.extend(["{}", "[]"].map(str::to_owned));
    let elements: Vec<Here<'_>> = inner(here, &Token::Each);
    let most = tests().filter_map(|test| match test {
        Test::MaxItems(most) => Some(*most),
        Test::Is(_)
        | Test::OneOf(_)
        | Test::Between(..)
        | Test::Matches(_)
        | Test::StartsWith(_)
        | Test::Domain(_)
        | Test::MaxLength(_)
        | Test::Forbidden => None,
    });
    let most: BTreeSet<u64> = most.collect();
    if !elements.is_empty() || !most.is_empty() {
        let (arrays, all) = arrays(&elements, &most);
        texts.extend(arrays);
        complete &= all;
    }
    let names: BTreeSet<&str> = here
        .iter()
        .filter_map(|(_, rest)| match rest.first() {
            Some(Token::Member(name)) => Some(&**name),
            Some(Token::Each) | None => None,
        })
        .collect();
    if !names.is_empty() {
        let (objects, all) = objects(here, &names);
        texts.extend(objects);
        complete &= all;
    }
    (told_apart(texts, here), complete)
}

/// The limits that go on through a token.
fn inner<'a>(here: &[Here<'a>], through: &Token) -> Vec<Here<'a>> {
    let split = here.iter().filter_map(|(limit, rest)| Some((limit, rest.split_first()?)));
    split
        .filter(|(_, (token, _))| *token == through)
        .map(|(limit, (_, rest))| (*limit, rest))
        .collect()
}

/// Which limits a value keeps.
fn signature(text: &str, here: &[Here<'_>]) -> Option<Vec<bool>> {
    let value = json::parse(text.as_bytes(), DEPTH).ok()?;
    Some(here.iter().map(|(limit, rest)| inside(limit, &value, rest)).collect())
}

/// One value of each signature: the first.
fn told_apart(texts: Vec<String>, here: &[Here<'_>]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let new = |text: &String| signature(text, here).is_some_and(|found| seen.insert(found));
    texts.into_iter().filter(new).collect()
}

/// Lists: what their elements break adds up, and so does their length.
fn arrays(elements: &[Here<'_>], most: &BTreeSet<u64>) -> (Vec<String>, bool) {
    let (values, mut complete) = values_of(elements);
    let singles: Vec<(String, Vec<bool>)> = values
        .into_iter()
        .filter_map(|text| signature(&text, elements).map(|found| (text, found)))
        .collect();
    let mut lists: Vec<(Vec<&str>, Vec<bool>)> = vec![(Vec::new(), vec![true; elements.len()])];
    let mut next = 0;
    while let Some((items, kept)) = lists.get(next).cloned() {
        next += 1;
        for (text, signature) in &singles {
            let both: Vec<_> = kept.iter().zip(signature).map(|(a, b)| *a && *b).collect();
            // An empty list keeps everything, and so may a longer one.
            let known =
                |(other, found): &(Vec<&str>, Vec<bool>)| !other.is_empty() && *found == both;
            if lists.iter().any(known) {
                continue;
            }
            if lists.len() >= MAX_COMBINATIONS {
                complete = false;
                break;
            }
            let more = items.iter().copied().chain([text.as_str()]).collect();
            lists.push((more, both));
        }
    }
    let mut texts = Vec::new();
    for (items, _) in &lists {
        let lengths = most.iter().flat_map(|most| [*most, *most + 1]);
        let lengths = lengths.filter_map(|length| usize::try_from(length).ok());
        for length in std::iter::once(items.len()).chain(lengths) {
            if length > MAX_COMBINATIONS * 8 {
                complete = false;
            } else if length >= items.len() {
                let last = items.last().copied().or(singles.first().map(|(text, _)| text.as_str()));
                let padding = std::iter::repeat_n(last.unwrap_or("1"), length - items.len());
                let all: Vec<_> = items.iter().copied().chain(padding).collect();
                texts.push(format!("[{}]", all.join(",")));
            }
        }
    }
    (texts, complete)
}

/// As `values`, with something to repeat where nothing is asked of elements.
fn values_of(elements: &[Here<'_>]) -> (Vec<String>, bool) {
    if elements.is_empty() { (vec!["1".to_owned()], true) } else { values(elements) }
}

/// Objects: every combination of their members.
fn objects(here: &[Here<'_>], names: &BTreeSet<&str>) -> (Vec<String>, bool) {
    let mut complete = true;
    let mut objects: Vec<Vec<String>> = vec![Vec::new()];
    for name in names {
        let through = Token::Member((*name).into());
        let inner = inner(here, &through);
        let (values, all) = values(&inner);
        complete &= all;
        let mut more = Vec::new();
        for members in &objects {
            more.push(members.clone());
            for value in &values {
                let member = format!("{}:{value}", quoted(name));
                more.push(members.iter().cloned().chain([member]).collect());
            }
        }
        if more.len() > MAX_COMBINATIONS {
            more.truncate(MAX_COMBINATIONS);
            complete = false;
        }
        objects = more;
    }
    let shown = |members: Vec<String>| format!("{{{}}}", members.join(","));
    (objects.into_iter().map(shown).collect(), complete)
}
