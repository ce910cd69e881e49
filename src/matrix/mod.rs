//! Who may call what, as a table: items by places, and in the cells who.
//!
//! [`Matrix`] is the table, and the formats are renderers of it. [`Matrix::of`] makes it of what
//! [`access`](crate::access) finds; it is words by then, and nothing is decided here.

mod csv;
mod exact;
mod html;
mod json;
mod markdown;
mod reach;
mod table;
mod text;
mod words;

pub use self::csv::csv;
pub use self::html::html;
pub use self::json::json;
pub use self::markdown::markdown;
pub use self::reach::{By, Reach, names, reach, reach_csv, reach_json, reach_text, reached};
pub use self::table::{
    Approval, Cell, Clause, Column, ColumnKind, End, ItemKind, Matrix, Row, Section, Who,
};
pub use self::text::text;

#[cfg(test)]
mod tests;
