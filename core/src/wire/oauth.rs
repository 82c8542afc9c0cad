//! Token exchange (RFC 8693) and the device flow (RFC 8628), as they are sent: shapes and words of
//! OAuth, not ours.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `grant_type` of an exchange (RFC 8693 section 2.1).
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
/// `grant_type` of a program that polls (RFC 8628 section 3.4).
pub const DEVICE_CODE: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// `client_id` of Assent's own command line: the only program that is let in by a browser.
pub const COMMAND_LINE: &str = "assent-cli";
/// A token that is a JWT, whatever it was made for (RFC 8693 section 3).
pub const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
/// An OpenID Connect ID token (RFC 8693 section 3).
pub const ID_TOKEN: &str = "urn:ietf:params:oauth:token-type:id_token";
/// An OAuth access token (RFC 8693 section 3): what an exchange gives here.
pub const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// What an exchange gives (RFC 8693 section 2.2.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exchanged {
    /// The access token. It is shown once.
    pub access_token: String,
    /// Always [`ACCESS_TOKEN`].
    pub issued_token_type: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// How many seconds it lives.
    pub expires_in: u64,
}

impl fmt::Debug for Exchanged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Exchanged").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// How a program comes to be let in (RFC 8628 section 3.2).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeviceAuthorization {
    /// What the program polls by. It is shown once.
    pub device_code: String,
    /// What the person types.
    pub user_code: String,
    /// Where. There is no address that holds the code: a link can be sent to somebody.
    pub verification_uri: String,
    /// For how many seconds both are good.
    pub expires_in: u64,
    /// How many seconds there are between two polls, at least.
    pub interval: u64,
}

impl fmt::Debug for DeviceAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verification_uri, expires_in, interval, .. } = self;
        f.debug_struct("DeviceAuthorization")
            .field("verification_uri", verification_uri)
            .field("expires_in", expires_in)
            .field("interval", interval)
            .finish_non_exhaustive()
    }
}

/// An access token (RFC 6749 section 5.1).
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Granted {
    /// The access token. It is shown once.
    pub access_token: String,
    /// Always `Bearer`.
    pub token_type: String,
    /// How many seconds it lives.
    pub expires_in: u64,
}

impl fmt::Debug for Granted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Granted").field("expires_in", &self.expires_in).finish_non_exhaustive()
    }
}

/// Why no token was given (RFC 6749 section 5.2, RFC 8628 section 3.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OauthError {
    /// `invalid_request`, `invalid_grant`, …
    pub error: String,
    /// For people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error_description: Option<String>,
}
