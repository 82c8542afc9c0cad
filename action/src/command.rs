//! Mode `run`: a command with what was granted, which is taken back when it ends.

use std::ffi::OsString;
use std::io::Write as _;
use std::pin::pin;
use std::time::Duration;

use assent_client::Client;
use assent_client::wire::{Credential, Request};
use assent_gate::child::{self, Ended, Reach};
use assent_gate::{Obstacle, Signals};
use tempfile::NamedTempFile;

use crate::environment::Environment;
use crate::log::Log;
use crate::outcome::Stop;
use crate::runner::Runner;

/// How long a command that was asked to end may take before what it was given is taken back: a runner
/// waits 7.5 seconds until it asks again, and 2.5 more until it kills (runner, `ProcessInvoker`).
const GRACE: Duration = Duration::from_secs(4);

/// How a command ended.
#[derive(Debug)]
pub(crate) enum Ran {
    /// By itself.
    Ended(Ended),
    /// It did not end in time after it was asked to.
    Overdue,
}

/// Runs the command by `bash -e`, as steps are run.
pub(crate) async fn run(
    script: &str,
    granted: (&Request, &Credential),
    client: &Client,
    surroundings: (&Environment, &Runner),
    log: &Log,
) -> Result<Ran, Stop> {
    let (request, credential) = granted;
    let (environment, runner) = surroundings;
    let file = written(script, runner)?;
    let words = [OsString::from("bash"), "-e".into(), file.path().as_os_str().to_owned()];
    let given = child::Environment { request, credential, client };
    let Some(mut command) = child::given(&words, given) else {
        return Err(Obstacle::wrong("there is no command").into());
    };
    for name in environment.own() {
        command.env_remove(name);
    }
    log.share();
    let (mut passed_on, mut heard) = (Signals::catch()?, Signals::catch()?);
    let overdue = async {
        heard.next().await;
        tokio::time::sleep(GRACE).await;
    };
    let mut overdue = pin!(overdue);
    let mut running = pin!(child::to_its_end(command, Reach::Group, &mut passed_on));
    let mut alive = pin!(client.keep_alive(&credential.id, credential.heartbeat.as_deref()));
    let mut is_over = false;
    loop {
        tokio::select! {
            ended = &mut running => return Ok(Ran::Ended(ended)),
            () = &mut overdue => return Ok(Ran::Overdue),
            _over = &mut alive, if !is_over => {
                is_over = true;
                log.say(format!("{} has ended; the command still runs", credential.id));
            }
        }
    }
}

fn written(script: &str, runner: &Runner) -> Result<NamedTempFile, Stop> {
    let failed = |error| Obstacle::unknown("the command cannot be written").because(error);
    let mut made = tempfile::Builder::new();
    let file = made.prefix("assent-command-").suffix(".sh").tempfile_in(&runner.temp);
    let mut file = file.map_err(|error: std::io::Error| failed(error))?;
    file.write_all(script.as_bytes()).map_err(failed)?;
    Ok(file)
}
