//! Running again whenever a file changes.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use crate::commands::policy::test::files::below;
use crate::failure::Failure;

/// The files of a directory at one moment: when each was written last, and how long it is.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Look(BTreeMap<PathBuf, Option<(SystemTime, u64)>>);

impl Look {
    /// What cannot be read now is looked at again the next time.
    pub(super) fn at(directory: &Path) -> Self {
        let files = below(directory).unwrap_or_default();
        let stamp = |path: PathBuf| {
            let found = std::fs::metadata(&path).ok();
            let stamp = found.and_then(|it| Some((it.modified().ok()?, it.len())));
            (path, stamp)
        };
        Self(files.into_iter().map(stamp).collect())
    }
}

/// Does a pass at once, and after every tick at which something looks different; until a tick says
/// that it was the last.
pub(super) async fn watch<L: PartialEq>(
    mut look: impl FnMut() -> L,
    mut pass: impl FnMut() -> Result<(), Failure>,
    mut tick: impl AsyncFnMut() -> bool,
) -> Result<(), Failure> {
    // Looked at before the pass: what changes while it runs is seen afterwards.
    let mut seen = look();
    pass()?;
    while tick().await {
        let now = look();
        if now != seen {
            seen = now;
            pass()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::fs;

    use super::*;

    /// How many passes there are if the files are touched so before each tick.
    fn passes(touch: &[&dyn Fn(&Path)]) -> usize {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        fs::write(place.join("a.yaml"), "a").unwrap();
        let (passes, mut ticks) = (Cell::new(0), touch.iter());
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pass = || {
            passes.set(passes.get() + 1);
            Ok(())
        };
        let tick = async || ticks.next().map(|touch| touch(place)).is_some();
        runtime.block_on(watch(|| Look::at(place), pass, tick)).unwrap();
        passes.get()
    }

    #[test]
    fn a_pass_follows_each_change_and_nothing_else() {
        assert_eq!(passes(&[]), 1);
        assert_eq!(passes(&[&|_| (), &|_| ()]), 1);
        let longer = |place: &Path| fs::write(place.join("a.yaml"), "longer").unwrap();
        assert_eq!(passes(&[&longer, &|_| ()]), 2);
        let more = |place: &Path| fs::write(place.join("b_test.yaml"), "b").unwrap();
        let fewer = |place: &Path| fs::remove_file(place.join("b_test.yaml")).unwrap();
        assert_eq!(passes(&[&more, &fewer]), 3);
        let hidden = |place: &Path| fs::write(place.join(".swap.yaml"), "c").unwrap();
        assert_eq!(passes(&[&hidden]), 1);
        let written_again = |place: &Path| {
            let file = fs::File::options().write(true).open(place.join("a.yaml")).unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH).unwrap();
        };
        assert_eq!(passes(&[&written_again]), 2);
    }

    #[test]
    fn a_pass_that_cannot_go_on_ends_it() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let pass = || Err(Failure::OutputClosed);
        let tick = async || -> bool { panic!("no tick follows") };
        assert!(runtime.block_on(watch(|| (), pass, tick)).is_err());
    }
}
