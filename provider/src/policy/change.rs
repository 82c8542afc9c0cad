//! At apply: a change of policy is made, and where policy wants it, people are asked first.

use std::time::Duration;

use assent_client::{Client, ClientError, ErrorKind, wire};
use assent_core::intent::Intent;
use assent_core::policy::changes::{ENVIRONMENT, KIND};
use tokio::time::Instant;

use crate::asking::{self, Patience, Question};
use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::failure;
use crate::intent::sentence;
use crate::policy::foresight;
use crate::policy::kind::Kind;
use crate::policy::overlay::{Becomes, Overlay};
use crate::session::Session;
use crate::value::Value;

/// How long Terraform may take to say what else it does in this run.
const GRACE: Duration = Duration::from_secs(2);

/// How soon it is tried again to remove what is used.
const PAUSE: Duration = Duration::from_millis(200);

/// What is to become of something, and why.
#[derive(Debug)]
pub(super) struct Wish<'a, K: Kind> {
    /// Its name.
    pub(super) name: &'a str,
    /// What it is to be; `None` to remove it.
    pub(super) new: Option<&'a K::New>,
    /// Why, for those who approve.
    pub(super) reason: Option<String>,
}

impl<K: Kind> Wish<'_, K> {
    /// What is done, as intents name it.
    fn operation(&self) -> &'static str {
        if self.new.is_some() { "write" } else { "remove" }
    }

    /// Why, in the words of the configuration or in plain ones.
    fn reason(&self) -> String {
        let plain = || format!("Terraform: {} the {} `{}`", self.operation(), K::NOUN, self.name);
        self.reason.clone().unwrap_or_else(plain)
    }

    /// What failed, in a few words. Terraform adds no place to the diagnostics of a delete.
    fn failed(&self) -> String {
        match self.new {
            Some(_) => format!("The {} `{}` cannot be written", K::NOUN, self.name),
            None => format!("{} `{}` cannot be removed", K::TYPE, self.name),
        }
    }
}

/// What was made of a wish.
#[derive(Debug)]
pub(super) struct Done<T> {
    /// What the server keeps now; nothing after a removal.
    pub(super) kept: Option<T>,
    /// The request that approved it, where policy wanted one.
    pub(super) approval: Option<String>,
}

/// Makes a change; `state` says how long people are waited for, under `operation` of `timeouts`.
///
/// # Errors
/// Why it was not made.
pub(super) async fn make<K: Kind>(
    session: &Session,
    wish: &Wish<'_, K>,
    state: &Value,
    operation: &'static str,
) -> Result<Done<K::Kept>, Diagnostics> {
    let configured = session.configured();
    let server = configured.server()?;
    let patience = Patience::of(state, operation)?;
    let refused = match send_in_turn(session, server, wish, patience.timeout).await {
        Ok(kept) => return Ok(Done { kept, approval: None }),
        Err(refused) => refused,
    };
    let wanted = refused.problem.as_ref().and_then(|problem| problem.intent.as_deref());
    let Some(wanted) = wanted.filter(|_| refused.code() == Some("approval_required")) else {
        return Err(told(server, wish, &refused).await);
    };
    let question = Question::new(&stated_for(wish, wanted)?, patience);
    let approval = asking::granted(session, question).await?.id;
    match send(server, wish, Some(&approval)).await {
        Ok(kept) => Ok(Done { kept, approval: Some(approval) }),
        Err(refused) => Err(told(server, wish, &refused).await),
    }
}

/// Writes or removes; what is used is removed as soon as it no longer is.
///
/// Where something stops using it in the same run, Terraform may change and remove the two at the
/// same time, in no order.
async fn send_in_turn<K: Kind>(
    session: &Session,
    server: &Client,
    wish: &Wish<'_, K>,
    timeout: Duration,
) -> Result<Option<K::Kept>, ClientError> {
    let (begun, stop) = (Instant::now(), session.interrupts.operation());
    loop {
        let refused = match send(server, wish, None).await {
            Err(refused) if refused.code() == Some("in_use") => refused,
            sent => return sent,
        };
        let patience = if is_released(session, server, wish).await { timeout } else { GRACE };
        if begun.elapsed() >= patience {
            return Err(refused);
        }
        tokio::select! {
            () = tokio::time::sleep(PAUSE) => {}
            () = stop.cancelled() => return Err(refused),
        }
    }
}

/// Whether nothing would use it, once everything is done that this run is known to do.
async fn is_released<K: Kind>(session: &Session, server: &Client, wish: &Wish<'_, K>) -> bool {
    let ahead = session.policy.note::<K>(wish.name, Becomes::Known(None));
    server.check_policy(&ahead.check).await.is_ok_and(|checked| checked.faults.is_empty())
}

/// Writes or removes. What is gone already need not be removed.
async fn send<K: Kind>(
    server: &Client,
    wish: &Wish<'_, K>,
    approval: Option<&str>,
) -> Result<Option<K::Kept>, ClientError> {
    let Some(new) = wish.new else {
        return match K::remove(server, wish.name, approval).await {
            Err(error) if error.kind == ErrorKind::NotFound && !error.retryable => Ok(None),
            removed => removed.map(|()| None),
        };
    };
    K::put(server, wish.name, new, approval).await.map(Some)
}

