//! What the servers received, for tests to look at.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use anyhow::{Context as _, Result};
use axum::{
    body::{Body, to_bytes},
    extract::{Request, State},
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

/// Requests are held whole in memory while they are written down.
const MAX_BODY: usize = 16 << 20;

/// A file with one JSON object per request.
#[derive(Clone)]
pub(crate) struct Recorder(Arc<Mutex<File>>);

#[derive(Serialize)]
struct Entry<'a> {
    server: &'static str,
    method: &'a str,
    path: &'a str,
    headers: Vec<(&'a str, String)>,
    body: String,
}

impl Recorder {
    /// Appends to the file at `path`.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(path)
            .with_context(|| format!("could not open {}", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(file))))
    }

    fn append(&self, entry: &Entry<'_>) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        // One write per line, so that nobody reads half of one; a File has no buffer to flush.
        let mut file = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line)
    }
}

/// Writes a request down before the server sees it. Responses are left alone: they may be
/// streams of events.
pub(crate) async fn record(
    State((server, recorder)): State<(&'static str, Recorder)>,
    request: Request,
    next: Next,
) -> Response {
    let (parts, body) = request.into_parts();
    let body = match to_bytes(body, MAX_BODY).await {
        Ok(body) => body,
        Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    };
    let entry = Entry {
        server,
        method: parts.method.as_str(),
        path: parts.uri.path_and_query().map_or("", |path| path.as_str()),
        headers: parts
            .headers
            .iter()
            .map(|(name, value)| (name.as_str(), text(value.as_bytes())))
            .collect(),
        body: text(&body),
    };
    if let Err(error) = recorder.append(&entry) {
        return (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response();
    }
    next.run(Request::from_parts(parts, Body::from(body))).await
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
