//! Being out of office: from when to when, and who stands in.

use std::sync::Arc;

use askama::Template;
use assent_core::absence::Absence;
use assent_core::wire;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use crate::api::error::ApiError;
use crate::app::{Authority, Wish};
use crate::name::Name;
use crate::web::csrf::{Button, Ours};
use crate::web::session::SignedIn;
use crate::web::text::plain;
use crate::web::view::{self, Page};
use crate::web::when;

/// How many are listed, and how many names are offered.
const MOST: usize = 100;

#[derive(Template)]
#[template(path = "absence.html")]
struct AbsencePage {
    page: Page,
    is_let: bool,
    fault: Option<String>,
    form: AbsenceForm,
    /// Who can be named: the id, and what they are called.
    known: Vec<(String, String)>,
    own: Vec<AbsenceLine>,
    standing_in: Vec<AbsenceLine>,
    others: Vec<AbsenceLine>,
}

struct AbsenceLine {
    id: String,
    who: Name,
    to: Name,
    from: String,
    until: String,
    status: &'static str,
    may_end: bool,
}

#[derive(Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct AbsenceForm {
    to: String,
    from: String,
    until: String,
}

pub(super) async fn page(State(authority): State<Arc<Authority>>, me: SignedIn) -> Response {
    shown(&authority, &me, AbsenceForm::default(), None)
}

fn shown(
    authority: &Authority,
    me: &SignedIn,
    form: AbsenceForm,
    fault: Option<&ApiError>,
) -> Response {
    let all = match authority.absences(&me.caller) {
        Ok(all) => all,
        Err(error) => return view::fault(error),
    };
    let (now, membership) = (authority.clock().now(), authority.membership());
    let mine = &me.caller.principal().id;
    let line = |absence: &Absence| AbsenceLine {
        id: absence.id.to_string(),
        who: authority.name_of(&absence.who),
        to: authority.name_of(&absence.to),
        from: when::clock(absence.from),
        until: when::clock(absence.until),
        status: match (&absence.ended, absence.is_over(now), now < absence.from) {
            (Some(_), ..) => "ended",
            (None, true, _) => "over",
            (None, false, true) => "planned",
            (None, false, false) => "away",
        },
        may_end: !absence.is_over(now)
            && (membership.are_same(&absence.who, mine) || me.caller.is_administrator()),
    };
    let (mut own, mut standing_in, mut others) = (Vec::new(), Vec::new(), Vec::new());
    for absence in all.iter().take(MOST) {
        let place = if membership.are_same(&absence.who, mine) {
            &mut own
        } else if membership.are_same(&absence.to, mine) {
            &mut standing_in
        } else {
            &mut others
        };
        // Of others only what lasts still matters.
        if !absence.is_over(now) || membership.are_same(&absence.who, mine) {
            place.push(line(absence));
        }
    }
    let known = membership.names().filter_map(|group| membership.members(group)).flatten();
    let known: std::collections::BTreeSet<_> =
        known.filter(|who| !membership.are_same(who, mine)).collect();
    let status = fault.map_or(StatusCode::OK, ApiError::status);
    let fault = fault.map(|error| plain(&error.told()));
    let page = AbsencePage {
        page: me.page("Out of office").at("/settings"),
        is_let: authority.lets_name_stand_ins(),
        fault,
        form,
        known: known
            .into_iter()
            .take(MOST)
            .map(|who| (who.to_string(), authority.name_of(who).short))
            .collect(),
        own,
        standing_in,
        others,
    };
    (status, view::html(&page)).into_response()
}

pub(super) async fn begin(
    State(authority): State<Arc<Authority>>,
    Ours { me, form }: Ours<AbsenceForm>,
) -> Response {
    let AbsenceForm { to, from, until, .. } = form.clone();
    let body = format!("{to}\n{from}\n{until}\n{}", authority.clock().now().as_seconds() / 60);
    let wish = Wish::of_form(&me.caller, "page absence", &body);
    let from = Some(utc(&from)).filter(|from| !from.is_empty());
    let new = wire::NewAbsence { to, from, until: utc(&until) };
    match authority.begin_absence(&me.caller, new, wish).await {
        Ok(_) => Redirect::to("/settings/absence").into_response(),
        Err(error) => {
            let error = ApiError::from(error);
            error.log();
            shown(&authority, &me, form, Some(&error))
        }
    }
}

/// What a browser's field for a time says, which has no zone and here is in UTC: `2026-11-20T09:00`.
fn utc(text: &str) -> String {
    let text = text.trim();
    match text.len() {
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    }
}

pub(super) async fn end(
    State(authority): State<Arc<Authority>>,
    Path(id): Path<String>,
    Ours { me, .. }: Ours<Button>,
) -> Response {
    match authority.end_absence(&me.caller, &id).await {
        Ok(_) => Redirect::to("/settings/absence").into_response(),
        Err(error) => view::fault(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browsers_time_is_in_utc() {
        assert_eq!(utc("2026-11-20T09:00"), "2026-11-20T09:00:00Z");
        assert_eq!(utc("2026-11-20T09:00:30"), "2026-11-20T09:00:30Z");
        assert_eq!(utc("2026-11-20T09:00:00Z"), "2026-11-20T09:00:00Z");
    }
}
