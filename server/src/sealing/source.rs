//! Where the sealing key comes from: a file, a text, or a file of our own that is made.

use std::io;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::{NotASealingKey, SealError, Sealer, SealingKey};
use crate::private;

/// The name of the file that is made where nothing else is said.
const FILE: &str = "sealing-key";

/// Where the sealing key comes from.
#[derive(Clone, Debug, Default)]
pub enum SealingSource {
    /// This file, which nobody but its owner may read.
    File(PathBuf),
    /// This file of systemd's credentials, whose access systemd rules.
    Credential(PathBuf),
    /// It was given.
    Given(SealingKey),
    /// A file in the data directory, made at the first start.
    #[default]
    Kept,
}

/// Why there is no sealing key.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// The file.
    #[error("the sealing key {} cannot be used", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// What stands in it.
    #[error("{}: {problem}", path.display())]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: NotASealingKey,
    },
    /// The key that was made is gone, and something is sealed with it.
    #[error(
        "{} is gone, and what is kept was sealed with it: restore it, or give the key as it is kept \
         elsewhere",
        .0.display()
    )]
    Lost(PathBuf),
    /// No key can be made.
    #[error(transparent)]
    Seal(#[from] SealError),
}

impl SealingSource {
    /// What seals, and opens also what the keys of the earlier files sealed. A key is made only
    /// where `is_new`: where nothing is sealed yet.
    ///
    /// # Errors
    /// [`SourceError`].
    pub fn sealer(
        &self,
        data: &Path,
        earlier: &[PathBuf],
        is_new: bool,
    ) -> Result<Sealer, SourceError> {
        let key = match self {
            Self::File(path) => read(path, true)?,
            Self::Credential(path) => read(path, false)?,
            Self::Given(key) => key.clone(),
            Self::Kept => kept(&data.join(FILE), is_new)?,
        };
        let earlier: Vec<_> =
            earlier.iter().map(|path| read(path, true)).collect::<Result<_, _>>()?;
        Ok(Sealer::new(&key, &earlier)?)
    }
}

fn kept(path: &Path, is_new: bool) -> Result<SealingKey, SourceError> {
    match read(path, true) {
        Err(SourceError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            if !is_new {
                return Err(SourceError::Lost(path.to_owned()));
            }
            let key = SealingKey::fresh()?;
            let unusable = |source| SourceError::File { path: path.to_owned(), source };
            private::write(path, key.written().as_bytes()).map_err(unusable)?;
            Ok(key)
        }
        read => read,
    }
}

fn read(path: &Path, is_ours_alone: bool) -> Result<SealingKey, SourceError> {
    let unusable = |source| SourceError::File { path: path.to_owned(), source };
    let bytes = match is_ours_alone {
        true => private::read(path).map_err(unusable)?,
        false => Zeroizing::new(std::fs::read(path).map_err(unusable)?),
    };
    let text = str::from_utf8(&bytes).map_err(|_| NotASealingKey);
    let key = text.and_then(str::parse);
    key.map_err(|problem| SourceError::Text { path: path.to_owned(), problem })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealer(source: &SealingSource, data: &Path, is_new: bool) -> Result<Sealer, SourceError> {
        source.sealer(data, &[], is_new)
    }

    #[test]
    fn one_is_made_at_the_first_start_and_found_at_the_next() {
        let data = tempfile::tempdir().unwrap();
        let first = sealer(&SealingSource::Kept, data.path(), true).unwrap();
        let next = sealer(&SealingSource::Kept, data.path(), false).unwrap();
        assert_eq!(first.name(), next.name());
        assert!(first.name().is_some());
    }

    #[test]
    fn none_is_made_where_one_is_missed() {
        let data = tempfile::tempdir().unwrap();
        let lost = sealer(&SealingSource::Kept, data.path(), false).unwrap_err();
        assert!(matches!(lost, SourceError::Lost(_)), "{lost}");
        assert!(!data.path().join(FILE).exists());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_others_read_is_refused_but_systemds_own() {
        use std::os::unix::fs::PermissionsExt as _;
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("key");
        std::fs::write(&path, SealingKey::fresh().unwrap().written().as_bytes()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o440)).unwrap();
        let refused = sealer(&SealingSource::File(path.clone()), data.path(), true).unwrap_err();
        assert!(matches!(refused, SourceError::File { .. }), "{refused}");
        sealer(&SealingSource::Credential(path.clone()), data.path(), true).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
        sealer(&SealingSource::File(path), data.path(), true).unwrap();
    }

    #[test]
    fn a_file_that_holds_no_key_is_told_without_what_it_holds() {
        let data = tempfile::tempdir().unwrap();
        let path = data.path().join("key");
        private::write(&path, b"canary").unwrap();
        let refused = sealer(&SealingSource::File(path), data.path(), true).unwrap_err();
        assert!(
            refused.to_string().contains("openssl rand")
                && !format!("{refused:?}").contains("canary")
        );
    }

    #[test]
    fn what_earlier_keys_sealed_opens_still() {
        let data = tempfile::tempdir().unwrap();
        let before = sealer(&SealingSource::Kept, data.path(), true).unwrap();
        let sealed = before.seal("x", b"y").unwrap();
        let given = SealingSource::Given(SealingKey::fresh().unwrap());
        let after = given.sealer(data.path(), &[data.path().join(FILE)], false).unwrap();
        assert_eq!(after.open("x", &sealed).unwrap().as_slice(), b"y");
        assert_ne!(after.name(), before.name());
    }
}
