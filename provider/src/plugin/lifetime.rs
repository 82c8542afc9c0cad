//! How long the process lives, and what must be done before it ends.
//!
//! It ends when Terraform asks (`GRPCController.Shutdown`), when Terraform is
//! gone (its last connection closed), and on SIGTERM. SIGINT is ignored: Ctrl-C
//! in a terminal reaches the whole process group, and Terraform then says itself
//! what it wants. Work that must outlive the call that began it, such as
//! withdrawing a request, runs on the tracker and is waited for.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::log::{Level, log};

/// How long Terraform may take to connect after the first line. It gives a
/// plugin as long to print it.
const FIRST_CONNECTION: Duration = Duration::from_secs(60);

/// How long the process stays without a connection, in case the client
/// reconnects.
const RECONNECTION: Duration = Duration::from_secs(1);

/// The life of the plugin process.
#[derive(Debug, Default)]
pub(crate) struct Lifetime {
    /// Cancelled when the process is to end.
    end: CancellationToken,
    /// Work that is waited for before it does.
    work: TaskTracker,
    /// Connections made so far.
    made: AtomicUsize,
    /// Connections open now.
    open: AtomicUsize,
}

/// One open connection; its end may be the end of the process.
#[derive(Debug)]
pub(crate) struct Presence {
    lifetime: Arc<Lifetime>,
    decisive: bool,
}

impl Lifetime {
    /// Asks the process to end.
    pub(crate) fn end(&self) {
        self.end.cancel();
    }

    /// Completes when the process is asked to end.
    pub(crate) fn ended(&self) -> impl Future<Output = ()> + Send + use<> {
        self.end.clone().cancelled_owned()
    }

    /// Work that must be done before the process ends.
    pub(crate) fn work(&self) -> &TaskTracker {
        &self.work
    }

    /// Waits for all work, but not longer than `limit`.
    pub(crate) async fn finish_work(&self, limit: Duration) {
        self.work.close();
        if tokio::time::timeout(limit, self.work.wait()).await.is_err() {
            log(Level::Warn, "some work was not done before the end");
        }
    }

    /// Notes an open connection. If it is `decisive`, the process ends soon
    /// after the last one closes; a process that people attach Terraform to
    /// outlives its connections.
    pub(super) fn connected(self: &Arc<Self>, decisive: bool) -> Presence {
        self.made.fetch_add(1, Ordering::SeqCst);
        self.open.fetch_add(1, Ordering::SeqCst);
        Presence { lifetime: Arc::clone(self), decisive }
    }

    /// Ends the process if nobody connects: then Terraform died before it could.
    pub(super) fn expect_a_connection(self: &Arc<Self>) {
        let lifetime = Arc::clone(self);
        tokio::spawn(async move {
            tokio::time::sleep(FIRST_CONNECTION).await;
            if lifetime.made.load(Ordering::SeqCst) == 0 {
                log(Level::Warn, "nobody connected");
                lifetime.end();
            }
        });
    }

    /// Takes SIGINT and SIGTERM over.
    pub(super) fn watch_signals(self: &Arc<Self>) -> io::Result<()> {
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut terminate = signal(SignalKind::terminate())?;
        let lifetime = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = interrupt.recv() => log(Level::Debug, "SIGINT is left to terraform"),
                    _ = terminate.recv() => {
                        log(Level::Info, "SIGTERM ends the process");
                        lifetime.end();
                    }
                    () = lifetime.ended() => return,
                }
            }
        });
        Ok(())
    }

    /// Ends the process if nobody reconnects.
    fn expect_a_reconnection(self: Arc<Self>) {
        let made = self.made.load(Ordering::SeqCst);
        tokio::spawn(async move {
            tokio::time::sleep(RECONNECTION).await;
            if self.made.load(Ordering::SeqCst) == made {
                log(Level::Debug, "the last connection closed");
                self.end();
            }
        });
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        let left = self.lifetime.open.fetch_sub(1, Ordering::SeqCst).saturating_sub(1);
        // Without a runtime the process is ending already.
        if left == 0 && self.decisive && tokio::runtime::Handle::try_current().is_ok() {
            Arc::clone(&self.lifetime).expect_a_reconnection();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_last_connection_takes_the_process_along() {
        let lifetime = Arc::new(Lifetime::default());
        let (first, second) = (lifetime.connected(true), lifetime.connected(true));
        drop(first);
        tokio::time::sleep(RECONNECTION * 2).await;
        assert!(!lifetime.end.is_cancelled());
        drop(second);
        lifetime.ended().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_reconnection_keeps_it() {
        let lifetime = Arc::new(Lifetime::default());
        drop(lifetime.connected(true));
        let _kept = lifetime.connected(true);
        tokio::time::sleep(RECONNECTION * 2).await;
        assert!(!lifetime.end.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_process_started_by_hand_outlives_its_connections() {
        let lifetime = Arc::new(Lifetime::default());
        drop(lifetime.connected(false));
        tokio::time::sleep(RECONNECTION * 2).await;
        assert!(!lifetime.end.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_connecting_ends_it() {
        let lifetime = Arc::new(Lifetime::default());
        lifetime.expect_a_connection();
        lifetime.ended().await;
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_waited_for_but_not_for_ever() {
        let lifetime = Lifetime::default();
        lifetime.work().spawn(std::future::pending::<()>());
        lifetime.finish_work(Duration::from_secs(8)).await;
    }
}
