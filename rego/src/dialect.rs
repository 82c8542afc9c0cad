//! Bring your own Rego: the forms that other products' policies keep to.
//!
//! A dialect fixes which rules are read, what input they are given and what their values mean. In
//! every one of them the policy can only object, ask for people, or consent where a binding names
//! what its consent satisfies; an empty set of objections permits nothing.

mod input;
mod meaning;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::engine::Outcome;
use crate::opinion::Opinion;
use crate::question::Question;

/// Which product's forms a policy keeps to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Dialect {
    /// One object, `data.assent.opinion`.
    Assent,
    /// conftest and Atlantis: `deny*`, `violation*`, `warn*`, `exception`.
    Conftest,
    /// HCP Terraform: a query that gives an array.
    HcpTerraform,
    /// Spacelift plan policies: `deny`, `warn`.
    SpaceliftPlan,
    /// Spacelift approval policies: `approve`, `reject`.
    SpaceliftApproval,
    /// env0: `allow`, `deny`, `pending`, `warn`.
    Env0,
    /// Gatekeeper: `violation`.
    Gatekeeper,
}

/// The text names no dialect.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no dialect; there are: assent, conftest, hcp-terraform, spacelift-plan, spacelift-approval, env0, gatekeeper"
)]
pub struct DialectError(String);

impl Dialect {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Assent,
        Self::Conftest,
        Self::HcpTerraform,
        Self::SpaceliftPlan,
        Self::SpaceliftApproval,
        Self::Env0,
        Self::Gatekeeper,
    ];

    /// As a binding writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Assent => "assent",
            Self::Conftest => "conftest",
            Self::HcpTerraform => "hcp-terraform",
            Self::SpaceliftPlan => "spacelift-plan",
            Self::SpaceliftApproval => "spacelift-approval",
            Self::Env0 => "env0",
            Self::Gatekeeper => "gatekeeper",
        }
    }

    /// Whether a policy of it can consent, so that a binding may name what that satisfies.
    pub fn can_allow(self) -> bool {
        matches!(self, Self::Assent | Self::SpaceliftApproval | Self::Env0)
    }

    /// The name that [`Dialect::opinion`] knows its one rule by, where it reads one.
    pub(crate) fn reads_one(self) -> Option<&'static str> {
        match self {
            Self::Assent => Some("opinion"),
            Self::HcpTerraform => Some("query"),
            Self::Gatekeeper => Some("violation"),
            Self::Conftest | Self::SpaceliftPlan | Self::SpaceliftApproval | Self::Env0 => None,
        }
    }

    /// Whether it reads a rule of this name.
    pub(crate) fn reads(self, name: &str) -> bool {
        match self {
            Self::Assent | Self::HcpTerraform | Self::Gatekeeper => false,
            Self::Conftest => meaning::conftest(name).is_some() || name == "exception",
            Self::SpaceliftPlan => matches!(name, "deny" | "warn"),
            Self::SpaceliftApproval => matches!(name, "approve" | "reject"),
            Self::Env0 => matches!(name, "allow" | "deny" | "pending" | "warn"),
        }
    }

    pub(crate) fn takes_query(self) -> bool {
        matches!(self, Self::Assent | Self::HcpTerraform)
    }

    pub(crate) fn takes_namespace(self) -> bool {
        matches!(self, Self::Conftest | Self::Gatekeeper)
    }

    /// The input that the product would give, made from what is asked.
    ///
    /// # Errors
    /// What the question lacks, such as a plan.
    pub fn input(self, question: &Question) -> Result<serde_json::Value, String> {
        input::of(self, question)
    }

    /// What the values of its rules mean.
    pub fn opinion(self, outcomes: &BTreeMap<String, Outcome>) -> Opinion {
        meaning::of(self, outcomes)
    }

    /// The rules to be read, by the names that [`Dialect::opinion`] knows them by.
    pub(crate) fn queries(
        self,
        rules: &BTreeSet<String>,
        query: Option<&str>,
        namespace: Option<&str>,
    ) -> Result<BTreeMap<String, String>, String> {
        match self {
            Self::Assent => one("opinion", query.unwrap_or("data.assent.opinion"), rules),
            Self::HcpTerraform => {
                let query =
                    query.ok_or("the binding names no query; hcp-terraform has no default")?;
                one("query", query, rules)
            }
            Self::Conftest => {
                let package = namespace.unwrap_or("main");
                let wanted = |name: &str| meaning::conftest(name).is_some() || name == "exception";
                let read = named(package, rules, &wanted)?;
                if read.keys().all(|name| name == "exception") {
                    let what = "no rule deny, violation or warn, with or without a _suffix";
                    return Err(format!("package `{package}` has {what}"));
                }
                Ok(read)
            }
            Self::SpaceliftPlan => some("spacelift", rules, &["deny", "warn"]),
            Self::SpaceliftApproval => some("spacelift", rules, &["approve", "reject"]),
            Self::Env0 => some("env0", rules, &["allow", "deny", "pending", "warn"]),
            Self::Gatekeeper => match namespace {
                Some(package) => some(package, rules, &["violation"]),
                None => {
                    let mut found = rules.iter().filter(|path| path.ends_with(".violation"));
                    match (found.next(), found.next()) {
                        (Some(path), None) => one("violation", path, rules),
                        (None, _) => Err("no package has a rule `violation`".to_owned()),
                        (Some(_), Some(_)) => {
                            Err("several packages have a rule `violation`; name one as namespace"
                                .to_owned())
                        }
                    }
                }
            },
        }
    }
}

fn one(
    name: &str,
    path: &str,
    rules: &BTreeSet<String>,
) -> Result<BTreeMap<String, String>, String> {
    if rules.contains(path) {
        Ok(BTreeMap::from([(name.to_owned(), path.to_owned())]))
    } else {
        Err(format!("there is no rule `{path}`"))
    }
}

fn some(
    package: &str,
    rules: &BTreeSet<String>,
    names: &[&str],
) -> Result<BTreeMap<String, String>, String> {
    let read = named(package, rules, &|name| names.contains(&name))?;
    if read.is_empty() {
        return Err(format!("package `{package}` has none of the rules {}", names.join(", ")));
    }
    Ok(read)
}

/// The rules of a package with such names. One that goes on below its name, as in
/// `deny.network`, would be read as something else than a set.
fn named(
    package: &str,
    rules: &BTreeSet<String>,
    wanted: &dyn Fn(&str) -> bool,
) -> Result<BTreeMap<String, String>, String> {
    let prefix = format!("data.{package}.");
    let mut read = BTreeMap::new();
    for path in rules {
        let Some(rest) = path.strip_prefix(&prefix) else { continue };
        let name = rest.split('.').next().unwrap_or(rest);
        if !wanted(name) {
            continue;
        }
        if name != rest {
            return Err(format!("`{path}` goes on below `{name}`, which is to be one set"));
        }
        read.insert(name.to_owned(), path.clone());
    }
    Ok(read)
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dialect {
    type Err = DialectError;

    fn from_str(text: &str) -> Result<Self, DialectError> {
        let found = Self::ALL.into_iter().find(|dialect| dialect.name() == text);
        found.ok_or_else(|| DialectError(text.chars().take(64).collect()))
    }
}