/// Under which name that is kept which an intent changes.
pub(super) fn about(intent: &wire::Intent) -> Option<&String> {
    intent.target.get("document")
}

/// The intent that the server wants approved, with the reason. It must be about this change: nobody
/// is asked about another.
pub(super) fn stated_for<K: Kind>(
    wish: &Wish<'_, K>,
    wanted: &wire::Intent,
) -> Result<Intent, Diagnostic> {
    let odd = |what: String| {
        let detail = format!(
            "To {} the {} `{}`, the server wants something approved that {what}. Nothing was \
             changed; check that server and provider are of the same version.",
            wish.operation(),
            K::NOUN,
            wish.name,
        );
        Diagnostic::error("The server asks about something else", detail)
    };
    let is_about = wanted.kind == KIND
        && wanted.environment == ENVIRONMENT
        && about(wanted) == Some(&K::kept_name(wish.name))
        && wanted.target.get("operation").is_some_and(|said| said == wish.operation());
    if !is_about {
        return Err(odd("is not this change".to_owned()));
    }
    let stated = wire::Intent { reason: wish.reason(), ..wanted.clone() };
    stated.verify().map_err(|faults| {
        match faults.into_iter().find(|fault| fault.field == "reason") {
            Some(fault) => Diagnostic::error("Invalid `reason`", sentence(&fault.problem))
                .at(Path::attribute("reason")),
            None => odd("breaks the rules for intents".to_owned()),
        }
    })
}

/// Why a change was not made. What is wrong with the policy is told at the argument it comes from.
async fn told<K: Kind>(server: &Client, wish: &Wish<'_, K>, refused: &ClientError) -> Diagnostics {
    match (refused.code(), wish.new) {
        (Some("invalid_policy"), Some(new)) => {
            let alone = Overlay::default().note::<K>(wish.name, Becomes::Known(Some(new.clone())));
            let faults = match server.check_policy(&alone.check).await {
                Ok(checked) => {
                    foresight::faults::<K>(server, &alone, wish.name, new, &checked).await
                }
                Err(_) => Diagnostics::default(),
            };
            if faults.has_errors() { faults } else { failed(wish, refused).into() }
        }
        (Some("in_use"), _) => {
            let advice = "Change or remove what uses it, in the same run or before.";
            Diagnostic::error(wish.failed(), format!("{} {advice}", failure::why(refused))).into()
        }
        (Some("not_administrator"), _) => administrators_only(wish, refused).into(),
        (_, Some(_)) if refused.kind == ErrorKind::Invalid => {
            let field = refused.problem.iter().flat_map(|problem| &problem.errors).next();
            let path = K::at(field.map(|field| field.field.as_str()));
            failed(wish, refused).at(path).into()
        }
        _ => failed(wish, refused).into(),
    }
}

fn failed<K: Kind>(wish: &Wish<'_, K>, refused: &ClientError) -> Diagnostic {
    failure::told(refused, &wish.failed())
}

fn administrators_only<K: Kind>(wish: &Wish<'_, K>, refused: &ClientError) -> Diagnostic {
    let detail = format!(
        "{} Policy is changed by administrators: run terraform with the access token of one.",
        failure::why(refused),
    );
    Diagnostic::error(wish.failed(), detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::group::Group;

    fn wanted() -> wire::Intent {
        let target = [("document", "groups/dba"), ("operation", "write")];
        wire::Intent {
            kind: "assent.policy".to_owned(),
            environment: "assent".to_owned(),
            target: target.map(|(key, text)| (key.to_owned(), text.to_owned())).into(),
            ..wire::Intent::default()
        }
    }

    fn check(wanted: &wire::Intent, reason: Option<&str>) -> Result<String, String> {
        let new = wire::NewGroup::default();
        let reason = reason.map(str::to_owned);
        let wish = Wish::<Group> { name: "dba", new: Some(&new), reason };
        let stated = stated_for(&wish, wanted);
        stated.map(|intent| intent.reason().to_owned()).map_err(|told| told.summary)
    }

    #[test]
    fn people_are_asked_about_exactly_this_change() {
        assert_eq!(check(&wanted(), None).unwrap(), "Terraform: write the group `dba`");
        assert_eq!(check(&wanted(), Some("carol joins")).unwrap(), "carol joins");
        assert_eq!(check(&wanted(), Some(" ")).unwrap_err(), "Invalid `reason`");
        let other = |change: fn(&mut wire::Intent)| {
            let mut intent = wanted();
            change(&mut intent);
            check(&intent, None).unwrap_err()
        };
        let odd = "The server asks about something else";
        assert_eq!(other(|it| it.kind = "terraform.apply".to_owned()), odd);
        assert_eq!(other(|it| it.environment = "production".to_owned()), odd);
        assert_eq!(other(|it| _ = it.target.insert("document".into(), "groups/b".into())), odd);
        assert_eq!(other(|it| _ = it.target.insert("operation".into(), "remove".into())), odd);
        assert_eq!(other(|it| it.target.clear()), odd);
    }
}
