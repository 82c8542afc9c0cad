//! What is done: one command, one file, one function.

mod absence;
mod admin;
mod apply;
mod approve;
mod audit;
mod cancel;
mod complete;
mod completions;
mod credential;
mod deny;
mod digest;
mod evidence;
mod list;
mod login;
mod logout;
mod plan;
mod policy;
mod post_review;
mod request;
mod review;
mod revoke;
mod run;
mod serve;
mod show;
mod signal;
mod trust;
mod wait;
mod watch;
mod whoami;
mod withdraw;

use std::fmt::Display;

use assent_client::wire::Request;
pub(crate) use plan::HandedIn;

use crate::args::{Cli, Command, Printing};
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::{Environment, Server};

/// Does what was typed.
pub(crate) async fn dispatch(
    cli: Cli,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let client = || Server::settle(&cli.server, environment)?.client(&cli.server);
    match cli.command {
        Command::Serve(args) => serve::run(*args, environment, output).await,
        Command::Request(args) => request::run(args, &client()?, environment, output).await,
        Command::List(args) => list::run(args, &client()?, output).await,
        Command::Show(args) => show::run(args, &client()?, output).await,
        Command::Wait(args) => wait::run(args, &client()?, output).await,
        Command::Watch(args) => watch::run(args, &client()?, output).await,
        Command::Approve(args) => approve::run(args, &client()?, environment, output).await,
        Command::Deny(args) => deny::run(args, &client()?, environment, output).await,
        Command::Review(args) => review::run(args, &client()?, output).await,
        Command::Evidence(command) => evidence::run(command, client, output).await,
        Command::Withdraw(args) => withdraw::run(args, &client()?, output).await,
        Command::Absence(command) => absence::run(command, &client()?, output).await,
        Command::PostReview(args) => post_review::run(args, &client()?, output).await,
        Command::Cancel(args) => cancel::run(args, &client()?, output).await,
        Command::Revoke(args) => revoke::run(args, &client()?, output).await,
        Command::Complete(args) => complete::run(args, &client()?, output).await,
        Command::Run(args) => run::run(args, &client()?, environment, output).await,
        Command::Credential(command) => credential::run(command, client, output).await,
        Command::Apply(args) => {
            apply::run(args, &cli.server, &client()?, environment, output).await
        }
        Command::Plan(command) => plan::run(command, client, environment, output).await,
        Command::Digest(args) => digest::run(&args, output),
        Command::Policy(command) => policy::run(command, client, output).await,
        Command::Signal(command) => signal::run(command, &client()?, output).await,
        Command::Trust(command) => trust::run(command, &client()?, output).await,
        Command::Audit(command) => audit::run(command, client, output).await,
        Command::Admin(command) => admin::run(command, &cli.server, environment, output).await,
        Command::Login(args) => login::run(&args, &cli.server, environment, output).await,
        Command::Logout(args) => logout::run(&args, &cli.server, environment, output).await,
        Command::Whoami(printing) => whoami::run(printing, &client()?, output).await,
        Command::Completions { shell } => completions::run(shell, output),
    }
}

/// Prints how a request stands after a command has moved it.
fn print_moved(request: &Request, printing: Printing, output: &Output) -> Result<(), Failure> {
    match printing.is_json() {
        true => output.json(request),
        false if request.state == "pending" => {
            output.data(crate::show::progress(request, clock::now()))
        }
        false => output.data(crate::show::ending(request)),
    }
}

/// `1 grant`, `2 grants`.
fn counted<N: Display + From<u8> + PartialEq>(count: N, one: &str, many: &str) -> String {
    let word = if count == N::from(1) { one } else { many };
    format!("{count} {word}")
}
