//! Being told: what the ledger posted with a step finds its recipients, and goes out.
//!
//! What happened is posted in the transaction of the step. From there one loop finds out, by policy
//! and membership, to whom it goes; another for each way out tells it, tries again what failed after
//! ever longer pauses, and gives up in the end. A way that is away keeps nothing back but what would
//! go by it, and nobody who files or decides ever waits for any of this.
//!
//! A person who may not read a request is not told of it, neither when it is found out to whom it goes nor
//! when it goes out. Every channel that policy or the settings name may be told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assent_core::id::NoticeId;
use assent_core::membership::Membership;
use assent_core::notice::{Means, Recipient, Told, Wishes, recipients};
use assent_core::principal::PrincipalId;
use assent_core::request::{Request, State};
use assent_core::time::{Span, Timestamp};
use assent_core::wire;
use futures_util::future::join_all;
use serde_json::json;
use tokio::sync::watch;

use crate::app::{AppError, Authority, Caller};
use crate::ledger::outbox::{Counts, Found, Notice, Posted, Standing, To};
use crate::ledger::{Keeping, Kept, LedgerError};
use crate::notify::{Channels, Message, NotTold, Person, Then};

/// How often it is looked whether something's time has come.
const EVERY: Duration = Duration::from_secs(1);
/// How many at a time.
const AT_ONCE: usize = 64;
/// How often something is tried before it is given up.
const TRIES: u32 = 12;
/// The pause after the first try that failed; four times as long after each further one.
const FIRST_PAUSE: Span = Span::seconds(2);
/// And at most.
const LONGEST_PAUSE: Span = Span::hours(2);
/// For how long a way that was away is left alone at most, unless it says so itself.
const LONGEST_REST: Span = Span::minutes(1);
/// For how long it is known what became of a notice.
const KEPT_FOR: Span = Span::hours(30 * 24);
/// How many notices are shown.
const SHOWN: usize = 200;

/// What is known of telling beyond the ledger. It can be lost: then everything is tried at once.
#[derive(Debug)]
pub(super) struct Telling {
    addressed: watch::Sender<()>,
    ways: Mutex<BTreeMap<String, Trouble>>,
    /// Of which steps nobody can be told, because what is kept of them does not read.
    damaged: Mutex<BTreeSet<u64>>,
}

impl Default for Telling {
    fn default() -> Self {
        Self {
            addressed: watch::Sender::new(()),
            ways: Mutex::default(),
            damaged: Mutex::default(),
        }
    }
}

/// What stands in the way of a way out.
#[derive(Clone, Debug)]
struct Trouble {
    problem: String,
    rests_until: Timestamp,
}

impl Telling {
    fn ways(&self) -> MutexGuard<'_, BTreeMap<String, Trouble>> {
        self.ways.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn damaged(&self) -> MutexGuard<'_, BTreeSet<u64>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each is logged once.
    fn note_damaged(&self, found: Vec<(u64, String)>) {
        let mut damaged = self.damaged();
        for (place, problem) in found {
            if damaged.insert(place) {
                tracing::error!(place, problem, "nobody is told of a step: it does not read");
            }
        }
    }

    fn rests(&self, way: &str, now: Timestamp) -> bool {
        self.ways().get(way).is_some_and(|trouble| now < trouble.rests_until)
    }
}

impl Authority {
    /// The same, telling by these ways.
    #[must_use]
    pub fn with_channels(self, channels: impl Into<Arc<Channels>>) -> Self {
        Self { channels: channels.into(), ..self }
    }

    /// Tells until the server stops. What is under way then is told by the next start: perhaps a
    /// second time, under the same id.
    pub async fn tell_until_closing(&self) {
        let ways = self.channels.ways();
        let ways = ways.iter().map(|(way, _)| self.tell_by_until_closing(way));
        tokio::join!(self.address_until_closing(), join_all(ways));
    }

