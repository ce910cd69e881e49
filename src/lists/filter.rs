//! One JSON-RPC message, with what its reader may not see left out of its lists.

use std::borrow::Cow;
use std::ops::Range;

use thiserror::Error;

use super::visible::{List, Visible};
use crate::json::{JsonError, Limits, Next, Walk, folds_to, walk};

/// Schemas of tools nest; nobody's nests as deep as this.
const LIMITS: Limits = Limits { max_depth: 128, guarded_keys: &[] };

/// What makes a message a response, and which it is.
const MESSAGE_KEYS: &[&str] = &["jsonrpc", "id", "method", "params", "result", "error"];

const CACHE_SCOPE: &str = "cacheScope";
const PRIVATE: &str = "\"private\"";

/// What is left out, and what is said of the rest.
#[derive(Clone, Debug)]
pub struct Rules {
    /// What may be seen.
    pub visible: Visible,
    /// Whether lists say that nobody else may be shown them (`cacheScope`, since 2026-07-28).
    pub private: bool,
}

/// What a message held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lists.
    pub lists: usize,
    /// Items that were left out of them.
    pub hidden: usize,
}

/// Why a message does not pass: nobody can know what a client would read in it.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum Unreadable {
    /// Not strict JSON.
    #[error("not strict JSON: {0}")]
    Json(crate::json::JsonErrorKind),
    /// A batch, or no message at all.
    #[error("not one JSON object")]
    NotAnObject,
    /// A result is an object in every revision.
    #[error("the result is not an object")]
    Result,
    /// A key that is one of the protocol's to readers that fold case.
    #[error("a key differs only by case from one of the protocol")]
    FoldedKey,
    /// A list that the request did not ask for.
    #[error("a list of another kind than was asked for")]
    OtherList,
    /// A list is an array of objects.
    #[error("the list is not an array of objects")]
    NotAList,
    /// An item without a name (a URI, a template), or with two.
    #[error("an item does not say which it is")]
    Nameless,
    /// An event in which a lenient reader could find data.
    #[error("the event is not written as the standard says")]
    Event,
    /// The message, or all that are held at once, take too much room.
    #[error("too large")]
    TooLarge,
}

impl From<JsonError> for Unreadable {
    fn from(error: JsonError) -> Self {
        Self::Json(error.kind)
    }
}

/// Leaves out of a message what may not be seen. What stays is byte for byte as it was, and all of
/// it is if there was nothing to leave out.
///
/// # Errors
///
/// If the message does not pass.
pub fn filter<'m>(message: &'m [u8], rules: &Rules) -> Result<(Cow<'m, [u8]>, Counts), Unreadable> {
    let mut reading = Reading { message, rules, edits: Vec::new(), counts: Counts::default() };
    walk(message, LIMITS, |walk| reading.message(walk))?;
    let Reading { edits, counts, .. } = reading;
    Ok((edited(message, edits), counts))
}

/// A message as it is read.
struct Reading<'r> {
    message: &'r [u8],
    rules: &'r Rules,
    edits: Vec<Edit>,
    counts: Counts,
}

/// A part of a message, and what stands there instead.
struct Edit {
    at: Range<usize>,
    text: Vec<u8>,
}

fn edited(message: &[u8], mut edits: Vec<Edit>) -> Cow<'_, [u8]> {
    if edits.is_empty() {
        return Cow::Borrowed(message);
    }
    edits.sort_by_key(|edit| edit.at.start);
    let mut text = Vec::with_capacity(message.len());
    let mut from = 0;
    for edit in edits {
        text.extend_from_slice(message.get(from..edit.at.start).unwrap_or_default());
        text.extend_from_slice(&edit.text);
        from = edit.at.end;
    }
    text.extend_from_slice(message.get(from..).unwrap_or_default());
    Cow::Owned(text)
}

