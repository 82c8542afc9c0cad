//! People who sign in elsewhere: in which groups they are, for how long that is believed, and which
//! accounts are one person's.
//!
//! A provider is asked again before somebody's word counts, and beside all decisions while they are
//! here; what is older than five minutes is no longer known, so that nobody counts while their
//! provider cannot be asked. One that hangs holds up nobody else's people.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use assent_core::access::{Access, Purpose};
use assent_core::credential::Secret;
use assent_core::id::AccessId;
use assent_core::membership::Membership;
use assent_core::policy::Policy;
use assent_core::principal::{LOCAL_ISSUER, PrincipalId};
use assent_core::request::Request;
use assent_core::sign_in::{Link, LinkError};
use assent_core::time::{Span, Timestamp};
use futures_util::StreamExt as _;
use futures_util::future::join_all;
use serde_json::json;

use crate::app::{AppError, Authority, Caller};
use crate::ledger::Account;
use crate::name::{Name, read_id};
use crate::sign_in::{Kind, Oidc, ProviderError};

/// How long a provider's word on groups is believed.
const BELIEVED: Span = Span::minutes(5);
/// How old it may be when somebody's word is about to count.
const FRESH: Span = Span::minutes(1);
/// How often it is asked beside all decisions, about those who are here.
const EVERY: Span = Span::minutes(2);
/// For how long after they were seen somebody is here.
const HERE: Span = Span::minutes(10);
/// How old it may be when somebody reads what only those who are asked read.
const READ_BY: Span = Span::minutes(4);
/// How soon again, where there was no answer.
const AFTER_FAILING: Span = Span::seconds(10);
/// How often it is looked whether something is due.
const LOOK: Duration = Duration::from_secs(2);
/// How many of one provider's people are asked about at once.
const AT_ONCE: usize = 8;

/// Everybody who ever signed in, as far as that matters now.
#[derive(Debug, Default)]
pub(super) struct People {
    all: Mutex<HashMap<PrincipalId, Known>>,
    links: Mutex<Arc<Vec<Link>>>,
    /// Held while a link is made or undone: of two at once, one is first.
    linking: tokio::sync::Mutex<()>,
    seen: Mutex<HashMap<AccessId, Timestamp>>,
}

#[derive(Debug)]
struct Known {
    account: Account,
    /// When they were seen here.
    here: Option<Timestamp>,
    /// Not to be asked about before.
    next: Timestamp,
    /// What a provider is asked with is good once: of two who ask, one waits.
    asking: Arc<tokio::sync::Mutex<()>>,
    /// Whether their provider has not answered since the start: what it is asked with may be what it gave
    /// another for, which was lost with the server that asked.
    unsure: bool,
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

impl People {
    /// Takes over what is on record of somebody.
    fn learn(&self, account: Account) {
        let who = account.id.clone();
        self.note(account, None);
        if let Some(known) = open(&self.all).get_mut(&who) {
            known.unsure = true;
        }
    }

    /// Held by whoever asks about them, and by whoever writes down what they came with.
    pub(super) fn asking(&self, who: &PrincipalId) -> Option<Arc<tokio::sync::Mutex<()>>> {
        open(&self.all).get(who).map(|known| Arc::clone(&known.asking))
    }

    fn is_unsure(&self, who: &PrincipalId) -> bool {
        open(&self.all).get(who).is_some_and(|known| known.unsure)
    }

    pub(super) fn note(&self, account: Account, here: Option<Timestamp>) {
        let mut all = open(&self.all);
        let next = account.confirmed_at;
        match all.get_mut(&account.id) {
            Some(known) => {
                known.account = account;
                known.here = here.or(known.here);
                known.unsure = false;
            }
            None => {
                let (id, asking) = (account.id.clone(), Arc::default());
                all.insert(id, Known { account, here, next, asking, unsure: false });
            }
        }
    }

    pub(super) fn account(&self, who: &PrincipalId) -> Option<Account> {
        open(&self.all).get(who).map(|known| known.account.clone())
    }

    /// The groups of somebody as of then, as far as they are believed still.
    pub(super) fn groups(&self, who: &PrincipalId, then: Timestamp) -> BTreeSet<String> {
        let all = open(&self.all);
        let known = all.get(who).map(|known| &known.account);
        let known = known.filter(|account| then < account.confirmed_at.plus(BELIEVED));
        known.map(|account| account.groups.clone()).unwrap_or_default()
    }

