use crate::diagnostics::junit::{Case, Outcome, Suite, render};
use crate::diagnostics::{Diagnostic, Diagnostics, Lines, id, plain_path, render_one};
use crate::scenario::{Report, Tried, Uncovered};

const NAME: &str = "toolgate-test";

/// JUnit's XML: a suite for each file, and with `coverage` one of what no case touches.
#[must_use]
pub fn junit(report: &Report, coverage: bool) -> String {
    let suites = report.suites.iter().map(|suite| {
        let cases = suite.cases.iter().map(tried).collect();
        Suite { name: plain_path(suite.file.as_ref()), cases }.with_own_names()
    });
    let covered = coverage.then(|| covered(report));
    render(NAME, &suites.chain(covered).collect::<Vec<_>>())
}

/// The same for policies or tests that do not load: each problem is a failed case.
#[must_use]
pub fn junit_of_problems(problems: &Diagnostics) -> String {
    let lines = Lines::of(&problems.sources);
    let case = |problem: &Diagnostic| {
        let message = problem.message.clone();
        let file = problem.file(&problems.sources).map(plain_path).unwrap_or_default();
        let text = render_one(&problems.sources, problem);
        Case {
            name: format!("{file}: {message}"),
            line: problem.place.map(|place| lines.region(place).line),
            outcome: Outcome::Failed { kind: id(problem), message, text },
        }
    };
    let (foremost, _) = problems.foremost();
    let cases = foremost.into_iter().map(case).collect();
    render(NAME, &[Suite { name: "loading".to_owned(), cases }.with_own_names()])
}

fn tried(Tried { line, words, is_always: _, failure }: &Tried) -> Case {
    let outcome = match failure {
        None => Outcome::Passed,
        Some(failure) => Outcome::Failed {
            kind: "decision".to_owned(),
            message: failure.problem.clone(),
            text: failure.trace(),
        },
    };
    Case { name: words.clone(), line: Some(*line), outcome }
}

fn covered(report: &Report) -> Suite {
    let uncovered = |Uncovered { kind, of, name, origin }| {
        let origin = origin.map(|origin| format!(" ({origin})")).unwrap_or_default();
        let name = format!("{kind} {of}/{name}");
        let message = format!("no case touches {name}{origin}");
        let text = message.clone();
        let outcome = Outcome::Failed { kind: "coverage".to_owned(), message, text };
        Case { name, line: None, outcome }
    };
    let mut cases: Vec<_> = report.coverage.uncovered().into_iter().map(uncovered).collect();
    if cases.is_empty() {
        let name = "every rule and tool is touched by a case".to_owned();
        cases.push(Case { name, line: None, outcome: Outcome::Passed });
    }
    Suite { name: "coverage".to_owned(), cases }
}
