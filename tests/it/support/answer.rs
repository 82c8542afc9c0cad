//! What came back over HTTP, whole.

use serde_json::Value;

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Ok(Self { status, headers, text: response.text().await? })
    }

    /// The body, which must be JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// One text of the body.
    #[track_caller]
    pub(crate) fn str(&self, member: &str) -> String {
        let text = self.json()[member].as_str().map(str::to_owned);
        text.unwrap_or_else(|| panic!("no text `{member}` in {self:?}"))
    }

    /// The answer, which must have this status.
    #[track_caller]
    pub(crate) fn is(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{self:?}");
        self
    }

    /// What it says, which must be a problem (RFC 9457) of this status and code.
    #[track_caller]
    pub(crate) fn refuses(self, status: u16, code: &str) -> String {
        let kind = self.headers.get("content-type").and_then(|kind| kind.to_str().ok());
        assert_eq!(kind, Some("application/problem+json"), "{self:?}");
        let found = (self.status, self.str("code"));
        assert_eq!(found, (status, code.to_owned()), "{self:?}");
        assert_eq!(self.json()["status"], status, "{self:?}");
        let detail = self.str("detail");
        assert!(!detail.is_empty(), "{self:?}");
        detail
    }

    /// What it says, which must be an error of OAuth's (RFC 6749 section 5.2) of this status.
    #[track_caller]
    pub(crate) fn refuses_in_oauth(self, status: u16, error: &str) -> String {
        assert_eq!(self.headers["content-type"], "application/json", "{self:?}");
        assert_eq!(self.headers["cache-control"], "no-store", "{self:?}");
        let found = (self.status, self.str("error"));
        assert_eq!(found, (status, error.to_owned()), "{self:?}");
        let told = self.str("error_description");
        let ours = ["code", "detail", "status", "title"];
        assert!(ours.iter().all(|name| self.json().get(name).is_none()), "{self:?}");
        assert!(!told.is_empty(), "{self:?}");
        told
    }
}
