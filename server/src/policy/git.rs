//! Policy files of a commit, read from a local Git repository: never from the working tree, which
//! anybody who can write to it could change without a trace.
//!
//! The program `git` is run with an environment of its own, without hooks, configuration of the
//! machine or the user, replacement objects or the network, and with a time limit.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::str::FromStr;
use std::time::Duration;

use assent_core::policy::document::PolicyDocument;
use tokio::process::Command;

use super::{MOST_FILES, Reading, belongs, largest};

/// How long one run of `git` may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much of what `git` says about a failure is told.
const TOLD: usize = 300;

/// A fully spelled reference: `refs/heads/main`. A short name could mean a tag one day and a branch
/// the next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference(String);

/// The text is not a fully spelled reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a whole reference; write refs/heads/main or refs/tags/v1")]
pub struct NotAReference(String);

impl FromStr for Reference {
    type Err = NotAReference;

    fn from_str(text: &str) -> Result<Self, NotAReference> {
        let part = |part: &str| {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '+');
            !part.is_empty()
                && !part.starts_with(['.', '-'])
                && !part.ends_with(".lock")
                && !part.ends_with('.')
                && !part.contains("..")
                && part.chars().all(plain)
        };
        let inside = text.strip_prefix("refs/").filter(|inside| inside.contains('/'));
        match inside {
            Some(inside) if inside.split('/').all(part) => Ok(Self(text.to_owned())),
            Some(_) | None => Err(NotAReference(text.to_owned())),
        }
    }
}

impl std::fmt::Display for Reference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Which commit of which repository, and where in it.
#[derive(Clone, Debug)]
pub struct Checkout {
    /// The repository: a checkout or a bare one.
    pub repository: PathBuf,
    /// What points to the commit.
    pub reference: Reference,
    /// The directory in it that holds the policy; the whole, if nothing is said.
    pub inside: Option<String>,
}

