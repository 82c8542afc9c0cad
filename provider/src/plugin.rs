//! The plugin process: how Terraform starts, reaches and ends it.
//!
//! Terraform starts a provider as a child process, reads one line from its
//! stdout, connects over a Unix socket with mutual TLS and calls it over gRPC.
//! This module is that skin and knows nothing of approvals. It never prints
//! anything else on stdout, never accepts a client other than the one that
//! started it, and never outlives it.

pub(crate) mod connection;
mod controller;
mod handshake;
mod lifetime;
mod tls;

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::UnixListener;
use tonic::service::Routes;
use tonic::transport::Server;

pub(crate) use controller::{Controller, Farewell, Stdio};
pub(crate) use lifetime::Lifetime;

use crate::environment::Environment;
use crate::log::{Level, log};

/// How long the gRPC server may take to finish its last answers.
const LAST_ANSWERS: Duration = Duration::from_secs(1);

/// Why the plugin could not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StartError {
    /// Somebody other than Terraform started the program.
    #[error(
        "this program is a Terraform plugin and is not run directly; \
         name `assent-dev/assent` under `required_providers` and run terraform"
    )]
    NotTerraform,
    /// Terraform is too old for this provider.
    #[error(
        "terraform speaks plugin protocol {0}, this provider speaks 6; use terraform 1.10 or later"
    )]
    Protocol(String),
    /// Mutual TLS could not be set up.
    #[error("mutual TLS cannot be set up: {0}")]
    Tls(String),
    /// The socket or the first line could not be made.
    #[error("the plugin socket cannot be opened: {0}")]
    Socket(#[from] io::Error),
}

/// Serves `routes` until Terraform is done with the plugin.
///
/// # Errors
/// Only what keeps it from starting; once it serves, faults are logged.
pub(crate) async fn serve(
    environment: &Environment,
    routes: Routes,
    lifetime: Arc<Lifetime>,
) -> Result<(), StartError> {
    handshake::check(environment)?;
    let identity = environment.client_certificate.as_deref().map(tls::Identity::facing);
    let identity = identity.transpose().map_err(StartError::Tls)?;
    let directory = private_directory()?;
    let socket = directory.path().join("socket");
    let listener = UnixListener::bind(&socket)?;
    handshake::announce(
        &socket,
        identity.as_ref().map(tls::Identity::certificate),
        environment.asks_for_multiplexing,
    )?;
    lifetime.watch_signals()?;
    if identity.is_some() {
        lifetime.expect_a_connection();
    }
    let acceptor = identity.map(|identity| identity.acceptor());
    let incoming = connection::accept(listener, acceptor, Arc::clone(&lifetime));
    let server = Server::builder()
        .add_routes(routes)
        .serve_with_incoming_shutdown(incoming, lifetime.ended());
    run_out(server, &lifetime).await;
    Ok(())
}

/// A fresh directory that only this user may enter, and that goes when the value
/// does. Whoever can reach the socket can at least try to connect.
fn private_directory() -> io::Result<TempDir> {
    let only_ours = Permissions::from_mode(0o700);
    tempfile::Builder::new().prefix("assent-provider").permissions(only_ours).tempdir()
}

/// Runs the server to its end, and not much longer than it is asked to.
async fn run_out(
    server: impl Future<Output = Result<(), tonic::transport::Error>>,
    lifetime: &Lifetime,
) {
    let overdue = async {
        lifetime.ended().await;
        tokio::time::sleep(LAST_ANSWERS).await;
    };
    tokio::select! {
        served = server => {
            if let Err(error) = served {
                log(Level::Error, format!("the gRPC server failed: {error}"));
            }
        }
        () = overdue => log(Level::Debug, "calls were still open at the end"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_this_user_may_enter_the_directory() {
        let directory = private_directory().unwrap();
        let mode = directory.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
    }
}
