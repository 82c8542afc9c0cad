//! Passkeys: enrolling, naming and removing them, signing in with one, and what one signs.
//!
//! Nothing is kept of a ceremony that has begun: its challenge goes out sealed and comes back so. Of one
//! that let somebody in it is kept that it did, until nobody would believe it again.

use std::net::IpAddr;
use std::sync::Arc;

use assent_core::access::Label;
use assent_core::credential::Secret;
use assent_core::digest::Digest;
use assent_core::id::PasskeyId;
use assent_core::passkey::{ENROL_WITHIN, EnrolError, Passkey, PasskeyStep, UnverifiedVoucher};
use assent_core::principal::{LOCAL_ISSUER, Principal, PrincipalId, PrincipalKind};
use assent_core::request::Verdict;
use assent_core::sign_in::Login;
use assent_core::statement::{
    STATEMENTS_LAST, Signature, SignatureError, Statement, UnverifiedSignature,
};
use assent_core::time::{Span, Timestamp};
use assent_core::webauthn::{RelyingParty, UnverifiedAssertion, UnverifiedRegistration};
use assent_core::wire;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::app::access::lives;
use crate::app::sessions::PASSKEY;
use crate::app::{AppError, Authority, Caller, TRIES};
use crate::ledger::Spent;
use crate::rates::Stranger;
use crate::sign_in::Kind;

/// How long a ceremony may take.
const CEREMONIES_LAST: Span = Span::minutes(5);

/// A ceremony that has begun.
#[derive(Debug)]
pub struct Ceremony {
    /// What the passkey is to answer, in base64url without padding.
    pub challenge: String,
    /// The same, sealed: it comes back with the answer.
    pub sealed: String,
}

/// A ceremony that is over, by whoever held it; not yet believed.
#[derive(Debug)]
pub struct Finished<T> {
    /// What was sealed when it began.
    pub sealed: String,
    /// What the browser gave.
    pub answer: T,
}

/// What a statement is wanted of.
#[derive(Clone, Copy, Debug)]
pub struct ToSign {
    /// Approve or deny.
    pub verdict: Verdict,
    /// The digest of the comment.
    pub comment: Digest,
    /// The passkey that is to sign it.
    pub passkey: PasskeyId,
}

/// A passkey that answered a challenge of ours.
struct Used {
    person: PrincipalId,
    /// Whether it never leaves its device, as it said now.
    device_bound: bool,
    /// The challenge, which is good once.
    spent: Spent,
}

impl Authority {
    /// Whom passkeys are for here.
    ///
    /// # Errors
    /// [`AppError::NoPasskeys`] where browsers let none be used.
    pub fn relying_party(&self) -> Result<RelyingParty, AppError> {
        RelyingParty::of(&self.base).ok_or_else(|| AppError::NoPasskeys(self.base.clone()))
    }

    /// The caller's passkeys, oldest first, removed ones too.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`].
    pub async fn passkeys(&self, caller: &Caller) -> Result<Vec<Passkey>, AppError> {
        check_person(caller)?;
        Ok(self.ledger.passkeys_of(&caller.principal().id).await?)
    }

    /// Begins to enrol one, in this session alone.
    ///
    /// # Errors
    /// [`AppError::Enrol`] where the sign-in is too long ago; [`AppError::NoPasskeys`].
    pub fn begin_enrolment(&self, caller: &Caller) -> Result<Ceremony, AppError> {
        self.relying_party()?;
        check_person(caller)?;
        match self.may_enrol(caller) {
            true => self.begin_ceremony(&enrolling(caller)),
            false => Err(EnrolError::SignInAgain.into()),
        }
    }

    /// Whether the caller has signed in lately enough to enrol one.
    pub fn may_enrol(&self, caller: &Caller) -> bool {
        let now = self.clock.now();
        here_since(caller).is_some_and(|since| since.is_within(ENROL_WITHIN, now))
    }

    /// Enrols one.
    ///
    /// # Errors
    /// [`AppError::Enrol`], [`AppError::Webauthn`], [`AppError::CeremonyOver`].
    pub async fn enrol(
        &self,
        caller: &Caller,
        finished: Finished<UnverifiedRegistration>,
        name: &str,
    ) -> Result<Passkey, AppError> {
        check_person(caller)?;
        let party = self.relying_party()?;
        let (challenge, _) = self.challenge_of(&enrolling(caller), &finished.sealed)?;
        let made = finished.answer.verify(&party, &challenge)?;
        let theirs = self.passkeys(caller).await?;
        let now = self.clock.now();
        let (id, who) = (self.chance.passkey_id(now)?, &caller.principal().id);
        let since = here_since(caller);
        let step = Passkey::enrol(id, who, (made, name), since, &theirs, now)?;
        match self.ledger.commit_passkey(step.clone()).await? {
            true => Ok(self.note_passkey(&step)),
            false => Err(EnrolError::Known.into()),
        }
    }

