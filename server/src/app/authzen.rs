//! AuthZEN 1.0: an evaluation becomes an intent, policy rules on it, and the ruling becomes a
//! decision. `true` is only what policy permits at once, and, where access requests are switched
//! on, what it asks people about and they have approved, exactly.
//!
//! An evaluation stores nothing, spends nothing and says nothing about anybody whom the caller may
//! not ask about.

mod approval;
mod asking;
mod mapping;
mod subject;
mod task;

use assent_core::credential::denial::Denial;
use assent_core::intent::Intent;
use assent_core::policy::ruling::{Outcome, Ruling};
use assent_core::policy::situation::{Network, Situation};
use assent_core::principal::Principal;
use assent_core::time::{Span, Timestamp};
use assent_core::wire::authzen::{
    Action, ActionSearch, Decision, Evaluation, Evaluations, FoundActions, Metadata, NextAction,
    Requestable, Unfit,
};
use serde_json::{Map, Value};

pub use asking::AskError;

use crate::app::situation::Asked;
use crate::app::{AppError, Authority, Caller};
use approval::Presented;
use subject::Subjects;

/// How long a denial can be asked for.
const DENIAL_LIFE: Span = Span::minutes(10);
/// The most names of context members that one denial binds, and their bytes in all.
const MOST_MEMBERS: (usize, usize) = (64, 4_096);
/// What says that requestable denials are supported.
const ACCESS_REQUEST: &str = "urn:openid:authzen:capability:access-request";

/// How an authority is set up as an AuthZEN decision point.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authzen {
    /// The environment of resources that name none. Without one, those are denied.
    pub environment: Option<String>,
    /// Whether denials say how to ask, and can be asked for: the Access Request and Approval
    /// Profile, draft 1.
    pub access_request: bool,
}

impl Authority {
    /// The same authority, as a decision point of these settings.
    #[must_use]
    pub fn with_authzen(self, authzen: Authzen) -> Self {
        Self { authzen, ..self }
    }

    /// What this authority can do as a decision point.
    pub fn authzen_metadata(&self) -> Metadata {
        let at = |path: &str| format!("{}{path}", self.base);
        let asked = self.authzen.access_request;
        Metadata {
            policy_decision_point: self.base.clone(),
            access_evaluation_endpoint: at("/access/v1/evaluation"),
            access_evaluations_endpoint: at("/access/v1/evaluations"),
            search_action_endpoint: at("/access/v1/search/action"),
            access_request_endpoint: asked.then(|| self.access_request_endpoint()),
            jwks_uri: asked.then(|| at("/.well-known/jwks.json")),
            capabilities: asked.then(|| ACCESS_REQUEST.to_owned()).into_iter().collect(),
        }
    }

    /// Answers one evaluation.
    ///
    /// # Errors
    /// [`AppError::ForeignSubject`].
    pub async fn evaluate(
        &self,
        caller: &Caller,
        evaluation: &Evaluation,
    ) -> Result<Decision, AppError> {
        self.decision(&Subjects::of(self, caller), evaluation).await
    }

    /// Answers many, in order, until the semantic says to stop. What is wrong with one is its own
    /// denial and no fault of the others.
    ///
    /// # Errors
    /// [`AppError::Ledger`]: then none is answered.
    pub async fn evaluate_all(
        &self,
        caller: &Caller,
        asked: &Evaluations,
    ) -> Result<Vec<Decision>, AppError> {
        let subjects = Subjects::of(self, caller);
        let mut decisions = Vec::with_capacity(asked.evaluations.len());
        for item in &asked.evaluations {
            let decision = match item_of(item, &asked.defaults) {
                Ok(evaluation) => match self.decision(&subjects, &evaluation).await {
                    Err(AppError::ForeignSubject(who)) => {
                        let message = AppError::ForeignSubject(who).to_string();
                        Decision::fault("foreign_subject", 403, message)
                    }
                    Err(outside @ AppError::OutsideTrust { .. }) => {
                        Decision::fault("outside_trust", 403, outside.to_string())
                    }
                    answered => answered?,
                },
                Err(fault) => Decision::fault("unfit", 400, fault.to_string()),
            };
            let last = asked.options.evaluations_semantic.stops_after(decision.decision);
            decisions.push(decision);
            if last {
                break;
            }
            // Many large ones must not keep everybody else waiting.
            tokio::task::yield_now().await;
        }
        Ok(decisions)
    }

    /// The kinds that policy names and would permit at once. A kind that only a rule for any kind
    /// covers is not among them, because there is no end to those.
    ///
    /// # Errors
    /// [`AppError::ForeignSubject`].
    pub async fn search_actions(
        &self,
        caller: &Caller,
        search: ActionSearch,
    ) -> Result<FoundActions, AppError> {
        let ActionSearch { subject, resource, context } = search;
        let subjects = Subjects::of(self, caller);
        let mut results = Vec::new();
        let Some(requester) = subjects.principal(&subject).await? else {
            return Ok(FoundActions { results });
        };
        let action = Action { name: String::new(), properties: None };
        let mut evaluation = Evaluation { subject, action, resource, context };
        for kind in self.policy().kinds() {
            kind.clone_into(&mut evaluation.action.name);
            if let Ok(intent) = self.intent_of(&evaluation)
                && self.check_scope(caller, &intent).is_ok()
                && let Outcome::Permit(_) = self.ruling(caller, &intent, &requester).await?.outcome
            {
                results.push(evaluation.action.clone());
            }
            tokio::task::yield_now().await;
        }
        Ok(FoundActions { results })
    }

