//! Files that nobody but their owner may read.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use zeroize::Zeroizing;

/// No file of ours is longer.
const LARGEST: u64 = 64 * 1024;

/// What stands in a file that only its owner may read.
///
/// # Errors
/// Of the file system; `PermissionDenied` where others may read it.
pub(crate) fn read(file: &Path) -> io::Result<Zeroizing<Vec<u8>>> {
    let open = File::open(file)?;
    check_mode(&open, file)?;
    // Grown once: growing again would leave parts of a secret behind in freed memory.
    let mut bytes = Zeroizing::new(Vec::with_capacity(size(&open)?));
    open.take(LARGEST).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Written whole under another name, synced, then moved into place: a crash leaves all of it or
/// nothing.
///
/// # Errors
/// Of the file system.
pub(crate) fn write(file: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = file.with_extension("new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut open = options.open(&fresh)?;
    open.write_all(bytes)?;
    open.sync_all()?;
    std::fs::rename(&fresh, file)?;
    sync_directory(file)
}

/// Makes durable what was created, renamed or removed beside this file.
///
/// # Errors
/// Of the file system.
pub(crate) fn sync_directory(file: &Path) -> io::Result<()> {
    match file.parent() {
        Some(directory) => File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

fn size(open: &File) -> io::Result<usize> {
    let size = open.metadata()?.len().min(LARGEST);
    // One more, so that the end is seen without growing.
    Ok(usize::try_from(size).unwrap_or_default() + 1)
}

#[cfg(unix)]
fn check_mode(open: &File, file: &Path) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = open.metadata()?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let message = format!("{} can be read by others (mode {mode:o}): chmod 600", file.display());
    Err(io::Error::new(io::ErrorKind::PermissionDenied, message))
}

#[cfg(not(unix))]
fn check_mode(_: &File, _: &Path) -> io::Result<()> {
    Ok(())
}
