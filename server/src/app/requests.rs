//! Filing, looking, waiting, reviewing, ending.

use std::time::Duration;

use assent_core::digest::Digest;
use assent_core::endorsement;
use assent_core::id::RequestId;
use assent_core::policy::quorum::Means;
use assent_core::policy::situation::Situation;
use assent_core::principal::is_visible;
use assent_core::request::{Event, Fact, Filing, Request, Said, Standing, Step, Version};
use assent_core::wire;
use serde_json::json;

use crate::app::heartbeats::promised;
use crate::app::refusals::Attempt;
use crate::app::situation::Asked;
use crate::app::{AppError, Authority, BeginError, Caller, TRIES, Wish};
use crate::ledger::{Beginning, Call, Commit, Met, NewCall, Search, States, Write};

/// The hints may be lost; the truth is looked at again this often.
const POLL: Duration = Duration::from_secs(15);
/// How many requests of one requester are pending at most, where nothing else is said.
pub const MOST_PENDING: u64 = 500;

/// What filing gave.
#[derive(Debug)]
pub struct Filed {
    /// The request.
    pub request: Request,
    /// Whether it is new, not met again.
    pub is_new: bool,
}

/// A page of requests.
#[derive(Debug)]
pub struct Listing {
    /// Newest first.
    pub requests: Vec<Request>,
    /// Where the next page begins.
    pub next: Option<RequestId>,
}

impl Authority {
    /// What policy would say. Nothing is stored.
    ///
    /// # Errors
    /// [`AppError::Intent`]; [`AppError::Field`] for a plan that is not known.
    pub async fn decide(
        &self,
        caller: &Caller,
        intent: wire::Intent,
    ) -> Result<wire::Decision, AppError> {
        let intent = intent.verify().map_err(AppError::Intent)?;
        self.check_scope(caller, &intent)?;
        let plan = self.plan_named(caller, &intent).await?;
        let (policy, now) = (self.policy(), self.clock.now());
        let requester = &self.in_all_groups(caller.principal());
        let (intent, network, plan) = (&intent, caller.network(), plan.as_ref());
        let asked = Asked { intent, requester, network, plan };
        let known = self.situation(&policy, asked, now).await?;
        let situation = Situation { intent, requester, known: &known, now };
        Ok(wire::Decision::near(&policy, &situation))
    }

    /// Files an intent, or meets the open request for it where the caller wants that.
    ///
    /// # Errors
    /// [`AppError::Intent`] with every fault; [`AppError::Field`] for a plan that is not known;
    /// [`AppError::Behind`] where nobody can say who is behind it; [`AppError::TooManyPending`];
    /// [`AppError::KeyReused`].
    pub async fn file(
        &self,
        caller: &Caller,
        filing: wire::Filing,
        wish: Wish,
    ) -> Result<Filed, AppError> {
        let heartbeat = promised(filing.heartbeat.as_deref())?;
        let intent = filing.intent.verify().map_err(AppError::Intent)?;
        self.check_scope(caller, &intent)?;
        self.check_question(caller, &intent)?;
        if filing.reattach
            && let Some(request) = self.gate_request(caller, &intent).await?
        {
            drop(self.present(caller, &request).await?);
            self.remember_met(&request, wish).await?;
            return Ok(Filed { request, is_new: false });
        }
        let plan = self.plan_named(caller, &intent).await?;
        let behind = self.behind_caller(caller, &intent).await?;
        let mut reattach = filing.reattach;
        for _ in 0..TRIES {
            let heard = self.heard_so_far();
            // One revision for all of one try: what is known is what that revision looks at.
            let (policy, now) = (self.policy(), self.clock.now());
            let requester = self.in_all_groups(caller.principal());
            let requester = &match &behind {
                Some(behind) => behind.of(requester),
                None => requester,
            };
            let (network, plan) = (caller.network(), plan.as_ref());
            let asked = Asked { intent: &intent, requester, network, plan };
            let known = self.situation(&policy, asked, now).await?;
            let situation = Situation { intent: &intent, requester, known: &known, now };
            let ruling = policy.rule(&situation);
            let step = Request::file(
                Filing {
                    id: self.chance.request_id(now)?,
                    intent: intent.clone(),
                    requester: requester.clone(),
                    ruling,
                    known,
                    heartbeat,
                },
                now,
            );
            let call = Some(NewCall { key: wish.key, asked: wish.asked, credential: None });
            let next = step.next().clone();
            // For how many one authority asks, it limits itself: each of its requesters there.
            let is_partner =
                intent.kind() == endorsement::KIND && requester.id.sub() == endorsement::CALLER;
            let most_pending = (!is_partner).then_some(self.most_pending);
            let unless_open = reattach;
            let write = Write { step, call, unless_open, most_pending };
            let turn = self.before_the_next_signal().await;
            // Whoever is told something now wants it ruled on: nothing is filed that it was not.
            if heard != self.heard_so_far() {
                continue;
            }
            let commit = self.ledger.commit(write).await?;
            drop(turn);
            match commit {
                Commit::Done(_) => {
                    self.written(&next);
                    let request = self.unless_superseded(next).await?;
                    return Ok(Filed { request, is_new: true });
                }
                Commit::Repeated(call) if call.asked == wish.asked => {
                    let request = self.at_version(call.request, call.version).await?;
                    return Ok(Filed { request, is_new: true });
                }
                Commit::Repeated(_) => return Err(AppError::KeyReused),
                Commit::Open(id) => {
                    let request = self.current(id).await?;
                    // Whoever is behind this call and not behind that request could approve their own.
                    let known = &request.requester().acts_for;
                    reattach = next.requester().acts_for.is_subset(known);
                    if reattach && request.state().is_open() {
                        drop(self.present(caller, &request).await?);
                        self.remember_met(&request, wish).await?;
                        return Ok(Filed { request, is_new: false });
                    }
                }
                Commit::TooMany => return Err(AppError::TooManyPending(self.most_pending)),
                Commit::Conflict => {}
            }
        }
        Err(AppError::Busy)
    }

