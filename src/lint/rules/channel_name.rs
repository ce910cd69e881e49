use crate::lint::context::Context;
use crate::lint::rule::{Check, Findings, rule};
use crate::lint::words::words;

rule! {
    /// ## What it finds
    ///
    /// A channel's identifier that looks like a name: `#help`, `airflow-support`. An identifier
    /// looks like `C04AIRFLOW1`, a number or a UUID.
    ///
    /// ## Why
    ///
    /// In most chat systems a channel can be renamed, and then its old name is free: whoever makes
    /// a new channel of that name gets what the old one was granted. Identifiers are never used
    /// twice. And where the workload sends identifiers, a name matches nothing: the grant lets
    /// nobody in, and a ban bans nobody.
    ///
    /// ## Example
    ///
    /// ```yaml
    /// channels:
    ///   airflow-support: [airflow-support]
    /// ```
    ///
    /// ## How to mend it
    ///
    /// Write the identifier that the chat system shows in the channel's details:
    ///
    /// ```yaml
    /// channels:
    ///   airflow-support: [C04AIRFLOW1]
    /// ```
    ChannelName, Error, Check::Policies(check)
}

fn check(policies: &Context<'_>, findings: &mut Findings) {
    let Some(file) = policies.file("surfaces.yaml") else { return };
    let surfaces = file.node(&["surfaces"]).map_or(&[][..], |node| node.entries());
    let channels = surfaces.iter().filter_map(|(_, surface)| surface.entry("channels"));
    for (name, ids) in channels.flat_map(|(_, channels)| channels.entries()) {
        for id in ids.items() {
            let Some(text) = id.as_text().filter(|text| is_name(text)) else { continue };
            let message = format!("`{text}` looks like a channel's name, not its identifier");
            findings.add(file.place(id.span), message, |finding| {
                let channel = &name.text;
                finding.label("a name can be taken by another channel").help(format!(
                    "write the identifier of `{channel}` in the chat system, such as C04AIRFLOW1"
                ))
            });
        }
    }
}

/// Whether people would have chosen it.
fn is_name(id: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    id.starts_with(['#', '@'])
        || (id.chars().all(is_plain) && !is_uuid(id) && words(id).into_iter().any(is_word))
}

/// Letters only, as people write them: `help`, `Help`, and neither `C04AIRFLOW` nor `4yg3xm5c`.
fn is_word(word: &str) -> bool {
    let mut letters = word.chars().skip(1);
    word.len() >= 3
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && letters.all(|c| c.is_ascii_lowercase())
}

fn is_uuid(id: &str) -> bool {
    let groups: Vec<_> = id.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && id.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}
