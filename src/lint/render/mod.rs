//! Reports as text and as data; one file per format.

mod json;
mod text;

pub use self::json::json;
pub use self::text::text;
