//! What `--dev` adds: three people and a policy to try things with.

use assent_core::policy::document::PolicyDocument;

/// alice asks; bob and carol are release-managers.
pub(crate) const PEOPLE: [&str; 3] = ["alice", "bob", "carol"];

/// The policy where none is given.
pub(crate) fn policy() -> PolicyDocument {
    let text = include_str!("../dev/policy.yaml").to_owned();
    PolicyDocument { file: "dev/policy.yaml".to_owned(), text }
}
