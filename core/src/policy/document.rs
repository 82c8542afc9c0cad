//! Policy documents: YAML in, rules or every fault with its place out.
//!
//! Documents are read in two passes: first everything that has a name (calendars, groups,
//! environments …) of all of them, then the rules, whose conditions look those names up.

mod authorities;
pub(crate) mod keys;
mod path;
mod people;
mod reader;
mod rules;
mod sections;
mod signals;
mod trusts;
mod when;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::membership::{Approver, Team};
use crate::notice::Route;
use crate::policy::calendar::{Calendar, CalendarError, Zone};
use crate::policy::condition::Condition;
use crate::policy::partner::Partner;
use crate::policy::record::{Category, Delegation, Environment, Ownership};
use crate::policy::ruling::Addressee;
use crate::policy::yaml::{self, Node};
use crate::principal::PrincipalId;
use crate::signal::OnSignal;
use crate::signal::source::{Source, Transmitter};
use crate::time::Span;
use crate::trust::Trust;

pub use path::path_of;
pub(crate) use people::GITHUB;
pub(crate) use reader::{Reader, nearest};
pub(crate) use when::OPERATORS;

/// The name under which a ruling refuses when no rule speaks.
pub(crate) const DEFAULT_DENY: &str = "default-deny";

/// One file of a policy: a document, a Rego module or data for one. What it is, its name says:
/// `*.yaml` and `*.yml` are documents, of which `*_test.yaml` hold only test cases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyDocument {
    /// Its name, as faults shall print it.
    pub file: String,
    /// The whole text.
    pub text: String,
}

impl PolicyDocument {
    fn ends_in(&self, endings: &[&str]) -> bool {
        let name = self.file.to_ascii_lowercase();
        endings.iter().any(|ending| name.ends_with(ending))
    }

    /// Whether it holds test cases and nothing that rules.
    pub fn is_test(&self) -> bool {
        self.ends_in(&["_test.yaml", "_test.yml", "_test.rego"])
    }

    /// Whether it is named by rules rather than read by itself: Rego, or data for it.
    pub fn is_attachment(&self) -> bool {
        self.ends_in(&[".rego", ".json"])
    }
}

/// A YAML text read as strictly as a policy, for whoever sets something else up by such a file:
/// nothing twice, no anchors, no merge keys, no tags, one document. An empty one is null.
///
/// # Errors
/// The first [`Fault`], with its place.
pub fn strict_yaml(file: &str, text: &str) -> Result<serde_json::Value, Fault> {
    let node = yaml::parse(file, text)?;
    Ok(node.map_or(serde_json::Value::Null, |node| node.json()))
}

/// A place in a policy file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, from 1.
    pub column: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Place {
    /// From the reader's line, from 1, and column, from 0.
    pub(crate) fn at(file: &str, line: usize, column: usize) -> Self {
        Self { file: file.to_owned(), line: line.max(1), column: column + 1 }
    }
}

/// One thing that is wrong in a policy file.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
#[error("{place}: {message}")]
pub struct Fault {
    /// Where.
    pub place: Place,
    /// What is wrong and what was expected.
    pub message: String,
}

/// A rule as written, checked by itself.
#[derive(Clone, Debug)]
pub(crate) struct Rule {
    pub(crate) id: String,
    pub(crate) description: Option<String>,
    pub(crate) place: Place,
    pub(crate) when: Vec<Condition>,
    pub(crate) effect: Effect,
}

#[derive(Clone, Debug)]
pub(crate) enum Effect {
    Deny { message: String, waivable: bool, notify: BTreeSet<Addressee> },
    Require(RequireText),
    Allow(AllowText),
    Ask(AskText),
}

#[derive(Clone, Debug)]
pub(crate) struct RequireText {
    pub(crate) stages: Vec<StageText>,
    pub(crate) parallel: bool,
    pub(crate) expires_after: Option<Span>,
    pub(crate) limits: Limits,
    pub(crate) notify: BTreeSet<Addressee>,
}

#[derive(Clone, Debug)]
pub(crate) struct AllowText {
    pub(crate) waives: Vec<(Place, String)>,
    pub(crate) limits: Limits,
    pub(crate) notify: BTreeSet<Addressee>,
    pub(crate) post_review: Option<PostReviewText>,
}

#[derive(Clone, Debug)]
pub(crate) struct PostReviewText {
    pub(crate) place: Place,
    pub(crate) by: BTreeSet<Approver>,
    pub(crate) approvals: u32,
    pub(crate) within: Span,
    pub(crate) suspend: Option<(Place, String)>,
    pub(crate) notify: BTreeSet<Addressee>,
}

