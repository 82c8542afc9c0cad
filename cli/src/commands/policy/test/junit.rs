//! The report as JUnit XML, as build servers read it: a suite for each file, a test for each case.

use std::fmt::Write as _;

use crate::commands::policy::test::cases::{Finished, Results};

pub(super) fn text(results: &Results) -> String {
    let counts = counts(results.all());
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    text.push_str(&format!("<testsuites name=\"policy\" {counts}>"));
    for (file, cases) in &results.files {
        suite(file, cases, &mut text);
    }
    text.push_str("\n</testsuites>");
    text
}

fn suite(file: &str, cases: &[Finished], text: &mut String) {
    let (name, counts) = (escaped(file), counts(cases.iter()));
    text.push_str(&format!("\n  <testsuite name=\"{name}\" {counts}>"));
    for finished in cases {
        case(finished, text);
    }
    text.push_str("\n  </testsuite>");
}

fn case(finished: &Finished, text: &mut String) {
    let place = &finished.case.place;
    let (name, file) = (escaped(&finished.case.name), escaped(&place.file));
    let head = format!(
        "\n    <testcase name=\"{name}\" classname=\"{file}\" file=\"{file}\" line=\"{}\"",
        place.line
    );
    text.push_str(&head);
    let told = |tag: &str, message: &str, body: &str| {
        let (message, body) = (escaped(message), escaped(body));
        format!(">\n      <{tag} message=\"{message}\">{body}</{tag}>\n    </testcase>")
    };
    text.push_str(&match finished.needs() {
        Some(needs) => told("error", &needs, &needs),
        None if finished.outcome.passed() => "/>".to_owned(),
        None => told("failure", &message(finished), &body(finished)),
    });
}

/// `ruling: expected permit, found refuse`
fn message(finished: &Finished) -> String {
    let first = finished.outcome.differences.first();
    first.map_or(String::new(), |it| {
        format!("{}: expected {}, found {}", it.what, it.expected, it.actual)
    })
}

fn body(finished: &Finished) -> String {
    let mut body = String::new();
    for it in &finished.outcome.differences {
        // Writing to a String cannot fail.
        let _ = writeln!(body, "{}: expected {}, found {}", it.what, it.expected, it.actual);
    }
    body
}

fn counts<'a>(cases: impl Iterator<Item = &'a Finished>) -> String {
    let (mut tests, mut failures, mut errors) = (0, 0, 0);
    for finished in cases {
        tests += 1;
        errors += usize::from(finished.needs().is_some());
        failures += usize::from(finished.needs().is_none() && !finished.outcome.passed());
    }
    format!("tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" skipped=\"0\"")
}

/// Text as it may stand in an attribute or an element. What XML 1.0 cannot hold at all (section
/// 2.2) is told as an escape; line ends and tabs stay, as references, because an attribute would
/// make spaces of them (section 3.3.3).
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&apos;"),
            '\t' | '\n' | '\r' => safe.push_str(&format!("&#{};", u32::from(c))),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}' => {
                safe.extend(c.escape_unicode());
            }
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::super::tests::results;
    use super::*;

    #[test]
    fn a_real_parser_reads_names_that_would_break_it() {
        let name = "<&\"'>\u{0}\u{1b}\u{fffe}]]>\ttab é";
        let results = results(&[(name, "refuse"), ("another", "permit")]);
        let text = text(&results);
        let document = roxmltree::Document::parse(&text).unwrap();
        let root = document.root_element();
        assert_eq!(root.attribute("tests"), Some("2"));
        assert_eq!(root.attribute("failures"), Some("1"));
        let cases: Vec<_> =
            root.descendants().filter(|node| node.has_tag_name("testcase")).collect();
        let names: Vec<_> = cases.iter().map(|case| case.attribute("name").unwrap()).collect();
        assert_eq!(names, ["<&\"'>\\u{0}\\u{1b}\\u{fffe}]]>\ttab é", "another"]);
        let failure = cases[0].first_element_child().unwrap();
        assert_eq!(failure.tag_name().name(), "failure");
        assert_eq!(failure.attribute("message"), Some("ruling: expected refuse, found permit"));
        assert_eq!(failure.text(), Some("ruling: expected refuse, found permit\n"));
        assert!(cases[1].first_element_child().is_none());
    }
}
