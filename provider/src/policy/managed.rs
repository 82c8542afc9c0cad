//! The life of whatever policy is made of, as a resource.

use std::marker::PhantomData;

use crate::asking::Patience;
use crate::configure::Reach;
use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::failure;
use crate::offer::{Change, Made, Planned, PlannedChange, Resource};
use crate::policy::change::{self, Wish};
use crate::policy::foresight::foresee;
use crate::policy::kind::Kind;
use crate::policy::overlay::Becomes;
use crate::schema::{Attribute, Schema};
use crate::session::Session;
use crate::value::{Number, Type, Value};

/// What is found out when it is written.
const FOUND_OUT: [&str; 4] = ["version", "written_by", "written_at", "approval_id"];

/// The resource of this kind.
#[derive(Debug)]
pub(crate) struct Managed<K>(PhantomData<K>);

impl<K> Default for Managed<K> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

#[tonic::async_trait]
impl<K: Kind> Resource for Managed<K> {
    fn name(&self) -> &'static str {
        K::TYPE
    }

    fn schema(&self) -> Schema {
        let name = match K::TYPE {
            "assent_policy" => {
                "Its file name, such as `freeze.yaml`. Changing it makes another one."
            }
            _ => "The name by which policy calls it. Changing it makes another one.",
        };
        let mut attributes = vec![Attribute::required("name", Type::String, name)];
        attributes.extend(K::arguments());
        attributes.extend(asking_arguments());
        attributes.extend(K::results());
        attributes.extend(results());
        Schema::new(K::ABOUT, attributes)
    }

    fn validate(&self, config: &Value) -> Diagnostics {
        let mut faults = Diagnostics::default();
        if config.attribute("name") == &Value::text("") {
            let fault = Diagnostic::error("Invalid `name`", "The name must not be empty.");
            faults.push(fault.at(Path::attribute("name")));
        }
        for operation in ["create", "update", "delete"] {
            if let Err(told) = Patience::of(config, operation) {
                faults.append(told);
            }
        }
        faults
    }

    async fn plan(&self, session: &Session, change: Change) -> Result<Planned, Diagnostics> {
        plan::<K>(session, change).await
    }

    async fn apply(&self, session: &Session, change: PlannedChange) -> Result<Made, Diagnostics> {
        let PlannedChange { prior, planned, .. } = change;
        if planned.is_null() {
            remove::<K>(session, &prior).await?;
            return Ok(Made::quiet(Value::Null));
        }
        write::<K>(session, &prior, planned).await.map(Made::quiet)
    }

    async fn read(
        &self,
        session: &Session,
        current: Value,
    ) -> Result<(Value, Diagnostics), Diagnostics> {
        let configured = session.configured();
        let server = match &configured.reach {
            Reach::NotYetKnown => return Ok((current, Diagnostics::default())),
            Reach::Known(_) | Reach::Unconfigured => configured.server()?,
        };
        let name = name_of(&current)?;
        let found =
            K::find(server, &name).await.map_err(|error| cannot_read::<K>(&error, &name))?;
        // What was removed elsewhere is removed here too; the next plan says that it makes it anew.
        let state = found.map_or(Value::Null, |kept| shown::<K>(current, &kept));
        Ok((state, Diagnostics::default()))
    }

    async fn import(&self, session: &Session, id: &str) -> Result<Value, Diagnostics> {
        let configured = session.configured();
        let server = configured.server()?;
        let kept = K::get(server, id).await.map_err(|error| cannot_read::<K>(&error, id))?;
        let state = Value::object([
            ("name", Value::text(id)),
            ("reason", Value::Null),
            ("wait", Value::Bool(true)),
            ("timeouts", Value::Null),
            ("approval_id", Value::Null),
        ]);
        Ok(shown::<K>(state, &kept))
    }
}

