//! What must be allowed and refused: the cases of `policies/tests/*.yaml`, each decided by the same
//! `decide` that serves Envoy; and what must always hold, proved over all callers.

mod always;
mod coverage;
mod raw;
mod render;

#[cfg(test)]
mod tests;

use crate::access::Prover;
use crate::diagnostics::{Code, Diagnostic, Diagnostics, Place, Source, Sources};
use crate::engine::{Reason, Verdict};
use crate::explain::{self, Explanation, Question, QuestionError, explain};
use crate::policy::{PolicyFiles, PolicySet, is_test};
use crate::yaml::{self, Reader};

pub use self::coverage::{Coverage, Uncovered};
pub use self::render::{github, json, junit, junit_of_problems, text};

use self::raw::{Asked, Case, File, Person};

/// What a run came to.
#[derive(Clone, Debug)]
pub struct Report {
    /// Each file, in the order of their names.
    pub suites: Vec<Suite>,
    /// What no case touches.
    pub coverage: Coverage,
}

/// One file.
#[derive(Clone, Debug)]
pub struct Suite {
    /// Its path, as it is shown to people.
    pub file: String,
    /// Its cases, in their order.
    pub cases: Vec<Tried>,
}

/// A case that was decided, or something that was to be proved.
#[derive(Clone, Debug)]
pub struct Tried {
    /// Its line, from 1.
    pub line: usize,
    /// Who does what, or what must hold, in words.
    pub words: String,
    /// Whether it is about all callers.
    pub is_always: bool,
    /// Why it did not go as it should, if it did not.
    pub failure: Option<Failure>,
}

/// How a case did not go as it should.
#[derive(Clone, Debug)]
pub struct Failure {
    /// What was expected, and what came of it.
    pub problem: String,
    /// How it was decided, or how a caller is who should not be let through. `None` if nobody
    /// knows such a caller, and nobody knows that there is none.
    pub explanation: Option<Explanation>,
}

impl Failure {
    /// How it was decided, as text; empty if nothing was.
    #[must_use]
    pub fn trace(&self) -> String {
        self.explanation.as_ref().map(explain::text).unwrap_or_default()
    }
}

impl Report {
    /// Whether every case went as it should.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.counts().1 == 0
    }

    /// How many cases went as they should, and how many did not.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let passed = self.suites.iter().map(Suite::passed).sum();
        (passed, self.suites.iter().map(|suite| suite.failed().count()).sum())
    }
}

impl Suite {
    /// How many cases went as they should.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.cases.iter().filter(|case| case.failure.is_none()).count()
    }

    /// The others.
    pub fn failed(&self) -> impl Iterator<Item = (&Tried, &Failure)> {
        self.cases.iter().filter_map(|case| Some((case, case.failure.as_ref()?)))
    }
}

/// Runs every case of every test file.
///
/// # Errors
///
/// Every problem of the test files: a case that names what is not there would test nothing.
pub fn run(set: &PolicySet, files: &PolicyFiles) -> Result<Report, Diagnostics> {
    cases(set, files, true)
}

/// What is wrong with the test files themselves, whatever comes of their cases.
#[must_use]
pub fn problems(set: &PolicySet, files: &PolicyFiles) -> Option<Diagnostics> {
    cases(set, files, false).err()
}

/// Runs every case, and proves what must always hold only `with_proofs`.
fn cases(set: &PolicySet, files: &PolicyFiles, with_proofs: bool) -> Result<Report, Diagnostics> {
    let mut sources = Sources::default();
    let mut problems = Vec::new();
    let mut suites = Vec::new();
    let mut coverage = Coverage::of(set);
    let mut prover = None;
    let mut tests: Vec<_> = files.files.iter().filter(|file| is_test(&file.path)).collect();
    tests.sort_by(|a, b| a.path.cmp(&b.path));
    for file in tests {
        let path = files.root.join(&file.path);
        let Ok(text) = std::str::from_utf8(&file.bytes) else {
            let message = "the file is not UTF-8";
            problems.push(Diagnostic::about_path(Code::Syntax, path, message));
            continue;
        };
        let shown = path.display().to_string();
        let source = sources.add(Source { path, text: text.to_owned() });
        let Some(tree) = yaml::parse(source, text, &mut problems) else {
            continue;
        };
        let mut reader = Reader::new(source, &mut problems);
        let Some(file) = raw::file(&mut reader, &tree) else {
            continue;
        };
        let read = |node| always::read(&mut reader, set, node, file.now);
        let always: Vec<_> = file.always.iter().filter_map(read).collect();
        let broken = reader.into_broken();
        let mut suite = Suite { file: shown, cases: Vec::new() };
        for case in &file.cases {
            match ask(set, &file, case) {
                Ok(explanation) => {
                    coverage.touch(&explanation);
                    let problem = problem(case, &explanation);
                    suite.cases.push(Tried {
                        line: sources.line_column(case.place).0,
                        words: words(case),
                        is_always: false,
                        failure: problem
                            .map(|problem| Failure { problem, explanation: Some(explanation) }),
                    });
                }
                // Who could not be read has been reported.
                Err(_)
                    if case.who.is_some_and(|who| broken.iter().any(|name| name == who.value)) => {}
                Err((place, message)) => {
                    problems.push(Diagnostic::error(Code::BadValue, place, message));
                }
            }
        }
        for always in always.iter().filter(|_| with_proofs) {
            let prover = prover.get_or_insert_with(|| Prover::new(set));
            suite.cases.push(always::prove(prover, always, &sources));
        }
        suites.push(suite);
    }
    if problems.is_empty() {
        Ok(Report { suites, coverage })
    } else {
        Err(Diagnostics { sources, list: problems }.sorted())
    }
}

