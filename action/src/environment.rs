//! The environment that a runner gives a step, read once.
//!
//! Only what earlier steps of a job cannot set decides anything: `INPUT_…` and `STATE_…` are set for the
//! step itself, and what begins with `GITHUB_` or `RUNNER_` cannot be set by `GITHUB_ENV` (GitHub, "Workflow
//! commands", "Setting an environment variable").

use std::collections::BTreeMap;
use std::path::PathBuf;

/// What is set, by name. What is no text is not there.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let texts = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(texts).collect())
    }

    /// What is set there; what is empty is not.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A file or a folder that is named there.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// What a step gives as an input: upper case, blanks as `_`, dashes kept (runner, `INPUT_…`).
    pub(crate) fn input(&self, name: &str) -> Option<&str> {
        let name = name.to_uppercase().replace(' ', "_");
        self.get(&format!("INPUT_{name}")).map(str::trim).filter(|value| !value.is_empty())
    }

    /// What the main stage left for the end.
    pub(crate) fn state(&self, name: &str) -> Option<&str> {
        self.get(&format!("STATE_{name}"))
    }

    /// The names of what is for this step and not for what it runs: what it was told, what it leaves for
    /// its end, what it proves by who it is, and the runner's own tokens.
    pub(crate) fn own(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| is_own(name))
    }
}

fn is_own(name: &str) -> bool {
    let begins = ["INPUT_", "STATE_", "ACTIONS_"].iter().any(|own| name.starts_with(own));
    begins || name == "GITHUB_STATE"
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(all: [(&str, &str); N]) -> Self {
        all.as_slice().into()
    }
}

#[cfg(test)]
impl From<&[(&str, &str)]> for Environment {
    fn from(all: &[(&str, &str)]) -> Self {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Self(all.iter().map(owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_keep_their_dashes() {
        let set = [("INPUT_PLAN-FILE", " tfplan\n"), ("INPUT_A_B", "x"), ("INPUT_URL", "  ")];
        let environment = Environment::from(set);
        assert_eq!(environment.input("plan-file"), Some("tfplan"));
        assert_eq!(environment.input("a b"), Some("x"));
        assert_eq!(environment.input("url"), None);
    }

    #[test]
    fn what_proves_who_the_job_is_is_for_nobody_else() {
        let set = [
            ("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "t"),
            ("ACTIONS_RUNTIME_TOKEN", "t"),
            ("GITHUB_OUTPUT", "/o"),
            ("GITHUB_STATE", "/s"),
            ("INPUT_GITHUB-TOKEN", "t"),
            ("PATH", "/bin"),
            ("STATE_shim", "started"),
        ];
        let environment = Environment::from(set);
        let kept: Vec<_> =
            set.iter().filter(|(name, _)| !environment.own().any(|n| n == *name)).collect();
        assert_eq!(kept, [&("GITHUB_OUTPUT", "/o"), &("PATH", "/bin")]);
    }
}