    /// The same authority, where no more requests of one requester than this are pending.
    #[must_use]
    pub fn with_most_pending(self, most_pending: u64) -> Self {
        Self { most_pending, ..self }
    }

    /// A request that was ruled on under a policy that has been replaced meanwhile was not there
    /// when the pending ones were looked at.
    async fn unless_superseded(&self, filed: Request) -> Result<Request, AppError> {
        if filed.ruling().policy == self.policy().revision() {
            return Ok(filed);
        }
        self.reconsider(filed.id()).await?;
        self.current(filed.id()).await
    }

    /// A call that met an open request has its answer: the same call again is given it again.
    async fn remember_met(&self, request: &Request, wish: Wish) -> Result<(), AppError> {
        let (id, version) = (request.id(), request.version());
        let call = Call { asked: wish.asked, request: id, version, credential: None };
        let met = Met { key: wish.key, call, at: self.clock.now() };
        Ok(self.ledger.remember(met).await?)
    }

    /// A request that the caller may read. Any other is answered as one that is not there.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn request(&self, caller: &Caller, id: &str) -> Result<Request, AppError> {
        let request = self.current(id.parse()?).await?;
        let may = self.reader(caller).await.reads(&request);
        if may { Ok(request) } else { Err(not_found(&request.id().to_string())) }
    }

    /// A page of requests that the caller may read.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn requests(
        &self,
        caller: &Caller,
        states: States,
        before: Option<RequestId>,
        limit: usize,
    ) -> Result<Listing, AppError> {
        let reader = self.reader(caller).await;
        if reader.is_asked() {
            let states = states.words();
            let search = Search { states, before, limit, ..Search::default() };
            let (found, next) = self.concerning(&reader, search).await?;
            let requests = found.into_iter().map(|(_, request)| request).collect();
            return Ok(Listing { requests, next });
        }
        let mut requests = self.ledger.list(states, before, limit + 1).await?;
        let next = match requests.len() > limit {
            true => requests.get(limit.saturating_sub(1)).map(Request::id),
            false => None,
        };
        requests.truncate(limit);
        requests.retain(|request| reader.reads(request));
        Ok(Listing { requests, next })
    }

    /// The newest request with this intent.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn newest_with(&self, caller: &Caller, intent: Digest) -> Result<Request, AppError> {
        let missing =
            || AppError::NotFound { what: "request for the intent", id: intent.to_string() };
        let id = self.ledger.newest_with(intent).await?.ok_or_else(missing)?;
        match self.request(caller, &id.to_string()).await {
            Err(AppError::NotFound { .. }) => Err(missing()),
            found => found,
        }
    }

    /// The caller's own newest request with exactly this intent.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn newest_of_mine(&self, caller: &Caller, intent: &str) -> Result<Request, AppError> {
        let id = intent.chars().take(80).collect::<String>();
        let missing = || AppError::NotFound { what: "request of yours with the intent", id };
        let Ok(digest) = intent.parse::<Digest>() else { return Err(missing()) };
        match self.ledger.newest_of(digest, &caller.principal().id).await? {
            Some(found) => self.current(found).await,
            None => Err(missing()),
        }
    }

    /// Says that the action begins. From then on no filing meets the request, so that what was
    /// approved once is not done twice; credentials can still be minted from it.
    ///
    /// # Errors
    /// [`AppError::Consume`] where there is no grant; [`AppError::Begin`].
    pub async fn begin(&self, caller: &Caller, id: &str, wish: Wish) -> Result<Request, AppError> {
        let begun = self.try_begin(caller, id, wish).await;
        self.noted(caller, id, Attempt::Begin, begun).await
    }

    async fn try_begin(&self, caller: &Caller, id: &str, wish: Wish) -> Result<Request, AppError> {
        let asked = self.request(caller, id).await?;
        self.check_partners(caller, &asked).await?;
        let _turn = self.before_the_next_signal().await;
        let request = self.request(caller, id).await?;
        self.check_scope(caller, request.intent())?;
        let (by, at) = (&caller.principal().id, self.clock.now());
        request.check_begin(caller.principal(), &self.membership(), at)?;
        let entry = json!({
            "v": 1, "type": "begun", "at": at.to_string(),
            "by": by.to_json(), "begun": request.id().to_string(),
        });
        let (id, intent, key) = (request.id(), request.digest(), wish.key);
        if !self.ledger.begin(Beginning { request: id, intent, key, at, entry }).await? {
            // The grant may have ended between the look and the write.
            let now = self.current(id).await?;
            now.check_begin(caller.principal(), &self.membership(), at)?;
            return Err(BeginError::Already.into());
        }
        self.waiters.wake_log();
        Ok(request)
    }

    /// Waits until the request has a later version than `after`, or until the timeout, and answers
    /// with it as it is then. Where the requester is listened for, it is heard of as long as it waits.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::Closing`] when the server stops meanwhile.
    pub async fn wait(
        &self,
        caller: &Caller,
        id: &str,
        after: Version,
        timeout: Duration,
    ) -> Result<Request, AppError> {
        let mut parked = self.waiters.on(id.parse()?);
        let over = tokio::time::sleep(timeout);
        tokio::pin!(over);
        let mut present = None;
        loop {
            let request = self.request(caller, id).await?;
            match &mut present {
                None => present = self.present(caller, &request).await?,
                Some(present) => self.still_present(present).await?,
            }
            if request.version() > after || over.is_elapsed() {
                return Ok(request);
            }
            let due = request.due_at().map(|at| self.clock.now().until(at).into());
            // Thousands may be parked here: none of them holds its request meanwhile.
            drop(request);
            let look_again = due.map_or(POLL, |due: Duration| due.min(POLL));
            let beat = present.as_ref().map_or(POLL, |present| present.pause().into());
            let look_again = look_again.min(beat);
            tokio::select! {
                () = parked.hint() => {}
                () = &mut over => {}
                () = tokio::time::sleep(look_again.max(Duration::from_millis(5))) => {}
                () = self.closing.cancelled() => return Err(AppError::Closing),
            }
        }
    }

    /// Waits until there are entries from this index on, or until the timeout.
    ///
    /// # Errors
    /// [`AppError::Closing`] when the server stops meanwhile.
    pub async fn await_entries(
        &self,
        from: u64,
        limit: usize,
        timeout: Duration,
    ) -> Result<Vec<serde_json::Value>, AppError> {
        let mut hints = self.waiters.on_log();
        let over = tokio::time::sleep(timeout);
        tokio::pin!(over);
        loop {
            hints.mark_unchanged();
            let entries = self.ledger.entries(from, limit).await?;
            if !entries.is_empty() || over.is_elapsed() {
                return Ok(entries);
            }
            tokio::select! {
                _ = hints.changed() => {}
                () = &mut over => {}
                () = self.closing.cancelled() => return Err(AppError::Closing),
            }
        }
    }

    /// Takes a person's review.
    ///
    /// # Errors
    /// [`AppError::Review`] says why not; a denial needs a comment.
    pub async fn review(
        &self,
        caller: &Caller,
        id: &str,
        review: wire::NewReview,
        wish: Wish,
    ) -> Result<Request, AppError> {
        // What is on record stays so, though what was signed then is too old by now.
        if let Some(call) = self.ledger.recall(wish.key).await? {
            return self.again(call, wish).await;
        }
        let sent = review.signature.clone();
        let said = said(caller, review)?;
        self.check_signs_in(caller)?;
        let signature = self.signature(caller, sent.clone()).await?;
        let asked = self.request(caller, id).await?;
        self.confirm_people(caller, &asked).await?;
        let changed = self.change(caller, id, wish, |request| {
            let now = self.clock.now();
            let review_id = self.chance.review_id(now)?;
            let (members, said) = (&self.membership(), (said.clone(), signature.clone()));
            Ok(request.review_signed(review_id, caller.principal(), said, members, now)?)
        });
        let changed = changed.await;
        if matches!(changed, Err(AppError::Busy)) {
            // A passkey that is removed meanwhile signs nothing, however often that is tried.
            self.signature(caller, sent).await?;
        }
        changed
    }

    /// Takes back the caller's own review of a pending request.
    ///
    /// # Errors
    /// [`AppError::Withdraw`].
    pub async fn withdraw(
        &self,
        caller: &Caller,
        id: &str,
        reason: wire::Reason,
        wish: Wish,
    ) -> Result<Request, AppError> {
        let reason = checked(reason)?;
        self.change(caller, id, wish, |request| {
            let (by, members) = (caller.principal(), &self.membership());
            Ok(request.withdraw(by, reason.clone(), members, self.clock.now())?)
        })
        .await
    }

    /// Withdraws a pending request.
    ///
    /// # Errors
    /// [`AppError::Cancel`].
    pub async fn cancel(
        &self,
        caller: &Caller,
        id: &str,
        reason: wire::Reason,
        wish: Wish,
    ) -> Result<Request, AppError> {
        let reason = checked(reason)?;
        self.change(caller, id, wish, |request| {
            Ok(request.cancel(caller.principal(), reason.clone(), self.clock.now())?)
        })
        .await
    }

    /// Says that the action is over.
    ///
    /// # Errors
    /// [`AppError::Complete`].
    pub async fn complete(
        &self,
        caller: &Caller,
        id: &str,
        wish: Wish,
    ) -> Result<Request, AppError> {
        let decide =
            |request: &Request| Ok(request.complete(caller.principal(), self.clock.now())?);
        let completed = self.change(caller, id, wish, decide).await;
        self.noted(caller, id, Attempt::Complete, completed).await
    }

    /// Takes a grant and its credentials back.
    ///
    /// # Errors
    /// [`AppError::Revoke`].
    pub async fn revoke(
        &self,
        caller: &Caller,
        id: &str,
        reason: wire::Reason,
        wish: Wish,
    ) -> Result<Request, AppError> {
        let reason = checked(reason)?;
        self.change(caller, id, wish, |request| {
            let (by, standing) = (caller.principal(), standing(caller));
            let now = self.clock.now();
            Ok(request.revoke(by, standing, reason.clone(), &self.membership(), now)?)
        })
        .await
    }

    /// The request as it is, after what the passing of time alone has done to it, and what was told.
    pub(super) async fn current(&self, id: RequestId) -> Result<Request, AppError> {
        for _ in 0..TRIES {
            let found = self.ledger.load(id, None).await?;
            let request = found.ok_or_else(|| not_found(&id.to_string()))?;
            let step = match request.lapse(self.clock.now()) {
                Some(step) => Some(step),
                None => match self.stop_of(&request).await? {
                    Some(step) => Some(step),
                    None => self.silence(&request).await?,
                },
            };
            let Some(step) = step else { return Ok(request) };
            let events = step.events().to_vec();
            if let Some(next) = self.lapsed(step).await? {
                events.iter().for_each(warn_of_missed);
                // Of several that are silent one is ended at a time; and what time did not end, a
                // signal may.
                let goes_on = self.stop_of(&next).await?.is_none();
                if goes_on && self.silence(&next).await?.is_none() {
                    return Ok(next);
                }
            }
        }
        Err(AppError::Busy)
    }

    pub(super) async fn at_version(
        &self,
        id: RequestId,
        version: Version,
    ) -> Result<Request, AppError> {
        let found = self.ledger.load(id, Some(version)).await?;
        found.ok_or_else(|| not_found(&id.to_string()))
    }

    /// Commits a step that no caller asked for.
    pub(super) async fn commit_alone(&self, step: Step) -> Result<Commit, AppError> {
        let next = step.next().clone();
        let commit = self
            .ledger
            .commit(Write { step, call: None, unless_open: false, most_pending: None })
            .await?;
        if matches!(commit, Commit::Done(_)) {
            self.written(&next);
        }
        Ok(commit)
    }

    /// Decides on the request as it is and commits; decides anew if it has moved on meanwhile.
    pub(super) async fn change(
        &self,
        caller: &Caller,
        id: &str,
        wish: Wish,
        decide: impl Fn(&Request) -> Result<Step, AppError>,
    ) -> Result<Request, AppError> {
        if let Some(call) = self.ledger.recall(wish.key).await? {
            return self.again(call, wish).await;
        }
        for _ in 0..TRIES {
            let _turn = self.before_the_next_signal().await;
            let request = self.request(caller, id).await?;
            self.check_scope(caller, request.intent())?;
            let step = decide(&request)?;
            let next = step.next().clone();
            let call = Some(NewCall { key: wish.key, asked: wish.asked, credential: None });
            match self
                .ledger
                .commit(Write { step, call, unless_open: false, most_pending: None })
                .await?
            {
                Commit::Done(_) => {
                    self.written(&next);
                    return Ok(next);
                }
                Commit::Repeated(call) => return self.again(call, wish).await,
                Commit::Conflict | Commit::Open(_) | Commit::TooMany => {}
            }
        }
        Err(AppError::Busy)
    }

    /// The answer that this call was given before.
    async fn again(&self, call: Call, wish: Wish) -> Result<Request, AppError> {
        if call.asked != wish.asked {
            return Err(AppError::KeyReused);
        }
        self.at_version(call.request, call.version).await
    }
}