    fn members(&self, believed_at: Option<Timestamp>) -> Vec<(String, PrincipalId)> {
        let all = open(&self.all);
        let accounts = all.values().map(|known| &known.account);
        let is_believed = |account: &&Account| {
            believed_at.is_none_or(|then| then < account.confirmed_at.plus(BELIEVED))
        };
        let each = accounts.filter(is_believed).flat_map(|account| {
            account.groups.iter().map(|group| (group.clone(), account.id.clone()))
        });
        each.collect()
    }

    /// When a session or token was seen, as far as it was.
    pub(super) fn last_seen(&self, access: AccessId) -> Option<Timestamp> {
        open(&self.seen).get(&access).copied()
    }

    /// Notes that somebody has a page of ours open.
    fn is_here(&self, who: &PrincipalId, now: Timestamp) {
        if let Some(known) = open(&self.all).get_mut(who) {
            known.here = Some(now);
        }
    }

    /// Notes that it is used now; whether that is worth writing down.
    fn see(&self, access: &Access, now: Timestamp) -> bool {
        self.is_here(&access.principal.id, now);
        let mut seen = open(&self.seen);
        let last = seen.entry(access.id).or_insert(access.created_at);
        let is_new = last.until(now) >= Span::minutes(1);
        if is_new {
            *last = now;
        }
        is_new
    }

    pub(super) fn links(&self) -> Arc<Vec<Link>> {
        Arc::clone(&open(&self.links))
    }

    fn note_link(&self, link: Link) {
        let mut links = open(&self.links);
        let is_same = |one: &Link| {
            (&one.person, &one.account, one.since) == (&link.person, &link.account, link.since)
        };
        let mut all: Vec<_> = links.iter().filter(|one| !is_same(one)).cloned().collect();
        all.push(link);
        *links = Arc::new(all);
    }

    /// Those about whom a provider is to be asked before their groups are older than this.
    fn due(
        &self,
        is_meant: impl Fn(&Known) -> bool,
        older_than: Span,
        now: Timestamp,
    ) -> Vec<PrincipalId> {
        let all = open(&self.all);
        let is_due = |known: &&Known| {
            known.account.refresh.is_some()
                && known.next <= now
                && now >= known.account.confirmed_at.plus(older_than)
                && is_meant(known)
        };
        all.values().filter(is_due).map(|known| known.account.id.clone()).collect()
    }
}

/// What sealed text of somebody's this is.
fn purpose(who: &PrincipalId) -> String {
    format!("account-refresh/v1/{}#{}", who.iss(), who.sub())
}

impl Authority {
    /// Learns from the ledger who signed in before, who is linked, and what was used when.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn learn_people(&self) -> Result<(), AppError> {
        for account in self.ledger.accounts().await? {
            self.people.learn(account);
        }
        let links = self.ledger.links().await?;
        *open(&self.people.links) = Arc::new(links);
        let seen = self.ledger.seen().await?;
        open(&self.people.seen).extend(seen);
        Ok(())
    }

    /// What somebody is called where they sign in. For eyes only: it decides nothing.
    pub fn display_name(&self, who: &PrincipalId) -> Option<String> {
        self.people.account(who)?.name
    }

    /// How people read of whoever has this id.
    pub(crate) fn name_of(&self, who: &PrincipalId) -> Name {
        match self.display_name(who) {
            Some(called) => Name::called(&called, who),
            None => Name::of(who),
        }
    }

    /// The same where the id is written as a text: `bob`, `ISSUER#SUBJECT`. What is no id stays as it is.
    pub(crate) fn name_read(&self, text: &str) -> Name {
        read_id(text).map_or_else(|| Name::plainly(text), |id| self.name_of(&id))
    }

    /// Where somebody of these accounts gets mail, by an address that their provider says it has verified.
    pub(super) fn mail_address(&self, accounts: &BTreeSet<PrincipalId>) -> Option<String> {
        let mut known = accounts.iter().filter_map(|who| self.people.account(who));
        known.find_map(|account| account.email.clone().filter(|_| !account.is_gone()))
    }

    /// The same membership, where those are one person who signed in as both.
    pub(super) fn linked(&self, membership: Membership) -> Membership {
        let links = self.people.links();
        let pair = |link: &Link| (link.person.clone(), link.account.clone());
        // Where anyone may have an account, that somebody has one tells nothing of their others.
        let vouched =
            |link: &&Link| link.is_current() && !self.sign_in.takes_anyone(link.account.iss());
        let (current, former): (Vec<_>, Vec<_>) = links.iter().partition(vouched);
        let current: Vec<_> = current.into_iter().map(pair).collect();
        let former: Vec<_> = former.into_iter().map(pair).collect();
        membership.with_links(&current, &former)
    }

