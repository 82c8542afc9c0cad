//! The exact plan of a request: fetched once, held against the digest that was approved, and written
//! where it shall be, whole and for its owner alone.

use std::fs::Permissions;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use assent_client::{Client, IdempotencyKey};
use assent_core::digest::Digest;

use crate::{Obstacle, clean};

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Of its bytes: what was approved.
    pub digest: Digest,
    /// How many bytes.
    pub size: usize,
}

/// Fetches the exact plan of a request to this file.
///
/// # Errors
/// [`Obstacle`]; nothing is written then.
pub async fn fetch(id: &str, out: &Path, client: &Client) -> Result<Fetched, Obstacle> {
    // A place that cannot be written is found out before the one fetch is spent.
    let place = Place::beside(out)?;
    let request = client.request(id).await?;
    let approved = request.intent.digest.unwrap_or_default();
    let bytes = client.fetch_plan(id, &IdempotencyKey::fresh()).await?;
    let digest = Digest::of(&bytes);
    if digest.to_string() != approved {
        let message = format!("the server gave {digest}, but {} is approved", clean(&approved));
        return Err(Obstacle::unknown(message).hint("nothing was written; do not apply anything"));
    }
    place.put(&bytes)?;
    Ok(Fetched { digest, size: bytes.len() })
}

/// A new file beside the one that is wanted, which it replaces once it is whole.
struct Place<'a> {
    file: tempfile::NamedTempFile,
    wanted: &'a Path,
}

impl<'a> Place<'a> {
    fn beside(wanted: &'a Path) -> Result<Self, Obstacle> {
        let folder = wanted.parent().filter(|folder| !folder.as_os_str().is_empty());
        let mut made = tempfile::Builder::new();
        made.prefix(".assent-plan-").permissions(Permissions::from_mode(0o600));
        let file = made.tempfile_in(folder.unwrap_or_else(|| Path::new(".")));
        Ok(Self { file: file.map_err(|error| Obstacle::file(wanted, &error))?, wanted })
    }

    fn put(mut self, bytes: &[u8]) -> Result<(), Obstacle> {
        let wanted = self.wanted;
        let failed = |error: io::Error| Obstacle::file(wanted, &error);
        self.file.write_all(bytes).map_err(failed)?;
        self.file.as_file().sync_all().map_err(failed)?;
        self.file.persist(wanted).map_err(|error| failed(error.error)).map(drop)
    }
}
