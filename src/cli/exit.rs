//! Exit codes, and the way to the standard streams.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::process::{ExitCode, Termination};

use crate::diagnostics::{Diagnostics, render_text};

/// How a command ends. "No" is an answer, and not a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 0: done, or allowed.
    Success,
    /// 1: the answer is no.
    No,
    /// 2: there is no answer.
    Failure,
}

impl Termination for Exit {
    fn report(self) -> ExitCode {
        ExitCode::from(match self {
            Self::Success => 0,
            Self::No => 1,
            Self::Failure => 2,
        })
    }
}

/// Prints to the standard output. A reader that has gone away is not an error.
pub(super) fn print(text: impl Display) {
    let _ = write!(io::stdout().lock(), "{text}");
}

/// Prints `error: …` and ends with [`Exit::Failure`].
pub(super) fn fail(message: impl Display) -> Exit {
    let _ = writeln!(io::stderr().lock(), "error: {message}");
    Exit::Failure
}

/// Prints a hint below an error.
pub(super) fn hint(message: impl Display) {
    let _ = writeln!(io::stderr().lock(), "hint: {message}");
}

/// Prints problems and ends with [`Exit::Failure`].
pub(super) fn fail_with(problems: &Diagnostics) -> Exit {
    let colour = is_coloured(&io::stderr());
    let _ = write!(io::stderr().lock(), "{}", render_text(problems, colour));
    Exit::Failure
}

/// Whether what is printed there is coloured: only for a person, and not against their will
/// (<https://no-color.org>: set and not empty).
pub(super) fn is_coloured(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