    /// Calls one of the caller's own something else.
    ///
    /// # Errors
    /// [`AppError::NotFound`], [`AppError::Enrol`].
    pub async fn rename_passkey(
        &self,
        caller: &Caller,
        id: &str,
        name: &str,
    ) -> Result<Passkey, AppError> {
        self.change_passkey(caller, id, |passkey, now| {
            let own = passkey.person == caller.principal().id;
            if own { Ok(passkey.rename(name, now)?) } else { Err(no_such_passkey(id)) }
        })
        .await
    }

    /// Removes one: one's own, or any for an administrator.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn remove_passkey(&self, caller: &Caller, id: &str) -> Result<Passkey, AppError> {
        let by = &caller.principal().id;
        self.change_passkey(caller, id, |passkey, now| Ok(passkey.remove(by, now))).await
    }

    /// The provider that can vouch for the caller's passkeys, its name and title: where they sign in, if
    /// it gives ID tokens.
    pub fn voucher_of(&self, caller: &Caller) -> Option<(String, String)> {
        let (name, title) = self.provider_of(caller)?;
        match self.sign_in.provider(&name)?.kind {
            Kind::Oidc(_) => Some((name, title)),
            Kind::Github(_) => None,
        }
    }

    /// What the provider is to put into its ID token to vouch for this one of the caller's own.
    pub(super) async fn voucher_nonce(
        &self,
        caller: &Caller,
        id: PasskeyId,
    ) -> Result<String, AppError> {
        let party = self.relying_party()?;
        let found = self.ledger.passkey(id).await?;
        let own = found.filter(|one| one.person == caller.principal().id && one.is_live());
        let passkey = own.ok_or_else(|| no_such_passkey(&id.to_string()))?;
        Ok(Passkey::voucher_nonce(&passkey.key, party.id()))
    }

    /// Takes the word of a person's identity provider on one of their own: an ID token whose `nonce` is
    /// [`Passkey::voucher_nonce`] of its key, as a sign-in there gives it that is asked for with that.
    ///
    /// # Errors
    /// [`AppError::Vouch`], [`AppError::NotFound`].
    pub async fn vouch_for_passkey(
        &self,
        caller: &Caller,
        id: &str,
        word: &UnverifiedVoucher<'_>,
    ) -> Result<Passkey, AppError> {
        let party = self.relying_party()?;
        let sealed = self.sealer.seal("passkey/voucher", word.token.as_bytes())?;
        self.change_passkey(caller, id, |passkey, now| {
            if passkey.person != caller.principal().id {
                return Err(no_such_passkey(id));
            }
            let voucher = word.verify(passkey, party.id(), sealed.clone(), now)?;
            Ok(passkey.vouch(voucher, now))
        })
        .await
    }

    async fn change_passkey(
        &self,
        caller: &Caller,
        id: &str,
        decide: impl Fn(&Passkey, Timestamp) -> Result<Option<PasskeyStep>, AppError>,
    ) -> Result<Passkey, AppError> {
        let wanted: PasskeyId = id.parse()?;
        for _ in 0..TRIES {
            let found = self.ledger.passkey(wanted).await?;
            let may = |passkey: &Passkey| {
                caller.is_administrator() || passkey.person == caller.principal().id
            };
            let passkey = found.filter(may).ok_or_else(|| no_such_passkey(id))?;
            let Some(step) = decide(&passkey, self.clock.now())? else { return Ok(passkey) };
            if self.ledger.commit_passkey(step.clone()).await? {
                return Ok(self.note_passkey(&step));
            }
        }
        Err(AppError::Busy)
    }

    fn note_passkey(&self, step: &PasskeyStep) -> Passkey {
        self.waiters.wake_log();
        step.next().clone()
    }

    /// Begins to sign somebody in. Who, their passkey says.
    ///
    /// # Errors
    /// [`AppError::NoPasskeys`]; [`AppError::TooManySignIns`].
    pub fn begin_passkey_sign_in(&self, from: Option<IpAddr>) -> Result<Ceremony, AppError> {
        self.relying_party()?;
        self.check_knocks(from)?;
        self.begin_ceremony(SIGNING_IN)
    }

    /// Signs in whoever's passkey answered: as the person that they are, and never as an administrator.
    /// The session that the browser had before ends.
    ///
    /// # Errors
    /// [`AppError::Signature`], [`AppError::Webauthn`], [`AppError::CeremonyOver`];
    /// [`AppError::TooManySignIns`]; [`AppError::Access`] for somebody who may not come in.
    pub async fn sign_in_by_passkey(
        &self,
        finished: Finished<UnverifiedAssertion>,
        credential: &[u8],
        before: Option<&Caller>,
        label: Label,
    ) -> Result<Secret, AppError> {
        self.check_knocks(label.from)?;
        let used = self.used(SIGNING_IN, &finished, credential).await?;
        let who = used.person.clone();
        let session = self.open_by_passkey(used, None, label).await?;
        if let Some(before) = before {
            self.end_session(before.access().id, &who).await?;
        }
        Ok(session)
    }

    /// Strangers knock only so often.
    fn check_knocks(&self, from: Option<IpAddr>) -> Result<(), AppError> {
        let taken = self.passkey_sign_ins.take(Stranger::at(from), self.clock.now());
        taken.map_err(AppError::TooManySignIns)
    }

    /// Begins to prove again, in this session alone, who its person is.
    ///
    /// # Errors
    /// [`AppError::NoPasskeys`].
    pub fn begin_passkey_again(&self, caller: &Caller) -> Result<Ceremony, AppError> {
        self.relying_party()?;
        self.begin_ceremony(&proving(caller))
    }

    /// Gives a new session in the place of this one, whose person's passkey answered.
    ///
    /// # Errors
    /// As [`Self::sign_in_by_passkey`]; the session goes on then.
    pub async fn sign_in_again_by_passkey(
        &self,
        caller: &Caller,
        finished: Finished<UnverifiedAssertion>,
        credential: &[u8],
        label: Label,
    ) -> Result<Secret, AppError> {
        let used = self.used(&proving(caller), &finished, credential).await?;
        let who = &caller.principal().id;
        if used.person != *who {
            return Err(SignatureError::UnknownPasskey.into());
        }
        // What the provider ends it ends still.
        let sid = caller.access().login.as_ref().and_then(|login| login.sid.clone());
        let session = self.open_by_passkey(used, sid, label).await?;
        self.end_session(caller.access().id, who).await?;
        Ok(session)
    }

    /// Whose passkey answered a ceremony of this kind.
    async fn used(
        &self,
        purpose: &str,
        finished: &Finished<UnverifiedAssertion>,
        credential: &[u8],
    ) -> Result<Used, AppError> {
        let party = self.relying_party()?;
        let (challenge, until) = self.challenge_of(purpose, &finished.sealed)?;
        let found = self.ledger.passkey_with(credential).await?;
        let passkey = found.ok_or(SignatureError::UnknownPasskey)?;
        let flags = finished.answer.verify(&party, &challenge, &passkey.key)?;
        if !passkey.is_live() {
            return Err(SignatureError::Removed.into());
        }
        let mark = Digest::of_parts(&[b"assent/passkey-challenge/v1\0", &challenge]);
        Ok(Used {
            person: passkey.person,
            device_bound: flags.is_device_bound(),
            spent: Spent { mark, until },
        })
    }

    async fn open_by_passkey(
        &self,
        used: Used,
        sid: Option<String>,
        label: Label,
    ) -> Result<Secret, AppError> {
        let now = self.clock.now();
        self.check_known(&used.person, now).await?;
        // RFC 8176 section 2.
        let key = if used.device_bound { "hwk" } else { "swk" };
        let amr = [key, "user"].map(str::to_owned).into();
        let login = Login { provider: PASSKEY.to_owned(), at: Some(now), acr: None, amr, sid };
        let (groups, acts_for) = Default::default();
        let (id, kind, claims) = (used.person, PrincipalKind::Person, serde_json::Map::new());
        let principal = Principal { id, kind, groups, acts_for, claims };
        let opened = self.open_session_once(used.spent, (principal, false), login, label).await?;
        opened.ok_or(AppError::CeremonyOver)
    }

    /// A person whom only this authority knows is known as long as some token of theirs lives: whose
    /// tokens were all taken back has no other way in.
    async fn check_known(&self, who: &PrincipalId, now: Timestamp) -> Result<(), AppError> {
        if who.iss() != LOCAL_ISSUER {
            return Ok(());
        }
        let (all, policy) = (self.ledger.accesses().await?, self.policy());
        let mut theirs = all.iter().filter(|access| access.principal.id == *who);
        match theirs.any(|access| lives(access, &all, &policy, now)) {
            true => Ok(()),
            false => Err(SignatureError::UnknownPasskey.into()),
        }
    }

    /// What the caller's passkey is to sign of a request that they see.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::Signature`] for a passkey that is not theirs, or removed.
    pub async fn statement(
        &self,
        caller: &Caller,
        id: &str,
        wanted: ToSign,
    ) -> Result<Statement, AppError> {
        check_person(caller)?;
        let party = self.relying_party()?;
        let request = self.request(caller, id).await?;
        let who = &caller.principal().id;
        let found = self.ledger.passkey(wanted.passkey).await?;
        let theirs = found.filter(|passkey| passkey.person == *who);
        let passkey = theirs.ok_or(SignatureError::UnknownPasskey)?;
        if !passkey.is_live() {
            return Err(SignatureError::Removed.into());
        }
        let head = self.ledger.head().await?;
        let now = self.clock.now();
        let nonces = self.statements.as_ref().map_err(|error| *error)?;
        Ok(nonces.give(Statement {
            server: self.base.clone(),
            request: request.id(),
            digest: request.digest(),
            policy: request.ruling().policy,
            verdict: wanted.verdict,
            comment: wanted.comment,
            party: party.id().to_owned(),
            approver: who.clone(),
            credential: passkey.credential,
            nonce: [0; 16],
            issued_at: now,
            expires_at: now.plus(STATEMENTS_LAST),
            log: (head.size, head.root),
        }))
    }

    /// What a caller's passkey signed, checked; `None` where they sent nothing.
    pub(super) async fn signature(
        &self,
        caller: &Caller,
        sent: Option<wire::ReviewSignature>,
    ) -> Result<Option<Arc<Signature>>, AppError> {
        let Some(sent) = sent else { return Ok(None) };
        let sent = UnverifiedSignature::try_from(sent).map_err(|problem| AppError::Field {
            field: "signature",
            problem: problem.to_string(),
        })?;
        let found = self.ledger.passkey_with(&sent.credential).await?;
        let theirs = found.filter(|passkey| passkey.person == caller.principal().id);
        let passkey = theirs.ok_or(SignatureError::UnknownPasskey)?;
        let signature = sent.verify(&passkey, &self.base, self.clock.now())?;
        let nonces = self.statements.as_ref().map_err(|error| *error)?;
        match nonces.gave(signature.statement()) {
            true => Ok(Some(Arc::new(signature))),
            false => Err(SignatureError::Stale("this server did not give it").into()),
        }
    }

    fn begin_ceremony(&self, purpose: &str) -> Result<Ceremony, AppError> {
        let challenge = self.chance.key()?;
        let until = self.clock.now().plus(CEREMONIES_LAST).as_millis().to_be_bytes();
        let sealed = self.sealer.seal(purpose, &[challenge.as_slice(), &until].concat())?;
        let (challenge, sealed) =
            (URL_SAFE_NO_PAD.encode(challenge), URL_SAFE_NO_PAD.encode(sealed));
        Ok(Ceremony { challenge, sealed })
    }

    /// The challenge of a ceremony of this kind that has begun here, and until when it may be held.
    fn challenge_of(&self, purpose: &str, sealed: &str) -> Result<([u8; 32], Timestamp), AppError> {
        let over = || AppError::CeremonyOver;
        let sealed = URL_SAFE_NO_PAD.decode(sealed).map_err(|_| over())?;
        let opened = self.sealer.open(purpose, &sealed).map_err(|_| over())?;
        let (challenge, until) = opened.split_first_chunk::<32>().ok_or_else(over)?;
        let until = until.try_into().map(i64::from_be_bytes).map_err(|_| over())?;
        let until = Timestamp::from_millis(until);
        if self.clock.now() < until { Ok((*challenge, until)) } else { Err(over()) }
    }
}

/// What the challenges of sign-ins are sealed for.
const SIGNING_IN: &str = "passkey/sign-in";

/// What those of enrolments are sealed for: one session's do nothing in another.
fn enrolling(caller: &Caller) -> String {
    format!("passkey/enrol/{}", caller.access().id)
}

/// What those of proving again who one is are sealed for.
fn proving(caller: &Caller) -> String {
    format!("passkey/again/{}", caller.access().id)
}

/// Since when the caller is known to be there: since they proved it, or where their provider never says
/// when that was, since they came back from it. A session that a token opened has no such moment.
pub(super) fn here_since(caller: &Caller) -> Option<Timestamp> {
    let access = caller.access();
    caller.signed_in_at().or_else(|| access.login.as_ref().map(|_| access.created_at))
}

fn check_person(caller: &Caller) -> Result<(), AppError> {
    match caller.principal().kind {
        PrincipalKind::Person => Ok(()),
        PrincipalKind::Workload => Err(AppError::NotForWorkloads),
    }
}

fn no_such_passkey(id: &str) -> AppError {
    AppError::NotFound { what: "passkey", id: id.chars().take(80).collect() }
}
