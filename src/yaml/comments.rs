//! The comments of a file. They come from the parser: a `#` in a quoted text is none.

use granit_parser::{Event, Parser};

use super::MAX_DEPTH;
use crate::diagnostics::Span;

/// The places of all comments, `#` included and the end of the line not. Of a text that is not
/// YAML, those before the place where reading stops.
#[must_use]
pub fn comments(text: &str) -> Vec<Span> {
    let options = granit_parser::options! {
        strict_indentation: true,
        disallow_directives: true,
        emit_comments: true,
        flow_nesting_limit: MAX_DEPTH,
        block_nesting_limit: MAX_DEPTH,
    };
    let mut comments = Vec::new();
    for event in Parser::new_from_str_with_options(text, options) {
        let Ok((event, span)) = event else { break };
        if let Event::Comment(..) = event
            && let Some(range) = span.byte_range()
        {
            comments.push(Span::new(range.start, range.end.min(text.len())));
        }
    }
    // The parser may hand on a comment after what follows it.
    comments.sort_unstable();
    comments
}
