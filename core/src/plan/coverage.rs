//! Which changes of a plan wait until people have been asked: those that an `assent_approval` or an
//! `assent_gate` of the same plan holds up.
//!
//! Only what Terraform is seen to do counts (1.11.4, each observed with the real program):
//!
//! - What is created, altered in place or read waits for the approvals it depends on, through
//!   whatever lies between. A replacement that creates before it destroys waits too. One that
//!   destroys first does not: the old one is gone before anybody is asked.
//! - What is altered, replaced or destroyed waits until a gate that depends on it has been destroyed,
//!   which is when the gate asks.
//! - An approval or gate that the plan does not make anew asks nobody.
//!
//! Whether what people approve is this change, no plan can tell. On any doubt a change is not covered.

mod configuration;

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::rc::Rc;

use crate::plan::address::without_keys;
use crate::plan::coverage::configuration::{Configuration, Reached};
use crate::plan::error::PlanError;
use crate::plan::secrets::MARKER;
use crate::plan::{Change, Limits, Plan, Source};

/// The resource that holds up what depends on it.
const APPROVAL: &str = "assent_approval";
/// The resource that holds up what it depends on.
const GATE: &str = "assent_gate";
/// So many things of a configuration are looked at for one plan.
const MAX_STEPS: usize = 10_000_000;

/// A plan, and whether each of its changes waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scanned {
    /// The plan.
    pub plan: Plan,
    /// Of each of its changes, in their order.
    pub coverage: Vec<Coverage>,
}

/// Whether a change waits until people have been asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Coverage {
    /// It waits for these approvals and gates, by address without keys.
    By(BTreeSet<String>),
    /// Nothing is seen to hold it up.
    Not(Gap),
}

/// Why nothing is seen to hold a change up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Gap {
    /// The plan shows no configuration, or one too large to be searched.
    NoConfiguration,
    /// The configuration has no such resource any more, or says two things of it.
    NotConfigured,
    /// It depends on no approval.
    NoApproval {
        /// Whether it depends on something that a plan does not show, and that may.
        is_hidden: bool,
    },
    /// The approvals it depends on are not made anew by this plan, so they ask nobody.
    NotAsked(BTreeSet<String>),
    /// It is destroyed before an approval could ask.
    DestroyedFirst,
    /// Only Terraform's state changes, for which nothing waits.
    StateOnly,
    /// Terraform puts it off until after this plan.
    PutOff,
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoConfiguration => {
                "the plan shows no configuration, or more of it than is searched"
            }
            Self::NotConfigured => {
                "it is not in the configuration any more, or there twice, so it depends on nothing"
            }
            Self::NoApproval { is_hidden: false } => "it depends on no assent_approval",
            Self::NoApproval { is_hidden: true } => {
                "it depends on no assent_approval that a plan shows; local values and ephemeral \
                 resources are not shown: refer to the approval itself, or use depends_on"
            }
            Self::NotAsked(approvals) => {
                let approvals: Vec<_> = approvals.iter().map(String::as_str).collect();
                let approvals = approvals.join(", ");
                return write!(
                    f,
                    "this plan does not ask by {approvals} for it; change `triggers`"
                );
            }
            Self::DestroyedFirst => {
                "Terraform destroys it before it asks by an assent_approval; use an assent_gate, \
                 or create_before_destroy"
            }
            Self::StateOnly => "only Terraform's state changes, for which nothing waits",
            Self::PutOff => "Terraform puts it off until after this plan",
        })
    }
}

/// Reads a plan as [`Plan::parse`], and sees which of its changes wait. Only resources of the named
/// provider ask, `registry.terraform.io/acme/assent`; where none is named, those of every provider
/// whose source ends in `/assent`.
///
/// # Errors
/// [`PlanError`], as [`Plan::parse`].
pub fn scan(bytes: &[u8], limits: &Limits, provider: Option<&str>) -> Result<Scanned, PlanError> {
    let source = Source::decode(bytes, limits)?;
    source.read(limits, |document| {
        let plan = document.plan(limits)?;
        let mut search = Search::of(&plan, Configuration::of(document.root), provider);
        let coverage = plan.changes.iter().map(|change| search.coverage(change)).collect();
        Ok(Scanned { plan, coverage })
    })
}

/// What is looked through for every change.
struct Search<'p, 't> {
    configuration: Option<Configuration<'t>>,
    provider: Option<&'p str>,
    /// The changes of approvals and gates, by the address of their block.
    askers: HashMap<String, Vec<&'p Change>>,
    /// The gates that depend on a block themselves, by its address.
    gates: HashMap<String, BTreeSet<String>>,
    /// What was found already, by address of the block.
    reached: HashMap<String, Option<Rc<Reached>>>,
    steps: usize,
}

