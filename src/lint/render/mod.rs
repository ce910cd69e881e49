//! Reports as text and as data; one file per format.

mod fingerprint;
mod github;
mod gitlab;
mod json;
mod junit;
mod sarif;
mod text;

pub use self::github::github;
pub use self::gitlab::gitlab;
pub use self::json::json;
pub use self::junit::junit;
pub use self::sarif::sarif;
pub use self::text::text;