#[derive(Clone, Debug)]
pub(crate) struct AskText {
    pub(crate) place: Place,
    pub(crate) engine: EngineText,
    pub(crate) stages: Vec<StageText>,
    pub(crate) waives: Vec<(Place, String)>,
}

#[derive(Clone, Debug)]
pub(crate) enum EngineText {
    Rego {
        files: Vec<(Place, String)>,
        data: Vec<(Place, String)>,
        v0: bool,
        shape: ShapeText,
    },
    Opa {
        url: String,
        token_file: Option<String>,
        ca_file: Option<String>,
        timeout: Span,
        shape: ShapeText,
    },
}

#[derive(Clone, Debug)]
pub(crate) struct ShapeText {
    pub(crate) dialect: crate::policy::ask::Dialect,
    pub(crate) query: Option<String>,
    pub(crate) namespace: Option<String>,
    pub(crate) hidden: crate::policy::ask::Hidden,
}

#[derive(Clone, Debug)]
pub(crate) struct StageText {
    pub(crate) place: Place,
    pub(crate) name: String,
    pub(crate) approvals: u32,
    pub(crate) from: BTreeSet<Approver>,
    /// Whether the target's owners are among those asked.
    pub(crate) owners: bool,
    /// The partner whose people are asked instead.
    pub(crate) authority: Option<String>,
    pub(crate) exclude: BTreeSet<Approver>,
    pub(crate) login_within: Option<Span>,
    pub(crate) signature: Option<crate::policy::ruling::SignatureDemand>,
    pub(crate) means: crate::policy::ruling::MeansWanted,
    pub(crate) expires_after: Option<Span>,
    pub(crate) escalate: Option<crate::policy::ruling::Escalation>,
    pub(crate) remind: Option<Span>,
}

/// What a rule says of credentials; what it leaves out, it does not limit.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) max_ttl: Option<Span>,
    pub(crate) uses: Option<u32>,
    pub(crate) audiences: Option<BTreeSet<String>>,
    pub(crate) grant_window: Option<Span>,
    pub(crate) broker: Option<String>,
    pub(crate) role: Option<String>,
    pub(crate) heartbeat: Option<Span>,
    pub(crate) reuse_within_run: Option<bool>,
    pub(crate) dpop: Option<crate::policy::ruling::Dpop>,
}

/// What becomes of pending requests when policy changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnChange {
    /// Those end that would now be ruled otherwise. The default.
    #[default]
    EndChanged,
    /// They stay as they were ruled.
    Keep,
    /// All end.
    EndAll,
}

/// Who changes policy over the API.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PolicyChanges {
    /// An administrator, alone. The default.
    #[default]
    Administrator,
    /// An administrator, once the change itself was approved as an intent of kind `assent.policy`.
    Approved,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Defaults {
    pub(crate) place: Option<Place>,
    pub(crate) request_expires: Option<Span>,
    pub(crate) limits: Limits,
    pub(crate) zone: Option<Zone>,
    pub(crate) on_change: Option<OnChange>,
    pub(crate) policy_changes: Option<PolicyChanges>,
    pub(crate) on_signal: Option<OnSignal>,
    pub(crate) unlinked_reviewers: Option<Unlinked>,
    pub(crate) absences: Option<Absences>,
}

#[derive(Clone, Debug)]
pub(crate) struct Group {
    pub(crate) place: Place,
    pub(crate) people: GroupPeople,
}

/// Whence it is known who is in a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum GroupPeople {
    /// The document lists them.
    Listed(BTreeSet<PrincipalId>),
    /// The identity provider vouches for them.
    Vouched,
    /// They are in this team at GitHub.
    Team(Team),
}

/// Whether people name themselves who stands in for them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Absences {
    /// They do, for a while and on record. The default.
    #[default]
    Allow,
    /// Only the documents do.
    Forbid,
}

/// What becomes of reviewers of whom it is not known whether they are behind a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Unlinked {
    /// They do not review it.
    #[default]
    Forbid,
    /// They do.
    Allow,
}

/// Something with a name or a place of its own.
#[derive(Clone, Debug)]
pub(crate) struct Placed<T> {
    pub(crate) place: Place,
    pub(crate) value: T,
}