impl<'p, 't> Search<'p, 't> {
    fn of(
        plan: &'p Plan,
        configuration: Option<Configuration<'t>>,
        provider: Option<&'p str>,
    ) -> Self {
        let mut askers: HashMap<_, Vec<_>> = HashMap::new();
        for change in plan.changes.iter().filter(|it| is_asker(it)) {
            askers.entry(without_keys(&change.address)).or_default().push(change);
        }
        let mut steps = MAX_STEPS;
        let mut gates: HashMap<_, BTreeSet<_>> = HashMap::new();
        for (address, gate) in configuration.iter().flat_map(|it| it.of_type(GATE)) {
            let named = configuration.as_ref().and_then(|it| it.named_by(gate, &mut steps));
            for block in named.unwrap_or_default() {
                gates.entry(block).or_default().insert(address.clone());
            }
        }
        let reached = HashMap::new();
        Self { configuration, provider, askers, gates, reached, steps }
    }

    fn coverage(&mut self, change: &Change) -> Coverage {
        let block = without_keys(&change.address);
        if is_asker(change) && self.asks(change) {
            return Coverage::By(BTreeSet::from([block]));
        }
        let Some(configuration) = &self.configuration else {
            return Coverage::Not(Gap::NoConfiguration);
        };
        if change.deferred.is_some() {
            return Coverage::Not(Gap::PutOff);
        }
        if configuration.block(&block).is_none() {
            return Coverage::Not(Gap::NotConfigured);
        }
        let gates = self.gates_of(&block, change);
        match change.actions.first().map(String::as_str) {
            _ if change.deposed.is_some() => Coverage::Not(Gap::DestroyedFirst),
            _ if !gates.is_empty() => Coverage::By(gates),
            Some("create" | "update" | "read") => self.approvals_of(block, change),
            Some("delete") => Coverage::Not(Gap::DestroyedFirst),
            Some(_) | None => Coverage::Not(Gap::StateOnly),
        }
    }

    /// The gates that ask before this is altered, replaced or destroyed.
    fn gates_of(&self, block: &str, change: &Change) -> BTreeSet<String> {
        if !["update", "delete"].iter().any(|action| change.does(action)) {
            return BTreeSet::new();
        }
        let gates = self.gates.get(block).into_iter().flatten();
        gates.filter(|gate| self.ask_for(gate, change)).cloned().collect()
    }

    /// The approvals that ask before this is made, altered or read.
    fn approvals_of(&mut self, block: String, change: &Change) -> Coverage {
        let Some(reached) = self.reached(block) else {
            return Coverage::Not(Gap::NoConfiguration);
        };
        if reached.found.is_empty() {
            return Coverage::Not(Gap::NoApproval { is_hidden: reached.is_hidden });
        }
        let asked: BTreeSet<_> =
            reached.found.iter().filter(|it| self.ask_for(it, change)).cloned().collect();
        match asked.is_empty() {
            true => Coverage::Not(Gap::NotAsked(reached.found.clone())),
            false => Coverage::By(asked),
        }
    }

    /// The approvals that a block waits for; `None` where the search would take too long.
    fn reached(&mut self, block: String) -> Option<Rc<Reached>> {
        if let Some(reached) = self.reached.get(&block) {
            return reached.clone();
        }
        let configuration = self.configuration.as_ref()?;
        let reached = configuration.waits_for(&block, APPROVAL, &mut self.steps).map(Rc::new);
        self.reached.insert(block, reached.clone());
        reached
    }

    /// Whether the approval or gate of this block asks for this change: the instance that stands
    /// beside it under the same key, or has none; where there is no such instance, all of them.
    fn ask_for(&self, asker: &str, change: &Change) -> bool {
        // An approval that only ends is none any more.
        let counts = |it: &&&Change| is_gate(it) || it.actions != ["delete"];
        let all = || self.askers.get(asker).into_iter().flatten().filter(counts);
        let mut own = all().filter(|it| is_own(it, change)).peekable();
        match own.peek() {
            Some(_) => own.all(|it| self.asks(it)),
            None => all().next().is_some() && all().all(|it| self.asks(it)),
        }
    }

    /// Whether people are asked by this change of an approval or gate.
    fn asks(&self, change: &Change) -> bool {
        let provider = change.provider.as_deref().unwrap_or_default();
        let is_ours = match self.provider {
            Some(named) => provider == named,
            None => provider.ends_with("/assent"),
        };
        let asks = match is_gate(change) {
            // A gate asks when it is destroyed, which must come before what it holds up.
            true => change.actions.first().is_some_and(|first| first == "delete"),
            false => change.does("create"),
        };
        is_ours && asks && change.deferred.is_none() && change.deposed.is_none()
    }
}

fn is_asker(change: &Change) -> bool {
    change.mode == "managed" && (change.type_name == APPROVAL || change.type_name == GATE)
}

fn is_gate(change: &Change) -> bool {
    change.type_name == GATE
}

/// Whether the asker stands in the same instance of a module, under the same key or none.
fn is_own(asker: &Change, change: &Change) -> bool {
    let key = key(asker);
    // A key that is hidden could be any.
    let is_known = !asker.address.contains(MARKER) && !change.address.contains(MARKER);
    is_known && asker.module == change.module && (key.is_empty() || key == self::key(change))
}

/// The instance key with its brackets; nothing where there is none.
fn key(change: &Change) -> &str {
    let module = change.module.as_deref().map_or(0, |module| module.len() + 1);
    let within = change.address.get(module..).unwrap_or_default();
    within.find('[').and_then(|at| within.get(at..)).unwrap_or_default()
}
