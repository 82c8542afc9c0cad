//! The signing key's file.

use std::fs::OpenOptions;
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use assent_core::credential::Signer;

use crate::chance::Chance;

/// The key of this file; a new one if there is no file. Nobody but the owner may read it.
pub(crate) fn signer(file: &Path, issuer: &str, chance: &Chance) -> io::Result<Signer> {
    let pkcs8 = match OpenOptions::new().read(true).open(file) {
        Ok(mut open) => {
            check_mode(&open, file)?;
            let mut bytes = zeroize::Zeroizing::new(Vec::new());
            open.read_to_end(&mut bytes)?;
            bytes
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => make(file, chance)?,
        Err(error) => return Err(error),
    };
    let fault = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{error}"));
    Signer::new(issuer, &pkcs8).map_err(fault)
}

/// Written whole under another name, synced, then moved into place: a crash leaves a whole key or
/// none.
fn make(file: &Path, chance: &Chance) -> io::Result<zeroize::Zeroizing<Vec<u8>>> {
    let key = Signer::generate(chance.source()).map_err(io::Error::other)?;
    let key = zeroize::Zeroizing::new(key);
    let fresh = file.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options.open(&fresh)?;
    open.write_all(&key)?;
    open.sync_all()?;
    std::fs::rename(&fresh, file)?;
    if let Some(directory) = file.parent() {
        std::fs::File::open(directory)?.sync_all()?;
    }
    Ok(key)
}

#[cfg(unix)]
fn check_mode(open: &std::fs::File, file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = open.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("{} can be read by others (mode {mode:o}): chmod 600", file.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

#[cfg(not(unix))]
fn check_mode(_: &std::fs::File, _: &Path) -> io::Result<()> {
    Ok(())
}
