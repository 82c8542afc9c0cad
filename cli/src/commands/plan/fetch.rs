//! `assent plan fetch`

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use assent_client::{Client, IdempotencyKey};
use assent_core::digest::Digest;
use serde_json::json;

use crate::args::PlanFetchArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// Fetches the saved plan of a request, holds it against the digest that was approved, and writes it
/// where it shall be: whole, and for its owner alone.
pub(crate) async fn run(
    args: &PlanFetchArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let id = args.request.to_string();
    // A place that cannot be written is found out before the one fetch is spent.
    let place = Place::beside(&args.out)?;
    let request = client.request(&id).await?;
    let approved = request.intent.digest.unwrap_or_default();
    let bytes = client.fetch_plan(&id, &IdempotencyKey::fresh()).await?;
    let digest = Digest::of(&bytes).to_string();
    if digest != approved {
        let message = format!("the server gave {digest}, but {} is approved", clean(&approved));
        return Err(Failure::unknown(message).hint("nothing was written; do not apply anything"));
    }
    place.put(&bytes)?;
    match args.printing.is_json() {
        true => output.json(&json!({"digest": digest, "size": bytes.len()}))?,
        false => output.data(digest)?,
    }
    Ok(Exit::Granted)
}

/// A new file beside the one that is wanted, which it replaces once it is whole.
struct Place<'a> {
    file: tempfile::NamedTempFile,
    wanted: &'a Path,
}

impl<'a> Place<'a> {
    fn beside(wanted: &'a Path) -> Result<Self, Failure> {
        let folder = wanted.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut made = tempfile::Builder::new();
        made.prefix(".assent-plan-").permissions(Permissions::from_mode(0o600));
        let file = made.tempfile_in(folder.unwrap_or_else(|| Path::new(".")));
        Ok(Self { file: file.map_err(|error| Failure::file(wanted, &error))?, wanted })
    }

    fn put(mut self, bytes: &[u8]) -> Result<(), Failure> {
        let wanted = self.wanted;
        let failed = |error: io::Error| Failure::file(wanted, &error);
        self.file.write_all(bytes).map_err(failed)?;
        self.file.as_file().sync_all().map_err(failed)?;
        self.file.persist(wanted).map_err(|error| failed(error.error)).map(drop)
    }
}
