//! The data source `assent_request`: one request as it is now.

use assent_client::wire;
use assent_core::id::RequestId;

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::failure;
use crate::intent::sentence;
use crate::offer::DataSource;
use crate::schema::{Attribute, Schema};
use crate::session::Session;
use crate::value::{Number, Type, Value};

/// The data source `assent_request`.
#[derive(Debug)]
pub(crate) struct Request;

#[tonic::async_trait]
impl DataSource for Request {
    fn name(&self) -> &'static str {
        "assent_request"
    }

    fn schema(&self) -> Schema {
        schema()
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        match config.attribute("id").as_text().given().map(|id| id.parse::<RequestId>()) {
            Some(Err(error)) => {
                let detail = sentence(&error.to_string());
                Diagnostic::error("Invalid `id`", detail).at(Path::attribute("id")).into()
            }
            Some(Ok(_)) | None => Diagnostics::default(),
        }
    }

    async fn read(
        &self,
        session: &Session,
        config: Value,
    ) -> Result<(Value, Diagnostics), Diagnostics> {
        let id = config.attribute("id").as_text().given().unwrap_or_default();
        let configured = session.configured();
        let request = configured.server()?.request(&id).await.map_err(|error| {
            let told = failure::told(&error, &format!("Request {id} cannot be read"));
            told.at(Path::attribute("id"))
        })?;
        Ok((shown(&request), Diagnostics::default()))
    }
}

/// What is told of a request beside its id: name, type and description.
fn results() -> Vec<(&'static str, Type, &'static str)> {
    let stage = Type::object([
        ("name", Type::String),
        ("approvals", Type::Number),
        ("from", Type::texts()),
        ("counted", Type::texts()),
        ("awaited", Type::texts()),
        ("open", Type::Bool),
    ]);
    let review = Type::object([
        ("reviewer", Type::String),
        ("verdict", Type::String),
        ("comment", Type::String),
        ("at", Type::String),
    ]);
    vec![
        (
            "state",
            Type::String,
            "Where it stands: `pending`, `approved`, `consumed`, `denied`, `expired`, `canceled` or \
             `revoked`.",
        ),
        ("url", Type::String, "Address at which it can be seen and approved."),
        ("kind", Type::String, "What is done, as a dotted name."),
        ("environment", Type::String, "Where it is done."),
        ("target", Type::text_map(), "What it is done to."),
        ("reason", Type::String, "Why, in the requester's words."),
        ("duration", Type::String, "How long the access is wanted for; null if it was not said."),
        ("context", Type::String, "More about the intent, as a JSON object. A claim, not a proof."),
        ("digest", Type::String, "SHA-256 of the exact thing; null if none was named."),
        ("plan", Type::String, "SHA-256 of the plan's JSON; null if none was named."),
        ("intent_digest", Type::String, "SHA-256 of the intent: what people approve."),
        ("requester", Type::String, "Who asks, as `iss#sub`."),
        ("ruling", Type::String, "What policy said: `permit`, `require` or `refuse`."),
        ("rule_ids", Type::texts(), "The rules that decided."),
        ("policy", Type::String, "Revision of the policy that spoke."),
        (
            "stages",
            Type::List(Box::new(stage)),
            "How far each stage is: its `name`, how many `approvals` it needs `from` whom, those who \
             `counted`, those `awaited`, and whether it is `open`.",
        ),
        (
            "reviews",
            Type::List(Box::new(review)),
            "Every review in order: `reviewer`, `verdict` (`approve` or `deny`), `comment` and `at`.",
        ),
        ("approved_by", Type::texts(), "Those who counted, once it is approved."),
        ("filed_at", Type::String, "When it was filed."),
        ("expires_at", Type::String, "When it expires if nothing happens; null once it has ended."),
        ("ended_at", Type::String, "When it ended; null while it is open."),
        ("ended_by", Type::String, "Who ended it; null where policy or time did."),
        ("ended_because", Type::String, "Why it ended; null while it is open."),
    ]
}