    /// The same, where nobody reviews what somebody of another provider is behind unless they are known
    /// there, too: they may be that one.
    pub(super) fn linked_at_providers(
        &self,
        policy: &Policy,
        membership: Membership,
    ) -> Membership {
        let issuers: Vec<_> = self.sign_in.providers().map(|(_, one)| one.issuer()).collect();
        if issuers.len() < 2 || !policy.asks_for_links() {
            return membership;
        }
        issuers.into_iter().fold(membership, Membership::also_linked_at)
    }

    /// Whether somebody may review at all. Where people sign in, whoever is known here alone, as the first
    /// administrator, is also somebody who does, and nobody knows who: the two would be two.
    ///
    /// # Errors
    /// [`AppError::LocalReviewer`].
    pub(crate) fn check_signs_in(&self, caller: &Caller) -> Result<(), AppError> {
        let who = &caller.principal().id;
        if self.sign_in.is_empty() || who.iss() != LOCAL_ISSUER {
            return Ok(());
        }
        let accounts = self.membership().known_as(&[who].into());
        let is_of = |account: &PrincipalId| {
            self.sign_in.providers().any(|(_, provider)| provider.issuer() == account.iss())
        };
        let signs_in = accounts.iter().any(is_of);
        match signs_in || !self.policy().asks_for_links() {
            true => Ok(()),
            false => Err(AppError::LocalReviewer(who.clone())),
        }
    }

    /// Who was in which of their provider's groups then, as far as that is believed.
    pub(super) fn provider_members(&self, then: Timestamp) -> Vec<(String, PrincipalId)> {
        self.people.members(Some(then))
    }

    /// Who was in which of their provider's groups when that was heard last, however long ago: to tell
    /// them of something, never to decide by it.
    pub(super) fn provider_members_known(&self) -> Vec<(String, PrincipalId)> {
        self.people.members(None)
    }

    /// Notes that a page of somebody's looks by itself, which is no use of their session.
    pub(super) fn has_page_open(&self, access: &Access, now: Timestamp) {
        self.people.is_here(&access.principal.id, now);
    }

    /// Notes that a session or token is used.
    pub(super) async fn see(&self, access: &Access, now: Timestamp) -> Result<(), AppError> {
        let is_watched = access.login.is_some() || access.scope.is_some();
        if is_watched && self.people.see(access, now) {
            self.ledger.see(access.id, now).await?;
        }
        Ok(())
    }

    /// Asks the providers of everybody whose word counts for this request, and of whoever calls, where
    /// what is known of them is not fresh. Whoever cannot be asked about is not waited for long.
    ///
    /// # Errors
    /// [`AppError::Access`] where the caller's provider has just said that it does not know them any more.
    pub(super) async fn confirm_people(
        &self,
        caller: &Caller,
        request: &Request,
    ) -> Result<(), AppError> {
        let membership = self.membership();
        let who = &caller.principal().id;
        let absent = membership.stands_in_for(who);
        let reviews = request.reviews().iter();
        let spoken = reviews.flat_map(|one| one.stands_in_for.iter().chain([&one.reviewer]));
        let people: BTreeSet<_> = spoken.chain(&absent).chain([who]).collect();
        let people = membership.known_as(&people);
        self.confirm(|known| people.contains(&known.account.id), FRESH).await;
        self.still_admits(caller).await.map(drop)
    }

    /// Asks the providers of somebody who reads, where what is known of them is about to be forgotten.
    pub(super) async fn confirm_reader(&self, who: &PrincipalId) {
        let accounts = self.membership().known_as(&[who].into());
        self.confirm(|known| accounts.contains(&known.account.id), READ_BY).await;
    }

    async fn confirm(&self, is_meant: impl Fn(&Known) -> bool, older_than: Span) {
        let due = self.people.due(is_meant, older_than, self.clock.now());
        let mut asked = futures_util::stream::iter(due)
            .map(|who| async move { self.ask_about(&who, older_than).await })
            .buffer_unordered(AT_ONCE);
        while asked.next().await.is_some() {}
    }

