//! A run at GitHub that waits before an environment, as it is kept.

use assent_core::id::RequestId;
use assent_core::time::Timestamp;

/// Which gate: however many jobs of a run wait before an environment, it is one.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GateKey {
    /// The repository's number.
    pub repository: u64,
    /// The run's number.
    pub run: u64,
    /// The environment's name in small letters: GitHub tells no names apart by their letters' case.
    pub environment: String,
}

impl GateKey {
    /// The gate of this run to this environment.
    pub fn new(repository: u64, run: u64, environment: &str) -> Self {
        Self { repository, run, environment: environment.to_lowercase() }
    }
}

/// A run that waits before an environment, or did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gate {
    /// Which.
    pub key: GateKey,
    /// Of which attempt at the run this is told.
    pub attempt: u64,
    /// Under which name the repository's owner was found last.
    pub owner: String,
    /// The repository's name then.
    pub name: String,
    /// The commit that the run is of.
    pub sha: String,
    /// The request that stands for it; none where nothing was filed because of what the run is.
    pub request: Option<RequestId>,
    /// How often was reported on it, for one attempt. GitHub takes so many and no more.
    pub reports: u32,
    /// What was reported last.
    pub told: String,
    /// The number of the check run that shows the request.
    pub check_run: Option<u64>,
    /// What that shows.
    pub shown: String,
    /// What is answered: `approved`, `rejected`, or `bypassed` where somebody let it pass. It stands here
    /// before it is sent; as long as the gate is open it is not known whether GitHub took it.
    pub answer: Option<String>,
    /// The number of the deployment, where GitHub told it.
    pub deployment: Option<u64>,
    /// What was said last of how far that is.
    pub stated: String,
    /// What people had said of it at GitHub itself when it was found to wait.
    pub said_before: String,
    /// Whether anything is to be done about it.
    pub open: bool,
    /// When it was found, or something was said of it, last; what is only shown leaves it.
    pub at: Timestamp,
}
