//! A saved plan, shown by Terraform: only Terraform can read its own file.

use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use assent_core::plan::Limits;
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::plan::named;
use crate::{Obstacle, clean};

/// Longer than Terraform needs to start every provider of a large configuration.
const PATIENCE: Duration = Duration::from_secs(120);
/// More than Terraform says of what went wrong.
const MAX_TALK: u64 = 65_536;

/// The program that shows saved plans.
#[derive(Clone, Debug)]
pub struct Terraform {
    /// Its name, or where it is.
    pub program: String,
    /// The variables that are kept from it: it runs the code of providers and modules.
    pub kept_back: Vec<String>,
}

impl Terraform {
    /// This program, which finds all but what may ask, approve and act.
    pub fn named(program: &str) -> Self {
        let kept_back = ["ASSENT_TOKEN", "ASSENT_CREDENTIAL"].map(str::to_owned).into();
        Self { program: program.to_owned(), kept_back }
    }
}

/// What `terraform show -json` prints of the file.
pub(super) async fn shown(
    path: &Path,
    terraform: &Terraform,
    limits: &Limits,
) -> Result<Vec<u8>, Obstacle> {
    if path == Path::new("-") {
        let message = "a saved plan cannot be shown from stdin, because Terraform reads its file";
        return Err(Obstacle::wrong(message).hint("name the file, or give `terraform show -json`"));
    }
    let mut command = Command::new(&terraform.program);
    for name in &terraform.kept_back {
        command.env_remove(name);
    }
    command
        .args(["show", "-no-color", "-json"])
        .arg(not_an_option(path))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let limit = u64::try_from(limits.bytes).unwrap_or(u64::MAX).saturating_add(1);
    let done = tokio::time::timeout(PATIENCE, ended(&mut command, limit)).await;
    let what = || Obstacle::unknown(format!("{} could not be shown by Terraform", named(path)));
    match done {
        Err(_) => Err(what().because(format!("no answer within {} s", PATIENCE.as_secs()))),
        Ok(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            let missing = format!("`{}` is not there", clean(&terraform.program));
            Err(what().because(missing).hint(
                "install Terraform, name it in TERRAFORM, or give what `terraform show -json` prints",
            ))
        }
        Ok(Err(error)) => Err(what().because(error)),
        Ok(Ok(Ended { succeeded: true, data, .. })) => Ok(data),
        Ok(Ok(Ended { talk, .. })) => Err(what()
            .because(clean(String::from_utf8_lossy(&talk).trim()))
            .hint("run this where the plan was made, after `terraform init`")),
    }
}

/// How Terraform ended, and what it printed.
struct Ended {
    succeeded: bool,
    data: Vec<u8>,
    talk: Vec<u8>,
}

async fn ended(command: &mut Command, limit: u64) -> io::Result<Ended> {
    let mut child = command.spawn()?;
    let (data, talk) = (child.stdout.take(), child.stderr.take());
    let (data, talk) = tokio::join!(some(data, limit), some(talk, MAX_TALK));
    // Beyond the limit nobody reads what is printed, and Terraform ends by that.
    Ok(Ended { data: data?, talk: talk?, succeeded: child.wait().await?.success() })
}

async fn some(from: Option<impl AsyncRead + Unpin>, limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if let Some(from) = from {
        from.take(limit).read_to_end(&mut bytes).await?;
    }
    Ok(bytes)
}

/// A file whose name begins with a minus is still a file.
fn not_an_option(path: &Path) -> PathBuf {
    match path.is_absolute() {
        true => path.to_owned(),
        false => Path::new(".").join(path),
    }
}