    /// Asks the provider of somebody in which groups they are.
    async fn ask_about(&self, who: &PrincipalId, older_than: Span) {
        let Some(asking) = self.people.asking(who) else { return };
        let _turn = asking.lock().await;
        let asked = self.clock.now();
        let Some(account) = self.people.account(who) else { return };
        let is_old = asked >= account.confirmed_at.plus(older_than);
        let Some(sealed) = account.refresh.clone().filter(|_| is_old) else { return };
        let Some(oidc) = self.oidc(&account.provider, who) else { return };
        let Ok(opened) = self.sealer.open(&purpose(who), &sealed) else { return };
        let Ok(text) = std::str::from_utf8(&opened) else { return };
        let text = Secret::new(text.to_owned());
        let (groups, refresh) = oidc.refresh(&self.issuers, who, &text, asked).await;
        let done = match (groups, refresh) {
            (Ok(groups), refresh) => self.confirmed(account, groups, refresh, asked).await,
            (Err(ProviderError::Refused(why)), None) if why == "invalid_grant" => {
                self.lost(account).await
            }
            (Err(error), refresh) => {
                tracing::warn!(%who, %error, "it is not known in which groups somebody is");
                let kept = self.rotated(account, refresh).await;
                if let Some(known) = open(&self.people.all).get_mut(who) {
                    known.next = asked.plus(AFTER_FAILING);
                }
                kept
            }
        };
        if let Err(error) = done {
            tracing::error!(%who, %error, "what a provider said could not be kept");
        }
    }

    fn oidc(&self, provider: &str, who: &PrincipalId) -> Option<&Oidc> {
        match &self.sign_in.provider(provider)?.kind {
            Kind::Oidc(oidc) if oidc.issuer() == who.iss() => Some(oidc),
            Kind::Oidc(_) | Kind::Github(_) => None,
        }
    }

    /// The provider said this at that moment: whatever changed later is not in it.
    async fn confirmed(
        &self,
        account: Account,
        groups: BTreeSet<String>,
        refresh: Option<Secret>,
        asked: Timestamp,
    ) -> Result<(), AppError> {
        let entry = (groups != account.groups).then(|| {
            let entry = json!({
                "v": 1, "type": "groups_changed", "at": asked.to_string(),
                "by": account.id.to_json(), "groups": groups, "before": account.groups,
            });
            (entry, asked)
        });
        let is_worth_writing = entry.is_some() || refresh.is_some();
        let refresh = match refresh {
            Some(refresh) => Some(self.sealed_for(&account.id, &refresh)?),
            None => account.refresh.clone(),
        };
        let account = Account { groups, refresh, confirmed_at: asked, ..account };
        if is_worth_writing {
            self.ledger.keep_account(account.clone(), entry).await?;
            self.waiters.wake_log();
        }
        self.people.note(account, None);
        Ok(())
    }

    /// What the provider is asked with is good once: what it gave in its place is kept, though the rest of
    /// what it said is no answer.
    async fn rotated(&self, account: Account, refresh: Option<Secret>) -> Result<(), AppError> {
        let Some(refresh) = refresh else { return Ok(()) };
        let refresh = Some(self.sealed_for(&account.id, &refresh)?);
        let account = Account { refresh, ..account };
        self.ledger.keep_account(account.clone(), None).await?;
        self.people.note(account, None);
        Ok(())
    }

    /// The provider does not know them any more, or has ended their session: everything they hold
    /// ends. Where it is the first answer since the start, it may be that only its last answer was lost:
    /// then nothing of theirs opens anything until they sign in again, and their tokens do from then on.
    async fn lost(&self, account: Account) -> Result<(), AppError> {
        let now = self.clock.now();
        tracing::info!(who = %account.id, "a provider does not answer for somebody any more");
        let id = account.id.clone();
        let is_unsure = self.people.is_unsure(&id);
        let gone = account.gone(now);
        // Whatever becomes of the writes below, they are in no group from now on.
        self.people.note(gone.clone(), None);
        let mut all = self.ledger.accesses_of(&id).await?;
        all.retain(|access| {
            !is_unsure || access.purpose == Purpose::Session || access.origin.is_some()
        });
        self.end_all(&all, &id).await?;
        let entry = json!({
            "v": 1, "type": "sign_in_ended", "at": now.to_string(), "by": id.to_json(),
        });
        self.ledger.keep_account(gone, Some((entry, now))).await?;
        self.waiters.wake_log();
        Ok(())
    }

    /// What a provider is asked with again, as it may lie on disk.
    pub(super) fn sealed_for(&self, who: &PrincipalId, text: &Secret) -> Result<Vec<u8>, AppError> {
        Ok(self.sealer.seal(&purpose(who), text.expose().as_bytes())?)
    }

    /// Asks providers about those who are here, until the server stops.
    pub async fn look_at_people_until_closing(&self) {
        let each = self.sign_in.providers().map(|(name, _)| self.look_at_people_of(name));
        join_all(each).await;
    }

