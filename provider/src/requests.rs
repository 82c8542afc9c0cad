//! The data source `assent_requests`: the requests that the caller may see, newest first.

use assent_client::{Client, wire};

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::failure;
use crate::offer::DataSource;
use crate::request::{request_type, shown};
use crate::schema::{Attribute, Schema};
use crate::session::Session;
use crate::value::{Number, Type, Value};

/// How many are listed if the configuration does not say.
const USUAL: u64 = 100;
/// How many may be listed.
const MOST: u64 = 1_000;
/// How many requests are taken from the server at a time.
const PAGE: &str = "200";
/// How many pages are looked at: what is sought may be rare among what there is.
const PAGES: usize = 50;
/// What `state` may be.
const STATES: [&str; 8] =
    ["open", "pending", "approved", "denied", "expired", "canceled", "consumed", "revoked"];

/// The data source `assent_requests`.
#[derive(Debug)]
pub(crate) struct Requests;

#[tonic::async_trait]
impl DataSource for Requests {
    fn name(&self) -> &'static str {
        "assent_requests"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        validate(config)
    }

    async fn read(
        &self,
        session: &Session,
        config: Value,
    ) -> Result<(Value, Diagnostics), Diagnostics> {
        let configured = session.configured();
        let wanted = Wanted::of(&config);
        let found = wanted.find(configured.server()?).await?;
        let diagnostics = if found.given_up { too_many().into() } else { Diagnostics::default() };
        let requests = Value::List(found.requests.iter().map(shown).collect());
        let found = config.with("requests", requests).with("complete", Value::Bool(found.complete));
        Ok((found, diagnostics))
    }
}

/// The data source's schema.
fn schema() -> Schema {
    Schema::new(
        "The requests that the access token may see, newest first.",
        vec![
            Attribute::optional(
                "state",
                Type::String,
                "Only those in this state: `pending`, `approved`, `denied`, `expired`, `canceled`, \
                 `consumed`, `revoked`, or `open` for those that are pending or approved.",
            ),
            Attribute::optional("environment", Type::String, "Only those for this environment."),
            Attribute::optional("kind", Type::String, "Only those of this kind."),
            Attribute::optional(
                "target",
                Type::text_map(),
                "Only those whose target has all of these entries.",
            ),
            Attribute::optional(
                "limit",
                Type::Number,
                "How many at most, up to 1000. 100 if it is not set.",
            ),
            Attribute::computed(
                "requests",
                Type::List(Box::new(request_type())),
                "The requests; each has what the data source `assent_request` gives.",
            ),
            Attribute::computed(
                "complete",
                Type::Bool,
                "Whether these are all: `false` where `limit`, or the 10000 requests that are \
                 looked at, were reached before the end.",
            ),
        ],
    )
}

/// Checks a configuration as far as it is known; all faults at once.
fn validate(config: &Value) -> Diagnostics {
    let mut faults = Diagnostics::default();
    if let Some(state) = config.attribute("state").as_text().given()
        && !STATES.contains(&state.as_str())
    {
        let detail = format!("`{state}` is no state; write one of {}.", STATES.join(", "));
        faults.push(Diagnostic::error("Invalid `state`", detail).at(Path::attribute("state")));
    }
    let limit = config.attribute("limit");
    if !limit.is_null() && !limit.is_unknown() && limit_of(limit).is_none() {
        let detail = format!("Write a whole number from 1 to {MOST}.");
        faults.push(Diagnostic::error("Invalid `limit`", detail).at(Path::attribute("limit")));
    }
    faults
}

/// How many are wanted, if that is a number that may be.
fn limit_of(value: &Value) -> Option<usize> {
    let whole = match value {
        Value::Number(Number::Unsigned(whole)) => Some(*whole),
        Value::Number(Number::Signed(whole)) => u64::try_from(*whole).ok(),
        Value::Number(Number::Float(_) | Number::Decimal(_))
        | Value::Null
        | Value::Unknown
        | Value::Bool(_)
        | Value::String(_)
        | Value::List(_)
        | Value::Map(_) => None,
    };
    whole.filter(|whole| (1..=MOST).contains(whole)).and_then(|whole| usize::try_from(whole).ok())
}