/// Everything of one document that has a name.
#[derive(Debug, Default)]
pub(crate) struct Sections {
    /// Who approves its changes: `metadata.owner`.
    pub(crate) owner: Option<String>,
    pub(crate) defaults: Defaults,
    pub(crate) kinds: BTreeMap<String, Placed<Category>>,
    pub(crate) environments: BTreeMap<String, Placed<Environment>>,
    pub(crate) groups: BTreeMap<String, Group>,
    /// Each person's accounts, by how the document writes the person.
    pub(crate) people: BTreeMap<String, Placed<Accounts>>,
    pub(crate) delegations: Vec<Placed<Delegation>>,
    pub(crate) notices: Vec<Placed<Route>>,
    pub(crate) owners: Vec<Placed<Ownership>>,
    pub(crate) calendars: BTreeMap<String, Placed<CalendarText>>,
    pub(crate) trusts: BTreeMap<String, Placed<Trust>>,
    pub(crate) authorities: BTreeMap<String, Placed<Partner>>,
    pub(crate) sources: BTreeMap<String, Placed<Source>>,
    pub(crate) transmitters: BTreeMap<String, Placed<Transmitter>>,
}

/// A person and their accounts.
#[derive(Clone, Debug)]
pub(crate) struct Accounts {
    pub(crate) person: PrincipalId,
    pub(crate) accounts: BTreeSet<PrincipalId>,
}

/// A calendar; one without a zone of its own takes the policy's.
#[derive(Clone, Debug)]
pub(crate) struct CalendarText {
    pub(crate) zone: Option<Zone>,
    pub(crate) windows: Vec<crate::policy::calendar::Window>,
    pub(crate) include: Vec<crate::policy::calendar::Dates>,
    pub(crate) exclude: Vec<crate::policy::calendar::Dates>,
}

impl CalendarText {
    pub(crate) fn calendar(&self, zone: &Zone) -> Result<Calendar, CalendarError> {
        let zone = self.zone.clone().unwrap_or_else(|| zone.clone());
        let (windows, include) = (self.windows.clone(), self.include.clone());
        Calendar::new(zone, windows, include, self.exclude.clone())
    }
}

/// A document whose named sections are read, and whose rules are not yet.
#[derive(Debug)]
pub(crate) struct Half {
    pub(crate) sections: Sections,
    rules: Option<Node>,
    risk: Option<Node>,
}

/// What conditions can name, from all documents.
#[derive(Debug, Default)]
pub(crate) struct Vocabulary {
    pub(crate) zone: Option<Zone>,
    pub(crate) calendars: BTreeMap<String, Arc<Calendar>>,
}

/// Rules and risk factors of one document.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    pub(crate) rules: Vec<Rule>,
    pub(crate) factors: Vec<Placed<crate::policy::risk::Factor>>,
}

/// Reads what has a name; every fault that can be seen in it alone is added to `faults`.
pub(crate) fn read(document: &PolicyDocument, faults: &mut Vec<Fault>) -> Half {
    let none = || Half { sections: Sections::default(), rules: None, risk: None };
    let root = match yaml::parse(&document.file, &document.text) {
        Ok(Some(root)) => root,
        Ok(None) => {
            let place = Place::at(&document.file, 1, 0);
            faults.push(Fault { place, message: "the file holds no document".to_owned() });
            return none();
        }
        Err(fault) => {
            faults.push(fault);
            return none();
        }
    };
    let vocabulary = Vocabulary::default();
    Reader::new(faults, &vocabulary).document(root)
}

/// What is wrong with a file that is named as one of test cases and would rule by what it says: it
/// must not be passed over, because the rule in it may be the one that denies.
pub(crate) fn misnamed(file: &PolicyDocument) -> Option<Fault> {
    let root = yaml::parse(&file.file, &file.text).ok()??;
    let yaml::Yaml::Map(members) = &root.value else { return None };
    let rules = |name: &str| matches!(name, "rules" | "risk" | "groups" | "people" | "defaults");
    let (key, _) = members.iter().find(|(key, _)| rules(&key.name))?;
    let message = format!(
        "a file named *_test.yaml holds only test cases and never rules, but this one has `{}`: \
         rename it, or make it `kind: PolicyTest`",
        key.name
    );
    Some(Fault { place: key.place.clone(), message })
}

/// Reads the rules and risk factors, now that everything they can name is known.
pub(crate) fn read_rules(half: &Half, vocabulary: &Vocabulary, faults: &mut Vec<Fault>) -> Rules {
    let mut reader = Reader::new(faults, vocabulary);
    Rules {
        rules: half.rules.as_ref().map(|node| reader.rules(node)).unwrap_or_default(),
        factors: half.risk.as_ref().map(|node| reader.factors(node)).unwrap_or_default(),
    }
}