/// A door that has closed for everybody is nothing to be found out by chance.
fn warn_of_missed(event: &Event) {
    if let Fact::PostReviewMissed { rule, suspended } = &event.fact {
        let request = event.request;
        tracing::warn!(%request, rule, suspended, "a later review was missed");
    }
}

pub(super) fn standing(caller: &Caller) -> Standing {
    if caller.is_administrator() { Standing::Administrator } else { Standing::Own }
}

/// What a reviewer says, as far as it can be seen to be right by itself.
pub(super) fn said(caller: &Caller, review: wire::NewReview) -> Result<Said, AppError> {
    let digest = review
        .digest
        .parse()
        .map_err(|problem| AppError::Field { field: "digest", problem: format!("{problem}") })?;
    let comment = review.comment.trim().to_owned();
    let silent_denial = review.verdict == wire::Verdict::Deny && comment.is_empty();
    if silent_denial || comment.len() > 2_000 {
        let problem = "say why, in at most 2000 bytes".to_owned();
        return Err(AppError::Field { field: "comment", problem });
    }
    // A form of a page sends its line ends in two characters.
    let comment = comment.replace("\r\n", "\n");
    check_visible("comment", &comment)?;
    let (verdict, signed_in_at) = (review.verdict.into(), caller.signed_in_at());
    let login = caller.access().login.as_ref();
    let means = login.map(|login| Means { acr: login.acr.clone(), amr: login.amr.clone() });
    let means = means.unwrap_or_default();
    Ok(Said { verdict, digest, comment, signed_in_at, means })
}

pub(super) fn checked(reason: wire::Reason) -> Result<String, AppError> {
    let reason = reason.reason.trim().to_owned();
    if reason.len() > 2_000 {
        let problem = "at most 2000 bytes".to_owned();
        return Err(AppError::Field { field: "reason", problem });
    }
    check_visible("reason", &reason)?;
    Ok(reason)
}

/// What one person writes is shown to others, on pages and on terminals: nothing in it may hide or
/// steer them.
fn check_visible(field: &'static str, text: &str) -> Result<(), AppError> {
    match text.chars().find(|letter| !is_visible(*letter) && *letter != '\n') {
        None => Ok(()),
        Some(letter) => {
            let problem = format!("holds the invisible character `{}`", letter.escape_unicode());
            Err(AppError::Field { field, problem })
        }
    }
}

fn not_found(id: &str) -> AppError {
    AppError::NotFound { what: "request", id: id.to_owned() }
}
