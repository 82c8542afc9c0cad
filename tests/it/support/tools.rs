//! Other people's software that runs beside Assent here, as `scripts/setup-tests.sh` installs it.

use std::path::PathBuf;
use std::sync::LazyLock;

/// Where it is installed: under the digest of what is locked.
static INSTALLED: LazyLock<PathBuf> = LazyLock::new(|| {
    let locked = concat!(
        include_str!("../../tools/package-lock.json"),
        include_str!("../../tools/requirements.txt")
    );
    let digest = assent_core::digest::Digest::of(locked.as_bytes());
    let digest: String = digest.as_bytes().iter().take(8).map(|b| format!("{b:02x}")).collect();
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let installed = cache.unwrap().join("assent-tests").join(digest);
    assert!(
        installed.join("whole").exists(),
        "{} is missing: run scripts/setup-tests.sh",
        installed.display()
    );
    installed
});

/// Node.js, of the version that GitHub's runners give actions.
pub(crate) fn node() -> PathBuf {
    INSTALLED.join("node_modules/node/bin/node")
}

/// Where Node.js finds its packages.
pub(crate) fn node_modules() -> PathBuf {
    INSTALLED.join("node_modules")
}

/// A program of the Python environment: `python`, `moto_server`.
pub(crate) fn python(program: &str) -> PathBuf {
    INSTALLED.join("python/bin").join(program)
}
