//! The ephemeral resource `assent_credential`: Open mints, Close revokes.
//!
//! Terraform opens ephemeral resources in every plan as soon as their arguments
//! are known; at plan the answer is therefore unknown and nothing is minted. At
//! apply the token goes to Terraform and nowhere else: it is in no state, no
//! plan and no log, and this process does not keep it. Terraform does not close
//! what it opened when a run fails, so whatever is still open is revoked when
//! the process ends.

mod open;

use assent_client::{Client, IdempotencyKey, wire};
use assent_core::time::{Span, Timestamp};

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::intent::sentence;
use crate::log::{Level, log};
use crate::offer::{Ephemeral, Opened};
use crate::schema::{Attribute, Schema};
use crate::session::Session;
use crate::value::{Type, Value};
use crate::{duration, failure};

pub(crate) use open::OpenCredentials;

/// The ephemeral resource `assent_credential`.
#[derive(Debug)]
pub(crate) struct Credential;

#[tonic::async_trait]
impl Ephemeral for Credential {
    fn name(&self) -> &'static str {
        "assent_credential"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate(config)
    }

    async fn open(&self, session: &Session, config: Value) -> Result<Opened, Diagnostics> {
        open(session, config).await
    }

    async fn renew(&self, session: &Session, private: Option<&[u8]>) -> Result<(), Diagnostics> {
        renew(session, private).await
    }

    async fn close(&self, session: &Session, private: Option<&[u8]>) -> Result<(), Diagnostics> {
        close(session, private).await
    }
}

/// What is found out when the credential is minted.
const FOUND_OUT: [&str; 5] = ["token", "expires_at", "credential_id", "claims", "fields"];

/// The ephemeral resource's schema.
fn schema() -> Schema {
    Schema::new(
        "A short-lived credential for one approved action. It is minted when Terraform applies, \
         never at plan, and revoked when Terraform no longer needs it. It is never in state or \
         plan. The provider block must set `applying = terraform.applying`.",
        vec![
            Attribute::required(
                "approval_id",
                Type::String,
                "Id of the approval that it is minted from. Refer to the resource, as in \
                 `assent_approval.release.id`: `depends_on` does not make Terraform wait.",
            ),
            Attribute::required(
                "audience",
                Type::String,
                "For whom it is good. Policy may allow only some audiences.",
            ),
            Attribute::optional(
                "ttl",
                Type::String,
                "How long it is good for, such as `5m`. Policy sets the most, which is taken if \
                 it is not set.",
            ),
            Attribute::optional(
                "broker",
                Type::String,
                "The broker of the authority that opens something for as long as the credential \
                 lasts, such as a database login. Only one that a rule of the policy names opens \
                 anything. If it is not set, there is the token alone.",
            ),
            Attribute::computed("token", Type::String, "The token. Unknown at plan.").sensitive(),
            Attribute::computed(
                "expires_at",
                Type::String,
                "When it ends by itself: RFC 3339 in UTC.",
            ),
            Attribute::computed("credential_id", Type::String, "Id of the credential."),
            Attribute::computed(
                "claims",
                Type::String,
                "What the token says, as a JSON object; use `jsondecode`.",
            ),
            Attribute::computed(
                "fields",
                Type::text_map(),
                "What the broker opened, such as `host`, `username` and `password`; the broker's \
                 kind says which. Empty without a broker. Unknown at plan.",
            )
            .sensitive(),
        ],
    )
}

/// Checks a configuration as far as it is known; all faults at once.
fn validate(config: &Value) -> Diagnostics {
    let mut faults = Diagnostics::default();
    for name in ["approval_id", "audience", "broker"] {
        if config.attribute(name).as_text().given().is_some_and(|text| text.trim().is_empty()) {
            let fault = Diagnostic::error(format!("Invalid `{name}`"), "It must not be empty.");
            faults.push(fault.at(Path::attribute(name)));
        }
    }
    if let Some(text) = config.attribute("ttl").as_text().given()
        && let Err(error) = duration::span(&text)
    {
        let fault = Diagnostic::error("Invalid `ttl`", sentence(&error.to_string()));
        faults.push(fault.at(Path::attribute("ttl")));
    }
    faults
}