/// What the configuration says of asking people.
fn asking_arguments() -> Vec<Attribute> {
    let operation = |name, description| Attribute::optional(name, Type::String, description);
    let timeouts = vec![
        operation(
            "create",
            "For how long when it is written first, such as `30m`. `30m` if not set.",
        ),
        operation("update", "For how long when it is written again. `30m` if it is not set."),
        operation("delete", "For how long when it is removed. `30m` if it is not set."),
    ];
    vec![
        Attribute::optional(
            "reason",
            Type::String,
            "Why it is changed, for those who approve, where policy wants its changes approved. \
             Changing it alone writes nothing.",
        ),
        Attribute::defaulted(
            "wait",
            Type::Bool,
            "Whether to wait for people, where policy wants its changes approved. If `false`, an \
             apply that is not approved yet fails at once with the request's address, and the next \
             apply continues with the same request. `true` if it is not set.",
        ),
        Attribute::nested("timeouts", timeouts, "How long people are waited for."),
    ]
}

/// What the provider finds out.
fn results() -> Vec<Attribute> {
    vec![
        Attribute::computed("version", Type::Number, "Which version is written, from 1."),
        Attribute::computed("written_by", Type::String, "Who wrote this version."),
        Attribute::computed("written_at", Type::String, "When this version was written."),
        Attribute::computed(
            "approval_id",
            Type::String,
            "Id of the request that approved what this resource wrote last; null where policy wanted \
             none.",
        ),
    ]
}

/// Plans a change.
async fn plan<K: Kind>(session: &Session, change: Change) -> Result<Planned, Diagnostics> {
    let Change { prior, proposed, config, private } = change;
    let reason = |state: &Value| state.attribute("reason").as_text().given();
    if proposed.is_null() {
        let name = name_of(&prior)?;
        let wish = Wish::<K> { name: &name, new: None, reason: reason(&prior) };
        let diagnostics = foresee(session, &wish, Becomes::Known(None)).await?;
        return Ok(Planned { diagnostics, ..Planned::quiet(proposed, private) });
    }
    let wait = config.attribute("wait");
    let wait = if wait.is_null() { Value::Bool(true) } else { wait.clone() };
    let state = proposed.with("wait", wait);
    let new = K::stated(&state);
    let is_renamed = !prior.is_null() && state.attribute("name") != prior.attribute("name");
    let is_same = !prior.is_null() && !is_renamed && new.is_some() && new == K::stated(&prior);
    if is_same {
        return Ok(Planned::quiet(state, private));
    }
    let requires_replace = if is_renamed { vec![Path::attribute("name")] } else { Vec::new() };
    let state = to_be_found_out::<K>(state, new.as_ref());
    let diagnostics = match state.attribute("name").as_text().given() {
        Some(name) => {
            if is_renamed && let Ok(old) = name_of(&prior) {
                session.policy.note::<K>(&old, Becomes::Known(None));
            }
            let wish = Wish::<K> { name: &name, new: new.as_ref(), reason: reason(&state) };
            let change = new.clone().map_or(Becomes::Unknown, |new| Becomes::Known(Some(new)));
            foresee(session, &wish, change).await?
        }
        None => Diagnostics::default(),
    };
    Ok(Planned { requires_replace, diagnostics, ..Planned::quiet(state, private) })
}

/// The state with everything unknown that is found out when it is written, except for what depends on
/// the arguments alone.
fn to_be_found_out<K: Kind>(state: Value, new: Option<&K::New>) -> Value {
    let state = FOUND_OUT.into_iter().fold(state, |state, name| state.with(name, Value::Unknown));
    match new {
        Some(new) => {
            K::found_out(new).into_iter().fold(state, |s, (name, value)| s.with(name, value))
        }
        None => K::results().iter().fold(state, |s, result| s.with(result.name(), Value::Unknown)),
    }
}