/// Why a commit could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// There is no `git`, or it could not be run.
    #[error("`git` cannot be run")]
    Run(#[source] std::io::Error),
    /// It did not end in time.
    #[error("`git {0}` took longer than {PATIENCE:?}")]
    TooSlow(&'static str),
    /// It failed.
    #[error("`git {command}` failed in {}: {told}", repository.display())]
    Failed {
        /// What it was asked.
        command: &'static str,
        /// Where.
        repository: PathBuf,
        /// What it said.
        told: String,
    },
    /// What it printed is not what it prints.
    #[error("`git {0}` printed something else than it does")]
    Foreign(&'static str),
    /// The directory in it is none of its own.
    #[error("`{0}` is not a path inside the repository; write it without `..` or a leading `/`")]
    Inside(String),
    /// A link could lead out of the commit.
    #[error("{0} is a symbolic link; policy files are read from the commit only")]
    Link(String),
    /// A submodule is another repository.
    #[error("{0} is a submodule; policy files are read from the commit only")]
    Submodule(String),
    /// A file is too large, or there are too many.
    #[error("{0}")]
    TooMuch(String),
    /// A file is no text.
    #[error("{0} is not UTF-8")]
    NotText(String),
    /// Nothing that rules is there.
    #[error("no policy document (*.yaml) is at {0}")]
    Empty(String),
}

/// A file of a commit.
#[derive(Debug)]
struct Entry {
    object: String,
    path: String,
}

impl Checkout {
    /// The policy files at the commit that the reference points to.
    ///
    /// # Errors
    /// [`GitError`].
    pub async fn read(&self, before: &Reading) -> Result<Reading, GitError> {
        let commit = self.commit().await?;
        if before.commit.as_ref() == Some(&commit) {
            return Ok(before.clone());
        }
        let mut documents = Vec::new();
        for Entry { object, path } in self.entries(&commit).await? {
            let text = self.git("cat-file", &["blob", &object]).await?;
            let text = String::from_utf8(text).map_err(|_| GitError::NotText(path.clone()))?;
            documents.push(PolicyDocument { file: path, text });
        }
        if documents.iter().all(|file| file.is_attachment() || file.is_test()) {
            return Err(GitError::Empty(commit));
        }
        documents.sort_by(|one, other| one.file.cmp(&other.file));
        Ok(Reading { documents, commit: Some(commit) })
    }

    /// The commit that the reference leads to. The reference is looked up by its whole name, and
    /// peeled by its id: to `rev-parse` any name may be short for another (gitrevisions(7)), so that
    /// a tag named `refs/heads/main` would stand for a branch that is gone.
    async fn commit(&self) -> Result<String, GitError> {
        let reference = self.reference.to_string();
        let found = self.object("show-ref", &["--verify", "--hash", "--", &reference]).await?;
        let commit = format!("{found}^{{commit}}");
        self.object("rev-parse", &["--verify", "--end-of-options", &commit]).await
    }

    /// The one object that `git` names.
    async fn object(&self, name: &'static str, arguments: &[&str]) -> Result<String, GitError> {
        let said = self.git(name, arguments).await?;
        let said = String::from_utf8(said).map_err(|_| GitError::Foreign(name))?;
        let id = said.trim_end();
        let is_id = matches!(id.len(), 40 | 64) && id.bytes().all(|b| b.is_ascii_hexdigit());
        if is_id { Ok(id.to_owned()) } else { Err(GitError::Foreign(name)) }
    }

    async fn entries(&self, commit: &str) -> Result<Vec<Entry>, GitError> {
        const COMMAND: &str = "ls-tree";
        let inside = self.inside()?;
        let mut arguments = vec!["-r", "-z", "-l", "--full-tree", commit];
        arguments.extend(inside.as_deref().map(|_| "--"));
        arguments.extend(inside.as_deref());
        let listed = self.git(COMMAND, &arguments).await?;
        let mut entries = Vec::new();
        for line in listed.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let line = std::str::from_utf8(line);
            let line = line.map_err(|_| GitError::NotText("a file name".to_owned()))?;
            entries.extend(entry(line).ok_or(GitError::Foreign(COMMAND))??);
        }
        if entries.len() > MOST_FILES {
            return Err(GitError::TooMuch(format!("more than {MOST_FILES} policy files")));
        }
        Ok(entries)
    }

    /// The directory to read, with a slash at its end: without, a file of that name would do.
    fn inside(&self) -> Result<Option<String>, GitError> {
        let Some(inside) = &self.inside else { return Ok(None) };
        let path = inside.trim_end_matches('/');
        let is_plain = |part: &str| !part.is_empty() && part != "." && part != "..";
        match path.split('/').all(is_plain) {
            true => Ok(Some(format!("{path}/"))),
            false => Err(GitError::Inside(inside.clone())),
        }
    }

    async fn git(&self, name: &'static str, arguments: &[&str]) -> Result<Vec<u8>, GitError> {
        let mut command = command(&self.repository);
        let running = command.arg(name).args(arguments).output();
        let ended = tokio::time::timeout(PATIENCE, running).await;
        let output = ended.map_err(|_| GitError::TooSlow(name))?.map_err(GitError::Run)?;
        if output.status.success() {
            return Ok(output.stdout);
        }
        let told: String = String::from_utf8_lossy(&output.stderr).chars().take(TOLD).collect();
        let (repository, told) = (self.repository.clone(), told.trim().replace('\n', "; "));
        Err(GitError::Failed { command: name, repository, told })
    }
}

/// `git` on this repository and nothing else.
fn command(repository: &Path) -> Command {
    let mut command = Command::new("git");
    // A directory that is no repository must not stand for one that lies around it.
    let ceiling = std::path::absolute(repository).unwrap_or_default();
    let ceiling = ceiling.parent().unwrap_or(Path::new("/")).to_owned();
    command
        .env_clear()
        .env("GIT_CEILING_DIRECTORIES", ceiling)
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .envs([
            ("LC_ALL", "C"),
            ("HOME", "/nonexistent"),
            ("GIT_CONFIG_NOSYSTEM", "1"),
            ("GIT_CONFIG_GLOBAL", "/dev/null"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_OPTIONAL_LOCKS", "0"),
            ("GIT_NO_REPLACE_OBJECTS", "1"),
            ("GIT_NO_LAZY_FETCH", "1"),
            ("GIT_LITERAL_PATHSPECS", "1"),
        ])
        .arg("-C")
        .arg(repository)
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
        .args(["-c", "protocol.allow=never", "--no-pager"])
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// One line of `ls-tree -l`: `MODE TYPE OBJECT SIZE<TAB>PATH`. `None` where it is no such line, and
/// nothing inside where the file does not belong to a policy.
fn entry(line: &str) -> Option<Result<Option<Entry>, GitError>> {
    let (facts, path) = line.split_once('\t')?;
    let mut facts = facts.split_ascii_whitespace();
    let (mode, _, object, size) = (facts.next()?, facts.next()?, facts.next()?, facts.next()?);
    match mode {
        "120000" => return Some(Err(GitError::Link(path.to_owned()))),
        "160000" => return Some(Err(GitError::Submodule(path.to_owned()))),
        "100644" | "100755" => {}
        _ => return None,
    }
    let hidden = path.split('/').any(|part| part.starts_with('.'));
    if hidden || !belongs(path) {
        return Some(Ok(None));
    }
    if size.parse::<u64>().ok()? > largest(path) {
        let problem = format!("{path} is larger than {} MiB", largest(path) / (1024 * 1024));
        return Some(Err(GitError::TooMuch(problem)));
    }
    Some(Ok(Some(Entry { object: object.to_owned(), path: path.to_owned() })))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_spelled_whole() {
        for whole in ["refs/heads/main", "refs/tags/v1.2.3", "refs/remotes/origin/main"] {
            assert_eq!(whole.parse::<Reference>().unwrap().to_string(), whole);
        }
        for other in [
            "",
            "main",
            "HEAD",
            "heads/main",
            "refs/main",
            "refs/heads/",
            "refs/heads/../main",
            "refs/heads/a..b",
            "refs/heads/-x",
            "refs/heads/.x",
            "refs/heads/x.lock",
            "refs/heads/main~1",
            "refs/heads/main^",
            "refs/heads/main@{1}",
            "refs/heads/a:b",
            "refs/heads/a b",
            "refs/heads/a\n",
        ] {
            assert!(other.parse::<Reference>().is_err(), "{other:?}");
        }
    }

    #[test]
    fn links_and_submodules_are_faults_and_not_passed_over() {
        let read = |line: &str| entry(line).map(|entry| entry.map(|found| found.map(|e| e.path)));
        let file = read("100644 blob abc     12\tpolicy/a.yaml").unwrap().unwrap();
        assert_eq!(file.as_deref(), Some("policy/a.yaml"));
        assert!(matches!(read("100644 blob abc     12\tREADME.md"), Some(Ok(None))));
        assert!(matches!(read("100644 blob abc     12\t.github/a.yaml"), Some(Ok(None))));
        assert!(matches!(read("120000 blob abc     12\ta.txt"), Some(Err(GitError::Link(_)))));
        let submodule = read("160000 commit abc       -\tshared");
        assert!(matches!(submodule, Some(Err(GitError::Submodule(_)))));
        let large = read("100644 blob abc 1048577\ta.yaml");
        assert!(matches!(large, Some(Err(GitError::TooMuch(_)))));
        assert!(read("nonsense").is_none() && read("100644 blob abc -\ta.yaml").is_none());
    }
}
