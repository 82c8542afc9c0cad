//! The signing key's file.

use std::io;
use std::path::Path;

use assent_core::credential::Signer;
use zeroize::Zeroizing;

use crate::chance::Chance;
use crate::private;

/// The key of this file; a new one if there is no file. Nobody but the owner may read it.
pub(crate) fn signer(file: &Path, issuer: &str, chance: &Chance) -> io::Result<Signer> {
    let pkcs8 = match private::read(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let key = Signer::generate(chance.source()).map_err(io::Error::other)?;
            let key = Zeroizing::new(key);
            private::write(file, &key)?;
            key
        }
        read => read?,
    };
    let fault = |error| io::Error::new(io::ErrorKind::InvalidData, format!("{error}"));
    Signer::new(issuer, &pkcs8).map_err(fault)
}
