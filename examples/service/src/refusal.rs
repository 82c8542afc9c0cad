//! Why a call is not let in, and what its sender is told.

use assent_core::credential::Rejection;
use assent_core::credential::dpop::ProofError;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

/// Why a call is not let in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It came with no credential.
    #[error(
        "this needs a credential of Assent: `Authorization: Bearer …`, or `DPoP …` with a proof"
    )]
    Missing,
    /// What it came with cannot be read as one.
    #[error("send one credential, and a proof with one that is bound to a key, and only then")]
    Unreadable,
    /// The credential is wrong, expired, for somebody else, or not its sender's.
    #[error("{rejection}")]
    Rejected {
        /// Why.
        rejection: Rejection,
        /// The nonce that the next proof must have.
        nonce: Option<String>,
    },
    /// It was granted for something else.
    #[error("the credential was not granted for this")]
    NotPermitted,
    /// It was taken back, or is spent.
    #[error("the credential is over: it was taken back or used")]
    Over,
    /// The authority does not say whether it was taken back.
    #[error("whether the credential is good could not be found out; try again")]
    Unknown,
}

impl Refusal {
    pub(crate) fn of(rejection: Rejection, nonce: Option<String>) -> Self {
        let about_a_proof = matches!(rejection, Rejection::Proof(_) | Rejection::Bound);
        Self::Rejected { rejection, nonce: nonce.filter(|_| about_a_proof) }
    }

    /// What OAuth calls it (RFC 6750 section 3.1, RFC 9449 sections 7.1 and 9).
    fn code(&self) -> Option<&'static str> {
        match self {
            Self::Missing
            | Self::Unknown
            | Self::Rejected { rejection: Rejection::Proof(ProofError::Full), .. } => None,
            Self::Unreadable => Some("invalid_request"),
            Self::Rejected { rejection: Rejection::Proof(ProofError::Nonce), .. } => {
                Some("use_dpop_nonce")
            }
            Self::Rejected { rejection: Rejection::Proof(_), .. } => Some("invalid_dpop_proof"),
            Self::Rejected { .. } | Self::Over => Some("invalid_token"),
            Self::NotPermitted => Some("insufficient_scope"),
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            // Nothing is wrong with the proof: there is no room to remember it.
            Self::Rejected { rejection: Rejection::Proof(ProofError::Full), .. } => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Missing | Self::Rejected { .. } | Self::Over => StatusCode::UNAUTHORIZED,
            Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::NotPermitted => StatusCode::FORBIDDEN,
            Self::Unknown => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// Both ways in are offered (RFC 9110 section 11.6.1).
    fn challenge(&self) -> String {
        let error = self.code().map(|code| format!(" error=\"{code}\"")).unwrap_or_default();
        let comma = if error.is_empty() { "" } else { "," };
        format!("DPoP algs=\"ES256 ES384 EdDSA RS256 PS256\"{comma}{error}, Bearer{error}")
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut response = (self.status(), format!("{self}\n")).into_response();
        let headers = response.headers_mut();
        if self.status() == StatusCode::UNAUTHORIZED
            && let Ok(challenge) = HeaderValue::from_str(&self.challenge())
        {
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Self::Rejected { nonce: Some(nonce), .. } = &self
            && let Ok(nonce) = HeaderValue::from_str(nonce)
        {
            headers.insert("dpop-nonce", nonce);
        }
        response
    }
}
