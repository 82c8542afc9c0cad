//! What one provider process holds between calls.

use std::sync::{Arc, PoisonError, RwLock};

use crate::configure::Configured;
use crate::credential::OpenCredentials;
use crate::environment::Defaults;
use crate::interrupts::Interrupts;
use crate::log::{Level, log};
use crate::plugin::{Farewell, Lifetime};

/// How long the last duties may take: withdrawing requests and revoking
/// credentials. Terraform waits for them without a limit of its own, so this is
/// how long a person looks at a run that is already over.
const LAST_DUTIES: std::time::Duration = std::time::Duration::from_secs(8);

/// The state of this process.
#[derive(Debug)]
pub(crate) struct Session {
    configured: RwLock<Arc<Configured>>,
    /// Stands in for what the provider block leaves out.
    pub(crate) defaults: Defaults,
    /// Stops what is under way.
    pub(crate) interrupts: Interrupts,
    /// The credentials that this process opened and has not closed.
    pub(crate) credentials: OpenCredentials,
    /// How long the process lives.
    pub(crate) lifetime: Arc<Lifetime>,
}

impl Session {
    /// The session of a new process.
    pub(crate) fn new(defaults: Defaults, lifetime: Arc<Lifetime>) -> Self {
        Self {
            configured: RwLock::new(Arc::new(Configured::NOT_YET)),
            defaults,
            interrupts: Interrupts::default(),
            credentials: OpenCredentials::default(),
            lifetime,
        }
    }

    /// The provider block that is in force.
    pub(crate) fn configured(&self) -> Arc<Configured> {
        Arc::clone(&self.configured.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a provider block in force.
    pub(crate) fn configure(&self, configured: Configured) {
        *self.configured.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(configured);
    }

    /// Runs an operation to its end even if the call that asked for it is
    /// dropped, as happens when Terraform is killed. `operation` hears of that,
    /// and of an interrupt, through its token, and must then end soon.
    pub(crate) async fn see_through<T, F>(
        &self,
        operation: impl FnOnce(tokio_util::sync::CancellationToken) -> F,
    ) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let token = self.interrupts.operation();
        let dropped = token.clone().drop_guard();
        let result = self.lifetime.work().spawn(operation(token)).await;
        drop(dropped);
        result.map_err(|error| log(Level::Error, format!("an operation failed: {error}"))).ok()
    }

    /// Withdraws what is still asked and revokes what is still open.
    pub(crate) async fn conclude(&self) {
        self.interrupts.stop();
        // What is under way may still open a credential: end that first.
        let duties = async {
            self.lifetime.finish_work(LAST_DUTIES).await;
            self.credentials.revoke_all().await;
        };
        if tokio::time::timeout(LAST_DUTIES, duties).await.is_err() {
            log(Level::Warn, "some credentials could not be revoked in time and end by themselves");
        }
    }
}

#[tonic::async_trait]
impl Farewell for Session {
    async fn say(&self) {
        self.conclude().await;
    }
}
