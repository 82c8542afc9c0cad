//! The authority, called by this job as itself.

use std::sync::Arc;

use assent_client::{
    Client, Identity, IdentitySource, Roots, Secret, Settings, TokenSource, Url, Witness,
};

use crate::environment::Environment;
use crate::log::Log;
use crate::outcome::{Outcome, Stop};

/// What calls, in every call's `User-Agent`.
const USER_AGENT: &str = concat!("assent-action/", env!("CARGO_PKG_VERSION"));

/// A client that proves who this job is by the token that its runner gets it, a new one each time that one
/// is needed: it lives for five minutes (GitHub, "OpenID Connect"). Every token is masked before it is used.
pub(crate) fn connect(
    url: Url,
    audience: Option<String>,
    roots: Roots,
    environment: &Environment,
    log: &Arc<Log>,
) -> Result<Client, Stop> {
    let missing = || {
        let why = "the job may not say who it is: give it `permissions: id-token: write`";
        Stop::new(Outcome::Invalid, why)
    };
    let endpoint = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL").ok_or_else(missing)?;
    let bearer = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN").ok_or_else(missing)?;
    let endpoint = endpoint.parse().map_err(|_| missing())?;
    log.mask(bearer);
    let identity = Identity {
        name: "the identity token of GitHub Actions".to_owned(),
        source: IdentitySource::Endpoint { url: endpoint, bearer: Secret::new(bearer.to_owned()) },
        audience,
    };
    let log = Arc::clone(log);
    let witness = Witness::new(move |secret| log.mask(secret.expose()));
    let usual = Settings::new(url, USER_AGENT);
    let settings = Settings { token: TokenSource::Exchanged(identity), roots, witness, ..usual };
    Ok(Client::new(settings)?)
}
