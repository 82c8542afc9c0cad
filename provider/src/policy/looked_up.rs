//! The data sources `assent_policy` and `assent_group`: what rules, and what the server keeps of it.

use assent_client::{ErrorKind, wire};

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::failure;
use crate::offer::DataSource;
use crate::policy::document::Document;
use crate::policy::group::Group;
use crate::policy::kind::{Kind, Written};
use crate::schema::{Attribute, Schema};
use crate::session::Session;
use crate::value::{Number, Type, Value};

/// The data source `assent_policy`.
#[derive(Debug)]
pub(crate) struct LookedUpPolicy;

/// The data source `assent_group`.
#[derive(Debug)]
pub(crate) struct LookedUpGroup;

#[tonic::async_trait]
impl DataSource for LookedUpPolicy {
    fn name(&self) -> &'static str {
        Document::TYPE
    }

    fn schema(&self) -> Schema {
        let mut attributes = vec![
            Attribute::optional(
                "name",
                Type::String,
                "Name of a document that the server keeps. Without it, only the policy as a whole is \
                 looked at.",
            ),
            Attribute::computed("content", Type::String, "The document's text."),
            Attribute::computed("digest", Type::String, "SHA-256 of the text."),
        ];
        attributes.extend(written_attributes());
        attributes.extend([
            Attribute::computed("revision", Type::String, "Revision of the policy that rules."),
            Attribute::computed("rules", Type::Number, "How many rules it has."),
            Attribute::computed("loaded_at", Type::String, "Since when it rules."),
            Attribute::computed(
                "source",
                Type::String,
                "Where documents come from beside those that the server keeps: `directory`, `git` or \
                 `none`.",
            ),
            Attribute::computed("commit", Type::String, "The commit, where they come from Git."),
            Attribute::computed(
                "problem",
                Type::String,
                "Why the newest policy does not rule; null where it does.",
            ),
        ]);
        Schema::new(
            "The policy that rules, and a document that the server keeps of it.",
            attributes,
        )
    }

    fn validate(&self, _: &Value) -> Diagnostics {
        Diagnostics::default()
    }

    async fn read(
        &self,
        session: &Session,
        config: Value,
    ) -> Result<(Value, Diagnostics), Diagnostics> {
        let configured = session.configured();
        let server = configured.server()?;
        let status = server.policy_status().await;
        let status = status.map_err(|error| failure::told(&error, "The policy cannot be read"))?;
        let state = with_status(config, &status);
        let Some(name) = state.attribute("name").as_text().given() else {
            return Ok((without_document(state), Diagnostics::default()));
        };
        let kept = Document::get(server, &name).await.map_err(|error| {
            let summary = format!("The policy document `{name}` cannot be read");
            missing::<Document>(&error, &summary)
        })?;
        let said = Document::said(&kept);
        let told = Document::told(&said).into_iter().chain(Document::found_out(&said));
        let state = told.fold(state, |state, (name, value)| state.with(name, value));
        Ok((with_written(state, Document::written(&kept)), Diagnostics::default()))
    }
}

#[tonic::async_trait]
impl DataSource for LookedUpGroup {
    fn name(&self) -> &'static str {
        Group::TYPE
    }

    fn schema(&self) -> Schema {
        let mut attributes = vec![
            Attribute::required("name", Type::String, "Its name."),
            Attribute::computed("members", Type::text_set(), "Its people."),
            Attribute::computed(
                "identity",
                Type::Bool,
                "Whether the identity provider says who is in it.",
            ),
        ];
        attributes.extend(written_attributes());
        Schema::new(
            "A group that the server keeps. Those that policy documents define are not among them.",
            attributes,
        )
    }

    fn validate(&self, _: &Value) -> Diagnostics {
        Diagnostics::default()
    }

    async fn read(
        &self,
        session: &Session,
        config: Value,
    ) -> Result<(Value, Diagnostics), Diagnostics> {
        let name = config.attribute("name").as_text().given().unwrap_or_default();
        let configured = session.configured();
        let kept = Group::get(configured.server()?, &name).await.map_err(|error| {
            missing::<Group>(&error, &format!("The group `{name}` cannot be read"))
        })?;
        let members = Value::texts(kept.members.iter().cloned());
        let identity = Value::Bool(kept.identity == Some(true));
        let state = config.with("members", members).with("identity", identity);
        Ok((with_written(state, Group::written(&kept)), Diagnostics::default()))
    }
}

/// Who wrote it.
fn written_attributes() -> [Attribute; 3] {
    [
        Attribute::computed("version", Type::Number, "Which version it is, from 1."),
        Attribute::computed("written_by", Type::String, "Who wrote this version."),
        Attribute::computed("written_at", Type::String, "When this version was written."),
    ]
}

fn with_written(state: Value, written: Written) -> Value {
    state
        .with("version", whole(written.version))
        .with("written_by", Value::String(written.by))
        .with("written_at", Value::String(written.at))
}

fn with_status(state: Value, status: &wire::PolicyStatus) -> Value {
    let problem = status.problem.as_ref().map(|problem| problem.message.clone());
    state
        .with("revision", Value::text(&status.revision))
        .with("rules", whole(status.rules))
        .with("loaded_at", Value::text(&status.loaded_at))
        .with("source", Value::text(&status.source))
        .with("commit", status.commit.clone().map_or(Value::Null, Value::String))
        .with("problem", problem.map_or(Value::Null, Value::String))
}

fn without_document(state: Value) -> Value {
    let names = ["content", "digest", "version", "written_by", "written_at"];
    names.into_iter().fold(state, |state, name| state.with(name, Value::Null))
}

fn whole(number: u64) -> Value {
    Value::Number(Number::Unsigned(number))
}

/// What the server keeps is not all that there is.
fn missing<K: Kind>(error: &assent_client::ClientError, summary: &str) -> Diagnostic {
    let told = if error.kind == ErrorKind::NotFound {
        let noun = K::NOUN;
        let detail = format!(
            "{} What the server's policy directory defines is not kept by the server and cannot be \
             looked up here: give the name of a {noun} that came over the API.",
            failure::why(error),
        );
        Diagnostic::error(summary, detail)
    } else {
        failure::told(error, summary)
    };
    told.at(Path::attribute("name"))
}
