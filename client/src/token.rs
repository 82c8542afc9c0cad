//! Where the access token comes from that a caller presents, and getting another one in time.

mod identity;
mod keeper;

use std::io;
use std::path::{Path, PathBuf};

pub use identity::{Identity, IdentitySource};
pub(crate) use keeper::Keeper;

use crate::{ClientError, Secret};

/// The largest file that is taken for a token.
const LONGEST_TOKEN: u64 = 64 * 1024;

/// Where the caller's access token comes from.
#[derive(Clone, Debug)]
pub enum TokenSource {
    /// Nowhere: nothing is presented.
    Nothing,
    /// It is this one.
    Given(Secret),
    /// It stands in this file, which is read again for each call: another process may renew it.
    File(PathBuf),
    /// The authority gives it for a token of an issuer that it trusts. That happens with the first
    /// call, and again before the access token ends.
    Exchanged(Identity),
}

impl From<Option<Secret>> for TokenSource {
    fn from(token: Option<Secret>) -> Self {
        token.map_or(Self::Nothing, Self::Given)
    }
}

/// The token in a file. One that is empty or away may be just being written.
pub(crate) async fn read(path: &Path, what: &str) -> Result<Secret, ClientError> {
    let fault = |problem: &str| {
        ClientError::no_token(format!("{what} in `{}` cannot be used: {problem}", path.display()))
    };
    let unread = |error: io::Error| {
        let retryable = error.kind() == io::ErrorKind::NotFound;
        ClientError { retryable, ..fault(&error.to_string()) }
    };
    let about = tokio::fs::metadata(path).await.map_err(unread)?;
    if !about.is_file() || about.len() > LONGEST_TOKEN {
        return Err(fault("it is no file of a token's size"));
    }
    let text = tokio::fs::read_to_string(path).await.map_err(unread)?;
    if text.is_empty() {
        return Err(ClientError { retryable: true, ..fault("it is empty") });
    }
    presentable(&text).ok_or_else(|| fault("it does not hold one token and nothing else"))
}

/// A token as it can stand in a header; `None` for what is none.
fn presentable(text: &str) -> Option<Secret> {
    let text = text.trim();
    let is_one = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
    is_one.then(|| Secret::new(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    #[tokio::test]
    async fn a_file_holds_one_token_and_a_line_end() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("token");
        std::fs::write(&file, "assent_1_abc\n").unwrap();
        assert_eq!(read(&file, "the token").await.unwrap().expose(), "assent_1_abc");
        for text in ["", "\n", "two words", "two\nlines", "\u{7f}"] {
            std::fs::write(&file, text).unwrap();
            let error = read(&file, "the token").await.unwrap_err();
            assert_eq!(error.kind, ErrorKind::NoToken, "{text:?}");
        }
        std::fs::write(&file, "a".repeat(70_000)).unwrap();
        assert!(read(&file, "the token").await.is_err());
        assert!(read(directory.path(), "the token").await.is_err());
        std::fs::write(&file, "hunter2 hunter2").unwrap();
        let told = format!("{:?}", read(&file, "the token").await.unwrap_err());
        assert!(told.contains("the token in `") && !told.contains("hunter2"), "{told}");
    }
}
