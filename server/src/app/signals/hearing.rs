//! Signals about a subject: who may tell them, how one becomes durable, and what is known by them.
//!
//! What was heard is held in memory, because it is asked at every call; the ledger is what counts. A
//! signal is heard between decisions, never during one: whatever changes a request decides and commits
//! in a turn of its own, and a signal waits for those that are under way. So what was committed before
//! it is found when it is followed through, and what is committed after it was decided knowing it.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use assent_core::access::{Access, AccessError, Purpose};
use assent_core::id::SignalId;
use assent_core::intent::Intent;
use assent_core::policy::situation::Concerns;
use assent_core::principal::{Principal, PrincipalId, PrincipalKind, is_visible};
use assent_core::signal::source::{Source, Speaker};
use assent_core::signal::{Board, MAX_REASON, Says, Signal, Subject, Teller};
use assent_core::time::{Span, Timestamp};
use assent_core::wire;
use serde_json::Value;
use tokio::sync::{Notify, RwLockReadGuard, RwLockWriteGuard};

use crate::app::{AppError, Authority, Caller, Wish};
use crate::ledger::{Hearing, LedgerError, Spent};

/// What was heard, as far as it matters.
#[derive(Debug, Default)]
pub(in crate::app) struct Heard {
    board: RwLock<Arc<Board>>,
    /// Decisions hold it to read, and whoever hears to write.
    turns: tokio::sync::RwLock<()>,
    /// How many were heard by this process.
    count: AtomicU64,
    /// A call was given up while it was being written: only the ledger knows what became of it.
    doubtful: AtomicBool,
    told: Notify,
}

/// Marks what is heard as doubtful, if the call is given up before it is known.
struct InDoubt<'a>(Option<&'a Heard>);

impl Drop for InDoubt<'_> {
    fn drop(&mut self) {
        if let Some(heard) = self.0 {
            heard.doubtful.store(true, Ordering::SeqCst);
            heard.told.notify_one();
        }
    }
}

impl Heard {
    fn change(&self, change: impl FnOnce(&mut Board)) {
        let mut board = self.board.write().unwrap_or_else(PoisonError::into_inner);
        change(Arc::make_mut(&mut board));
        self.count.fetch_add(1, Ordering::SeqCst);
    }
}

impl Authority {
    /// What is known by signals.
    pub(in crate::app) fn board(&self) -> Arc<Board> {
        Arc::clone(&self.heard.board.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(in crate::app::signals) fn settled(&self, ids: &[SignalId]) {
        self.heard.change(|board| ids.iter().for_each(|id| board.settle(*id)));
    }

    /// How many signals were heard: a decision that took long looks whether that has changed.
    pub(in crate::app) fn heard_so_far(&self) -> u64 {
        self.heard.count.load(Ordering::SeqCst)
    }

    /// A turn to decide and commit in. Whoever holds one must not ask for another.
    pub(in crate::app) async fn before_the_next_signal(&self) -> RwLockReadGuard<'_, ()> {
        self.heard.turns.read().await
    }

    /// A turn in which nobody decides or commits anything: to end what somebody could be making
    /// something last by.
    pub(in crate::app) async fn while_nobody_decides(&self) -> RwLockWriteGuard<'_, ()> {
        self.heard.turns.write().await
    }

    /// Until something was told that is not followed through yet.
    pub(in crate::app) async fn told_something(&self) {
        self.heard.told.notified().await;
    }

    /// Whether only the ledger knows what was heard.
    pub(in crate::app::signals) fn is_doubtful(&self) -> bool {
        self.heard.doubtful.load(Ordering::SeqCst)
    }

