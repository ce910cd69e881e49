//! Asking a running process, over the loopback.

use std::path::Path;
use std::time::Duration;

use reqwest::redirect::Policy;

use super::exit::{Exit, fail, hint};
use super::load;

/// A process that does not answer in this time does not answer.
const PATIENCE: Duration = Duration::from_secs(2);

/// Status and body of a GET at the process that a configuration describes.
pub(super) fn get(config: &Path, path: &str) -> Result<(u16, String), Exit> {
    let address = load::configuration(config)?.http;
    let asked = ask(&format!("http://{address}{path}"));
    asked.map_err(|error| {
        let exit = fail(format_args!("{address} does not answer: {error}"));
        hint(format_args!("is `toolgate serve --config {}` running?", config.display()));
        exit
    })
}

fn ask(url: &str) -> Result<(u16, String), String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| error.to_string())?;
    runtime.block_on(async {
        let client = reqwest::Client::builder()
            .redirect(Policy::none())
            .no_proxy()
            .timeout(PATIENCE)
            .build()
            .map_err(|error| words(&error))?;
        let answer = client.get(url).send().await.map_err(|error| words(&error))?;
        let status = answer.status().as_u16();
        answer.text().await.map(|body| (status, body)).map_err(|error| words(&error))
    })
}

/// The innermost cause is the one that says something.
fn words(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
