//! `terraform-provider-assent`: asks for approval in the middle of a Terraform run.
//!
//! The resource `assent_approval` blocks until people have approved exactly what
//! its arguments state; the ephemeral resource `assent_credential` mints a
//! short-lived credential from that approval and revokes it at the end; the data
//! source `assent_decision` says beforehand what would be asked.
//!
//! This crate knows Terraform's plugin protocol and nothing of HTTP, policy or
//! storage: the server decides, `assent-client` talks to it. No secret ever
//! reaches a state file, a plan, a log or a trace.

mod approval;
mod asking;
mod clock;
mod configure;
mod credential;
mod decision;
mod diagnostic;
mod duration;
mod environment;
mod exact;
mod failure;
mod functions;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gate;
mod intent;
mod interrupts;
mod jwks;
mod log;
mod offer;
mod offers;
mod oidc;
mod plugin;
mod policy;
mod request;
mod requests;
mod rpc;
mod ruling;
mod schema;
mod session;
mod standing;
mod trace;
mod value;

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use crate::environment::Environment;
use crate::plugin::{Lifetime, StartError};
use crate::session::Session;
use crate::trace::Trace;

/// Serves Terraform until it is done with this process.
pub async fn serve() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "terraform-provider-assent: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves Terraform, then does the last duties.
async fn run() -> Result<(), StartError> {
    let environment = Environment::read();
    let trace = Trace::to(environment.trace.clone());
    let lifetime = Arc::new(Lifetime::default());
    let session = Arc::new(Session::new(environment.defaults.clone(), Arc::clone(&lifetime)));
    let routes = rpc::routes(&session, &trace);
    plugin::serve(&environment, routes, lifetime).await?;
    session.conclude().await;
    Ok(())
}