/// Opens a credential: at apply by minting one, at plan by promising one.
///
/// # Errors
/// Whether this is apply cannot be told, or nothing could be minted.
async fn open(session: &Session, config: Value) -> Result<Opened, Diagnostics> {
    let configured = session.configured();
    match configured.applying {
        Some(false) => Ok(promised(config)),
        Some(true) => {
            let server = configured.server()?.clone();
            mint(session, server, config).await
        }
        None => Err(Diagnostic::error(
            "Plan cannot be told from apply",
            "A credential must be minted only when Terraform applies. Add `applying = \
             terraform.applying` to the provider block of `assent`.",
        )
        .into()),
    }
}

/// What stands for a credential until apply.
fn promised(config: Value) -> Opened {
    let result =
        FOUND_OUT.into_iter().fold(config, |config, name| config.with(name, Value::Unknown));
    Opened { result, renew_at: None, private: None, told: Diagnostics::default() }
}

/// What stands for a credential of a grant that an earlier run used up.
///
/// Terraform opens ephemeral resources in every apply, also in one that has
/// nothing to do. That must not fail, so there is no token, and a person is told.
fn over(config: Value, why: &str) -> Opened {
    let result = FOUND_OUT.into_iter().fold(config, |config, name| config.with(name, Value::Null));
    let detail = format!(
        "{why} Nothing was minted and `token` is null. If something in this run needs a \
         credential, ask for a new approval: change its `triggers`, or name the approval in \
         `terraform apply -replace=…`."
    );
    let told = Diagnostic::warning("The approval is used up", detail).into();
    Opened { result, renew_at: None, private: None, told }
}

/// Mints a credential and notes it as open.
///
/// Minting is seen through even if the call is dropped: a credential that the
/// server made but nobody noted could not be revoked.
async fn mint(session: &Session, server: Client, config: Value) -> Result<Opened, Diagnostics> {
    let text = |name: &str| config.attribute(name).as_text().given();
    let approval = text("approval_id").unwrap_or_default();
    let ttl =
        text("ttl").map(|text| duration::span(&text).map(|span| span.to_string())).transpose();
    let ttl =
        ttl.map_err(|error| Diagnostic::error("Invalid `ttl`", sentence(&error.to_string())))?;
    let audience = text("audience").unwrap_or_default();
    let asked = wire::MintRequest { audience, ttl, broker: text("broker"), ..Default::default() };
    let open = session.credentials.clone();
    let is_fresh = session.was_granted_here(&approval);
    let minted = session
        .see_through(|_| async move {
            let minted = server.mint(&approval, &asked, &IdempotencyKey::fresh()).await;
            minted.inspect(|credential| open.note(credential, &server))
        })
        .await
        .ok_or_else(|| failure::ours("minting a credential"))?;
    match minted {
        Ok(minted) => Ok(handed_out(config, minted)),
        Err(error) if !is_fresh && failure::has_ended(&error) => {
            Ok(over(config, &failure::why(&error)))
        }
        Err(error) => Err(failure::told(&error, "No credential was minted").into()),
    }
}

/// A minted credential as Terraform gets it.
fn handed_out(config: Value, minted: wire::Credential) -> Opened {
    let private = minted.id.clone().into_bytes();
    let renew_at = look_at(&minted);
    let fields = minted.fields.into_iter().map(|(name, text)| (name, Value::String(text)));
    let result = config
        .with("fields", Value::Map(fields.collect()))
        .with("token", Value::String(minted.token))
        .with("expires_at", Value::String(minted.expires_at))
        .with("credential_id", Value::String(minted.id))
        .with("claims", Value::String(minted.claims.to_string()));
    Opened { result, renew_at, private: Some(private), told: Diagnostics::default() }
}

/// When to look at a credential again: after two thirds of its life, by the
/// server's own account of its beginning and end.
fn look_at(minted: &wire::Credential) -> Option<Timestamp> {
    let end: Timestamp = minted.expires_at.parse().ok()?;
    let beginning = minted.claims.get("iat")?.as_i64()?;
    let beginning = Timestamp::from_millis(beginning.checked_mul(1000)?);
    let life = beginning.until(end).as_seconds();
    (life > 0).then(|| beginning.plus(Span::seconds(life - life / 3)))
}