    async fn look_at_people_of(&self, provider: &str) {
        loop {
            let now = self.clock.now();
            let is_here = |known: &Known| {
                known.account.provider == provider
                    && known.here.is_some_and(|at| now < at.plus(HERE))
            };
            tokio::select! {
                () = self.confirm(is_here, EVERY) => {}
                () = self.closing.cancelled() => return,
            }
            tokio::select! {
                () = tokio::time::sleep(LOOK) => {}
                () = self.closing.cancelled() => return,
            }
        }
    }

    /// The accounts that are linked with this one now, and since when.
    pub fn links_of(&self, who: &PrincipalId) -> Vec<Link> {
        let links = self.people.links();
        let theirs = links.iter().filter(|link| link.person == *who || link.account == *who);
        theirs.filter(|link| link.is_current()).cloned().collect()
    }

    /// The providers at which somebody could link an account, by name and title: those at which they
    /// are not known yet.
    pub fn linkable(&self, caller: &Caller) -> Vec<(String, String)> {
        let (membership, who) = (self.membership(), &caller.principal().id);
        let is_missing = |issuer: &str| !membership.accounts().is_linked_at(issuer, who);
        let all = self.sign_in.providers().filter(|(_, one)| is_missing(one.issuer()));
        all.map(|(name, one)| (name.to_owned(), one.title.clone())).collect()
    }

    /// The providers at which anyone has an account, by their titles, where there are any.
    pub fn anyone_at(&self) -> Option<String> {
        let all = self.sign_in.providers().filter(|(_, one)| one.takes_anyone());
        let titles: Vec<_> = all.map(|(_, one)| one.title.clone()).collect();
        (!titles.is_empty()).then(|| titles.join(" and "))
    }

    /// Every link that is or was. For administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`].
    pub fn all_links(&self, caller: &Caller) -> Result<Vec<Link>, AppError> {
        caller.check_administrator()?;
        Ok(self.people.links().to_vec())
    }

    /// Links the account with which somebody has just signed in to the one of this session.
    ///
    /// # Errors
    /// [`LinkError`], in [`AppError::Link`].
    pub(super) async fn link(
        &self,
        caller: &Caller,
        account: &PrincipalId,
    ) -> Result<(), AppError> {
        let _turn = self.people.linking.lock().await;
        let now = self.clock.now();
        let person = &caller.principal().id;
        // A passkey tells who somebody is here; it is no sign-in at the provider whose account is linked.
        let login = caller.access().login.as_ref();
        let came_by = login.and_then(|login| self.sign_in.provider(&login.provider));
        if came_by.is_none_or(|provider| provider.issuer() != person.iss()) {
            return Err(AppError::Link(LinkError::SignInAgain(assent_core::sign_in::LINKS_WITHIN)));
        }
        let membership = self.membership();
        let link = Link::make(person, caller.signed_in_at(), account, &membership, now)?;
        let entry = json!({
            "v": 1, "type": "accounts_linked", "at": now.to_string(), "by": person.to_json(),
            "person": person.to_json(), "account": account.to_json(),
        });
        self.ledger.keep_link(link.clone(), entry, now).await?;
        self.people.note_link(link);
        self.waiters.wake_log();
        Ok(())
    }

    /// Undoes the link between these two. Only an administrator does, and not their own; the two stay
    /// tied: neither reviews what the other is behind.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::NotFound`].
    pub async fn unlink(
        &self,
        caller: &Caller,
        person: &str,
        account: &str,
    ) -> Result<(), AppError> {
        caller.check_administrator()?;
        let _turn = self.people.linking.lock().await;
        let now = self.clock.now();
        let links = self.people.links();
        let found = links.iter().find(|link| {
            link.is_current()
                && link.person.to_string() == person
                && link.account.to_string() == account
        });
        let by = &caller.principal().id;
        let is_own = |link: &&Link| {
            let membership = self.membership();
            membership.count_as_one(by, &link.person) || membership.count_as_one(by, &link.account)
        };
        let missing =
            || AppError::NotFound { what: "link", id: account.chars().take(80).collect() };
        let link = found.filter(|link| !is_own(link)).ok_or_else(missing)?;
        let undone = Link { until: Some(now), ..link.clone() };
        let entry = json!({
            "v": 1, "type": "accounts_unlinked", "at": now.to_string(), "by": by.to_json(),
            "person": link.person.to_json(), "account": link.account.to_json(),
        });
        self.ledger.keep_link(undone.clone(), entry, now).await?;
        self.people.note_link(undone);
        self.waiters.wake_log();
        Ok(())
    }
}
