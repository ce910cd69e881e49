//! Reports as text and as data; one file per format.

mod github;
mod json;
mod junit;
mod text;

pub use self::github::github;
pub use self::json::json;
pub use self::junit::{junit, junit_of_problems};
pub use self::text::text;