/// Writes what is planned.
async fn write<K: Kind>(
    session: &Session,
    prior: &Value,
    planned: Value,
) -> Result<Value, Diagnostics> {
    let name = name_of(&planned)?;
    let new = K::stated(&planned).ok_or_else(|| {
        let detail = "Some of the arguments are still not known at apply.";
        Diagnostic::error(format!("The {} is not known", K::NOUN), detail)
    })?;
    if !prior.is_null() && K::stated(prior).as_ref() == Some(&new) {
        // Only what is said of asking people changes; the server has no part in that.
        return Ok(planned);
    }
    as_it_was::<K>(session, &name, prior).await?;
    let operation = if prior.is_null() { "create" } else { "update" };
    let reason = planned.attribute("reason").as_text().given();
    let wish = Wish::<K> { name: &name, new: Some(&new), reason };
    let done = change::make(session, &wish, &planned, operation).await?;
    let approval = done.approval.map_or(Value::Null, Value::String);
    let planned = planned.with("approval_id", approval);
    Ok(match done.kept {
        Some(kept) => written::<K>(planned, &kept),
        None => planned,
    })
}

/// Checks that what is there is what the state says: what somebody else wrote since is not written
/// over unseen.
async fn as_it_was<K: Kind>(
    session: &Session,
    name: &str,
    prior: &Value,
) -> Result<(), Diagnostics> {
    let configured = session.configured();
    let found = K::find(configured.server()?, name).await;
    let found = found.map_err(|error| cannot_read::<K>(&error, name))?;
    let kept = found.as_ref().map(K::said);
    match (kept, prior.is_null()) {
        (None, true) => Ok(()),
        (Some(kept), false) if Some(&kept) == K::stated(prior).as_ref() => Ok(()),
        (Some(_), true) => {
            let detail = format!(
                "The server keeps a {} `{name}` already. Take it over with `terraform import \
                 {}.NAME {name}`, or choose another name.",
                K::NOUN,
                K::TYPE,
            );
            let told = Diagnostic::error("It exists already", detail);
            Err(told.at(Path::attribute("name")).into())
        }
        (Some(_) | None, false) => Err(changed_meanwhile::<K>(name).into()),
    }
}

/// Somebody was here since the plan was made.
fn changed_meanwhile<K: Kind>(name: &str) -> Diagnostic {
    let detail = format!(
        "Somebody has changed or removed the {} `{name}` since the plan was made. Nothing was \
         written; plan again to see what is there now.",
        K::NOUN,
    );
    Diagnostic::error("It was changed meanwhile", detail).at(Path::attribute("name"))
}

/// Removes what is in the state: what somebody else wrote since is not removed unseen, and what is
/// gone already is gone.
async fn remove<K: Kind>(session: &Session, prior: &Value) -> Result<(), Diagnostics> {
    let name = name_of(prior)?;
    let configured = session.configured();
    let found = K::find(configured.server()?, &name).await;
    match found.map_err(|error| cannot_read::<K>(&error, &name))?.as_ref().map(K::said) {
        None => return Ok(()),
        Some(kept) if Some(&kept) == K::stated(prior).as_ref() => {}
        Some(_) => return Err(changed_meanwhile::<K>(&name).into()),
    }
    let reason = prior.attribute("reason").as_text().given();
    let wish = Wish::<K> { name: &name, new: None, reason };
    change::make(session, &wish, prior, "delete").await.map(drop)
}

/// A state with everything that the server keeps. Arguments that say the same stay as they are
/// written.
fn shown<K: Kind>(state: Value, kept: &K::Kept) -> Value {
    let said = K::said(kept);
    let state = match K::stated(&state).as_ref() == Some(&said) && !is_bare::<K>(&state) {
        true => state,
        false => {
            K::told(&said).into_iter().fold(state, |state, (name, value)| state.with(name, value))
        }
    };
    let state =
        K::found_out(&said).into_iter().fold(state, |state, (name, value)| state.with(name, value));
    written::<K>(state, kept)
}

