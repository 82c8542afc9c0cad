//! Who calls, and how a caller comes to be known.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

use assent_core::access::{
    Access, AccessError, MAX_LIFE, MakeError, NewAccess, Origin, Purpose, UnverifiedAccess,
};
use assent_core::credential::Secret;
use assent_core::digest::Digest;
use assent_core::id::AccessId;
use assent_core::membership::is_name_character;
use assent_core::policy::Policy;
use assent_core::policy::situation::Network;
use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::time::{Span, Timestamp};
use assent_core::wire;

use crate::app::{AppError, Authority, Caller, Wish};

/// How long a browser stays signed in.
pub(super) const SESSION: Span = Span::hours(8);
/// How long a token lives where nothing is said.
const DEFAULT_LIFE: Span = Span::hours(90 * 24);

/// One-time and development codes: who may come in by which. Only their digests are held, and only
/// in memory: a restart closes every door.
#[derive(Debug, Default)]
pub(super) struct Doors {
    bootstrap: Mutex<Option<Digest>>,
    people: Mutex<HashMap<Digest, PrincipalId>>,
}

/// What the access records say of groups. Kept in memory because it is asked at every look at a
/// request; read from the ledger at start.
#[derive(Debug, Default)]
pub(super) struct Vouched(HashMap<AccessId, Voucher>);

/// One record's word that its principal is in these groups.
#[derive(Debug)]
struct Voucher {
    principal: PrincipalId,
    kind: PrincipalKind,
    groups: BTreeSet<String>,
    /// When it ends.
    until: Timestamp,
    /// When it was taken back.
    taken_back: Option<Timestamp>,
    /// The token that a session was opened with. It says the same, so it is here too.
    parent: Option<AccessId>,
    /// What it was exchanged for. It counts as long as that trust does.
    origin: Option<Origin>,
}

impl Vouched {
    fn note(&mut self, access: &Access) {
        let Principal { id, kind, groups, .. } = &access.principal;
        if groups.is_empty() {
            return;
        }
        let voucher = self.0.entry(access.id).or_insert_with(|| Voucher {
            principal: id.clone(),
            kind: *kind,
            groups: groups.clone(),
            until: access.expires_at,
            taken_back: None,
            parent: access.parent,
            origin: access.origin.clone(),
        });
        // What was taken back stays so, in whatever order that is heard of.
        voucher.taken_back = voucher.taken_back.or(access.revoked_at);
    }

    /// Those that counted then and were not taken back since: a session no longer than the token that
    /// it was opened with.
    fn live<'a>(
        &'a self,
        policy: &'a Policy,
        then: Timestamp,
        now: Timestamp,
    ) -> impl Iterator<Item = &'a Voucher> {
        let lives = move |voucher: &Voucher| {
            let trusted = |origin: &Origin| origin.stands(policy);
            then < voucher.until
                && voucher.taken_back.is_none_or(|at| now < at)
                && voucher.origin.as_ref().is_none_or(trusted)
        };
        self.0.values().filter(move |voucher| {
            let parent = voucher.parent.map(|parent| self.0.get(&parent));
            lives(voucher) && parent.is_none_or(|parent| parent.is_some_and(lives))
        })
    }
}

/// Whether a record counts at this moment: a session no longer than the token that it was opened
/// with, and one of a trust no longer than that.
pub(super) fn lives(access: &Access, all: &[Access], policy: &Policy, now: Timestamp) -> bool {
    let lives =
        |access: &Access| access.check_life(now).is_ok() && access.check_trust(policy).is_ok();
    let opened_by = |parent: AccessId| all.iter().find(|access| access.id == parent);
    lives(access) && access.parent.is_none_or(|parent| opened_by(parent).is_some_and(lives))
}

fn open<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

fn code_digest(code: &str) -> Digest {
    Digest::of_parts(&[b"assent/code/v1\0", code.as_bytes()])
}

impl Authority {
    /// Who presents this token.
    ///
    /// # Errors
    /// [`AppError::Access`] says what is wrong with it.
    pub async fn admit(&self, token: &str, purpose: Purpose) -> Result<Caller, AppError> {
        let caller = self.admit_unseen(token, purpose).await?;
        self.see(&caller.access, self.clock.now()).await?;
        Ok(caller)
    }

    /// The same, where an open page asks and nobody does anything: a session that only its page uses
    /// ends as an unused one.
    ///
    /// # Errors
    /// As [`Self::admit`].
    pub async fn admit_unseen(&self, token: &str, purpose: Purpose) -> Result<Caller, AppError> {
        let presented = UnverifiedAccess::read(token)?;
        let known = self.ledger.access(presented.id).await?;
        let access = known.ok_or(AccessError::Unknown(presented.id))?;
        let now = self.clock.now();
        access.admit(&presented, now)?;
        self.check_access(&access, now).await?;
        if access.purpose != purpose {
            return Err(AppError::Access(AccessError::Malformed));
        }
        let access = self.check_login(access, now)?;
        self.has_page_open(&access, now);
        Ok(Caller { access, network: Network::default() })
    }

