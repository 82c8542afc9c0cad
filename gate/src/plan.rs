//! Plans: read, shown by Terraform where only it can, handed in, handed over, fetched.

mod exact;
mod fetch;
mod saved;

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use assent_client::Client;
use assent_core::digest::Digest;
use assent_core::plan::{Limits, Plan, PlanError};

use crate::{Obstacle, clean};

pub use exact::{hand_over, send_exact};
pub use fetch::{Fetched, fetch};
pub use saved::Terraform;

/// A plan that the server has taken in.
#[derive(Clone, Debug)]
pub struct HandedIn {
    /// The digest of its JSON, by which the server knows it.
    pub plan: Digest,
    /// The digest of the file's bytes: what will be applied.
    pub file: Digest,
    /// Whether the file is a saved plan, which can be applied.
    pub is_saved: bool,
    /// How many changes the server found in it.
    pub changes: u64,
}

/// Hands a plan in; a saved plan file is shown by Terraform first, which is this program.
///
/// # Errors
/// [`Obstacle`].
pub async fn hand_in(
    path: &Path,
    client: &Client,
    terraform: &Terraform,
) -> Result<HandedIn, Obstacle> {
    let given = read(path)?;
    let file = given.digest();
    match given {
        Given::Json(json) => {
            let (plan, changes) = send(path, json, None, client).await?;
            Ok(HandedIn { plan, file, is_saved: false, changes })
        }
        Given::Saved(_) => send_saved(path, file, client, terraform).await,
    }
}

/// Hands in the plan of a saved plan file whose bytes have this digest.
///
/// # Errors
/// [`Obstacle`], also where the file has changed.
pub async fn send_saved(
    path: &Path,
    file: Digest,
    client: &Client,
    terraform: &Terraform,
) -> Result<HandedIn, Obstacle> {
    let json = shown_of(path, file, terraform, &Limits::default()).await?;
    let (plan, changes) = send(path, json, Some(file), client).await?;
    Ok(HandedIn { plan, file, is_saved: true, changes })
}

/// Hands the JSON of the plan in this file in; `saved` is the digest of the saved plan that it is
/// of. What comes back is the digest by which the server knows it, and how many changes it is.
async fn send(
    path: &Path,
    json: Vec<u8>,
    saved: Option<Digest>,
    client: &Client,
) -> Result<(Digest, u64), Obstacle> {
    // A plan that cannot be read is refused here, before it is sent anywhere.
    let parsed = Plan::parse(&json, &Limits::default());
    let plan = parsed.map_err(|error| unread(path, &error))?.digest;
    let saved = saved.map(|digest| digest.to_string());
    let taken = client.hand_in_plan(json, saved.as_deref()).await?;
    if taken.digest != plan.to_string() {
        let message = format!("the server took in {} instead of {plan}", clean(&taken.digest));
        return Err(Obstacle::unknown(message));
    }
    Ok((plan, taken.facts.change_count))
}

/// The JSON of a plan, and the digest of its file, which is what will be applied. A saved plan file
/// is shown by Terraform.
///
/// # Errors
/// [`Obstacle`].
pub async fn json_of(
    path: &Path,
    terraform: &Terraform,
    limits: &Limits,
) -> Result<(Digest, Vec<u8>), Obstacle> {
    let given = read(path)?;
    let file = given.digest();
    match given {
        Given::Json(json) => Ok((file, json)),
        Given::Saved(_) => Ok((file, shown_of(path, file, terraform, limits).await?)),
    }
}

/// The JSON of a saved plan file whose bytes have this digest.
async fn shown_of(
    path: &Path,
    file: Digest,
    terraform: &Terraform,
    limits: &Limits,
) -> Result<Vec<u8>, Obstacle> {
    let json = saved::shown(path, terraform, limits).await?;
    // Terraform has read the file anew.
    let after = read(path)?;
    match after.is_saved() && after.digest() == file {
        true => Ok(json),
        false => Err(Obstacle::wrong("the saved plan changed while it was read")),
    }
}

/// What a file holds.
#[derive(Clone, Debug)]
pub enum Given {
    /// JSON, or what is taken for it.
    Json(Vec<u8>),
    /// What `terraform plan -out` writes: a ZIP archive.
    Saved(Vec<u8>),
}

impl Given {
    /// SHA-256 of the file's bytes.
    pub fn digest(&self) -> Digest {
        match self {
            Self::Json(bytes) | Self::Saved(bytes) => Digest::of(bytes),
        }
    }

    /// Whether it is a saved plan, which can be applied.
    pub fn is_saved(&self) -> bool {
        match self {
            Self::Json(_) => false,
            Self::Saved(_) => true,
        }
    }
}

/// Reads a file, or stdin for `-`.
///
/// # Errors
/// [`Obstacle`] for a file that cannot be read, or is too large for a plan.
pub fn read(path: &Path) -> Result<Given, Obstacle> {
    let limits = Limits::default();
    // One byte more than is taken, so that a longer file is seen to be.
    let limit = u64::try_from(limits.bytes).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let done = match path == Path::new("-") {
        true => io::stdin().take(limit).read_to_end(&mut bytes),
        false => File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes)),
    };
    done.map_err(|error| Obstacle::file(path, &error))?;
    if bytes.len() > limits.bytes {
        let message = format!("{} has more than {} bytes", named(path), limits.bytes);
        return Err(Obstacle::wrong(message).hint("split the change into several plans"));
    }
    match bytes.starts_with(b"PK\x03\x04") {
        true => Ok(Given::Saved(bytes)),
        false => Ok(Given::Json(bytes)),
    }
}

/// A plan that is not read.
pub fn unread(path: &Path, error: &PlanError) -> Obstacle {
    Obstacle::wrong(format!("{} cannot be read as a plan", named(path))).because(error)
}

/// The file as it is told to people.
pub fn named(path: &Path) -> String {
    match path == Path::new("-") {
        true => "stdin".to_owned(),
        false => format!("`{}`", clean(&path.display().to_string())),
    }
}
