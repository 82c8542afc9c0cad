//! The formatter: it settles, and changes no meaning.

use std::fs;
use std::path::Path;

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(before: &str, after: &str) {
    let formed = format("p.yaml", before).unwrap();
    assert_eq!(formed, after);
    assert_eq!(format("p.yaml", &formed).unwrap(), formed, "a second time");
}

#[test]
fn indentation_is_two_spaces_and_dashes_stand_inside_their_key() {
    check(
        "groups:\n    a:\n    - person:x\n    -   person:y\nrules:\n- id: a\n  allow: {}\n",
        "groups:\n  a:\n    - person:x\n    - person:y\nrules:\n  - id: a\n    allow: {}\n",
    );
    check(
        "rules:\n   -  id: a\n      when:\n          intent.kind: x.y\n          any:\n          - plan.deletes: 1\n            plan.creates: 2\n      allow: {}\n",
        "rules:\n  - id: a\n    when:\n      intent.kind: x.y\n      any:\n        - plan.deletes: 1\n          plan.creates: 2\n    allow: {}\n",
    );
}

#[test]
fn a_document_says_that_it_is_one() {
    let is = |text: &str| is_document("p.yaml", text).unwrap();
    assert!(is("kind: Policy\napiVersion: assent/v1\n"));
    assert!(is("{\"apiVersion\": \"assent/v1\", \"kind\": \"Policy\"}\n"));
    for other in ["apiVersion: v1\nkind: Pod\n", "", "- apiVersion: assent/v1\n", "a: 1\n"] {
        assert!(!is(other), "{other}");
    }
    assert!(is_document("p.yaml", "a: [\n").is_err());
}

#[test]
fn comments_stay_with_what_they_stand_above_or_behind() {
    check(
        "# head\nrules:   # all of them\n# first\n- id: a   # its name\n  # why\n  allow: {}\n  # end of a\n# second\n- id: b\n  allow: {}\n# foot\n",
        "# head\nrules:   # all of them\n  # first\n  - id: a   # its name\n    # why\n    allow: {}\n    # end of a\n\n  # second\n  - id: b\n    allow: {}\n# foot\n",
    );
}

#[test]
fn keys_of_a_rule_come_in_their_order() {
    check(
        "rules:\n  - deny: {message: no}\n    # only there\n    when: {intent.environment: prod}\n    id: a\n  - allow: {}\n    id: b\n",
        "rules:\n  - id: a\n    # only there\n    when: {intent.environment: prod}\n    deny: {message: no}\n\n  - id: b\n    allow: {}\n",
    );
    check(
        "rules:\n  - allow:\n      credential: {max_ttl: 5m}\n\n    # named after the team\n    id: a\n",
        "rules:\n  # named after the team\n  - id: a\n    allow:\n      credential: {max_ttl: 5m}\n",
    );
}

#[test]
fn rules_of_one_line_need_no_room() {
    let text = "rules:\n  - {id: a, allow: {}}\n  - {id: b, allow: {}}\n";
    check(text, text);
    check(
        "rules: [{id: a, allow: {}},\n   {id: b,  allow: {}}]   \n\n\n",
        "rules: [{id: a, allow: {}},\n   {id: b,  allow: {}}]\n",
    );
}

#[test]
fn values_of_several_lines_keep_their_words() {
    check(
        "rules:\n- id: a\n  description: |\n    one  \n      # no comment\n\n    two\n  deny:\n    message: \"a\n      b\"\n    notify: [group:x,\n             group:y]\n",
        "rules:\n  - id: a\n    description: |\n      one  \n        # no comment\n\n      two\n    deny:\n      message: \"a\n        b\"\n      notify: [group:x,\n               group:y]\n",
    );
}

#[test]
fn ends_of_lines_and_of_files_are_clean() {
    check("kind: Policy  \r\n\r\n\r\n\r\nrules: []", "kind: Policy\n\nrules: []\n");
    check("", "");
    check("# nothing\n", "# nothing\n");
}

#[test]
fn what_cannot_be_read_is_left() {
    assert!(matches!(format("p.yaml", "a: [\n"), Err(FormatError::Unreadable(_))));
    assert!(matches!(format("p.yaml", "a: 1\na: 2\n"), Err(FormatError::Unreadable(_))));
}

#[test]
fn the_corpus_says_the_same_afterwards_and_is_formed_once() {
    fn each(at: &Path, see: &mut impl FnMut(&Path)) {
        for entry in fs::read_dir(at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                each(&path, see);
            } else if path.extension().is_some_and(|ending| ending == "yaml") {
                see(&path);
            }
        }
    }
    let mut count = 0;
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    for directory in ["tests/policies", "examples"] {
        each(&root.join(directory), &mut |path| {
            count += 1;
            let text = fs::read_to_string(path).unwrap();
            let name = path.display().to_string();
            let formed = format(&name, &text).unwrap();
            assert_eq!(format(&name, &formed).unwrap(), formed, "{name}");
            let comments =
                |text: &str| text.lines().filter(|l| l.trim_start().starts_with('#')).count();
            assert_eq!(comments(&text), comments(&formed), "{name}");
        });
    }
    assert!(count > 150);
}

/// A document as somebody in a hurry writes it: any indentation, comments and blank lines anywhere.
fn documents() -> impl Strategy<Value = String> {
    let entry = prop_oneof![
        Just("id: ID"),
        Just("description: some words # and why"),
        Just("when: {intent.kind: a.b}"),
        Just("when:WHEN"),
        Just("allow: {}"),
        Just("deny: {message: \"no: never\"}"),
    ];
    let rule = (prop::collection::vec((entry, 0..4_u8), 1..5), 0..3_usize, 1..4_usize);
    prop::collection::vec(rule, 1..5).prop_map(|rules| {
        let mut text = "apiVersion: assent/v1\nkind: Policy\nrules:\n".to_owned();
        for (number, (entries, indent, gap)) in rules.iter().enumerate() {
            let mut seen = Vec::new();
            let pad = " ".repeat(*indent.min(&rules[0].1).max(&rules[0].1));
            let inner = " ".repeat(pad.len() + 1 + gap);
            for (entry, noise) in entries {
                let key = entry.split(':').next().unwrap();
                if seen.contains(&key) {
                    continue;
                }
                let lead = if seen.is_empty() { format!("{pad}-{}", " ".repeat(*gap)) } else { inner.clone() };
                seen.push(key);
                match noise {
                    1 => text.push_str(&format!("{pad}# note {number}\n")),
                    2 if seen.len() > 1 => text.push_str(&format!("{inner}# deep {number}\n")),
                    3 => text.push_str("\n   \n"),
                    _ => {}
                }
                let entry = entry.replace("ID", &format!("r{number}"));
                let entry = entry.replace("WHEN", &format!("\n{inner}   intent.kind: a.b\n{inner}   plan.deletes: {{gt: 1,\n{inner}     lt: 5}}"));
                text.push_str(&format!("{lead}{entry}\n"));
            }
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// What is formed is formed, says the same, and has lost no comment.
    #[test]
    fn forming_twice_is_forming_once(text in documents()) {
        let formed = format("p.yaml", &text);
        let formed = match formed {
            Ok(formed) => formed,
            Err(error) => return Err(TestCaseError::fail(format!("{error}\n{text}"))),
        };
        let again = format("p.yaml", &formed).unwrap();
        prop_assert_eq!(&again, &formed, "from\n{}", text);
        prop_assert_eq!(text.matches('#').count(), formed.matches('#').count());
    }
}