    /// What policy says. Everything here that needs a ruling gets it from this. Where the caller
    /// calls from says nothing of anybody else.
    async fn ruling(
        &self,
        caller: &Caller,
        intent: &Intent,
        requester: &Principal,
    ) -> Result<Ruling, AppError> {
        self.check_scope(caller, intent)?;
        let (policy, now, elsewhere) = (self.policy(), self.clock.now(), Network::default());
        let is_caller = requester.id == caller.principal().id;
        let requester = &self.in_all_groups(requester);
        let network = if is_caller { caller.network() } else { &elsewhere };
        let known = self.situation(&policy, Asked { intent, requester, network, plan: None }, now);
        let known = known.await?;
        Ok(policy.rule(&Situation { intent, requester, known: &known, now }))
    }

    async fn decision(
        &self,
        subjects: &Subjects<'_>,
        evaluation: &Evaluation,
    ) -> Result<Decision, AppError> {
        let Some(requester) = subjects.principal(&evaluation.subject).await? else {
            let message = "nobody of this type and id has an access token here".to_owned();
            return Ok(Decision::fault("unknown_subject", 404, message));
        };
        let intent = match self.intent_of(evaluation) {
            Ok(intent) => intent,
            Err(faults) => return Ok(Decision::fault("unfit", 400, mapping::told(&faults))),
        };
        let ruling = self.ruling(subjects.caller(), &intent, &requester).await?;
        let decision = Decision::from(&ruling);
        if !self.authzen.access_request || decision.decision {
            return Ok(decision);
        }
        let presented = self.presented(evaluation, &intent, &requester, &ruling).await?;
        let is_own = subjects.is_caller(&requester);
        self.denied_or_approved(decision, presented, evaluation, is_own)
    }

    /// What an approval makes of a denial, and how to ask where that would help.
    fn denied_or_approved(
        &self,
        mut decision: Decision,
        presented: Presented,
        evaluation: &Evaluation,
        is_own: bool,
    ) -> Result<Decision, AppError> {
        let (reason, may_ask) = match presented {
            Presented::Stands(approval) => {
                decision.decision = true;
                decision.context.reason = None;
                decision.context.approval = Some(approval);
                return Ok(decision);
            }
            Presented::Nothing { may_ask } => (None, may_ask),
            Presented::Fails { reason, may_ask } => (Some(reason), may_ask),
        };
        if may_ask && is_own {
            self.make_requestable(&mut decision, evaluation)?;
        }
        if let Some(reason) = reason {
            let can_ask = decision.context.access_request.is_some();
            let next = if can_ask { NextAction::Request } else { NextAction::None };
            decision.context.reason = Some(reason.to_owned());
            decision.context.next_action = Some(next);
        }
        Ok(decision)
    }

    /// Says how to ask for what was denied. A context of too many members cannot be bound, and what
    /// cannot be bound cannot be asked for.
    fn make_requestable(
        &self,
        decision: &mut Decision,
        evaluation: &Evaluation,
    ) -> Result<(), AppError> {
        let members = mapping::bound_members(&evaluation.context);
        let (most, most_bytes) = MOST_MEMBERS;
        if members.len() > most || members.iter().map(String::len).sum::<usize>() > most_bytes {
            return Ok(());
        }
        let now = Timestamp::from_millis(self.clock.now().as_seconds().saturating_mul(1000));
        let denial = Denial {
            evaluation: self.chance.evaluation_id(now)?,
            at: now,
            expires_at: now.plus(DENIAL_LIFE),
            hash: evaluation.binding_hash(&members),
            members,
        };
        let endpoint = self.access_request_endpoint();
        let token =
            self.signer(&endpoint)?.sign_denial(&denial, &endpoint, self.chance.source())?;
        decision.context.evaluation_id = Some(denial.evaluation.to_string());
        decision.context.evaluated_at = Some(denial.at.to_string());
        decision.context.access_request = Some(Requestable {
            endpoint,
            expires_at: denial.expires_at.to_string(),
            binding_token: token,
        });
        Ok(())
    }

    fn intent_of(
        &self,
        evaluation: &Evaluation,
    ) -> Result<Intent, Vec<assent_core::intent::IntentFault>> {
        mapping::Mapping::of(evaluation, &self.authzen).verify()
    }

    /// Where denied things are asked for; also the audience of what binds a denial.
    fn access_request_endpoint(&self) -> String {
        format!("{}/access/v1/requests", self.base)
    }
}

fn item_of(item: &Value, defaults: &Map<String, Value>) -> Result<Evaluation, Unfit> {
    let not_one = || Unfit { member: "evaluations", problem: "expected objects".to_owned() };
    Evaluation::read(item.as_object().ok_or_else(not_one)?, defaults)
}