    /// Whether what a record stands for counts at this moment: it and what it was opened with live,
    /// their trust stands, and nothing was told of whom they are.
    ///
    /// # Errors
    /// [`AppError::Access`].
    pub(super) async fn check_access(
        &self,
        access: &Access,
        now: Timestamp,
    ) -> Result<(), AppError> {
        let parent = match access.parent {
            Some(id) => Some(self.ledger.access(id).await?.ok_or(AccessError::Unknown(id))?),
            None => None,
        };
        for access in parent.iter().chain([access]) {
            access.check_life(now)?;
            access.check_trust(&self.policy())?;
        }
        Ok(self.check_standing(access, now)?)
    }

    /// Who the caller is, to this authority.
    pub fn whoami(&self, caller: &Caller) -> wire::Whoami {
        let principal = self.in_all_groups(caller.principal());
        let membership = self.membership();
        let known = membership.groups_of(&principal.id).map(str::to_owned);
        wire::Whoami {
            principal: (&principal).into(),
            groups: known.chain(principal.groups).collect(),
            administrator: caller.is_administrator(),
            expires_at: Some(caller.access.expires_at.to_string()),
        }
    }

    /// Makes an access token. Only an administrator may.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::Field`].
    pub async fn create_access(
        &self,
        caller: &Caller,
        wanted: wire::NewAccess,
        wish: Wish,
    ) -> Result<wire::FreshAccess, AppError> {
        caller.check_administrator()?;
        // The token was shown once and is kept nowhere, so the answer cannot be given again.
        let new_id = wish.access_id();
        if self.ledger.access(new_id).await?.is_some() {
            return Err(AppError::TokenMade(new_id));
        }
        let life = wanted.expires_after.as_deref().map_or(Ok(DEFAULT_LIFE), life)?;
        let kind = match wanted.kind {
            wire::Kind::Person => PrincipalKind::Person,
            wire::Kind::Workload => PrincipalKind::Workload,
        };
        let acts_for = wanted.acts_for.iter().map(|sub| local("acts_for", sub));
        let principal = Principal {
            id: local("sub", &wanted.sub)?,
            kind,
            groups: groups(wanted.groups)?,
            acts_for: acts_for.collect::<Result<_, _>>()?,
            claims: Default::default(),
        };
        // People sign in, where they can. The first administrator came before that.
        let is_own = principal.id == caller.principal().id;
        if kind == PrincipalKind::Person && !self.sign_in.is_empty() && !is_own {
            let problem = "people sign in here, and make tokens of their own".to_owned();
            return Err(AppError::Field { field: "kind", problem });
        }
        let all = self.ledger.accesses().await?;
        let made = caller.access.check_make((&principal, wanted.administrator), &all);
        made.map_err(not_made)?;
        let by = &caller.principal().id;
        let (administrator, purpose, parent) = (wanted.administrator, Purpose::Token, None);
        let new = NewAccess { id: new_id, principal, administrator, purpose, parent, life };
        let (access, token) = self.issue_as(new, by).await?;
        Ok(fresh(&access, &token))
    }

    /// Every access token's record. Only for administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`].
    pub async fn access_list(&self, caller: &Caller) -> Result<wire::AccessList, AppError> {
        caller.check_administrator()?;
        let mut all = self.ledger.accesses().await?;
        all.sort_by_key(|access| std::cmp::Reverse(access.created_at));
        Ok(wire::AccessList { tokens: all.iter().map(shown).collect() })
    }

