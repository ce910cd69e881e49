//! What the proxy told the server about its caller.

use axum::http::request::Parts;
use rmcp::{
    ErrorData,
    handler::server::{common::FromContextPart, tool::ToolCallContext},
};

/// The identity headers of a tool call, as they came.
pub(crate) struct Told {
    user: String,
    groups: String,
}

impl Told {
    /// `text`, and below it the caller that the server was told about.
    pub(crate) fn answer(self, text: impl AsRef<str>) -> String {
        let (text, Self { user, groups }) = (text.as_ref().trim_end(), self);
        format!("{text}\nseen by the server: user={user} groups={groups}")
    }
}

impl<S> FromContextPart<ToolCallContext<'_, S>> for Told {
    fn from_context_part(call: &mut ToolCallContext<'_, S>) -> Result<Self, ErrorData> {
        let http = call.request_context.extensions.get::<Parts>();
        let header = |name| match http.and_then(|http| http.headers.get(name)) {
            Some(value) => String::from_utf8_lossy(value.as_bytes()).into_owned(),
            None => "-".to_owned(),
        };
        Ok(Self { user: header("x-forwarded-user"), groups: header("x-forwarded-groups") })
    }
}
