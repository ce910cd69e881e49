//! JUnit's XML, in the shape that Jenkins and GitLab take.

use std::borrow::Cow;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::github::printable;

/// The cases of one file.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The file, from the top of the repository.
    pub name: String,
    /// Its cases.
    pub cases: Vec<Case>,
}

/// One case.
#[derive(Clone, Debug)]
pub struct Case {
    /// What is tried.
    pub name: String,
    /// Where, from 1.
    pub line: Option<usize>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a case.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// It went as it should.
    Passed,
    /// It did not.
    Failed {
        /// What kind of failure this is.
        kind: String,
        /// What is wrong, in a line.
        message: String,
        /// All there is to say.
        text: String,
    },
    /// It is worth a look, and nothing fails for it: the format has no warnings.
    Skipped {
        /// What is wrong, in a line.
        message: String,
        /// All there is to say.
        text: String,
    },
}

impl Suite {
    /// Makes names that stand several times their own: programs that compare two runs know a case
    /// by its name.
    #[must_use]
    pub fn with_own_names(mut self) -> Self {
        let names: Vec<_> = self.cases.iter().map(|case| case.name.clone()).collect();
        let mut seen = std::collections::BTreeMap::<&str, usize>::new();
        for (case, name) in self.cases.iter_mut().zip(&names) {
            let times = seen.entry(name).or_default();
            *times += 1;
            if *times > 1 {
                case.name = format!("{name} ({times})");
            }
        }
        self
    }
}

/// The whole document. `name` says what was run, such as `toolgate-lint`.
#[must_use]
pub fn render(name: &str, suites: &[Suite]) -> String {
    let mut out = Out(Writer::new_with_indent(Vec::new(), b' ', 2));
    out.event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    out.open("testsuites", &[("name", name.into())], &counts(suites.iter()));
    for suite in suites {
        let attributes = [("name", suite.name.as_str().into())];
        out.open("testsuite", &attributes, &counts(std::iter::once(suite)));
        for case in &suite.cases {
            out.case(name, &suite.name, case);
        }
        out.close("testsuite");
    }
    out.close("testsuites");
    let mut text = String::from_utf8_lossy(&out.0.into_inner()).into_owned();
    text.push('\n');
    text
}

fn counts<'s>(suites: impl Iterator<Item = &'s Suite>) -> [(&'static str, usize); 4] {
    let (mut tests, mut failures, mut skipped) = (0, 0, 0);
    for case in suites.flat_map(|suite| &suite.cases) {
        tests += 1;
        match case.outcome {
            Outcome::Passed => {}
            Outcome::Failed { .. } => failures += 1,
            Outcome::Skipped { .. } => skipped += 1,
        }
    }
    [("tests", tests), ("failures", failures), ("errors", 0), ("skipped", skipped)]
}

/// Writing to memory does not fail.
struct Out(Writer<Vec<u8>>);

impl Out {
    fn event(&mut self, event: Event<'_>) {
        self.0.write_event(event).ok();
    }

    fn open(&mut self, tag: &str, texts: &[(&str, Cow<'_, str>)], counts: &[(&str, usize)]) {
        self.event(Event::Start(start(tag, texts, counts)));
    }

    fn close(&mut self, tag: &str) {
        self.event(Event::End(BytesEnd::new(tag)));
    }

    fn text(&mut self, tag: &str, texts: &[(&str, Cow<'_, str>)], text: &str) {
        self.open(tag, texts, &[]);
        self.event(Event::Text(BytesText::new(&printable(text))));
        self.close(tag);
    }

    fn case(&mut self, run: &str, file: &str, case: &Case) {
        let Case { name, line, outcome } = case;
        // Up to the last dot it is a package to Jenkins.
        let class = format!("{run}.{}", file.trim_end_matches(".yaml").replace('.', "_"));
        let texts = [("name", name.into()), ("classname", class.into()), ("file", file.into())];
        let line = line.map(|line| ("line", line));
        let case = start("testcase", &texts, line.as_slice());
        match outcome {
            Outcome::Passed => self.event(Event::Empty(case)),
            Outcome::Failed { kind, message, text } => {
                self.event(Event::Start(case));
                self.text("failure", &[("message", message.into()), ("type", kind.into())], text);
                self.close("testcase");
            }
            Outcome::Skipped { message, text } => {
                self.event(Event::Start(case));
                self.event(Event::Empty(start("skipped", &[("message", message.into())], &[])));
                self.text("system-out", &[], text);
                self.close("testcase");
            }
        }
    }
}

fn start<'t>(
    tag: &'t str,
    texts: &[(&str, Cow<'_, str>)],
    counts: &[(&str, usize)],
) -> BytesStart<'t> {
    let mut start = BytesStart::new(tag);
    for (name, text) in texts {
        // A reader makes blanks of line feeds in attributes, so that is what they are.
        let text = printable(text).replace(['\n', '\r', '\t'], " ");
        start.push_attribute((*name, text.as_str()));
    }
    for (name, count) in counts {
        start.push_attribute((*name, count.to_string().as_str()));
    }
    start
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_stands_in_the_texts_comes_back_from_a_parser() {
        let odd = "<a href=\"x\"> & ]]> 'q'\u{1f600}";
        let failed = Outcome::Failed {
            kind: odd.to_owned(),
            message: format!("{odd}\nsecond"),
            text: format!("{odd}\n  \u{1b}[31m\u{0}\u{ffff}\u{85}"),
        };
        let skipped = Outcome::Skipped { message: odd.to_owned(), text: odd.to_owned() };
        let case = |name: &str, outcome| Case { name: name.to_owned(), line: Some(3), outcome };
        let cases = vec![case(odd, failed), case("x", skipped), case("x", Outcome::Passed)];
        let suite = Suite { name: "p/a.b.yaml".to_owned(), cases }.with_own_names();
        let text = render("run", &[suite]);
        let document = roxmltree::Document::parse(&text).unwrap();
        let find = |tag: &'static str| {
            document.descendants().filter(move |node| node.has_tag_name(tag)).collect::<Vec<_>>()
        };
        for tag in ["testsuites", "testsuite"] {
            let counts = ["tests", "failures", "errors", "skipped"];
            let counts = counts.map(|count| find(tag)[0].attribute(count).unwrap());
            assert_eq!(counts, ["3", "1", "0", "1"], "{tag}");
        }
        let names: Vec<_> =
            find("testcase").iter().map(|case| case.attribute("name").unwrap()).collect();
        assert_eq!(names, [odd, "x", "x (2)"]);
        assert_eq!(find("testcase")[0].attribute("classname"), Some("run.p/a_b"));
        let failure = find("failure")[0];
        assert_eq!(failure.attribute("message").unwrap(), format!("{odd} second"));
        assert_eq!(failure.attribute("type"), Some(odd));
        assert_eq!(
            failure.text().unwrap(),
            format!("{odd}\n  \u{fffd}[31m\u{fffd}\u{fffd}\u{fffd}")
        );
        assert_eq!(find("system-out")[0].text(), Some(odd));
    }
}
