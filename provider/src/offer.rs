//! What the provider can offer Terraform: resources, data sources, ephemeral resources, functions.
//!
//! Each thing is a module of its own that implements one of these; [`offers`] is the list of all.
//! None of them sees a message of the protocol.
//!
//! [`offers`]: crate::offers

use std::fmt;

use assent_core::time::Timestamp;

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::schema::Schema;
use crate::session::Session;
use crate::value::{Type, Value};

/// A managed resource.
#[tonic::async_trait]
pub(crate) trait Resource: Send + Sync + fmt::Debug {
    /// Its type's name.
    fn name(&self) -> &'static str;

    /// Its schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration as far as it is known; all faults at once.
    fn validate(&self, config: &Value) -> Diagnostics;

    /// Plans a change. Terraform asks twice, at plan and again at apply, and holds the second
    /// answer against the first: what is known in the first must be the same in the second.
    ///
    /// # Errors
    /// Why the change cannot be planned.
    async fn plan(&self, session: &Session, change: Change) -> Result<Planned, Diagnostics>;

    /// Makes a planned change.
    ///
    /// # Errors
    /// Why it was not made. After a create nothing is kept; after anything else what was there
    /// before is.
    async fn apply(&self, session: &Session, change: PlannedChange) -> Result<Made, Diagnostics>;

    /// Looks what is there: the state as it is, null if it is gone.
    ///
    /// # Errors
    /// It cannot be found out.
    async fn read(
        &self,
        session: &Session,
        current: Value,
    ) -> Result<(Value, Diagnostics), Diagnostics>;

    /// The state of what has this id.
    ///
    /// # Errors
    /// There is nothing of this id, or it cannot be found out.
    async fn import(&self, session: &Session, id: &str) -> Result<Value, Diagnostics>;
}

/// Something to look up.
#[tonic::async_trait]
pub(crate) trait DataSource: Send + Sync + fmt::Debug {
    /// Its type's name.
    fn name(&self) -> &'static str;

    /// Its schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration as far as it is known; all faults at once.
    fn validate(&self, config: &Value) -> Diagnostics;

    /// Looks it up: the configuration with what was found out.
    ///
    /// # Errors
    /// It cannot be found out.
    async fn read(
        &self,
        session: &Session,
        config: Value,
    ) -> Result<(Value, Diagnostics), Diagnostics>;
}

/// Something that exists during one run and is nowhere kept.
#[tonic::async_trait]
pub(crate) trait Ephemeral: Send + Sync + fmt::Debug {
    /// Its type's name.
    fn name(&self) -> &'static str;

    /// Its schema.
    fn schema(&self) -> Schema;

    /// Checks a configuration as far as it is known; all faults at once.
    fn validate(&self, config: &Value) -> Diagnostics;

    /// Makes it.
    ///
    /// # Errors
    /// Why it was not made.
    async fn open(&self, session: &Session, config: Value) -> Result<Opened, Diagnostics>;

    /// Sees to it that it lasts; `private` is what Open left.
    ///
    /// # Errors
    /// It ended. Terraform shows this to nobody and asks no more.
    async fn renew(&self, session: &Session, private: Option<&[u8]>) -> Result<(), Diagnostics>;

    /// Ends it; `private` is what Open left.
    ///
    /// # Errors
    /// It could not be ended; it is tried again when the process ends.
    async fn close(&self, session: &Session, private: Option<&[u8]>) -> Result<(), Diagnostics>;
}

/// A function: the same arguments always give the same result, and nothing is asked of anybody.
#[derive(Clone, Debug)]
pub(crate) struct Function {
    /// Its name, without the provider's.
    pub(crate) name: &'static str,
    /// What it does, in one line.
    pub(crate) summary: &'static str,
    /// What it does.
    pub(crate) description: &'static str,
    /// What it takes.
    pub(crate) parameters: Vec<Parameter>,
    /// What it gives.
    pub(crate) gives: Type,
    /// The function. It is given as many arguments as parameters.
    pub(crate) call: fn(&[Value]) -> Result<Value, WrongArgument>,
}

/// What a function takes.
#[derive(Clone, Debug)]
pub(crate) struct Parameter {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its type.
    pub(crate) of: Type,
    /// Whether it may be null.
    pub(crate) nullable: bool,
    /// What it is.
    pub(crate) description: &'static str,
}

/// Why a function has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WrongArgument {
    /// Which argument, from 0.
    pub(crate) index: usize,
    /// What is wrong with it, as a sentence.
    pub(crate) text: String,
}

/// A change that Terraform wants planned.
#[derive(Debug)]
pub(crate) struct Change {
    /// What is there; null if nothing is.
    pub(crate) prior: Value,
    /// What Terraform expects; null to destroy.
    pub(crate) proposed: Value,
    /// What the configuration says.
    pub(crate) config: Value,
    /// What was noted with what is there.
    pub(crate) private: Vec<u8>,
}

/// A planned change.
#[derive(Debug)]
pub(crate) struct Planned {
    /// The state as far as it is known before apply.
    pub(crate) state: Value,
    /// The arguments because of which the resource must be made anew.
    pub(crate) requires_replace: Vec<Path>,
    /// What is noted for apply.
    pub(crate) private: Vec<u8>,
    /// What to tell.
    pub(crate) diagnostics: Diagnostics,
}

impl Planned {
    /// A plan that needs no words; what was noted stays.
    pub(crate) fn quiet(state: Value, private: Vec<u8>) -> Self {
        let (requires_replace, diagnostics) = Default::default();
        Self { state, requires_replace, private, diagnostics }
    }
}

/// A planned change that Terraform wants made.
#[derive(Debug)]
pub(crate) struct PlannedChange {
    /// What is there; null if nothing is.
    pub(crate) prior: Value,
    /// What was planned; null to destroy.
    pub(crate) planned: Value,
    /// What the configuration says, with the arguments that are only written.
    pub(crate) config: Value,
    /// What was noted at plan.
    pub(crate) private: Vec<u8>,
}

/// A change that was made.
#[derive(Debug)]
pub(crate) struct Made {
    /// The new state; null if it is gone.
    pub(crate) state: Value,
    /// What is noted with it.
    pub(crate) private: Vec<u8>,
    /// What to tell.
    pub(crate) diagnostics: Diagnostics,
}

impl Made {
    /// A change that needs no words and notes nothing.
    pub(crate) fn quiet(state: Value) -> Self {
        Self { state, private: Vec::new(), diagnostics: Diagnostics::default() }
    }
}

/// An ephemeral resource that was opened.
pub(crate) struct Opened {
    /// The value for Terraform. It may hold a secret, so this struct does not show it.
    pub(crate) result: Value,
    /// When Terraform should call Renew.
    pub(crate) renew_at: Option<Timestamp>,
    /// What Renew and Close need.
    pub(crate) private: Option<Vec<u8>>,
    /// What to tell.
    pub(crate) told: Diagnostics,
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("renew_at", &self.renew_at).finish_non_exhaustive()
    }
}

/// That there is nothing of this name.
pub(crate) fn unknown(name: &str) -> Diagnostics {
    let detail = format!("The provider `assent` has no `{name}` of this kind.");
    Diagnostic::error("Unknown type", detail).into()
}
