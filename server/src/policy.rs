//! Where policy comes from: a directory, a commit of a Git repository, or what was given; and the
//! documents that came over the API, beside it.

mod directory;
mod git;

use std::path::PathBuf;
use std::time::Duration;

use assent_core::policy::Policy;
use assent_core::policy::document::{Fault, PolicyDocument};
use assent_core::policy::lint::Severity;

pub use directory::read_directory;
pub use git::{Checkout, GitError, NotAReference, Reference};

/// The largest document or module that is read.
const LARGEST: u64 = 1024 * 1024;
/// The largest `.json` file: data for modules, and plans for test cases.
const LARGEST_DATA: u64 = 32 * 1024 * 1024;
/// How many files a policy has at most.
const MOST_FILES: usize = 10_000;

/// How the names of what came over the API begin.
const KEPT: &str = "api:/";

/// How long a directory must hold the same before that counts.
const MOMENT: Duration = Duration::from_millis(100);
/// How often a directory is read until it holds the same twice.
const READINGS: usize = 5;

/// Where policy documents come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// From nowhere but the API.
    Nowhere,
    /// These, for good.
    Given(Vec<PolicyDocument>),
    /// Every document in this directory and those within.
    Directory(PathBuf),
    /// Every document of a commit.
    Git(Checkout),
}

/// What a source holds at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reading {
    /// Every file that belongs to the policy, in order of name.
    pub documents: Vec<PolicyDocument>,
    /// The commit it was read at, where it comes from Git.
    pub commit: Option<String>,
}

/// Why a source could not be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The directory, or a file of it.
    #[error("the policy directory cannot be read: {0}")]
    Directory(#[source] std::io::Error),
    /// The directory holds something else each time: somebody is writing to it.
    #[error(
        "the policy directory changed each of the {READINGS} times it was read; write the policy \
         beside it and rename, so that no half of it is ever there"
    )]
    Unsettled,
    /// The repository.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// A short moment, between two readings of a directory.
pub async fn moment() {
    tokio::time::sleep(MOMENT).await;
}

impl Source {
    /// The word for what it is.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Nowhere => "none",
            Self::Given(_) => "built in",
            Self::Directory(_) => "directory",
            Self::Git(_) => "git",
        }
    }

    /// What it holds, once it holds still. Files are not written all at once, and a half of them is
    /// a policy too, perhaps one without the rule that denies: what differs from `before` counts
    /// only when it is there again after a `pause`. A commit is whole.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn settled<F>(
        &self,
        before: &Reading,
        mut pause: impl FnMut() -> F + Send,
    ) -> Result<Reading, SourceError>
    where
        F: Future<Output = ()> + Send,
    {
        let mut last = self.read(before).await?;
        match self {
            Self::Nowhere | Self::Given(_) | Self::Git(_) => return Ok(last),
            Self::Directory(_) if last == *before => return Ok(last),
            Self::Directory(_) => {}
        }
        for _ in 1..READINGS {
            pause().await;
            let next = self.read(before).await?;
            if next == last {
                return Ok(next);
            }
            last = next;
        }
        Err(SourceError::Unsettled)
    }

    /// What it holds now. `before` is what it held when it was read last: a commit is read once.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn read(&self, before: &Reading) -> Result<Reading, SourceError> {
        match self {
            Self::Nowhere => Ok(Reading::default()),
            Self::Given(documents) => Ok(Reading { documents: documents.clone(), commit: None }),
            Self::Directory(directory) => {
                let directory = directory.clone();
                let read = tokio::task::spawn_blocking(move || read_directory(&directory));
                let lost = |error| Err(std::io::Error::other(error));
                let documents = read.await.unwrap_or_else(lost).map_err(SourceError::Directory)?;
                Ok(Reading { documents, commit: None })
            }
            Self::Git(checkout) => Ok(checkout.read(before).await?),
        }
    }
}

/// A policy and the documents it was compiled from.
#[derive(Debug)]
pub struct Loaded {
    /// The policy.
    pub policy: Policy,
    /// What the source held.
    pub reading: Reading,
}

impl Loaded {
    /// Compiles what a source holds together with the documents that came over the API. Without
    /// any, everything is refused.
    ///
    /// # Errors
    /// Every [`Fault`].
    pub fn compile(reading: Reading, kept: &[PolicyDocument]) -> Result<Self, Vec<Fault>> {
        let files: Vec<PolicyDocument> = reading.documents.iter().chain(kept).cloned().collect();
        let policy = match files.is_empty() {
            true => Policy::refuse_all(),
            false => {
                let policy = Policy::compile(&files)?;
                // What is certainly a mistake, such as a rule that never matches, does not rule.
                let findings = Policy::lint(&files, None)?.into_iter();
                let faults: Vec<Fault> = findings
                    .filter(|finding| finding.severity == Severity::Fault)
                    .map(|finding| finding.fault)
                    .collect();
                if !faults.is_empty() {
                    return Err(faults);
                }
                policy
            }
        };
        Ok(Self { policy, reading })
    }
}

/// The name of a document that came over the API, as faults print it. No file has it: the names of
/// files in a directory never begin so.
pub(crate) fn kept_name(name: &str) -> String {
    format!("{KEPT}{name}")
}

/// The name under which something came over the API, from the name that faults print.
pub(crate) fn kept_in(file: &str) -> Option<&str> {
    file.strip_prefix(KEPT)
}

/// What belongs to a policy, by its name alone.
fn belongs(name: &str) -> bool {
    let ending = name.rsplit_once('.').map(|(_, ending)| ending.to_ascii_lowercase());
    matches!(ending.as_deref(), Some("yaml" | "yml" | "rego" | "json"))
}

/// How large a file of this name may be.
fn largest(name: &str) -> u64 {
    if name.to_ascii_lowercase().ends_with(".json") { LARGEST_DATA } else { LARGEST }
}
