//! A diff as a comment on a pull request.
//!
//! Nothing from a policy stands outside a fenced block, but server names, which are plain: in a
//! fence there is no markup, no mention and no link, and it is longer than any run of backticks in
//! it, so that no name can end it.

use std::fmt::Write as _;

use super::text::Folded;
use super::{Diff, Presence, Verdict, text};

/// The first line, by which a workflow finds its comment again.
const MARKER: &str = "<!-- toolgate-diff -->";

/// GitHub takes 65,536 characters; what is left is for what a workflow adds.
const MOST: usize = 60_000;

/// So much of a single section.
const MOST_OF_SECTION: usize = 20_000;

/// A title with the verdict, a table of servers, and a folded block for each.
#[must_use]
pub fn markdown(diff: &Diff) -> String {
    let mut out = format!("{MARKER}\n### Toolgate: {}\n", title(diff));
    if let Some(always) = diff.always.line() {
        out.push_str(&fenced("\n", std::iter::once(&always).chain(&diff.always.broken)));
    }
    let mut left_out = 0;
    for folded in text::folded(diff) {
        let block = block(&folded);
        if out.len() + block.len() > MOST {
            left_out += 1;
            continue;
        }
        out.push_str(&block);
    }
    if left_out > 0 {
        let sections = if left_out == 1 { "section does" } else { "sections do" };
        // Writing to a string does not fail.
        writeln!(
            out,
            "\n**{left_out} more {sections} not fit into a comment**, least important last: run \
             `toolgate diff`."
        )
        .ok();
    }
    out
}

fn title(diff: &Diff) -> String {
    let closing = text::closing(diff);
    let closing = closing.trim_end_matches('.');
    match diff.verdict() {
        Verdict::Wider => format!("⚠️ WIDER. {closing}"),
        Verdict::Narrower => format!("narrower. {closing}"),
        Verdict::Changed | Verdict::Same => closing.to_owned(),
    }
}

fn block(folded: &Folded<'_>) -> String {
    let section = folded.first;
    let open = if section.verdict() == Verdict::Wider { " open" } else { "" };
    let presence = match section.presence {
        Presence::Both => "",
        Presence::New => " (new)",
        Presence::Gone => " (gone)",
    };
    let summary = format!("<b>{}</b>{presence} {}", folded.names(), text::verdict(section));
    let summary = summary.trim_end();
    let start = format!("\n<details{open}><summary>{summary}</summary>\n\n");
    fenced(&start, folded.lines.iter()) + "\n</details>\n"
}

/// Lines in a block that none of them can end.
fn fenced<'l>(start: &str, lines: impl Iterator<Item = &'l String>) -> String {
    let lines: Vec<_> = lines.collect();
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    let mut block = format!("{start}{fence}diff\n");
    let mut shown = 0;
    for line in &lines {
        if block.len() + line.len() > MOST_OF_SECTION {
            break;
        }
        writeln!(block, "{line}").ok();
        shown += 1;
    }
    if shown < lines.len() {
        writeln!(block, "... {} more lines: run `toolgate diff`", lines.len() - shown).ok();
    }
    let _ = writeln!(block, "{fence}");
    block
}

fn longest_run(line: &str) -> usize {
    let (mut longest, mut run) = (0, 0);
    for c in line.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}
