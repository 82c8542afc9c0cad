//! What one provider process holds between calls.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::configure::Configured;
use crate::credential::OpenCredentials;
use crate::environment::Defaults;
use crate::interrupts::Interrupts;
use crate::log::{Level, log};
use crate::plugin::{Farewell, Lifetime};
use crate::policy::Overlay;

/// How long the last duties may take: withdrawing requests and revoking
/// credentials. Terraform waits for them without a limit of its own, so this is
/// how long a person looks at a run that is already over.
const LAST_DUTIES: Duration = Duration::from_secs(8);

/// How much of that what is under way may take.
const LAST_WORK: Duration = Duration::from_secs(6);

/// The state of this process.
#[derive(Debug)]
pub(crate) struct Session {
    configured: RwLock<Arc<Configured>>,
    /// The requests that were granted to this process.
    granted: Mutex<BTreeSet<String>>,
    /// Stands in for what the provider block leaves out.
    pub(crate) defaults: Defaults,
    /// Stops what is under way.
    pub(crate) interrupts: Interrupts,
    /// The credentials that this process opened and has not closed.
    pub(crate) credentials: OpenCredentials,
    /// What this run plans to change of policy.
    pub(crate) policy: Overlay,
    /// How long the process lives.
    pub(crate) lifetime: Arc<Lifetime>,
}

impl Session {
    /// The session of a new process.
    pub(crate) fn new(defaults: Defaults, lifetime: Arc<Lifetime>) -> Self {
        Self {
            configured: RwLock::new(Arc::new(Configured::NOT_YET)),
            granted: Mutex::default(),
            defaults,
            interrupts: Interrupts::default(),
            credentials: OpenCredentials::default(),
            policy: Overlay::default(),
            lifetime,
        }
    }

    /// The provider block that is in force.
    pub(crate) fn configured(&self) -> Arc<Configured> {
        Arc::clone(&self.configured.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Puts a provider block in force: another run begins.
    pub(crate) fn configure(&self, configured: Configured) {
        self.policy.forget();
        *self.configured.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(configured);
    }

    /// Notes that a request was granted in this run.
    pub(crate) fn note_grant(&self, id: &str) {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner).insert(id.to_owned());
    }

    /// Whether a request was granted in this run, and not in an earlier one.
    pub(crate) fn was_granted_here(&self, id: &str) -> bool {
        self.granted.lock().unwrap_or_else(PoisonError::into_inner).contains(id)
    }

    /// Runs an operation to its end even if the call that asked for it is
    /// dropped, as happens when Terraform is killed. `operation` hears of that,
    /// and of an interrupt, through its token, and must then end soon.
    pub(crate) async fn see_through<T, F>(
        &self,
        operation: impl FnOnce(CancellationToken) -> F,
    ) -> Option<T>
    where
        T: Send + 'static,
        F: Future<Output = T> + Send + 'static,
    {
        let token = self.interrupts.operation();
        let dropped = token.clone().drop_guard();
        let result = self.lifetime.work().spawn(operation(token)).await;
        drop(dropped);
        // What a panic says is not repeated: it is not known what it holds.
        result.map_err(|_| log(Level::Error, "an operation ended without an answer")).ok()
    }

    /// Withdraws what is still asked and revokes what is still open.
    pub(crate) async fn conclude(&self) {
        self.interrupts.stop();
        let duties = async {
            // What hangs must not keep what is open from being revoked; what was
            // under way may have opened one more.
            tokio::join!(self.credentials.revoke_all(), self.lifetime.finish_work(LAST_WORK));
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

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    fn session() -> Arc<Session> {
        Arc::new(Session::new(Defaults::default(), Arc::new(Lifetime::default())))
    }

    /// An operation that goes on until it is stopped, and then says so.
    async fn until_stopped(stop: CancellationToken, said: oneshot::Sender<()>) {
        stop.cancelled().await;
        let _ = said.send(());
    }

    #[tokio::test]
    async fn an_operation_hears_that_its_call_was_dropped() {
        let session = session();
        let (said, heard) = oneshot::channel();
        let call = session.see_through(|stop| until_stopped(stop, said));
        assert!(tokio::time::timeout(Duration::from_millis(10), call).await.is_err());
        heard.await.unwrap();
    }

    #[tokio::test]
    async fn an_operation_that_is_done_is_not_stopped() {
        assert_eq!(session().see_through(|_| async { 7 }).await, Some(7));
    }

    #[tokio::test]
    async fn a_fault_in_an_operation_is_no_answer() {
        assert_eq!(session().see_through(|_| async { panic!("a fault") }).await, None::<()>);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_waits_for_what_is_under_way_but_not_for_ever() {
        let session = session();
        let (said, heard) = oneshot::channel();
        let other = Arc::clone(&session);
        tokio::spawn(async move { other.see_through(|stop| until_stopped(stop, said)).await });
        session.lifetime.work().spawn(std::future::pending::<()>());
        tokio::task::yield_now().await;
        session.conclude().await;
        heard.await.unwrap();
    }
}
