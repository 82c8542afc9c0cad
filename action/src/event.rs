//! What started the run, as the runner tells it in a file: only to say why, never to decide anything.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use assent_gate::clean;
use serde_json::Value;

/// The largest file that is read: GitHub sends events of 25 MB at most.
const LARGEST: u64 = 26_000_000;
/// The longest first line of somebody's message that is told.
const LONGEST_TOLD: usize = 200;

/// What is known of the commit that is run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Commit {
    /// `OWNER/NAME`.
    pub(crate) repository: String,
    /// The branch or tag, by its short name.
    pub(crate) name: String,
    /// The commit.
    pub(crate) sha: String,
}

/// Why a step asks, where it does not say so: what is deployed, and how its author or the release put it.
pub(crate) fn reason(commit: &Commit, event: Option<&Value>) -> String {
    let short: String = commit.sha.chars().take(12).collect();
    let what = clean(&format!("Deploy {}@{} ({short})", commit.repository, commit.name));
    match event.and_then(told) {
        Some(told) => format!("{what}: {told}"),
        None => what,
    }
}

/// The event in this file, if it is one.
pub(crate) fn read(file: &Path) -> Option<Value> {
    let mut bytes = Vec::new();
    File::open(file).ok()?.take(LARGEST).read_to_end(&mut bytes).ok()?;
    serde_json::from_slice(&bytes).ok()
}

/// The name of the release, or the first line of the newest commit's message.
fn told(event: &Value) -> Option<String> {
    let places = ["/release/name", "/release/tag_name", "/head_commit/message"];
    let texts = places.iter().filter_map(|place| event.pointer(place)?.as_str());
    let lines = texts.filter_map(|text| text.lines().map(str::trim).find(|line| !line.is_empty()));
    let line = lines.map(clean).next()?;
    let cut: String = line.chars().take(LONGEST_TOLD).collect();
    Some(if cut.len() < line.len() { format!("{cut}…") } else { cut })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn commit() -> Commit {
        Commit {
            repository: "acme/orders".to_owned(),
            name: "main".to_owned(),
            sha: "0123456789abcdef0123456789abcdef01234567".to_owned(),
        }
    }

    #[test]
    fn a_push_says_what_its_author_said() {
        let event = json!({"head_commit": {"message": "\nResize the database\n\nLong story"}});
        let wanted = "Deploy acme/orders@main (0123456789ab): Resize the database";
        assert_eq!(reason(&commit(), Some(&event)), wanted);
    }

    #[test]
    fn a_release_says_its_name() {
        let event = json!({"release": {"name": null, "tag_name": "v1.2"}});
        assert!(reason(&commit(), Some(&event)).ends_with(": v1.2"));
        let event = json!({"release": {"name": "Spring", "tag_name": "v1.2"}});
        assert!(reason(&commit(), Some(&event)).ends_with(": Spring"));
    }

    #[test]
    fn what_says_nothing_is_left_out() {
        for event in [json!({}), json!([]), json!({"head_commit": {"message": 7}}), json!(null)] {
            assert_eq!(reason(&commit(), Some(&event)), "Deploy acme/orders@main (0123456789ab)");
        }
        assert_eq!(read(Path::new("/nonexistent")), None);
    }

    #[test]
    fn t37_hidden_characters_of_a_message_are_written_out_and_it_is_cut() {
        let message = format!("a\u{202e}b\u{1b}[1m {}", "x".repeat(5_000));
        let told = reason(&commit(), Some(&json!({"head_commit": {"message": message}})));
        assert!(told.contains(": a\\u{202e}b\\u{1b}[1m x") && told.len() < 400, "{told}");
    }
}
