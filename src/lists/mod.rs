//! What somebody sees of a server's lists: answers on their way back, with everything left out
//! that their caller may not use.
//!
//! Answers come as one JSON document or as a stream of events, in pieces of any size. What is no
//! list passes byte for byte, event by event; of a list, the items that stay do. A list that
//! cannot be read to its end is no list: an error stands in its place.

mod body;
mod events;
mod filter;
mod visible;

#[cfg(test)]
mod tests;

pub use self::body::{Body, Framing, Released, Room, Rooms};
pub use self::filter::{Counts, Rules, Unreadable, filter};
pub use self::visible::{Bits, Shown, Visible};