    /// Takes an access token back: one's own, or any for an administrator.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn revoke_access(&self, caller: &Caller, id: &str) -> Result<wire::Access, AppError> {
        let missing = || AppError::NotFound { what: "access token", id: id.to_owned() };
        let found = self.ledger.access(id.parse()?).await?;
        let access = found.ok_or_else(missing)?;
        let by = &caller.principal().id;
        if access.principal.id != *by && !caller.is_administrator() {
            return Err(missing());
        }
        let Some(step) = access.revoke(by, self.clock.now()) else { return Ok(shown(&access)) };
        let next = step.next().clone();
        self.ledger.commit_access(step).await?;
        open(&self.vouched).note(&next);
        self.waiters.wake_log();
        Ok(shown(&next))
    }

    /// Learns from the ledger who is in which group of the identity provider's.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn learn_groups(&self) -> Result<(), AppError> {
        let all = self.ledger.accesses().await?;
        let mut vouched = open(&self.vouched);
        all.iter().for_each(|access| vouched.note(access));
        Ok(())
    }

    /// Takes the word of a fresh record on the groups of its principal.
    pub(super) fn vouch_for(&self, access: &Access) {
        open(&self.vouched).note(access);
    }

    /// Forgets what exchanged tokens said that are over.
    pub(super) fn forget_vouched(&self, before: Timestamp) {
        let stays = |voucher: &Voucher| voucher.origin.is_none() || voucher.until >= before;
        open(&self.vouched).0.retain(|_, voucher| stays(voucher));
    }

    /// Who was in which group then by an access record that was not taken back since.
    pub(super) fn vouched_members(&self, then: Timestamp) -> Vec<(String, PrincipalId)> {
        let (policy, vouched) = (self.policy(), open(&self.vouched));
        let live = vouched.live(&policy, then, self.clock.now());
        live.filter(|voucher| voucher.kind == PrincipalKind::Person)
            .flat_map(|Voucher { principal, groups, .. }| {
                groups.iter().map(|group| (group.clone(), principal.clone()))
            })
            .collect()
    }

    /// The principal with every group that a record of theirs vouches for at this moment. Groups are
    /// a principal's and not a token's: whoever has two tokens is judged alike by either, and cannot
    /// choose the one that a rule does not look at. Whatever policy rules on is ruled on so.
    pub(super) fn in_all_groups(&self, principal: &Principal) -> Principal {
        let (now, policy) = (self.clock.now(), self.policy());
        let teams = self.team_members(&policy);
        let all = self.linked(policy.membership(now));
        let is_theirs = |who: &PrincipalId| all.are_same(who, &principal.id);
        let teams = teams.into_iter().chain(self.provider_members(now));
        let of_teams = teams.filter(|(_, who)| is_theirs(who)).map(|(group, _)| group);
        let vouched = open(&self.vouched);
        let theirs = vouched.live(&policy, now, now).filter(|voucher| {
            (voucher.kind, &voucher.principal) == (principal.kind, &principal.id)
        });
        let groups = theirs.flat_map(|voucher| &voucher.groups).chain(&principal.groups);
        Principal { groups: groups.cloned().chain(of_teams).collect(), ..principal.clone() }
    }

    /// Opens the one-time door for an administrator, if no administrator has a token that lives.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn open_bootstrap(&self) -> Result<Option<Secret>, AppError> {
        let now = self.clock.now();
        let (all, policy) = (self.ledger.accesses().await?, self.policy());
        let suspended = self.board().suspended(now);
        let is_there = |access: &Access| {
            let may_act = !suspended.contains(&access.principal.id);
            access.administrator && may_act && lives(access, &all, &policy, now)
        };
        if all.iter().any(is_there) {
            return Ok(None);
        }
        let code = self.chance.secret()?;
        *open(&self.doors.bootstrap) = Some(code_digest(code.expose()));
        Ok(Some(code))
    }

    /// Whether this is the one-time code.
    pub fn is_bootstrap(&self, code: &str) -> bool {
        let given = code_digest(code);
        open(&self.doors.bootstrap).is_some_and(|code| code == given)
    }

    /// Makes the first administrator. The door closes behind.
    ///
    /// # Errors
    /// [`AppError::WrongCode`].
    pub async fn bootstrap(&self, code: &str, sub: &str) -> Result<wire::FreshAccess, AppError> {
        let id = local("sub", sub)?;
        let given = code_digest(code);
        {
            let mut door = open(&self.doors.bootstrap);
            if *door != Some(given) {
                return Err(AppError::WrongCode);
            }
            *door = None;
        }
        let principal = person(id.clone());
        let issued = self.issue(principal, true, (Purpose::Token, None), DEFAULT_LIFE, &id).await;
        if issued.is_err() {
            // Nothing was written that anybody was told of; let them try again.
            *open(&self.doors.bootstrap) = Some(given);
        }
        let (access, token) = issued?;
        Ok(fresh(&access, &token))
    }

    /// A person for development, with a token and a code to sign in with.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn seed_person(&self, sub: &str) -> Result<(Secret, Secret), AppError> {
        let id = local("sub", sub)?;
        let issued = self
            .issue(person(id.clone()), false, (Purpose::Token, None), Span::hours(24), &id)
            .await?;
        let code = self.chance.secret()?;
        open(&self.doors.people).insert(code_digest(code.expose()), id);
        Ok((issued.1, code))
    }

    /// The person of a development code.
    pub fn person_of(&self, code: &str) -> Option<PrincipalId> {
        open(&self.doors.people).get(&code_digest(code)).cloned()
    }

    /// Signs a person in by a development code.
    ///
    /// # Errors
    /// [`AppError::WrongCode`].
    pub async fn sign_in_by_code(&self, code: &str) -> Result<Secret, AppError> {
        let id = self.person_of(code).ok_or(AppError::WrongCode)?;
        let issued =
            self.issue(person(id.clone()), false, (Purpose::Session, None), SESSION, &id).await?;
        Ok(issued.1)
    }

    /// Signs a person in by their access token. The session has its standing and ends no later.
    ///
    /// # Errors
    /// [`AppError::Access`].
    pub async fn sign_in_by_token(&self, token: &str) -> Result<Secret, AppError> {
        let caller = self.admit(token.trim(), Purpose::Token).await?;
        if caller.access.scope.is_some() {
            return Err(AppError::NotForBrowsers);
        }
        if caller.access.origin.is_some() {
            return Err(AppError::NotForWorkloads);
        }
        // It would be a fresh sign-in of somebody who did nothing but let a program in.
        if caller.access.device.is_some() {
            return Err(AppError::NotForBrowsers);
        }
        let left = self.clock.now().until(caller.access.expires_at);
        let (principal, administrator) = (caller.principal().clone(), caller.is_administrator());
        let by = principal.id.clone();
        let life = SESSION.min(left);
        let purpose = (Purpose::Session, Some(caller.access.id));
        let issued = self.issue(principal, administrator, purpose, life, &by).await?;
        Ok(issued.1)
    }

    async fn issue(
        &self,
        principal: Principal,
        administrator: bool,
        (purpose, parent): (Purpose, Option<AccessId>),
        life: Span,
        by: &PrincipalId,
    ) -> Result<(Access, Secret), AppError> {
        let id = self.chance.access_id(self.clock.now())?;
        let new = NewAccess { id, principal, administrator, purpose, parent, life };
        self.issue_as(new, by).await
    }

    async fn issue_as(
        &self,
        new: NewAccess,
        by: &PrincipalId,
    ) -> Result<(Access, Secret), AppError> {
        let now = self.clock.now();
        let (step, token) = Access::issue(new, &self.chance.secret()?, by, now);
        let access = step.next().clone();
        self.ledger.commit_access(step).await?;
        open(&self.vouched).note(&access);
        self.waiters.wake_log();
        Ok((access, token))
    }
}