/// Looks whether a credential is still good. A signed token ends when it says,
/// so its life is not made longer; but whoever reads the log learns that it was
/// taken back. Terraform itself passes over what Renew tells.
///
/// # Errors
/// The credential ended, or the server could not be asked.
async fn renew(session: &Session, private: Option<&[u8]>) -> Result<(), Diagnostics> {
    let Some(id) = noted(private) else { return Ok(()) };
    let ended = |why: String| {
        log(Level::Error, format!("credential {id}: {why}"));
        Diagnostic::error(format!("Credential {id} is no longer good"), why).into()
    };
    match session.credentials.look_at(&id).await {
        Ok(Some(status)) if status.status != "live" => {
            Err(ended(format!("It is {}.", status.status)))
        }
        Ok(_) => Ok(()),
        Err(error) => Err(ended(failure::why(&error))),
    }
}

/// Closes a credential: it is good for nothing from now on.
///
/// # Errors
/// The server could not be told; it is tried again when the process ends.
async fn close(session: &Session, private: Option<&[u8]>) -> Result<(), Diagnostics> {
    let Some(id) = noted(private) else { return Ok(()) };
    session.credentials.revoke(&id).await.map_err(|error| {
        failure::told(&error, &format!("Credential {id} cannot be revoked")).into()
    })
}

/// The id that Open left in the private data; nothing at plan.
fn noted(private: Option<&[u8]>) -> Option<String> {
    let id = std::str::from_utf8(private?).ok()?;
    (!id.is_empty()).then(|| id.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A configuration for an approval.
    fn config(ttl: &str) -> Value {
        let config = Value::object([
            ("approval_id", Value::text("req_1")),
            ("audience", Value::text("postgres://orders")),
            ("ttl", Value::text(ttl)),
        ]);
        FOUND_OUT.into_iter().fold(config, |config, name| config.with(name, Value::Null))
    }

    #[test]
    fn all_faults_are_told_at_once() {
        let config = config("0s").with("audience", Value::text(" "));
        let faults = validate(&config);
        let paths: Vec<_> = faults.list().iter().filter_map(|f| f.path.as_ref()).collect();
        let paths: Vec<_> = paths.iter().map(ToString::to_string).collect();
        assert_eq!(paths, ["audience", "ttl"]);
        assert_eq!(validate(&Value::Unknown), Diagnostics::default());
    }

    #[test]
    fn a_promise_holds_nothing() {
        let opened = promised(config("5m"));
        assert!(FOUND_OUT.iter().all(|name| opened.result.attribute(name).is_unknown()));
        assert_eq!(opened.private, None);
    }

    #[test]
    fn a_used_up_grant_gives_nothing_and_says_so() {
        let opened = over(config("5m"), "The request is consumed.");
        assert!(FOUND_OUT.iter().all(|name| opened.result.attribute(name).is_null()));
        assert_eq!(opened.private, None);
        assert!(!opened.told.has_errors());
        assert!(opened.told.list()[0].detail.starts_with("The request is consumed. Nothing"));
    }

    #[test]
    fn private_data_holds_the_id_and_not_the_token() {
        let minted = wire::Credential {
            id: "crd_1".into(),
            token: "secret".into(),
            token_type: "Bearer".into(),
            expires_at: "2026-11-20T21:31:26.000Z".into(),
            claims: serde_json::json!({"aud": "postgres://orders", "iat": 1_795_209_986}),
            fields: [("password".to_owned(), "hunter2".to_owned())].into(),
            heartbeat: None,
            heartbeat_due: None,
        };
        let opened = handed_out(config("5m"), minted);
        assert_eq!(noted(opened.private.as_deref()).as_deref(), Some("crd_1"));
        assert_eq!(opened.result.attribute("token"), &Value::text("secret"));
        let fields = Value::object([("password", Value::text("hunter2"))]);
        assert_eq!(opened.result.attribute("fields"), &fields);
        let shown = format!("{opened:?}");
        assert!(!shown.contains("secret") && !shown.contains("hunter2"));
        let renew_at = opened.renew_at.unwrap().to_string();
        assert_eq!(renew_at, "2026-11-20T21:29:46.000Z");
        assert_eq!(noted(Some(b"")), None);
        assert_eq!(noted(Some(&[0xff])), None);
    }
}
