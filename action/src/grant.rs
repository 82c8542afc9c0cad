//! What is done with a grant: a credential is minted, the exact plan fetched, or it is said that the
//! action begins. Each of them the authority allows only to the run that asked.

use std::fs::Permissions;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use assent_client::wire::{Credential, MintRequest, Request};
use assent_client::{Client, ErrorKind, IdempotencyKey};
use assent_core::time::Span;
use assent_gate::plan::{self, Fetched};

use crate::inputs::Inputs;
use crate::log::Log;
use crate::outcome::{Outcome, Stop};

/// What a broker gives that is no secret, and that logs speak of: masking a port or a region would hide
/// half of what later steps print.
const OPEN: [&str; 9] = [
    "host",
    "port",
    "database",
    "sslmode",
    "region",
    "expires_at",
    "installation",
    "assumed_role_arn",
    "account",
];

/// Mints a credential. Nothing of it is printed before it is masked.
pub(crate) async fn mint(
    request: &Request,
    audience: String,
    heartbeat: Option<Span>,
    inputs: &Inputs,
    client: &Client,
    log: &Log,
) -> Result<Credential, Stop> {
    let wanted = MintRequest {
        audience,
        ttl: request.intent.duration.clone(),
        broker: inputs.broker.clone(),
        heartbeat: heartbeat.map(|span| span.to_string()),
    };
    let credential = client.mint(&request.id, &wanted, &IdempotencyKey::fresh()).await?;
    log.mask(&credential.token);
    let secret = |name: &&String| !OPEN.contains(&name.as_str());
    let names = credential.fields.keys().filter(secret);
    names.filter_map(|name| credential.fields.get(name)).for_each(|value| log.mask(value));
    Ok(credential)
}

/// Writes a credential where only this job's user reads it: the JSON that the authority gave.
pub(crate) fn keep(credential: &Credential, temp: &Path) -> Result<PathBuf, Stop> {
    let failed = |error: String| {
        let why = format!("the credential cannot be kept in `{}`: {error}", temp.display());
        Stop::new(Outcome::Unreachable, why)
    };
    let json = serde_json::to_vec(credential).map_err(|error| failed(error.to_string()))?;
    let mut made = tempfile::Builder::new();
    made.prefix("assent-credential-").suffix(".json").permissions(Permissions::from_mode(0o600));
    let mut file = made.tempfile_in(temp).map_err(|error| failed(error.to_string()))?;
    file.write_all(&json).map_err(|error| failed(error.to_string()))?;
    let kept = file.into_temp_path().keep();
    kept.map_err(|error| failed(error.to_string()))
}

/// Says that the action begins, so that the same grant begins no second one. Where jobs share the grant,
/// another one may have said it.
pub(crate) async fn begin(request: &Request, inputs: &Inputs, client: &Client) -> Result<(), Stop> {
    match client.begin(&request.id, &IdempotencyKey::fresh()).await {
        Ok(_) => Ok(()),
        Err(error)
            if inputs.shared
                && error.kind == ErrorKind::Conflict
                && error.code() == Some("begun_already") =>
        {
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Fetches the exact plan that was approved.
pub(crate) async fn fetch(request: &Request, out: &Path, client: &Client) -> Result<Fetched, Stop> {
    Ok(plan::fetch(&request.id, out, client).await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_kept_for_its_user_alone() {
        let directory = tempfile::tempdir().unwrap();
        let credential: Credential = serde_json::from_value(serde_json::json!({
            "id": "crd_1", "token": "t", "expires_at": "T", "claims": {},
        }))
        .unwrap();
        let file = keep(&credential, directory.path()).unwrap();
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let read: Credential = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
        assert_eq!(read.token, "t");
        assert!(keep(&credential, Path::new("/nonexistent")).is_err());
    }
}