/// A life that is wanted. One that nobody could use, or longer than any, is a mistake to be told
/// now, not when the token is first refused.
fn life(text: &str) -> Result<Span, AppError> {
    let field = |problem: String| AppError::Field { field: "expires_after", problem };
    match text.parse::<Span>() {
        Err(problem) => Err(field(problem.to_string())),
        Ok(Span::ZERO) => Err(field("a token of no time".to_owned())),
        Ok(life) if life > MAX_LIFE => Err(field(format!("at most {MAX_LIFE}"))),
        Ok(life) => Ok(life),
    }
}

/// Where what is wrong with a wanted token stands in the call.
fn not_made(error: MakeError) -> AppError {
    let field = match error {
        MakeError::ByProgram => return AppError::NotForPrograms(error),
        MakeError::PersonActsFor => "acts_for",
        MakeError::OtherKind { .. } => "sub",
    };
    AppError::Field { field, problem: error.to_string() }
}

/// Names of groups, as policy documents write them.
fn groups(wanted: BTreeSet<String>) -> Result<BTreeSet<String>, AppError> {
    let fits =
        |name: &String| (1..=128).contains(&name.len()) && name.chars().all(is_name_character);
    if wanted.len() <= 64 && wanted.iter().all(fits) {
        return Ok(wanted);
    }
    let problem = "at most 64 names of 1 to 128 letters, digits, `-`, `_`, `.` and `/`".to_owned();
    Err(AppError::Field { field: "groups", problem })
}

fn local(field: &'static str, sub: &str) -> Result<PrincipalId, AppError> {
    let problem = |error| AppError::Field { field, problem: format!("{error}") };
    PrincipalId::local(sub).map_err(problem)
}

fn person(id: PrincipalId) -> Principal {
    let (groups, acts_for) = Default::default();
    Principal { id, kind: PrincipalKind::Person, groups, acts_for, claims: Default::default() }
}

fn fresh(access: &Access, token: &Secret) -> wire::FreshAccess {
    wire::FreshAccess { access: shown(access), token: token.expose().to_owned() }
}

fn shown(access: &Access) -> wire::Access {
    wire::Access {
        id: access.id.to_string(),
        principal: (&access.principal).into(),
        administrator: access.administrator,
        purpose: access.purpose.word().to_owned(),
        created_at: access.created_at.to_string(),
        expires_at: access.expires_at.to_string(),
        revoked_at: access.revoked_at.map(|at| at.to_string()),
        trust: access.origin.as_ref().map(|origin| origin.trust.clone()),
        device: access.device.as_ref().map(|device| {
            device.asked_from.map_or_else(|| "unknown".to_owned(), |ip| ip.to_string())
        }),
    }
}