/// The data source's schema.
fn schema() -> Schema {
    let id = Attribute::required("id", Type::String, "Id of the request, `req_…`.");
    let results = results().into_iter().map(|(name, of, text)| Attribute::computed(name, of, text));
    Schema::new(
        "One request as it is now. Whoever reads it sees what the server shows to the access token.",
        std::iter::once(id).chain(results).collect(),
    )
}

/// The type of a request, with its id.
pub(crate) fn request_type() -> Type {
    let results = results().into_iter().map(|(name, of, _)| (name, of));
    Type::object(std::iter::once(("id", Type::String)).chain(results))
}

/// A request as a value.
pub(crate) fn shown(request: &wire::Request) -> Value {
    let optional = |text: &Option<String>| text.clone().map_or(Value::Null, Value::String);
    let wire::Request { intent, ruling, ending, .. } = request;
    let target = intent.target.iter().map(|(key, text)| (key.clone(), Value::text(text)));
    let context = serde_json::Value::Object(intent.context.clone()).to_string();
    let requester = format!("{}#{}", request.requester.iss, request.requester.sub);
    let ended = |tell: fn(&wire::Ending) -> Option<String>| {
        ending.as_ref().and_then(tell).map_or(Value::Null, Value::String)
    };
    Value::object([
        ("id", Value::text(&request.id)),
        ("state", Value::text(&request.state)),
        ("url", Value::text(&request.url)),
        ("kind", Value::text(&intent.kind)),
        ("environment", Value::text(&intent.environment)),
        ("target", Value::Map(target.collect())),
        ("reason", Value::text(&intent.reason)),
        ("duration", optional(&intent.duration)),
        ("context", Value::String(context)),
        ("digest", optional(&intent.digest)),
        ("plan", optional(&intent.plan)),
        ("intent_digest", Value::text(&request.digest)),
        ("requester", Value::String(requester)),
        ("ruling", Value::text(ruling.outcome.word())),
        ("rule_ids", Value::texts(ruling.rules.iter().cloned())),
        ("policy", Value::text(&ruling.policy)),
        ("stages", Value::List(request.stages.iter().map(stage).collect())),
        ("reviews", Value::List(request.reviews.iter().map(review).collect())),
        ("approved_by", Value::texts(request.approved_by.iter().cloned())),
        ("filed_at", Value::text(&request.filed_at)),
        ("expires_at", optional(&request.expires_at)),
        ("ended_at", ended(|ending| Some(ending.at.clone()))),
        ("ended_by", ended(|ending| ending.by.clone())),
        ("ended_because", ended(|ending| Some(ending.reason.clone()))),
    ])
}

/// How far one stage is.
fn stage(stage: &wire::StageStatus) -> Value {
    Value::object([
        ("name", Value::text(&stage.name)),
        ("approvals", Value::Number(Number::Unsigned(stage.approvals.into()))),
        ("from", Value::texts(stage.from.iter().cloned())),
        ("counted", Value::texts(stage.counted.iter().cloned())),
        ("awaited", Value::texts(stage.awaited.iter().cloned())),
        ("open", Value::Bool(stage.open)),
    ])
}

/// One person's review.
fn review(review: &wire::Review) -> Value {
    let verdict = match review.verdict {
        wire::Verdict::Approve => "approve",
        wire::Verdict::Deny => "deny",
    };
    Value::object([
        ("reviewer", Value::text(&review.reviewer)),
        ("verdict", Value::text(verdict)),
        ("comment", Value::text(&review.comment)),
        ("at", Value::text(&review.at)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_of_its_type() {
        let value = shown(&crate::standing::tests::request("pending"));
        let bytes = crate::value::encode_msgpack(&value).unwrap();
        let read = crate::value::decode_msgpack(&bytes, &request_type()).unwrap();
        assert_eq!(crate::value::encode_msgpack(&read).unwrap(), bytes);
        assert_eq!(request_type(), schema().value_type());
    }

    #[test]
    fn only_an_id_is_looked_up() {
        let faults = |id: &str| Request.validate(&Value::object([("id", Value::text(id))]));
        assert!(faults("../policy").has_errors());
        assert!(!faults("req_01JD5K3N7Q8R9S0T1V2W3X4Y5Z").has_errors());
        assert_eq!(Request.validate(&Value::Unknown), Diagnostics::default());
    }
}
