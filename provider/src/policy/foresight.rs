//! At plan: whether the policy would stand with a change, and who would be asked about it.

use assent_client::{Client, wire};

use crate::configure::Reach;
use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::failure;
use crate::intent::sentence;
use crate::policy::change::{Wish, about, stated_for};
use crate::policy::fault;
use crate::policy::kind::Kind;
use crate::policy::overlay::{Ahead, Becomes};
use crate::ruling;
use crate::session::Session;

/// How many findings are told of one thing.
const MOST: usize = 10;

/// Says what is to be said of a change before it is made. At apply it is about to be made, and then
/// the server says the same.
///
/// # Errors
/// What is wrong with it.
pub(super) async fn foresee<K: Kind>(
    session: &Session,
    wish: &Wish<'_, K>,
    change: Becomes<K::New>,
) -> Result<Diagnostics, Diagnostics> {
    let new = match &change {
        Becomes::Known(new) => new.clone(),
        Becomes::Unknown => None,
    };
    let is_unknown = matches!(change, Becomes::Unknown);
    let ahead = session.policy.note::<K>(wish.name, change);
    let configured = session.configured();
    if configured.applying == Some(true) {
        return Ok(Diagnostics::default());
    }
    if is_unknown {
        return Ok(cannot_check::<K>("Some of its arguments are known only after apply.").into());
    }
    let Reach::Known(server) = &configured.reach else {
        return Ok(cannot_check::<K>("The server is known only after apply.").into());
    };
    let checked = match server.check_policy(&ahead.check).await {
        Ok(checked) => checked,
        Err(error) => return Ok(cannot_check::<K>(&failure::why(&error)).into()),
    };
    let mut told = Diagnostics::default();
    // What a removal would break may be changed by what is planned after it: apply knows.
    if let Some(new) = &new {
        told.append(faults::<K>(server, &ahead, wish.name, new, &checked).await);
    }
    if !told.has_errors() {
        told.append(who_is_asked(server, wish, &checked).await);
    }
    told.clone().ok_or_all(told)
}

/// The faults that a change has or makes, and what is probably a mistake in it.
pub(super) async fn faults<K: Kind>(
    server: &Client,
    ahead: &Ahead,
    name: &str,
    new: &K::New,
    checked: &wire::PolicyChecked,
) -> Diagnostics {
    let kept = K::kept_name(name);
    let is_own = |fault: &&wire::PolicyFault| fault.document.as_ref() == Some(&kept);
    let (own, others): (Vec<_>, Vec<_>) = checked.faults.iter().partition(is_own);
    let mut errors: Vec<_> = own.into_iter().map(|found| fault::own::<K>(found, new)).collect();
    let mut warnings = Vec::new();
    // What follows from a fault of its own is over with that.
    if errors.is_empty() && !others.is_empty() {
        let before = server.check_policy(&ahead.clone().without::<K>(name)).await;
        let before = before.map(|checked| checked.faults).unwrap_or_default();
        for found in others {
            match &found.document {
                _ if !before.contains(found) => errors.push(fault::consequence::<K>(found, name)),
                // It is told where it is planned.
                Some(document) if ahead.changes(document) => {}
                Some(_) | None => warnings.push(fault::before::<K>(found)),
            }
        }
    }
    if !ahead.unknown.is_empty() {
        errors = errors.into_iter().map(fault::perhaps).collect();
    }
    // What nothing uses yet may be used by what is planned after it.
    let counts = |finding: &&wire::PolicyFinding| {
        is_own(&&finding.fault) && !finding.code.starts_with("unused-")
    };
    let found = checked.findings.iter().filter(counts).take(MOST);
    warnings.extend(found.map(|finding| fault::finding::<K>(finding, new)));
    let mut told = Diagnostics::default();
    errors.into_iter().chain(warnings).for_each(|diagnostic| told.push(diagnostic));
    told
}

/// Says who will be asked, where policy wants its changes approved.
async fn who_is_asked<K: Kind>(
    server: &Client,
    wish: &Wish<'_, K>,
    checked: &wire::PolicyChecked,
) -> Diagnostics {
    let kept = K::kept_name(wish.name);
    let Some(intent) = checked.approvals.iter().find(|intent| about(intent) == Some(&kept)) else {
        return Diagnostics::default();
    };
    let intent = match stated_for(wish, intent) {
        Ok(intent) => intent,
        Err(fault) => return fault.into(),
    };
    let filing =
        wire::Filing { intent: wire::Intent::from(&intent), reattach: true, heartbeat: None };
    let url = format!("{}/intents/{}", server.base(), intent.digest().hex());
    let (summary, detail) = match server.decide(&filing).await {
        Ok(wire::Decision { ruling, .. }) => match ruling.outcome {
            wire::Said::Permit => return Diagnostics::default(),
            wire::Said::Require => (
                "Approval required",
                format!(
                    "This change of policy needs approval by {} The requester does not count. \
                     Terraform will file it at apply: {url}",
                    sentence(&ruling::asked(&ruling)),
                ),
            ),
            wire::Said::Refuse => (
                "Apply will be refused",
                format!(
                    "Policy refuses this change of policy: {}. Apply will fail.",
                    ruling::refused(&ruling),
                ),
            ),
        },
        Err(error) => (
            "Approval required",
            format!(
                "This change of policy needs approval; who will be asked cannot be said: {} \
                 Terraform will file it at apply: {url}",
                failure::why(&error),
            ),
        ),
    };
    Diagnostic::warning(summary, detail).into()
}

/// That nothing can be said before apply.
fn cannot_check<K: Kind>(why: &str) -> Diagnostic {
    let detail = format!(
        "{why} The server checks this {} when Terraform applies; a fault will fail the apply.",
        K::NOUN
    );
    Diagnostic::warning("The policy cannot be checked now", detail).at(Path::attribute("name"))
}
