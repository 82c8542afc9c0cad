//! Making the GitHub App: begun by an administrator, ended by the code that GitHub sends their browser
//! back with.

use std::sync::{Mutex, PoisonError};

use assent_core::digest::Digest;
use assent_core::id::AccessId;
use assent_core::time::{Span, Timestamp};

use serde_json::json;

use super::{AppError, Authority, Caller};
use crate::github::{Github, Kept, KeptError, Place, SetupError};
use crate::ledger::{Keeping, Kept as Ledgered};

/// For how long what was begun can be ended: as long as GitHub's code is good.
const GOOD: Span = Span::hours(1);

/// Where the App is kept, and the one setup that is under way.
#[derive(Debug, Default)]
pub(super) struct Setups {
    pub(super) kept: Option<Kept>,
    begun: Mutex<Option<Begun>>,
}

#[derive(Debug)]
struct Begun {
    state: Digest,
    by: AccessId,
    until: Timestamp,
    place: Place,
}

/// Why there is no new App.
#[derive(Debug, thiserror::Error)]
pub enum AppSetupError {
    /// Who asks, or what the server lacks.
    #[error(transparent)]
    App(#[from] AppError),
    /// There is one.
    #[error(
        "a GitHub App is set up already: to make another, stop the server and remove `github-app`"
    )]
    Exists,
    /// Nowhere to keep it.
    #[error("this server keeps nothing on disk, so it cannot keep an App")]
    Nowhere,
    /// The organization is no name.
    #[error("`{0}` is no name of an organization")]
    Organization(String),
    /// It is not known to have been begun so.
    #[error("this was not begun here, by you, within the hour; begin again")]
    NotBegun,
    /// GitHub, or keeping it.
    #[error(transparent)]
    Setup(#[from] SetupError),
}

impl Authority {
    /// The same, keeping the App that setup makes there.
    #[must_use]
    pub fn keeping_github(self, kept: Kept) -> Self {
        Self { setups: Setups { kept: Some(kept), begun: Mutex::default() }, ..self }
    }

    /// Begins: where the form with the manifest goes. Whatever was begun before is over.
    ///
    /// # Errors
    /// [`AppSetupError`].
    pub fn begin_github(
        &self,
        caller: &Caller,
        place: Place,
        organization: Option<&str>,
    ) -> Result<String, AppSetupError> {
        self.check_setup(caller)?;
        let state = self.secret()?;
        let form = place.form(organization, state.expose()).ok_or_else(|| {
            AppSetupError::Organization(organization.unwrap_or_default().to_owned())
        })?;
        let begun = Begun {
            state: Digest::of(state.expose().as_bytes()),
            by: caller.access().id,
            until: self.clock.now().plus(GOOD),
            place,
        };
        *self.setups.begun.lock().unwrap_or_else(PoisonError::into_inner) = Some(begun);
        Ok(form)
    }

    /// Ends it, once: the App is kept, and used from now on.
    ///
    /// # Errors
    /// [`AppSetupError`].
    pub async fn end_github(
        &self,
        caller: &Caller,
        state: &str,
        code: &str,
    ) -> Result<Github, AppSetupError> {
        let kept = self.check_setup(caller)?;
        let place = self.take_begun(caller, state).ok_or(AppSetupError::NotBegun)?;
        let made = place.convert(code).await?;
        let settings = crate::github::Settings::of_made(made.clone());
        let github = Github::new(settings, self.clock.clone());
        let github = github.map_err(|error| SetupError::Unusable(error.to_string()))?;
        self.record_app(caller, &github).await?;
        kept.keep(&made).map_err(SetupError::from)?;
        *self.github.write().unwrap_or_else(PoisonError::into_inner) = Some(github.clone());
        let by = &caller.principal().id;
        tracing::warn!(app = github.slug(), %by, "a GitHub App was set up");
        Ok(github)
    }

    /// Puts on record who made which App. Before it is kept: none is used that the log does not name.
    async fn record_app(&self, caller: &Caller, github: &Github) -> Result<(), AppError> {
        let (by, at) = (caller.principal().id.clone(), self.clock.now());
        let entry = json!({
            "v": 1, "type": "github_app_made", "at": at.to_string(), "by": by.to_json(),
            "app": github.app_id().to_string(), "slug": github.slug(),
            "github": github.people_issuer(),
        });
        self.ledger.keep(Keeping { what: Ledgered::Nothing, by, at, entry }).await?;
        self.waiters.wake_log();
        Ok(())
    }

    fn check_setup(&self, caller: &Caller) -> Result<&Kept, AppSetupError> {
        caller.check_administrator()?;
        if self.github().is_some() {
            return Err(AppSetupError::Exists);
        }
        self.setups.kept.as_ref().ok_or(AppSetupError::Nowhere)
    }

    /// What this session began under this state. A wrong state leaves it standing for the right one.
    fn take_begun(&self, caller: &Caller, state: &str) -> Option<Place> {
        let mut begun = self.setups.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let fits = |one: &mut Begun| {
            one.state == Digest::of(state.as_bytes())
                && one.by == caller.access().id
                && now < one.until
        };
        begun.take_if(fits).map(|begun| begun.place)
    }
}

impl From<KeptError> for AppSetupError {
    fn from(error: KeptError) -> Self {
        Self::Setup(error.into())
    }
}