/// Which requests are wanted.
#[derive(Debug)]
struct Wanted {
    state: Option<String>,
    environment: Option<String>,
    kind: Option<String>,
    target: std::collections::BTreeMap<String, String>,
    limit: usize,
}

/// The requests that were found.
#[derive(Debug, Default)]
struct Found {
    requests: Vec<wire::Request>,
    /// Whether there are no more.
    complete: bool,
    /// Whether the end was not reached, although fewer than wanted were found.
    given_up: bool,
}

impl Wanted {
    /// What a configuration wants.
    fn of(config: &Value) -> Self {
        let text = |name| config.attribute(name).as_text().given();
        let usual = usize::try_from(USUAL).unwrap_or(usize::MAX);
        Self {
            state: text("state"),
            environment: text("environment"),
            kind: text("kind"),
            target: config.attribute("target").as_text_map().given().unwrap_or_default(),
            limit: limit_of(config.attribute("limit")).unwrap_or(usual),
        }
    }

    /// Whether a request is wanted; the state is the server's to know.
    fn wants(&self, request: &wire::Request) -> bool {
        let is =
            |wanted: &Option<String>, said: &str| wanted.as_deref().is_none_or(|it| it == said);
        let intent = &request.intent;
        is(&self.environment, &intent.environment)
            && is(&self.kind, &intent.kind)
            && self.target.iter().all(|(key, text)| intent.target.get(key) == Some(text))
    }

    /// Looks through the server's pages.
    async fn find(&self, server: &Client) -> Result<Found, Diagnostic> {
        let mut found = Found::default();
        let mut cursor: Option<String> = None;
        for _ in 0..PAGES {
            let mut query = vec![("limit", PAGE)];
            let given = [("state", &self.state), ("environment", &self.environment)];
            let given = given.into_iter().chain([("cursor", &cursor)]);
            query.extend(given.filter_map(|(name, text)| Some((name, text.as_deref()?))));
            let page = server.requests(&query).await;
            let page =
                page.map_err(|error| failure::told(&error, "The requests cannot be listed"))?;
            for request in page.requests.into_iter().filter(|request| self.wants(request)) {
                if found.requests.len() == self.limit {
                    return Ok(found);
                }
                found.requests.push(request);
            }
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => return Ok(Found { complete: true, ..found }),
            }
        }
        Ok(Found { given_up: true, ..found })
    }
}

/// The end of a long list was not reached.
fn too_many() -> Diagnostic {
    Diagnostic::warning(
        "Not all requests were looked at",
        "The newest 10000 requests were looked through; older ones that were asked for are not in \
         the list, and `complete` is false. Narrow the search with `state`.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standing::tests::request;

    #[test]
    fn a_wrong_state_and_a_wrong_limit_are_told_at_once() {
        let limit = |limit| Value::Number(limit);
        let config = Value::object([
            ("state", Value::text("waiting")),
            ("limit", limit(Number::Signed(1_001))),
        ]);
        let faults = validate(&config);
        let paths: Vec<_> = faults.list().iter().filter_map(|f| f.path.as_ref()).collect();
        assert_eq!(paths, [&Path::attribute("state"), &Path::attribute("limit")]);
        for wrong in [Number::Signed(0), Number::Float(1.5), Number::Decimal("1e9".into())] {
            assert_eq!(limit_of(&limit(wrong)), None);
        }
        assert_eq!(limit_of(&limit(Number::Unsigned(1_000))), Some(1_000));
        assert_eq!(validate(&Value::Unknown), Diagnostics::default());
    }

    #[test]
    fn a_request_is_wanted_for_all_that_is_said_of_it() {
        let request = request("pending");
        let mut wanted = Wanted::of(&Value::Null);
        assert!(wanted.wants(&request));
        wanted.environment = Some(request.intent.environment.clone());
        assert!(wanted.wants(&request));
        wanted.target = [("database".to_owned(), "other".to_owned())].into();
        assert!(!wanted.wants(&request));
    }
}
