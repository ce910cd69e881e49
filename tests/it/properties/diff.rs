//! What `diff` prints is empty exactly if nothing is decided differently.

use std::collections::BTreeSet;

use proptest::prelude::*;
use toolgate::access::compare;
use toolgate::diff;
use toolgate::policy;

use super::access::cases;
use super::pairs::{NOW, Side, Theme, pair};

fn agree(old: &Side, new: &Side) -> Result<(), TestCaseError> {
    let [one, two] = [old, new].map(|side| diff::Side::load(side.files()).unwrap());
    let found = diff::diff(&one, &two, NOW.parse().unwrap(), &[]);
    let found = found.map_err(|error| TestCaseError::fail(error.to_string()))?;
    let json = diff::json(&found);
    let told = |key: &'static str| {
        let sections = json["sections"].as_array().unwrap();
        sections.iter().flat_map(move |section| section[key].as_array().unwrap())
    };
    let [one, two] = [old, new].map(|side| policy::load(side.files()).unwrap());
    let exact = compare(&one, &two, NOW.parse().unwrap());
    let exact = exact.map_err(|error| TestCaseError::fail(error.to_string()))?;
    prop_assert_eq!(told("access").count(), exact.changes.len());
    prop_assert_eq!(json["access_changes"].as_bool(), Some(!exact.changes.is_empty()));
    // What is decided differently stands in a line, too, and on the right side.
    let wider = exact.changes.iter().any(|change| change.direction.is_wider());
    let marks: BTreeSet<_> = told("lines").map(|line| line["mark"].as_str().unwrap()).collect();
    if wider {
        prop_assert!(told("lines").any(|line| line["wider"] == true), "{}", diff::text(&found));
        prop_assert!(found.is_wider());
    }
    if !exact.changes.is_empty() {
        let says = ["+", "-", "~"].iter().any(|mark| marks.contains(mark));
        prop_assert!(says, "{}", diff::text(&found));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: cases(48), ..ProptestConfig::default() })]

    #[test]
    fn a_diff_is_empty_exactly_if_nobody_is_decided_upon_differently(pair in pair(Theme::People)) {
        agree(&pair.0, &pair.1)?;
    }

    #[test]
    fn a_diff_says_so_if_arguments_are_decided_upon_differently(pair in pair(Theme::Arguments)) {
        agree(&pair.0, &pair.1)?;
    }
}
