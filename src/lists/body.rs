//! The body of an answer, piece by piece: held until it is known what may go on, and no longer.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::events::{Cut, Event, Splitter};
use super::filter::{Counts, Rules, Unreadable, filter};
use crate::json::{self, Limits, Value};

/// How an answer is framed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// One JSON document.
    Json,
    /// A stream of events, each with one document.
    Events,
}

/// The room that answers may take together while they are held.
#[derive(Clone, Debug)]
pub struct Rooms {
    /// For one of them.
    each: usize,
    left: Arc<AtomicUsize>,
}

/// The room of one answer.
#[derive(Debug)]
pub struct Room {
    rooms: Rooms,
    taken: usize,
}

impl Rooms {
    /// So many bytes for each, and so many for all.
    #[must_use]
    pub fn new(each: usize, all: usize) -> Self {
        Self { each, left: Arc::new(AtomicUsize::new(all)) }
    }

    /// A room, empty.
    #[must_use]
    pub fn one(&self) -> Room {
        Room { rooms: self.clone(), taken: 0 }
    }
}

impl Room {
    /// Takes more, if there is as much.
    fn take(&mut self, bytes: usize) -> bool {
        if self.taken.saturating_add(bytes) > self.rooms.each {
            return false;
        }
        let less = |left: usize| left.checked_sub(bytes);
        let taken = self.rooms.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        self.taken += if taken.is_ok() { bytes } else { 0 };
        taken.is_ok()
    }

    fn give_back(&mut self) {
        self.rooms.left.fetch_add(std::mem::take(&mut self.taken), Ordering::Relaxed);
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        self.give_back();
    }
}

/// What goes on to the client, and what became of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Released {
    /// What goes on.
    pub bytes: Vec<u8>,
    /// What it held.
    pub counts: Counts,
    /// Why an error stands in the place of a message, for each.
    pub refused: Vec<Unreadable>,
}

/// The body of one answer.
#[derive(Debug)]
pub struct Body {
    framing: Framing,
    rules: Rules,
    /// The members of a JSON-RPC error after its id.
    error: Box<str>,
    /// The id of the request, as it stands in JSON; `None` if any message could be the answer.
    id: Option<Box<str>>,
    room: Room,
    held: Vec<u8>,
    splitter: Splitter,
    /// What is held could not be, and what belongs to it is left out.
    skips: bool,
    /// An error stands in the place of what was released last.
    left_out: bool,
    /// The body is over.
    ended: bool,
}

impl Body {
    /// Begins with nothing. `error` is what a refusal says, as JSON.
    #[must_use]
    pub fn new(
        framing: Framing,
        rules: Rules,
        id: Option<Box<str>>,
        error: Box<str>,
        room: Room,
    ) -> Self {
        Self {
            framing,
            rules,
            error,
            id,
            room,
            held: Vec::new(),
            splitter: Splitter::default(),
            skips: false,
            left_out: false,
            ended: false,
        }
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// Takes in the next piece, and releases what may go on. What was not finished by the last
    /// piece is looked at as it stands.
    pub fn push(&mut self, piece: &[u8], last: bool) -> Released {
        let mut released = Released::default();
        if self.ended {
            return released;
        }
        match self.framing {
            Framing::Json => self.hold(piece, &mut released),
            Framing::Events => self.split(piece, &mut released),
        }
        if last {
            self.ended = true;
            self.release(&mut released);
        }
        released
    }

    fn split(&mut self, piece: &[u8], released: &mut Released) {
        let mut rest = piece;
        while !rest.is_empty() {
            let cut = self.splitter.cut(rest);
            let at = match cut {
                Cut::GoesOn(at) | Cut::Over(at) => at,
                Cut::Belated => 1,
            };
            let (event, after) = rest.split_at(at);
            match cut {
                Cut::GoesOn(_) => self.hold(event, released),
                Cut::Over(_) => {
                    self.hold(event, released);
                    self.release(released);
                }
                // With the event that it belongs to, or not at all.
                Cut::Belated if self.left_out => {}
                Cut::Belated => released.bytes.extend_from_slice(event),
            }
            rest = after;
        }
    }

    fn hold(&mut self, bytes: &[u8], released: &mut Released) {
        if self.skips {
            return;
        }
        if self.room.take(bytes.len()) {
            self.held.extend_from_slice(bytes);
            return;
        }
        self.skips = true;
        self.room.give_back();
        self.held = Vec::new();
        self.refuse(Unreadable::TooLarge, None, released);
    }

    /// What is held is whole.
    fn release(&mut self, released: &mut Released) {
        let held = std::mem::take(&mut self.held);
        self.room.give_back();
        self.left_out = std::mem::take(&mut self.skips);
        if self.left_out || held.is_empty() {
            return;
        }
        let looked_at = match self.framing {
            Framing::Json => self.document(&held, released),
            Framing::Events => self.event(&held, released),
        };
        if let Err(problem) = looked_at {
            self.left_out = true;
            self.refuse(problem, id_of(self.framing, &held).as_deref(), released);
        }
    }

    fn document(&self, held: &[u8], released: &mut Released) -> Result<(), Unreadable> {
        let (text, counts) = filter(held, &self.rules)?;
        released.add(&text, counts);
        Ok(())
    }

    fn event(&self, held: &[u8], released: &mut Released) -> Result<(), Unreadable> {
        let event = Event::of(held)?;
        let Some(data) = event.data.as_deref().filter(|data| !data.is_empty()) else {
            released.add(held, Counts::default());
            return Ok(());
        };
        let (text, counts) = filter(data, &self.rules)?;
        match text {
            std::borrow::Cow::Borrowed(_) => released.add(held, counts),
            std::borrow::Cow::Owned(text) => released.add(&event.with_data(&text), counts),
        }
        Ok(())
    }

    /// An error in the place of a message: with the request's id, or else with the message's.
    fn refuse(&self, problem: Unreadable, found: Option<&str>, released: &mut Released) {
        let id = self.id.as_deref().or(found).unwrap_or("null");
        let message = format!(r#"{{"jsonrpc":"2.0","id":{id},{}}}"#, self.error);
        match self.framing {
            Framing::Json => released.bytes.extend_from_slice(message.as_bytes()),
            Framing::Events => {
                released.bytes.extend_from_slice(b"event: message\ndata: ");
                released.bytes.extend_from_slice(message.as_bytes());
                released.bytes.extend_from_slice(b"\n\n");
            }
        }
        released.refused.push(problem);
    }
}

impl Released {
    fn add(&mut self, bytes: &[u8], counts: Counts) {
        self.bytes.extend_from_slice(bytes);
        self.counts.lists += counts.lists;
        self.counts.hidden += counts.hidden;
    }
}

/// The id of a message that does not pass, if it is to be found.
fn id_of(framing: Framing, held: &[u8]) -> Option<String> {
    let event;
    let message = match framing {
        Framing::Json => held,
        Framing::Events => {
            event = Event::of(held).ok()?;
            event.data.as_deref()?
        }
    };
    let message = json::parse(message, Limits { max_depth: 128, guarded_keys: &[] }).ok()?;
    match message.as_object()?.get("id")? {
        Value::String(id) => Some(id.raw().to_owned()),
        Value::Number(id) => Some(id.as_str().to_owned()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}