impl Reading<'_> {
    fn message(&mut self, walk: &mut Walk<'_>) -> Result<(), Unreadable> {
        if walk.next() != Next::Object {
            // Whether it is JSON at all comes first.
            walk.skip()?;
            return Err(Unreadable::NotAnObject);
        }
        walk.object(|walk, key| {
            not_folded(key, MESSAGE_KEYS)?;
            match (key, walk.next()) {
                ("result", Next::Object) => self.result(walk),
                ("result", Next::Array | Next::Scalar) => Err(Unreadable::Result),
                (_, Next::Object | Next::Array | Next::Scalar) => Ok(walk.skip()?),
            }
        })
    }

    fn result(&mut self, walk: &mut Walk<'_>) -> Result<(), Unreadable> {
        let start = walk.at();
        let before = self.counts.lists;
        let mut scope = None;
        walk.object(|walk, key| -> Result<(), Unreadable> {
            not_folded(key, &List::ALL.map(List::key))?;
            not_folded(key, &[CACHE_SCOPE])?;
            if let Some(list) = List::ALL.into_iter().find(|list| list.key() == key) {
                return self.list(list, walk);
            }
            if key != CACHE_SCOPE {
                return Ok(walk.skip()?);
            }
            let read = walk.value()?;
            scope = Some((read.start..read.end, read.value.as_str() == Some("private")));
            Ok(())
        })?;
        if self.rules.private && self.counts.lists > before {
            match scope {
                Some((_, true)) => {}
                Some((at, false)) => self.edits.push(Edit { at, text: PRIVATE.into() }),
                None => {
                    // Something follows: the list.
                    let text = format!("\"{CACHE_SCOPE}\":{PRIVATE},").into();
                    self.edits.push(Edit { at: start + 1..start + 1, text });
                }
            }
        }
        Ok(())
    }

    fn list(&mut self, list: List, walk: &mut Walk<'_>) -> Result<(), Unreadable> {
        if walk.next() != Next::Array {
            return Err(Unreadable::NotAList);
        }
        let start = walk.at();
        let (mut kept, mut hidden) = (Vec::new(), 0);
        walk.array(|walk| -> Result<(), Unreadable> {
            let (shown, at) = self.item(list, walk)?;
            if shown {
                kept.push(at);
            } else {
                hidden += 1;
            }
            Ok(())
        })?;
        // An empty list of another kind is none that was asked for, either.
        self.rules.visible.shows(list, "").ok_or(Unreadable::OtherList)?;
        self.counts.lists += 1;
        self.counts.hidden += hidden;
        if hidden > 0 {
            let kept: Vec<_> = kept.into_iter().filter_map(|at| self.message.get(at)).collect();
            let text = [b"[", kept.join(&b',').as_slice(), b"]"].concat();
            self.edits.push(Edit { at: start..walk.at(), text });
        }
        Ok(())
    }

    /// Whether the item that stands here may be seen, and where it stands.
    fn item(&self, list: List, walk: &mut Walk<'_>) -> Result<(bool, Range<usize>), Unreadable> {
        if walk.next() != Next::Object {
            return Err(Unreadable::NotAList);
        }
        let start = walk.at();
        let mut shown = None;
        walk.object(|walk, key| -> Result<(), Unreadable> {
            not_folded(key, &[list.item_key()])?;
            if key != list.item_key() {
                return Ok(walk.skip()?);
            }
            let read = walk.value()?;
            let name = read.value.as_str().ok_or(Unreadable::Nameless)?;
            shown = Some(self.rules.visible.shows(list, name).ok_or(Unreadable::OtherList)?);
            Ok(())
        })?;
        Ok((shown.ok_or(Unreadable::Nameless)?, start..walk.at()))
    }
}

fn not_folded(key: &str, known: &[&str]) -> Result<(), Unreadable> {
    if !known.contains(&key) && known.iter().any(|known| folds_to(key, known)) {
        return Err(Unreadable::FoldedKey);
    }
    Ok(())
}