/// Decides a case.
fn ask(set: &PolicySet, file: &File<'_>, case: &Case<'_>) -> Result<Explanation, (Place, String)> {
    let mut question = Question {
        what: case.target.value,
        read: None,
        prompt: None,
        method: None,
        via: case.via.map(|via| via.value),
        service: case.service.map(|service| service.value),
        user: None,
        groups: None,
        groups_unknown: false,
        scopes: Vec::new(),
        client: case.client.map(|client| client.value),
        args: case.args.as_deref().unwrap_or("{}"),
        at: file.now,
    };
    match case.asked {
        Asked::Call | Asked::Discover => {}
        Asked::Read(uri) => question.read = Some(uri),
        Asked::Prompt(name) => question.prompt = Some(name),
    }
    if let Some(who) = case.who {
        let person = file.people.iter().find(|person| person.name.value == who.value);
        match person {
            Some(Person { name, user, groups, scopes, place: _ }) => {
                question.user = Some(user.unwrap_or(name.value));
                question.groups_unknown = groups.is_none();
                question.groups.clone_from(groups);
                question.scopes.clone_from(scopes);
            }
            None if who.value == raw::NOBODY => {}
            None => {
                let message = format!(
                    "`{}` is nobody of this file's `people`; add them there, with their groups",
                    who.value
                );
                return Err((who.place, message));
            }
        }
    }
    explain(set, &question).map_err(|error| {
        let person = case
            .who
            .and_then(|who| file.people.iter().find(|person| person.name.value == who.value));
        let place = match &error {
            QuestionError::Unknown { what: "group" | "issuer" | "scope", .. } => {
                person.map(|person| person.place)
            }
            QuestionError::Unknown { what: "surface" | "channel" | "service", .. }
            | QuestionError::OtherKind { .. } => case.via.or(case.service).map(|text| text.place),
            QuestionError::Issuer { .. } => person.map(|person| person.place),
            QuestionError::Unknown { .. }
            | QuestionError::NotThere { .. }
            | QuestionError::NoTool { .. }
            | QuestionError::Environment { .. }
            | QuestionError::Several
            | QuestionError::MethodOfItem { .. }
            | QuestionError::NoMethod { .. }
            | QuestionError::Arguments { .. } => None,
        };
        // A file has keys where the command line has options.
        (place.unwrap_or(case.target.place), error.to_string().replace("`--", "`"))
    })
}

/// What is wrong with how a case went.
fn problem(case: &Case<'_>, explanation: &Explanation) -> Option<String> {
    let decision = explanation.decision;
    let found = match (decision.enforced, decision.reason) {
        (Verdict::Allow, _) => "allowed".to_owned(),
        (Verdict::Deny | Verdict::NeedsApproval, reason) => {
            format!("refused because {}", reason.map_or("", Reason::as_str))
        }
    };
    let expected = match case.because {
        None => "allowed".to_owned(),
        Some(reason) => format!("refused because {}", reason.as_str()),
    };
    (found != expected).then(|| format!("expected {expected}, was {found}"))
}

/// `ana, via ai-chat, calls presto/run_query`
fn words(case: &Case<'_>) -> String {
    let who = match (case.who, case.service) {
        (Some(who), _) => who.value,
        (None, Some(service)) => service.value,
        (None, None) => raw::NOBODY,
    };
    let via = case.via.map(|via| format!(", via {},", via.value)).unwrap_or_default();
    let target = case.target.value;
    match case.asked {
        Asked::Call => format!("{who}{via} calls {target}"),
        Asked::Read(uri) => format!("{who}{via} reads {target}/{uri}"),
        Asked::Prompt(name) => format!("{who}{via} gets the prompt {target}/{name}"),
        Asked::Discover => format!("{who}{via} looks around {target}"),
    }
}
