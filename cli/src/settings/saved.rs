//! The saved login: one file that nobody else can read.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use assent_client::Secret;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::failure::Failure;

/// A server, and the token to call it with.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) url: Url,
    pub(crate) token: Secret,
    /// Whether the token was made for this login alone, and so ends with it.
    pub(crate) is_own: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    url: String,
    token: String,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    own: bool,
}

impl Login {
    /// The saved login, if there is one.
    pub(crate) fn load(path: &Path) -> Result<Option<Self>, Failure> {
        let fault = |error: io::Error| Failure::file(path, &error);
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fault(error)),
        };
        let mode = file.metadata().map_err(fault)?.permissions().mode();
        if mode & 0o077 != 0 {
            let path = path.display();
            return Err(Failure::usage(format!("`{path}` holds a token that others can read"))
                .hint(format!("if nobody has, run `chmod 600 '{path}'`; else log in anew")));
        }
        let text = io::read_to_string(file).map_err(fault)?;
        // The reader's own error is not passed on: it could quote the token.
        let unreadable = || {
            Failure::usage(format!("`{}` is not a saved login", path.display()))
                .hint("log in anew with `assent login`")
        };
        let kept: Kept = serde_json::from_str(&text).map_err(|_| unreadable())?;
        let url = kept.url.parse().map_err(|_| unreadable())?;
        Ok(Some(Self { url, token: Secret::new(kept.token), is_own: kept.own }))
    }

    /// Saves it, in one step: a reader sees the old file or the new one.
    pub(crate) fn save(&self, path: &Path) -> Result<(), Failure> {
        let Self { url, token, is_own } = self;
        let (url, token) = (url.to_string(), token.expose().to_owned());
        let kept = Kept { url, token, own: *is_own };
        let text = serde_json::to_string_pretty(&kept).unwrap_or_default();
        write_private(path, &text).map_err(|error| Failure::file(path, &error))
    }

    /// Forgets it; answers whether there was one.
    pub(crate) fn forget(path: &Path) -> Result<bool, Failure> {
        match fs::remove_file(path) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(Failure::file(path, &error)),
        }
    }
}

fn write_private(path: &Path, text: &str) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    let fresh = path.with_extension(format!("{}.new", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    let written = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
    let placed = written.and_then(|()| fs::rename(&fresh, path));
    if placed.is_err() {
        // What matters is the first error; a file that cannot be removed either changes nothing.
        let _ = fs::remove_file(&fresh);
    }
    placed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login() -> Login {
        let url = "https://assent.example.com".parse().unwrap();
        Login { url, token: Secret::new("secret".to_owned()), is_own: false }
    }

    #[test]
    fn a_saved_login_is_read_back_and_forgotten() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("assent/login.json");
        assert!(Login::load(&path).unwrap().is_none());
        login().save(&path).unwrap();
        login().save(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(Login::load(&path).unwrap().unwrap().token.expose(), "secret");
        assert!(Login::forget(&path).unwrap());
        assert!(!Login::forget(&path).unwrap());
    }

    #[test]
    fn a_login_says_whether_its_token_is_its_own() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("login.json");
        for is_own in [true, false] {
            Login { is_own, ..login() }.save(&path).unwrap();
            assert_eq!(Login::load(&path).unwrap().unwrap().is_own, is_own);
        }
        assert!(
            !fs::read_to_string(&path).unwrap().contains("own"),
            "what is the default is not written"
        );
    }

    #[test]
    fn a_login_that_others_can_read_is_refused() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("login.json");
        login().save(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(Login::load(&path).is_err());
    }
}
