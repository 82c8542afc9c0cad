//! What an opening needs to be closed by, and nobody may read: sealed, one file for each, gone with
//! the closing.
//!
//! In front of what is sealed stands until when it matters at all. That way something that cannot
//! be opened any more, because its key is lost, still comes to an end.

use std::collections::HashMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use assent_core::time::Timestamp;
use zeroize::Zeroizing;

use super::Name;
use crate::private;
use crate::sealing::{SealError, Sealer};

/// Where openings keep what closings need. Clones share one place.
#[derive(Clone, Debug)]
pub struct Kept {
    sealer: Sealer,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    /// Lost with this process.
    Memory(Arc<Mutex<HashMap<String, Vec<u8>>>>),
    /// A directory of its own.
    Directory(PathBuf),
}

/// Why something was not kept, or is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeptError {
    /// The directory or a file in it.
    #[error("what is kept of it cannot be read or written: {0}")]
    File(#[from] io::Error),
    /// It does not open.
    #[error("what is kept of it does not open: {problem}")]
    Sealed {
        /// Until when it matters.
        until: Timestamp,
        /// Why.
        #[source]
        problem: SealError,
    },
}

impl Default for Kept {
    fn default() -> Self {
        Self { sealer: Sealer::default(), place: Place::Memory(Arc::default()) }
    }
}

impl Kept {
    /// In this directory, which is made if it is not there.
    ///
    /// # Errors
    /// Of the file system.
    pub fn in_directory(directory: &Path, sealer: Sealer) -> io::Result<Self> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(directory)?;
        Ok(Self { sealer, place: Place::Directory(directory.to_owned()) })
    }

    /// Keeps this under the name, in place of what was there. It is durable when this returns.
    pub(super) async fn put(
        &self,
        name: &Name,
        until: Timestamp,
        secret: &[u8],
    ) -> Result<(), KeptError> {
        let sealed = self.sealer.seal(&purpose(name), secret);
        let sealed = sealed.map_err(|problem| KeptError::Sealed { until, problem })?;
        let whole = [until.as_millis().to_be_bytes().as_slice(), &sealed].concat();
        match &self.place {
            Place::Memory(all) => {
                let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
                all.insert(name.to_string(), whole);
                Ok(())
            }
            Place::Directory(directory) => {
                let file = directory.join(name.as_str());
                off_the_loop(move || private::write(&file, &whole)).await
            }
        }
    }

    /// What is kept under the name.
    pub(super) async fn get(&self, name: &Name) -> Result<Option<Zeroizing<Vec<u8>>>, KeptError> {
        let Some(whole) = self.whole(name).await? else { return Ok(None) };
        let damaged = || io::Error::new(io::ErrorKind::InvalidData, "it is cut off");
        let (until, sealed) = whole.split_first_chunk().ok_or_else(damaged)?;
        let until = Timestamp::from_millis(i64::from_be_bytes(*until));
        let opened = self.sealer.open(&purpose(name), sealed);
        opened.map(Some).map_err(|problem| KeptError::Sealed { until, problem })
    }

    async fn whole(&self, name: &Name) -> Result<Option<Vec<u8>>, KeptError> {
        match &self.place {
            Place::Memory(all) => {
                let all = all.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(all.get(name.as_str()).cloned())
            }
            Place::Directory(directory) => {
                let file = directory.join(name.as_str());
                off_the_loop(move || match private::read(&file) {
                    Ok(bytes) => Ok(Some(bytes.to_vec())),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                    Err(error) => Err(error),
                })
                .await
            }
        }
    }

    /// Forgets what is kept under the name.
    pub(super) async fn remove(&self, name: &Name) -> Result<(), KeptError> {
        match &self.place {
            Place::Memory(all) => {
                all.lock().unwrap_or_else(PoisonError::into_inner).remove(name.as_str());
                Ok(())
            }
            Place::Directory(directory) => {
                let file = directory.join(name.as_str());
                off_the_loop(move || match std::fs::remove_file(&file) {
                    Ok(()) => private::sync_directory(&file),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
                    Err(error) => Err(error),
                })
                .await
            }
        }
    }
}

/// A file that was swapped for another does not open.
fn purpose(name: &Name) -> String {
    format!("broker/{name}")
}

/// Files are waited for where nothing else is kept waiting.
async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, KeptError> {
    let done = tokio::task::spawn_blocking(work).await;
    Ok(done.map_err(io::Error::other)??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::of(text.parse().unwrap())
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    #[tokio::test]
    async fn what_is_kept_is_sealed_replaced_and_forgotten() {
        let folder = tempfile::tempdir().unwrap();
        let sealer = Sealer::default();
        let (first, other) =
            (name("crd_01JD5K3N7Q8R9S0T1V2W3X4Y5Z"), name("crd_01JD5K3N7Q8R9S0T1V2W3X4Y60"));
        for kept in
            [Kept::default(), Kept::in_directory(&folder.path().join("x"), sealer.clone()).unwrap()]
        {
            assert!(kept.get(&first).await.unwrap().is_none());
            kept.put(&first, at(10), b"canary-1").await.unwrap();
            kept.put(&first, at(20), b"canary-2").await.unwrap();
            kept.put(&other, at(20), b"another").await.unwrap();
            assert_eq!(kept.get(&first).await.unwrap().unwrap().as_slice(), b"canary-2");
            kept.remove(&first).await.unwrap();
            kept.remove(&first).await.unwrap();
            assert!(kept.get(&first).await.unwrap().is_none());
            assert!(!format!("{kept:?}").contains("another"));
        }
        let again = Kept::in_directory(&folder.path().join("x"), sealer).unwrap();
        assert_eq!(again.get(&other).await.unwrap().unwrap().as_slice(), b"another");
    }

    #[tokio::test]
    async fn what_another_key_or_another_name_sealed_does_not_open() {
        let folder = tempfile::tempdir().unwrap();
        let kept = Kept::in_directory(folder.path(), Sealer::default()).unwrap();
        let (first, other) =
            (name("crd_01JD5K3N7Q8R9S0T1V2W3X4Y5Z"), name("crd_01JD5K3N7Q8R9S0T1V2W3X4Y60"));
        kept.put(&first, at(10), b"canary").await.unwrap();
        let file = folder.path().join(first.as_str());
        let bytes = std::fs::read(&file).unwrap();
        assert!(!bytes.windows(6).any(|part| part == b"canary"));
        private::write(&folder.path().join(other.as_str()), &bytes).unwrap();
        let swapped = kept.get(&other).await.unwrap_err();
        assert!(matches!(swapped, KeptError::Sealed { until, .. } if until == at(10)));
        let stranger = Kept::in_directory(folder.path(), Sealer::default()).unwrap();
        let refused = stranger.get(&first).await.unwrap_err();
        assert!(matches!(refused, KeptError::Sealed { until, .. } if until == at(10)));
        private::write(&file, b"short").unwrap();
        assert!(matches!(kept.get(&first).await.unwrap_err(), KeptError::File(_)));
    }
}