    /// Learns from the ledger what was heard.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn learn_signals(&self) -> Result<(), AppError> {
        let _turn = self.heard.turns.write().await;
        // Should this fail, it is still to be done.
        self.heard.doubtful.store(true, Ordering::SeqCst);
        let mut board = Board::default();
        for kept in self.ledger.told().await? {
            let signal = wire::signal_from_entry(&kept.entry);
            let signal = signal.map_err(|error| LedgerError::Corrupt(error.to_string()))?;
            if let Some(signal) = signal {
                self.clock.has_been(signal.at.plus(Span::from_millis(1)));
                board.hear(signal, kept.settled);
            }
        }
        self.heard.change(|held| *held = board);
        self.heard.doubtful.store(false, Ordering::SeqCst);
        self.heard.told.notify_one();
        Ok(())
    }

    /// Takes in what an administrator or a source tells of a subject.
    ///
    /// # Errors
    /// [`AppError::NotASource`]; [`AppError::Field`]; [`AppError::KeyReused`].
    pub async fn tell_of(
        &self,
        caller: &Caller,
        sent: wire::NewSignal,
        wish: Wish,
    ) -> Result<wire::ToldSignal, AppError> {
        let now = self.clock.now();
        let field = |field, problem: String| AppError::Field { field, problem };
        let about = Subject::try_from(sent.about);
        let about = about.map_err(|error| field("about", error.to_string()))?.seen_by(&self.base);
        if let Subject::Environment(name) = &about
            && !assent_core::intent::is_label(name)
        {
            return Err(field("about", "that is no name of an environment".to_owned()));
        }
        let known = "expected suspended, risky, flagged, incident or clear";
        let says = wire::says(&sent.state).map_err(|_| field("state", known.to_owned()))?;
        if let Says::Is(concern) = says
            && !concern.fits(&about)
        {
            let problem =
                "an incident is in an environment; the others are of persons and workloads";
            return Err(field("state", problem.to_owned()));
        }
        let reason = sent.reason.trim().to_owned();
        if reason.is_empty() || reason.len() > MAX_REASON || !reason.chars().all(is_visible) {
            let problem = format!("say why, in at most {MAX_REASON} visible bytes on one line");
            return Err(field("reason", problem));
        }
        let until = sent.until.as_deref().map(|text| moment(text, now)).transpose()?;
        let teller = self.teller(caller, &about, says)?;
        let signal = Signal {
            id: wish.signal_id(),
            at: now,
            about,
            says,
            until: until.filter(|_| says != Says::Clear),
            reason,
            teller,
            topic: None,
            told_at: now,
            reactions: self.policy().on_signal().to(says),
        };
        let by = Some(&caller.principal().id);
        let id = signal.id;
        if let Some(heard) = self.hear(signal, by, None, Some(&wish)).await? {
            return Ok((&heard).into());
        }
        // The same call again has the same answer, another under its key has none.
        let kept = self.ledger.told().await?.into_iter().find(|kept| kept.id == id);
        let kept = kept.filter(|kept| kept.asked == Some(wish.asked));
        let entry = kept.ok_or(AppError::KeyReused)?.entry;
        self.learn_signals().await?;
        let signal = wire::signal_from_entry(&entry).ok().flatten();
        signal.as_ref().map(wire::ToldSignal::from).ok_or(AppError::KeyReused)
    }

    /// Whose word the caller's is.
    fn teller(&self, caller: &Caller, about: &Subject, says: Says) -> Result<Teller, AppError> {
        if caller.is_administrator() {
            return Ok(Teller::Administrator);
        }
        let is_caller = |source: &&Source| match &source.speaker {
            Speaker::Workload(id) => {
                let principal = caller.principal();
                caller.access().origin.is_none()
                    && principal.kind == PrincipalKind::Workload
                    && principal.id == *id
            }
            Speaker::Trust(trust) => {
                caller.access().origin.as_ref().is_some_and(|origin| origin.trust == *trust)
            }
        };
        let may = |source: &&Source| match says {
            Says::Is(concern) => source.may_tell(about, concern, &self.base),
            Says::Clear => source.speaks_of(about, &self.base),
        };
        let policy = self.policy();
        let found = policy.sources().filter(is_caller).find(may);
        let found = found.map(|source| Teller::Source(source.name.clone()));
        found.ok_or_else(|| AppError::NotASource(about.to_string()))
    }

    /// Makes a signal durable, and knows it from then on. `None` where it was heard before.
    pub(in crate::app::signals) async fn hear(
        &self,
        mut signal: Signal,
        by: Option<&PrincipalId>,
        token: Option<(Spent, Value)>,
        wish: Option<&Wish>,
    ) -> Result<Option<Signal>, AppError> {
        let turn = self.heard.turns.write().await;
        // Time passes while it waits for its turn, and nothing after it happens at the same moment.
        signal.at = self.clock.now();
        let (token, told) = token.unzip();
        let hearing = Hearing {
            signal: Some(signal.id),
            asked: wish.map(|wish| wish.asked),
            token,
            at: signal.at,
            entry: wire::signal_entry(&signal, by, told),
        };
        let mut in_doubt = InDoubt(Some(&self.heard));
        let is_new = self.ledger.hear(hearing).await;
        if is_new.is_ok() {
            in_doubt.0 = None;
        }
        if !is_new? {
            return Ok(None);
        }
        self.clock.has_been(signal.at.plus(Span::from_millis(1)));
        self.heard.change(|board| board.hear(signal.clone(), false));
        drop(turn);
        self.heard.told.notify_one();
        self.waiters.wake_log();
        let (about, state) = (&signal.about, signal.concern().map_or("clear", |c| c.word()));
        tracing::info!(signal = %signal.id, %about, state, teller = %signal.teller, "a signal was heard");
        Ok(Some(signal))
    }

    /// What is the matter with whoever asks, and where.
    pub(in crate::app) fn concerns(
        &self,
        intent: &Intent,
        requester: &Principal,
        now: Timestamp,
    ) -> Concerns {
        let board = self.board();
        let behind = self.membership().known_as(&requester.behind());
        Concerns {
            requester: board.with_any(&behind, now),
            environment: board.within(intent.environment(), now),
        }
    }

    /// Whoever is suspended of these: the principal itself, or somebody it acts for.
    pub(in crate::app) fn suspended_among(
        &self,
        principal: &Principal,
        now: Timestamp,
    ) -> Option<PrincipalId> {
        let suspended: BTreeSet<PrincipalId> = self.board().suspended(now);
        if suspended.is_empty() {
            return None;
        }
        let membership = self.membership();
        let is_suspended =
            |who: &&PrincipalId| suspended.iter().any(|other| membership.are_same(other, who));
        principal.behind().into_iter().find(is_suspended).cloned()
    }

    /// Whether whoever presents this may act: not suspended, and of a browser, or of a program that a
    /// browser let in, since it was last told that they may not be who they say they are.
    pub(in crate::app) fn check_standing(
        &self,
        access: &Access,
        now: Timestamp,
    ) -> Result<(), AccessError> {
        if let Some(who) = self.suspended_among(&access.principal, now) {
            return Err(AccessError::Suspended(who));
        }
        let by_browser = access.purpose == Purpose::Session || access.device.is_some();
        let ended = self.board().ends_session(&access.principal.id, access.created_at);
        match ended.filter(|_| by_browser) {
            Some(at) => Err(AccessError::Ended { id: access.id, at }),
            None => Ok(()),
        }
    }

    /// Forgets what matters to nobody any more.
    pub(in crate::app) async fn forget_told(&self, before: Timestamp) -> Result<(), AppError> {
        let now = self.clock.now();
        self.heard.change(|board| board.forget(now));
        let known = self.board().known().into_iter().collect();
        Ok(self.ledger.forget_told(before, known, now).await?)
    }
}

/// A moment that lies ahead: a time, or how long until then.
fn moment(text: &str, now: Timestamp) -> Result<Timestamp, AppError> {
    let at = match text.parse::<Span>() {
        Ok(span) => Ok(now.plus(span)),
        Err(_) => text.parse::<Timestamp>(),
    };
    let problem = || "expected a time ahead, RFC 3339, or how long from now: 4h".to_owned();
    let field = |problem| AppError::Field { field: "until", problem };
    let at = at.map_err(|_| field(problem()))?;
    if at > now { Ok(at) } else { Err(field(problem())) }
}