/// Whether a state lacks the arguments altogether, as at an import.
fn is_bare<K: Kind>(state: &Value) -> bool {
    let Value::Map(attributes) = state else { return true };
    K::arguments().iter().any(|argument| !attributes.contains_key(argument.name()))
}

/// A state with who wrote it.
fn written<K: Kind>(state: Value, kept: &K::Kept) -> Value {
    let written = K::written(kept);
    state
        .with("version", Value::Number(Number::Unsigned(written.version)))
        .with("written_by", Value::String(written.by))
        .with("written_at", Value::String(written.at))
}

/// The name in a state.
fn name_of(state: &Value) -> Result<String, Diagnostic> {
    state.attribute("name").as_text().given().ok_or_else(|| {
        let detail = "The name is not known; the state may be damaged.";
        Diagnostic::error("There is no name", detail).at(Path::attribute("name"))
    })
}

fn cannot_read<K: Kind>(error: &assent_client::ClientError, name: &str) -> Diagnostic {
    failure::told(error, &format!("The {} `{name}` cannot be read", K::NOUN))
}

#[cfg(test)]
mod tests {
    use assent_client::wire;

    use super::*;
    use crate::policy::calendar::Calendar;
    use crate::policy::document::Document;
    use crate::policy::group::Group;

    fn group(members: &[&str]) -> wire::Group {
        wire::Group {
            name: "dba".to_owned(),
            members: members.iter().map(|member| (*member).to_owned()).collect(),
            identity: None,
            github_team: None,
            version: 3,
            at: "2026-11-21T00:00:00.000Z".to_owned(),
            by: "root".to_owned(),
        }
    }

    #[test]
    fn what_says_the_same_stays_as_it_is_written() {
        let state = Value::object([
            ("name", Value::text("dba")),
            ("members", Value::List(vec![Value::text("person:bob")])),
            ("identity", Value::Bool(false)),
            ("github_team", Value::Null),
        ]);
        let same = shown::<Group>(state.clone(), &group(&["person:bob"]));
        assert_eq!(same.attribute("identity"), &Value::Bool(false));
        assert_eq!(same.attribute("version"), &Value::Number(Number::Unsigned(3)));
        let other = shown::<Group>(state, &group(&["person:bob", "person:carol"]));
        assert_eq!(other.attribute("identity"), &Value::Null);
        let bare = shown::<Group>(Value::object([("name", Value::text("dba"))]), &group(&[]));
        assert_eq!(bare.attribute("members"), &Value::Null);
        let Value::Map(bare) = bare else { panic!("no object") };
        assert!(bare.contains_key("members"));
    }

    #[test]
    fn only_what_depends_on_arguments_is_known_before_it_is_written() {
        let new = wire::NewDocument { text: "x".to_owned() };
        let known = to_be_found_out::<Document>(Value::object([]), Some(&new));
        assert!(known.attribute("version").is_unknown());
        assert!(known.attribute("digest").as_text().given().unwrap().starts_with("sha256:"));
        let unknown = to_be_found_out::<Document>(Value::object([]), None);
        assert!(unknown.attribute("digest").is_unknown());
    }

    #[test]
    fn what_is_imported_is_of_the_schema() {
        let calendar = wire::Calendar {
            name: "hours".to_owned(),
            calendar: wire::NewCalendar::default(),
            version: 1,
            at: String::new(),
            by: String::new(),
        };
        let state = Value::object(
            ["name", "reason", "wait", "timeouts", "approval_id"].map(|name| (name, Value::Null)),
        );
        let imported = shown::<Calendar>(state, &calendar);
        let of = Managed::<Calendar>::default().schema().value_type();
        let bytes = crate::value::encode_msgpack(&imported).unwrap();
        let read = crate::value::decode_msgpack(&bytes, &of).unwrap();
        assert_eq!(crate::value::encode_msgpack(&read).unwrap(), bytes);
    }
}