    async fn address_until_closing(&self) {
        let mut written = self.waiters.on_log();
        loop {
            written.mark_unchanged();
            if let Err(error) = self.address_posted().await {
                tracing::warn!(%error, "to whom something is told will be found out later");
            }
            tokio::select! {
                _ = written.changed() => {}
                () = tokio::time::sleep(EVERY) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    async fn tell_by_until_closing(&self, way: &str) {
        let mut addressed = self.telling.addressed.subscribe();
        loop {
            addressed.mark_unchanged();
            match self.tell_by(way).await {
                // There may be more.
                Ok(told) if told >= AT_ONCE => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(way, %error, "notices could not be looked for"),
            }
            tokio::select! {
                _ = addressed.changed() => {}
                () = tokio::time::sleep(EVERY) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// Finds the recipients of everything that was posted, and tells what is due, once; says how much
    /// was told.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn tell_due(&self) -> Result<usize, AppError> {
        self.address_posted().await?;
        let mut told = 0;
        for (way, _) in self.channels.ways() {
            told += self.tell_by(&way).await?;
        }
        Ok(told)
    }

    /// Forgets what became of notices long ago.
    pub(super) async fn forget_notices(&self, now: Timestamp) -> Result<(), AppError> {
        Ok(self.ledger.outbox().forget_notices(now.before(KEPT_FOR)).await?)
    }

    async fn address_posted(&self) -> Result<(), AppError> {
        loop {
            let Found { posted: all, damaged } = self.ledger.outbox().posted(AT_ONCE).await?;
            self.telling.note_damaged(damaged);
            if all.is_empty() {
                return Ok(());
            }
            let (mut done, mut notices) = (Vec::new(), Vec::new());
            for posted in all {
                match self.addressed(&posted).await {
                    Ok(found) => notices.extend(found),
                    Err(AppError::Ledger(LedgerError::Corrupt(problem))) => {
                        // Others are told of theirs.
                        tracing::error!(request = %posted.request, problem, "nobody is told of it");
                    }
                    Err(error) => return Err(error),
                }
                done.push(posted.seq);
            }
            self.ledger.outbox().address(done, notices).await?;
            self.telling.addressed.send_replace(());
        }
    }

    /// The notices of a step: one to each recipient, of what matters most to them.
    async fn addressed(&self, posted: &Posted) -> Result<Vec<Notice>, AppError> {
        let Some(request) = self.ledger.load(posted.request, Some(posted.version)).await? else {
            return Ok(Vec::new());
        };
        let (policy, membership) = (self.policy(), self.membership_to_tell());
        let mut each: BTreeMap<Recipient, &Told> = BTreeMap::new();
        for told in &posted.told {
            for recipient in recipients(told, &request, policy.notices(), &membership) {
                let most = each.entry(recipient).or_insert(told);
                if told.occasion > most.occasion {
                    *most = told;
                }
            }
        }
        let mut notices = Vec::new();
        for (recipient, told) in each {
            match recipient {
                Recipient::Channel(name) => {
                    let is_set_up = self.channels.has(&name);
                    let to = To::Channel(name.clone());
                    let mut notice = Notice::new(posted, told.clone(), to, told.at);
                    if !is_set_up {
                        notice.standing = Standing::Dead;
                        notice.problem = Some(format!("no channel `{name}` is set up"));
                    }
                    notices.push(notice);
                }
                Recipient::Person(who) => {
                    if !self.may_be_told(&who, &request).await? {
                        continue;
                    }
                    let deadline = request.deadline();
                    notices
                        .extend(self.to_person(posted, told, &who, deadline, &membership).await?);
                }
            }
        }
        self.change_standing(posted, &mut notices).await?;
        Ok(notices)
    }

    /// A notice by each means that the person wishes, or else by the first by which they can be told.
    async fn to_person(
        &self,
        posted: &Posted,
        told: &Told,
        who: &PrincipalId,
        deadline: Option<Timestamp>,
        membership: &Membership,
    ) -> Result<Vec<Notice>, AppError> {
        let possible = self.channels.means_of(&self.person_to_tell(membership, who));
        let wishes = self.wishes_of(who).await?;
        let wished = possible.iter().filter(|means| wishes.by.contains(means));
        let wished: BTreeSet<Means> = wished.copied().collect();
        let by = match wished.is_empty() {
            true => possible.into_iter().take(1).collect(),
            false => wished,
        };
        // Of what happened while this server was away it is told now, and perhaps now is night.
        let now = self.clock.now();
        let due = Some(wishes.due(told.occasion, deadline, now)).filter(|due| *due > now);
        let notice = |means| {
            let to = To::Person(who.clone(), means);
            let at_once = Notice::new(posted, told.clone(), to, told.at);
            match due {
                Some(due) => Notice { due, held: true, ..at_once },
                None => at_once,
            }
        };
        Ok(by.into_iter().map(notice).collect())
    }

    fn person_to_tell(&self, membership: &Membership, who: &PrincipalId) -> Person {
        let known_as = membership.known_as(&[who].into());
        let mail = self.mail_address(&known_as);
        Person { known_as, mail }
    }

    async fn wishes_of(&self, who: &PrincipalId) -> Result<Wishes, AppError> {
        let kept = self.ledger.outbox().wishes(who).await?.unwrap_or_default();
        Ok(Wishes::try_from(&kept).unwrap_or_else(|error| {
            // A zone that a newer database does not know any more.
            tracing::warn!(%who, %error, "somebody's wishes cannot be met");
            Wishes::default()
        }))
    }

    /// Where a request is decided, messages that ask for it are changed in the place where they stand.
    async fn change_standing(
        &self,
        posted: &Posted,
        notices: &mut Vec<Notice>,
    ) -> Result<(), AppError> {
        let Some(decided) = posted.told.iter().find(|told| told.occasion.decides()) else {
            return Ok(());
        };
        for earlier in self.ledger.outbox().notices_of(posted.request).await? {
            let is_told = notices.iter().any(|notice| notice.to == earlier.to);
            if earlier.begun && earlier.told.occasion.asks() && !is_told {
                let told = decided.clone();
                let notice = Notice::new(posted, told, earlier.to.clone(), decided.at);
                notices.push(Notice { only_changes: true, ..notice });
            }
        }
        Ok(())
    }

    /// Tells what is due by this way, longest due first; says how much of it is settled.
    async fn tell_by(&self, way: &str) -> Result<usize, AppError> {
        let now = self.clock.now();
        if self.telling.rests(way, now) {
            return Ok(0);
        }
        let due = self.ledger.outbox().due_notices(way, now, AT_ONCE).await?;
        let mut settled = 0;
        for together in together(due) {
            match self.send(together).await? {
                Telt::Settled(count) => settled += count,
                Telt::Away => break,
            }
        }
        Ok(settled)
    }

    async fn send(&self, mut together: Vec<Notice>) -> Result<Telt, AppError> {
        let Some(to) = together.first().map(|notice| notice.to.clone()) else {
            return Ok(Telt::Settled(0));
        };
        let mut messages = Vec::new();
        for notice in &mut together {
            match self.message(notice).await? {
                Some(message) => messages.push(message),
                None => notice.standing = Standing::Moot,
            }
        }
        let count = together.len();
        if messages.is_empty() {
            self.ledger.outbox().keep_notices(together).await?;
            return Ok(Telt::Settled(count));
        }
        let person = match to.recipient() {
            Recipient::Person(who) => self.person_to_tell(&self.membership(), &who),
            Recipient::Channel(_) => Person::default(),
        };
        let standing = match together.as_mut_slice() {
            [one] => match self.before(one).await? {
                Before::Nothing if one.only_changes => {
                    one.standing = Standing::Moot;
                    self.ledger.outbox().keep_notices(together).await?;
                    return Ok(Telt::Settled(count));
                }
                Before::Nothing => None,
                Before::Message(message) => Some(message),
                Before::Unsettled(due) => {
                    one.due = due.plus(Span::from_millis(1));
                    self.ledger.outbox().keep_notices(together).await?;
                    return Ok(Telt::Settled(0));
                }
            },
            _ => None,
        };
        if self.channels.changes(&to) && together.iter().any(|notice| !notice.begun) {
            together.iter_mut().for_each(|notice| notice.begun = true);
            self.ledger.outbox().keep_notices(together.clone()).await?;
        }
        let now = self.clock.now();
        let told = self.channels.tell(&to, &person, &messages, standing.as_deref(), now).await;
        let now = self.clock.now();
        let outcome = match &told {
            Ok(message) => {
                self.telling.ways().remove(&to.way());
                told_all(&mut together, message.as_deref());
                Telt::Settled(count)
            }
            Err(not_told) => self.not_told(&mut together, not_told, now),
        };
        self.ledger.outbox().keep_notices(together).await?;
        Ok(outcome)
    }

    /// What was told of the request in the same place before, where the way can change it.
    async fn before(&self, notice: &Notice) -> Result<Before, AppError> {
        if !notice.told.occasion.decides() || !self.channels.changes(&notice.to) {
            return Ok(Before::Nothing);
        }
        let all = self.ledger.outbox().notices_of(notice.request).await?;
        let mut before = Before::Nothing;
        for earlier in all.into_iter().filter(|one| one.to == notice.to && one.id != notice.id) {
            match (earlier.standing, earlier.message) {
                (Standing::Waiting, _) if earlier.begun => {
                    return Ok(Before::Unsettled(earlier.due));
                }
                (Standing::Sent, Some(message)) => before = Before::Message(message),
                (Standing::Waiting | Standing::Sent | Standing::Dead | Standing::Moot, _) => {}
            }
        }
        Ok(before)
    }

    /// What a notice says; `None` where nobody needs to be told it any more.
    async fn message(&self, notice: &Notice) -> Result<Option<Message>, AppError> {
        let Some(then) = self.ledger.load(notice.request, Some(notice.version)).await? else {
            return Ok(None);
        };
        if let Recipient::Person(who) = notice.to.recipient()
            && !self.may_be_told(&who, &then).await?
        {
            return Ok(None);
        }
        // One that may stand there already is told again, under the same id, to be changed then; and
        // programs are told everything.
        let may_be_moot = !notice.begun && !self.channels.is_for_programs(&notice.to);
        if notice.told.occasion.asks() && may_be_moot {
            let now = self.ledger.load(notice.request, None).await?;
            let asks = |request: &Request| match notice.to.recipient() {
                Recipient::Person(who) => still_asks(request, &who, &self.membership()),
                Recipient::Channel(_) => matches!(request.state(), State::Pending(_)),
            };
            if !now.as_ref().is_some_and(asks) {
                return Ok(None);
            }
        }
        Ok(Some(Message::of(notice, &then, &self.base, &|who| self.name_of(who))))
    }

    /// Notes a try that failed, and when there is another.
    fn not_told(&self, together: &mut [Notice], why: &NotTold, now: Timestamp) -> Telt {
        let mut next = now;
        for notice in together.iter_mut().filter(|notice| notice.standing == Standing::Waiting) {
            notice.attempts += 1;
            notice.problem = Some(why.problem.clone());
            let pause = pause(notice.attempts, notice.id);
            notice.due = now.plus(match why.then {
                Then::Away(Some(wanted)) => pause.max(wanted),
                Then::Away(None) | Then::Later | Then::Never => pause,
            });
            next = next.max(notice.due);
            if why.then == Then::Never || notice.attempts >= TRIES {
                notice.standing = Standing::Dead;
            }
            let (id, to, problem) = (notice.id, &notice.to, &why.problem);
            let attempts = notice.attempts;
            match notice.standing {
                Standing::Dead => tracing::error!(%id, %to, problem, attempts, "given up"),
                Standing::Waiting | Standing::Sent | Standing::Moot => {
                    tracing::warn!(%id, %to, problem, attempts, "not told yet");
                }
            }
        }
        // What is told together is tried together.
        together.iter_mut().for_each(|notice| notice.due = next);
        let Some(to) = together.first().map(|notice| &notice.to) else { return Telt::Away };
        let rests_until = match why.then {
            Then::Away(wanted) => {
                let rest = now.until(next).min(LONGEST_REST);
                now.plus(wanted.map_or(rest, |wanted| rest.max(wanted)))
            }
            Then::Later | Then::Never => now,
        };
        let trouble = Trouble { problem: why.problem.clone(), rests_until };
        self.telling.ways().insert(to.way(), trouble);
        match why.then {
            Then::Away(_) => Telt::Away,
            Then::Later | Then::Never => Telt::Settled(0),
        }
    }
}

/// What stands in a place of a request.
enum Before {
    Nothing,
    /// This message.
    Message(String),
    /// Perhaps one; it is looked at again then.
    Unsettled(Timestamp),
}

/// What came of trying to tell.
enum Telt {
    /// So many need no more.
    Settled(usize),
    /// Nothing else goes by this way for now.
    Away,
}

/// Whether this person is still waited for.
fn still_asks(request: &Request, who: &PrincipalId, membership: &Membership) -> bool {
    let reviewed = request.reviews().iter().any(|r| membership.are_same(&r.reviewer, who));
    matches!(request.state(), State::Pending(_)) && !reviewed && !membership.is_suspended(who)
}

fn told_all(together: &mut [Notice], message: Option<&str>) {
    let alone = together.len() == 1;
    for notice in together.iter_mut().filter(|notice| notice.standing == Standing::Waiting) {
        notice.standing = Standing::Sent;
        notice.problem = None;
        // A message that tells of several requests is not changed by one of them.
        notice.message = message.filter(|_| alone).map(str::to_owned);
    }
}

/// Those that were held back for one recipient until one time are told together; all others alone,
/// in the order in which they are due.
fn together(due: Vec<Notice>) -> Vec<Vec<Notice>> {
    let mut all: Vec<Vec<Notice>> = Vec::new();
    for notice in due {
        let same = |other: &Notice| {
            notice.held && other.held && (&other.to, other.due) == (&notice.to, notice.due)
        };
        match all.iter_mut().find(|group| group.first().is_some_and(same)) {
            Some(group) => group.push(notice),
            None => all.push(vec![notice]),
        }
    }
    all
}

/// How long to wait after so many tries that failed: ever longer, and for each notice a little
/// different, so that not all come at once.
fn pause(attempts: u32, id: NoticeId) -> Span {
    let doubled = attempts.saturating_sub(1).min(16) * 2;
    let millis = FIRST_PAUSE.as_millis().saturating_mul(1_i64 << doubled);
    let millis = millis.min(LONGEST_PAUSE.as_millis()).unsigned_abs();
    let [.., last] = id.to_bytes();
    Span::from_millis(millis + millis * u64::from(last) / 1024)
}

impl Authority {
    /// What became of notices, newest first, and how the ways out are. Only for administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::Field`].
    pub async fn notices(
        &self,
        caller: &Caller,
        standing: Option<&str>,
    ) -> Result<wire::Notices, AppError> {
        caller.check_administrator()?;
        let unknown = || AppError::Field {
            field: "state",
            problem: "waiting, sent, dead or moot".to_owned(),
        };
        let standing =
            standing.map(|word| Standing::named(word).ok_or_else(unknown)).transpose()?;
        let notices = self.ledger.outbox().notices(standing, SHOWN).await?;
        let ways = self.notice_ways().await?;
        Ok(wire::Notices { notices: notices.iter().map(shown).collect(), ways })
    }

    async fn notice_ways(&self) -> Result<Vec<wire::NoticeWay>, AppError> {
        let mut counts = self.ledger.outbox().notice_counts().await?;
        let troubles = self.telling.ways().clone();
        let way = |name: String, kind: &str, counts: Counts| wire::NoticeWay {
            problem: troubles.get(&name).map(|trouble| trouble.problem.clone()),
            name,
            kind: kind.to_owned(),
            waiting: counts.waiting,
            dead: counts.dead,
        };
        let mut ways: Vec<_> = self
            .channels
            .ways()
            .into_iter()
            .map(|(name, kind)| {
                let counts = counts.remove(&name).unwrap_or_default();
                way(name, kind, counts)
            })
            .collect();
        // What waits for a way that is not set up any more.
        ways.extend(counts.into_iter().map(|(name, counts)| way(name, "none", counts)));
        ways.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(ways)
    }

    /// The ways out in whose way something stands, in words. Only administrators are told.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub(crate) async fn notice_troubles(&self, caller: &Caller) -> Result<Vec<String>, AppError> {
        if !caller.is_administrator() {
            return Ok(Vec::new());
        }
        let ways = self.notice_ways().await?;
        let troubled = ways.into_iter().filter(|way| way.problem.is_some() || way.dead > 0);
        let troubled = troubled.map(|way| {
            let problem = way.problem.map(|problem| format!(": {problem}")).unwrap_or_default();
            let (name, waiting, dead) = (way.name, way.waiting, way.dead);
            format!("{name}, {waiting} waiting, {dead} given up{problem}")
        });
        let damaged = self.telling.damaged().len();
        let damaged = (damaged > 0)
            .then(|| format!("the ledger: of {damaged} steps nobody can be told; see the log"));
        Ok(troubled.chain(damaged).collect())
    }

    /// Tries notices again that were given up: one, or all of a way. Says how many; that is on record.
    /// Only for administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::NotFound`].
    pub async fn replay_notices(
        &self,
        caller: &Caller,
        which: Replay<'_>,
    ) -> Result<usize, AppError> {
        caller.check_administrator()?;
        let outbox = self.ledger.outbox();
        let mut dead = match which {
            Replay::One(id) => {
                let missing = || AppError::NotFound { what: "notice", id: id.to_owned() };
                let notice = outbox.notice(id.parse()?).await?.ok_or_else(missing)?;
                vec![notice]
            }
            Replay::All => outbox.notices(Some(Standing::Dead), usize::from(u16::MAX)).await?,
        };
        dead.retain(|notice| notice.standing == Standing::Dead);
        if dead.is_empty() {
            return Ok(0);
        }
        let now = self.clock.now();
        for notice in &mut dead {
            (notice.standing, notice.attempts, notice.due) = (Standing::Waiting, 0, now);
        }
        let (by, count) = (caller.principal().id.clone(), dead.len());
        let first: Vec<_> = dead.iter().take(20).map(|notice| notice.id.to_string()).collect();
        let entry = json!({
            "v": 1, "type": "notices_replayed", "at": now.to_string(), "by": by.to_json(),
            "count": count, "notices": first,
        });
        self.ledger.keep(Keeping { what: Kept::Nothing, by, at: now, entry }).await?;
        outbox.keep_notices(dead).await?;
        self.telling.addressed.send_replace(());
        self.waiters.wake_log();
        Ok(count)
    }

    /// How the caller wishes to be told, and by what they can be.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`].
    pub async fn my_wishes(
        &self,
        caller: &Caller,
    ) -> Result<(wire::NoticeWishes, Vec<Means>), AppError> {
        let who = self.person_who_wishes(caller)?;
        let kept = self.ledger.outbox().wishes(&who).await?.unwrap_or_default();
        let means = self.channels.means_of(&self.person_to_tell(&self.membership(), &who));
        Ok((kept, means))
    }

    /// Writes how the caller wishes to be told from now on; `None` takes it back.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`]; [`AppError::Field`].
    pub async fn wish(
        &self,
        caller: &Caller,
        wishes: Option<wire::NoticeWishes>,
    ) -> Result<wire::NoticeWishes, AppError> {
        let who = self.person_who_wishes(caller)?;
        if let Some(wishes) = &wishes {
            let refused = |error: wire::NoticeWishesError| AppError::Field {
                field: error.field,
                problem: error.problem,
            };
            Wishes::try_from(wishes).map_err(refused)?;
        }
        self.ledger.outbox().keep_wishes(&who, wishes.clone()).await?;
        Ok(wishes.unwrap_or_default())
    }

    /// The person, whichever of their accounts they come by.
    fn person_who_wishes(&self, caller: &Caller) -> Result<PrincipalId, AppError> {
        let principal = caller.principal();
        match principal.kind {
            assent_core::principal::PrincipalKind::Person => {
                Ok(self.membership().person(&principal.id).clone())
            }
            assent_core::principal::PrincipalKind::Workload => Err(AppError::NotForWorkloads),
        }
    }
}

/// Which notices are tried again.
#[derive(Clone, Copy, Debug)]
pub enum Replay<'a> {
    /// The one of this id.
    One(&'a str),
    /// All that were given up.
    All,
}

fn shown(notice: &Notice) -> wire::Notice {
    let waits = notice.standing == Standing::Waiting;
    wire::Notice {
        id: notice.id.to_string(),
        request: notice.request.to_string(),
        occasion: notice.told.occasion.word().to_owned(),
        to: notice.to.to_string(),
        state: notice.standing.word().to_owned(),
        at: notice.told.at.to_string(),
        due: waits.then(|| notice.due.to_string()),
        attempts: notice.attempts,
        problem: notice.problem.clone(),
    }
}

#[cfg(test)]
mod tests {
    use assent_core::id::RequestId;
    use assent_core::notice::Occasion;
    use assent_core::request::Version;

    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn notice(number: u64, due: i64) -> Notice {
        let request = RequestId::new(at(0), [1; 10]);
        let posted = Posted { seq: 1, request, version: Version(1), told: Vec::new() };
        let (occasion, stages) = (Occasion::Filed, Vec::new());
        let told = Told { occasion, number, at: at(0), stages, rule: None };
        let to = To::Person(PrincipalId::local("bob").unwrap(), Means::Email);
        Notice { held: due > 0, ..Notice::new(&posted, told, to, at(due)) }
    }

    #[test]
    fn what_is_held_back_until_one_time_is_told_together() {
        let due = vec![notice(1, 0), notice(2, 0), notice(3, 9), notice(4, 9), notice(5, 10)];
        let sizes: Vec<_> = together(due).iter().map(Vec::len).collect();
        assert_eq!(sizes, [1, 1, 2, 1]);
    }

    #[test]
    fn t60_pauses_grow_to_a_longest_one_and_differ() {
        let quiet = NoticeId::from_bytes([0; 16]);
        let seconds = |attempts| pause(attempts, quiet).as_seconds();
        assert_eq!((seconds(1), seconds(2), seconds(3)), (2, 8, 32));
        assert_eq!((seconds(12), seconds(u32::MAX)), (7200, 7200));
        let loud = NoticeId::from_bytes([255; 16]);
        assert!(pause(3, loud) > pause(3, quiet));
        assert!(pause(3, loud) < Span::seconds(32 + 8), "by a quarter at most");
    }

    #[test]
    fn a_notice_is_known_by_what_it_tells_and_to_whom() {
        assert_eq!(notice(1, 0).id, notice(1, 5).id);
        assert_ne!(notice(1, 0).id, notice(2, 0).id);
    }
}
