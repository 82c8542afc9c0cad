//! Nothing that is written makes the reader or the evaluator fall: every text is a policy, or faults
//! each of which stands at a place inside its file; and every policy answers.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::policy::document::Place;
use crate::time::Timestamp;

/// How many texts are tried; more where somebody has the time.
const MUTATIONS: u64 = match option_env!("ASSENT_MUTATIONS") {
    Some(_) => 50_000,
    None => 3_000,
};

/// Splitmix64: the same texts from the same seed, everywhere.
struct Chance(u64);

impl Chance {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n as u64) as usize
    }

    fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

fn yaml_files(directory: &Path, found: &mut Vec<PathBuf>) {
    let mut entries: Vec<_> = std::fs::read_dir(directory)
        .unwrap_or_else(|error| panic!("{}: {error}", directory.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    entries.sort();
    for path in entries {
        match path.is_dir() {
            true => yaml_files(&path, found),
            false if path.extension().is_some_and(|end| end == "yaml") => found.push(path),
            false => {}
        }
    }
}

/// The documents that are on hand: of the corpus, the examples and the guides.
fn documents() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut files = Vec::new();
    yaml_files(&root.join("tests/policies"), &mut files);
    yaml_files(&root.join("examples"), &mut files);
    files.retain(|file| !file.to_string_lossy().ends_with("_test.yaml"));
    let mut texts: Vec<String> =
        files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let guide = std::fs::read_to_string(root.join("docs/guides/policy.md")).unwrap();
    let blocks = guide.split("```yaml\n").skip(1).filter_map(|rest| rest.split_once("\n```"));
    texts.extend(blocks.map(|(block, _)| format!("{block}\n")));
    texts.push(PRODUCTION.to_owned());
    texts
}

const WORDS: [&str; 44] = [
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "-",
    "\n",
    "  ",
    "\t",
    "#",
    "'",
    "\"",
    "|",
    ">",
    "&a",
    "*a",
    "<<: ",
    "!!str ",
    "? ",
    "---\n",
    "...\n",
    "%YAML 1.1\n",
    "\u{feff}",
    "\u{0}",
    "\u{202e}",
    "é",
    "💥",
    "~",
    "null",
    "true",
    "1e999",
    "-0",
    "99999999999999999999999",
    "0.1",
    "7d",
    "0s",
    "group:",
    "person:bob",
    "when: {not: {any: [{all: []}]}}",
    "exists: true",
    "waives: [r]",
    "owners_of(target)",
    "**",
];

/// Another text, by a few changes of bytes, words, lines or levels.
fn changed(chance: &mut Chance, text: &str, others: &[String]) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for _ in 0..=chance.below(3) {
        let at = chance.below(text.len() + 1);
        let end = (at + chance.below(12)).min(text.len());
        match chance.below(7) {
            0 => drop(text.drain(at..end)),
            1 => drop(text.splice(at..end, chance.pick(&WORDS).chars())),
            2 => drop(text.splice(at..at, chance.pick(&WORDS).chars())),
            3 => {
                let word = text[at..end].to_vec();
                let to = chance.below(text.len() + 1);
                drop(text.splice(to..to, word));
            }
            // A line goes, comes twice, or comes from elsewhere.
            4 | 5 => {
                let whole: String = text.iter().collect();
                let mut lines: Vec<&str> = whole.split_inclusive('\n').collect();
                if lines.is_empty() {
                    continue;
                }
                let line = chance.below(lines.len());
                let other: Vec<&str> = chance.pick(others).split_inclusive('\n').collect();
                match chance.below(3) {
                    0 => drop(lines.remove(line)),
                    1 => lines.insert(line, lines[line]),
                    _ if !other.is_empty() => lines.insert(line, other[chance.below(other.len())]),
                    _ => {}
                }
                text = lines.concat().chars().collect();
            }
            _ => {
                if at < text.len() {
                    text[at] = char::from_u32(chance.below(0x300) as u32).unwrap_or('x');
                }
            }
        }
    }
    text.into_iter().collect()
}

#[track_caller]
fn is_inside(fault: &Fault, text: &str) {
    let Place { file, line, column } = &fault.place;
    assert_eq!(file, "p.yaml", "{fault}");
    // YAML ends a line at a carriage return too, and the end of the text is a place as well.
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.split('\n').collect();
    assert!(*line >= 1 && *line <= lines.len() + 1, "{fault}\n{text}");
    let length = lines.get(line - 1).map_or(0, |line| line.chars().count());
    assert!(*column >= 1 && *column <= length + 1, "{fault}\n{text}");
    assert!(!fault.message.is_empty() && fault.message.len() < 4_000, "{fault}");
}

/// Questions that have something to every rule, and such as have nothing.
fn questions() -> Vec<(Intent, Principal, Known)> {
    let rich = Known {
        signals: json!({"incident": {"severity": "sev1"}, "l": [1, {"a": null}, "x"]})
            .as_object()
            .unwrap()
            .clone(),
        network: crate::policy::situation::Network {
            ip: Some("::ffff:10.0.0.1".parse().unwrap()),
            country: Some("DE".to_owned()),
        },
        ..Known::default()
    };
    let told = [
        "alice asks terraform.apply in production with calendar=open workspace=secrets",
        "bob/oncall asks database.session in prod",
        "mallory asks a.b in x",
    ];
    told.into_iter()
        .zip([rich, Known::default(), Known::default()])
        .map(|(told, known)| {
            let (intent, requester) = asked(told);
            (intent, requester, known)
        })
        .collect()
}

#[test]
fn whatever_is_written_is_a_policy_or_faults_with_their_places() {
    let documents = documents();
    assert!(documents.len() > 20, "{}", documents.len());
    let questions = questions();
    let now: Timestamp = "2026-11-20T10:00:00Z".parse().unwrap();
    let (mut good, mut bad) = (0, 0);
    for seed in 0..MUTATIONS {
        let mut chance = Chance(seed);
        let text = changed(&mut chance, chance_document(&documents, seed), &documents);
        match Policy::compile(&[document("p.yaml", &text)]) {
            Err(faults) => {
                bad += 1;
                assert!(!faults.is_empty(), "neither policy nor fault:\n{text}");
                faults.iter().for_each(|fault| is_inside(fault, &text));
            }
            Ok(policy) => {
                good += 1;
                for (intent, requester, known) in &questions {
                    let situation = Situation { intent, requester, known, now };
                    let ruling = policy.rule(&situation);
                    assert_eq!(ruling, policy.rule(&situation), "the same twice");
                    assert!(!ruling.rules.is_empty(), "a ruling by nobody");
                    let told = policy.explain(&situation);
                    assert_eq!(told.rules.len(), policy.rule_count());
                }
            }
        }
    }
    // Some of each, or nothing was shown.
    assert!(good > MUTATIONS / 50 && bad > MUTATIONS / 4, "{good} policies, {bad} with faults");
}

fn chance_document(documents: &[String], seed: u64) -> &str {
    &documents[(seed % documents.len() as u64) as usize]
}
