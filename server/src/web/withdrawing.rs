//! What of a request's page is about reviews that were withdrawn, or may be, and about who stands in.

use std::collections::BTreeSet;
use std::sync::Arc;

use assent_core::request::{Request, State as RequestState, Withdrawn};
use assent_core::wire;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::app::{Authority, Wish};
use crate::name::Name;
use crate::web::csrf::Ours;
use crate::web::session::SignedIn;
use crate::web::text::plain;
use crate::web::view;
use crate::web::when;

/// How many stand-ins are named.
const MOST: usize = 5;

/// What `withdrawing.html` shows.
pub(super) struct Withdrawing {
    /// Whether a review of whoever looks stands, and may be withdrawn.
    pub(super) may_withdraw: bool,
    pub(super) withdrawn: Vec<WithdrawnLine>,
    /// Who is away, and who stands in, in one sentence each.
    pub(super) away: Vec<String>,
}

pub(super) struct WithdrawnLine {
    pub(super) who: Name,
    pub(super) given_at: String,
    pub(super) at: String,
    pub(super) reason: String,
}

impl Withdrawing {
    pub(super) fn of(authority: &Authority, me: &SignedIn, request: &Request) -> Self {
        let pending = matches!(request.state(), RequestState::Pending(_));
        let own = request.standing_review(&me.caller.principal().id);
        let away = if pending { away(authority, request) } else { Vec::new() };
        Self {
            may_withdraw: pending && own.is_some(),
            withdrawn: request
                .withdrawn()
                .iter()
                .map(|one| WithdrawnLine::of(authority, one))
                .collect(),
            away,
        }
    }
}

impl WithdrawnLine {
    fn of(authority: &Authority, withdrawn: &Withdrawn) -> Self {
        Self {
            who: authority.name_of(&withdrawn.review.reviewer),
            given_at: when::clock(withdrawn.review.at),
            at: when::clock(withdrawn.at),
            reason: plain(&withdrawn.reason),
        }
    }
}

/// Of the people who are asked, those who are away.
fn away(authority: &Authority, request: &Request) -> Vec<String> {
    let membership = authority.membership();
    let stages = request.asked_stages();
    let asked: BTreeSet<_> =
        stages.iter().flat_map(|stage| membership.people(&stage.from)).collect();
    let lines = asked.into_iter().flat_map(|who| {
        let stand_ins = membership.stand_ins_of(who).map(|to| authority.name_of(to).short);
        let who = authority.name_of(who).short;
        stand_ins.map(move |to| format!("{who} is away; {to} stands in."))
    });
    lines.take(MOST).collect()
}

#[derive(Deserialize)]
pub(super) struct WithdrawForm {
    #[serde(default)]
    reason: String,
}

/// Takes back one's own review.
pub(super) async fn withdraw(
    State(authority): State<Arc<Authority>>,
    Path(id): Path<String>,
    Ours { me, form }: Ours<WithdrawForm>,
) -> Response {
    // The same form sent twice is one wish; another review of the same request is another.
    let standing = match authority.request(&me.caller, &id).await {
        Ok(request) => request.standing_review(&me.caller.principal().id).map(|review| review.id),
        Err(error) => return view::fault(error),
    };
    let body =
        format!("{id}\n{}\n{}", standing.map_or(String::new(), |id| id.to_string()), form.reason);
    let wish = Wish::of_form(&me.caller, "page withdraw", &body);
    let reason = wire::Reason { reason: form.reason.replace("\r\n", "\n") };
    match authority.withdraw(&me.caller, &id, reason, wish).await {
        Ok(request) => Redirect::to(&format!("/requests/{}", request.id())).into_response(),
        Err(error) => view::fault(error),
    }
}
