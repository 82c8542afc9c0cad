//! Minting, looking at, redeeming and taking back credentials.

use assent_core::access::Purpose;
use assent_core::binding::check_applying;
use assent_core::credential::dpop::{Shown, Thumbprint};
use assent_core::credential::{Assertion, Claims, KeyId, Minted, Secret, Verifier};
use assent_core::digest::Digest;
use assent_core::grant::Grant;
use assent_core::id::CredentialId;
use assent_core::policy::ruling::SHORTEST_HEARTBEAT;
use assent_core::request::{ConsumeError, Issued, Request, Spend};
use assent_core::time::{Span, Timestamp};
use assent_core::wire;

use crate::app::refusals::Attempt;
use crate::app::requests::standing;
use crate::app::{AppError, Authority, Caller, TRIES, Wish};
use crate::broker::{Asserts, BrokerError, Fields, Opening, Recall, Sought};
use crate::ledger::{Commit, Listened, NewCall, Write};

impl Authority {
    /// Mints a credential: first the spent use is on record, then the broker opens what is wanted
    /// beside the token, then the token is made.
    ///
    /// The same wish again gives the same credential again, as long as it lives: an answer that
    /// was lost on its way costs nobody a second approval. What a broker opened for it gets a new
    /// secret then, because nobody keeps the one before.
    ///
    /// # Errors
    /// [`AppError::Consume`] says why not.
    pub async fn mint(
        &self,
        caller: &Caller,
        id: &str,
        wanted: wire::MintRequest,
        shown: Option<&Shown>,
        wish: Wish,
    ) -> Result<wire::Credential, AppError> {
        let minted = self.try_mint(caller, id, wanted, shown, wish).await;
        self.noted(caller, id, Attempt::Mint, minted).await
    }

    async fn try_mint(
        &self,
        caller: &Caller,
        id: &str,
        wanted: wire::MintRequest,
        shown: Option<&Shown>,
        wish: Wish,
    ) -> Result<wire::Credential, AppError> {
        let spend = self.spend(wanted, shown.map(Shown::key))?;
        // What could not be signed is refused before the use is spent.
        self.signer(&spend.audience)?;
        if let Some(call) = self.ledger.recall(wish.key).await? {
            return self.mint_again(caller, call, shown, wish).await;
        }
        let asked = self.request(caller, id).await?;
        self.check_partners(caller, &asked).await?;
        let mut unused = shown;
        for _ in 0..TRIES {
            let turn = self.before_the_next_signal().await;
            let request = self.request(caller, id).await?;
            self.check_scope(caller, request.intent())?;
            let now = self.clock.now();
            let sealed =
                request.consume(caller.principal(), spend.clone(), &self.membership(), now)?;
            self.check_broker(&request, spend.broker.as_deref())?;
            self.use_up(caller, unused.take())?;
            let credential = Some(spend.credential);
            let call = Some(NewCall { key: wish.key, asked: wish.asked, credential });
            let step = sealed.step().clone();
            let commit = self
                .ledger
                .commit(Write { step, call, unless_open: false, most_pending: None })
                .await?;
            // Opening and signing take their own turns.
            drop(turn);
            match commit {
                Commit::Done(receipt) => {
                    self.written(&request);
                    let grant = sealed.release(&receipt).ok_or(AppError::CredentialOver)?;
                    return self.hand_out(&request, grant).await;
                }
                Commit::Repeated(call) => {
                    return self.mint_again(caller, call, unused, wish).await;
                }
                Commit::Conflict | Commit::Open(_) | Commit::TooMany => {}
            }
        }
        Err(AppError::Busy)
    }

    fn spend(
        &self,
        wanted: wire::MintRequest,
        confirmation: Option<Thumbprint>,
    ) -> Result<Spend, AppError> {
        let field = |field, problem: &str| AppError::Field { field, problem: problem.to_owned() };
        let wire::MintRequest { audience, ttl, broker, heartbeat } = wanted;
        if audience.is_empty() || audience.len() > 255 || audience.chars().any(char::is_control) {
            return Err(field(
                "audience",
                "name for whom the credential shall be, in 1 to 255 bytes",
            ));
        }
        let ttl = match ttl.map(|text| text.parse::<Span>()).transpose() {
            Ok(Some(Span::ZERO)) => return Err(field("ttl", "a credential of no time")),
            Ok(ttl) => ttl,
            Err(problem) => return Err(field("ttl", &problem.to_string())),
        };
        let heartbeat = heartbeat.map(|text| text.parse::<Span>()).transpose();
        let heartbeat = heartbeat.map_err(|problem| field("heartbeat", &problem.to_string()))?;
        if heartbeat.is_some_and(|heartbeat| heartbeat < SHORTEST_HEARTBEAT) {
            let least = format!("ask for at least {SHORTEST_HEARTBEAT}");
            return Err(field("heartbeat", &least));
        }
        let opens = broker.as_deref().and_then(|name| self.brokers.get(name));
        let recall = opens.map_or(Recall::Ends, |broker| broker.recall());
        let credential = self.chance.credential_id(self.clock.now())?;
        Ok(Spend { credential, audience, ttl, broker, recall, heartbeat, confirmation })
    }

    /// What the broker could not open is refused before the use is spent.
    fn check_broker(&self, request: &Request, named: Option<&str>) -> Result<(), AppError> {
        let Some(name) = named else { return Ok(()) };
        let field = |problem| AppError::Field { field: "broker", problem };
        let Some(broker) = self.brokers.get(name) else {
            return Err(field(format!("this authority is not set up with a broker `{name}`")));
        };
        let role = request.terms().and_then(|terms| terms.role.as_deref());
        let sought = Sought { role, intent: request.intent() };
        broker
            .check(&sought)
            .map_err(|problem| field(format!("`{name}` cannot open it: {problem}")))
    }

    async fn mint_again(
        &self,
        caller: &Caller,
        call: crate::ledger::Call,
        shown: Option<&Shown>,
        wish: Wish,
    ) -> Result<wire::Credential, AppError> {
        if call.asked != wish.asked {
            return Err(AppError::KeyReused);
        }
        let request = self.current(call.request).await?;
        self.check_scope(caller, request.intent())?;
        request.check_run(caller.principal()).map_err(ConsumeError::from)?;
        check_applying(caller.principal()).map_err(ConsumeError::from)?;
        self.check_partners(caller, &request).await?;
        let now = self.clock.now();
        let members = &self.membership();
        let again = |id| request.grant_again(caller.principal(), id, members, now);
        let grant = call.credential.and_then(again).ok_or(AppError::CredentialOver)?;
        self.use_up(caller, shown)?;
        self.hand_out(&request, grant).await
    }

    /// Opens what is to be opened and makes the token.
    async fn hand_out(
        &self,
        request: &Request,
        grant: Grant,
    ) -> Result<wire::Credential, AppError> {
        let Some(name) = grant.broker().map(str::to_owned) else {
            return self.sign(request, grant, Fields::new()).await;
        };
        // Nothing is closed from here until the token is on record, or until it is clear that there
        // is none; and what has been closed meanwhile is not opened again.
        let _turn = self.brokers.turn(grant.credential()).await;
        let current = self.current(request.id()).await?;
        let due = current.credential(grant.credential()).and_then(Issued::closes_at);
        if due.is_none_or(|due| self.clock.now() >= due) {
            return Err(AppError::CredentialOver);
        }
        let failed = |problem| AppError::NotOpened { broker: name.clone(), problem };
        let gone = || failed("the authority is not set up with it any more".to_owned());
        let broker = self.brokers.get(&name).ok_or_else(gone)?;
        let opening = Opening::of(&grant, self.clock.now(), self.brokers.kept(), self);
        let fields = broker.open(&opening).await.map_err(|e| failed(e.to_string()))?;
        self.sign(request, grant, fields).await
    }

    /// Makes the token, and hands it out once its fingerprint is on record.
    async fn sign(
        &self,
        request: &Request,
        grant: Grant,
        fields: Fields,
    ) -> Result<wire::Credential, AppError> {
        let minted = self.signer(grant.audience())?.mint(grant, self.chance.source())?;
        for _ in 0..TRIES {
            let _turn = self.before_the_next_signal().await;
            let request = self.current(request.id()).await?;
            let (id, fingerprint, key) =
                (minted.credential, minted.fingerprint, minted.key.clone());
            let step = request.minted(id, fingerprint, key, self.clock.now());
            let step = step.ok_or(AppError::CredentialOver)?;
            let beats = step.next().credential(id).and_then(|issued| issued.heartbeat);
            let heard = step.events().last().map(|event| event.at);
            if let Commit::Done(_) = self.commit_alone(step).await? {
                let due = heard.zip(beats).map(|(heard, beats)| heard.plus(beats).to_string());
                let heartbeat = beats.map(|beats| beats.to_string());
                let credential = handed_out(minted, &fields);
                return Ok(wire::Credential { heartbeat, heartbeat_due: due, ..credential });
            }
        }
        Err(AppError::Busy)
    }

    /// What the authority says of a presented token: inactive on any doubt (RFC 7662 section 2.2).
    ///
    /// # Errors
    /// [`AppError::Ledger`] only.
    pub async fn introspect(&self, token: &Secret) -> Result<wire::Introspection, AppError> {
        let inactive = wire::Introspection { active: false, claims: serde_json::Map::new() };
        let Some((claims, request)) = self.recognize(token, None).await? else {
            return Ok(inactive);
        };
        let request = match self.silence(&request).await? {
            Some(_) => self.current(request.id()).await?,
            None => request,
        };
        let unspent = |issued: &Issued| issued.redeemed_at.is_none();
        let is_unspent = request.credential(claims.id).is_some_and(unspent);
        let fingerprint = Digest::of(token.expose().as_bytes());
        match is_unspent && self.is_good(&request, claims.id, fingerprint) {
            true => Ok(active(claims)),
            false => Ok(inactive),
        }
    }

    /// Whether this is the token of a credential that holds still, spent or not.
    fn is_good(&self, request: &Request, id: CredentialId, fingerprint: Digest) -> bool {
        let now = self.clock.now();
        let issued = request.credential(id);
        let issued = issued.filter(|issued| issued.is_live_token(fingerprint, now));
        issued.is_some_and(|issued| self.still_stands(request, issued, now))
    }

    /// Whether the permission is still there at the moment of use: no signal cuts it, from when that
    /// was acknowledged and whether or not it was followed through; those who approved still may; and
    /// the trust that its requester came by, if any, still lets them ask for it.
    fn still_stands(&self, request: &Request, issued: &Issued, now: Timestamp) -> bool {
        !self.is_cut(request, now)
            && request.still_holds(&self.membership_since(issued.at))
            && self.policy().still_trusts(request.requester(), request.intent())
    }

    /// Spends a token for the service that was shown it; once. Who is the service for an audience is
    /// not known here: whoever holds the token can spend it, as they could use it, and it is on record
    /// who did.
    ///
    /// The same wish again has the same answer, as long as the credential holds: what was taken back
    /// meanwhile is not to be acted on by whoever asks only now.
    ///
    /// # Errors
    /// [`AppError::Redeem`].
    pub async fn redeem(
        &self,
        caller: &Caller,
        (token, passed_on): (&Secret, Option<&wire::PassedOn>),
        audience: &str,
        wish: Wish,
    ) -> Result<wire::Introspection, AppError> {
        use assent_core::request::RedeemError;
        let found = self.recognize(token, Some(audience)).await?;
        let (claims, _) = found.ok_or(AppError::Redeem(RedeemError::Inactive))?;
        let fingerprint = Digest::of(token.expose().as_bytes());
        if let Some(call) = self.ledger.recall(wish.key).await? {
            if call.asked != wish.asked {
                return Err(AppError::KeyReused);
            }
            let request = self.current(claims.request).await?;
            return match self.is_good(&request, claims.id, fingerprint) {
                true => Ok(active(claims)),
                false => Err(AppError::Redeem(RedeemError::Inactive)),
            };
        }
        self.check_passed_on((token, &claims), passed_on)?;
        for _ in 0..TRIES {
            let _turn = self.before_the_next_signal().await;
            let request = self.current(claims.request).await?;
            let (by, now) = (&caller.principal().id, self.clock.now());
            let issued = request.credential(claims.id);
            if !issued.is_some_and(|issued| self.still_stands(&request, issued, now)) {
                return Err(RedeemError::Inactive.into());
            }
            let step = request.redeem(by, claims.id, fingerprint, now)?;
            let call = Some(NewCall { key: wish.key, asked: wish.asked, credential: None });
            match self
                .ledger
                .commit(Write { step, call, unless_open: false, most_pending: None })
                .await?
            {
                Commit::Done(_) => {
                    self.written(&request);
                    return Ok(active(claims));
                }
                Commit::Repeated(call) if call.asked == wish.asked => {
                    return Ok(active(claims));
                }
                Commit::Repeated(_) => return Err(AppError::KeyReused),
                Commit::Conflict | Commit::Open(_) | Commit::TooMany => {}
            }
        }
        Err(AppError::Busy)
    }

    /// What is known of a credential.
    ///
    /// # Errors
    /// [`AppError::NotFound`].
    pub async fn credential(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<wire::CredentialStatus, AppError> {
        let (credential, request) = self.request_of(caller, id).await?;
        let shown = self.show(&request);
        let mut all = shown.credentials.into_iter();
        let found = all.find(|status| status.id == credential.to_string());
        let found = found.ok_or_else(|| not_found(id))?;
        let beats = match found.heartbeat {
            Some(_) => self.ledger.heartbeats(request.id()).await?,
            None => Vec::new(),
        };
        let beat = beats.iter().find(|beat| beat.who == Listened::Holder(credential));
        let heartbeat_due = beat.map(|beat| beat.due.to_string());
        Ok(wire::CredentialStatus { heartbeat_due, ..found })
    }

    /// Takes one credential back, by its id. Done before is done.
    ///
    /// # Errors
    /// [`AppError::Revoke`].
    pub async fn revoke_credential(&self, caller: &Caller, id: &str) -> Result<(), AppError> {
        let (credential, _) = self.request_of(caller, id).await?;
        for _ in 0..TRIES {
            let (_, request) = self.request_of(caller, id).await?;
            let (by, standing) = (caller.principal(), standing(caller));
            let now = self.clock.now();
            let step =
                request.revoke_credential(by, standing, credential, &self.membership(), now)?;
            let Some(step) = step else { return Ok(()) };
            if let Commit::Done(_) = self.commit_alone(step).await? {
                return Ok(());
            }
        }
        Err(AppError::Busy)
    }

    /// Takes a credential back, by its token (RFC 7009), or an access token, which is what the token
    /// endpoint gives. A token that is nobody's is no fault.
    ///
    /// # Errors
    /// [`AppError::Revoke`], [`AppError::NotFound`] for what is not the caller's to take back.
    pub async fn revoke_token(&self, caller: &Caller, token: &Secret) -> Result<(), AppError> {
        if let Ok(holder) = self.admit(token.expose(), Purpose::Token).await {
            let id = holder.access().id.to_string();
            return self.revoke_access(caller, &id).await.map(drop);
        }
        match self.recognize(token, None).await? {
            Some((claims, _)) => self.revoke_credential(caller, &claims.id.to_string()).await,
            None => Ok(()),
        }
    }

    /// How a request looks to callers at this moment.
    pub fn show(&self, request: &Request) -> wire::Request {
        let now = self.clock.now();
        let mut shown = wire::Request::show(request, &self.membership(), now, &self.base);
        for (status, issued) in shown.credentials.iter_mut().zip(request.credentials()) {
            let is_gone = |key: &KeyId| !self.keys.publishes(key, now);
            if status.status == "live" && issued.key.as_ref().is_some_and(is_gone) {
                status.status = "key_revoked".to_owned();
            }
        }
        shown
    }

    pub(super) async fn request_of(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<(CredentialId, Request), AppError> {
        let credential = id.parse()?;
        let found = self.ledger.request_of(credential).await?;
        let request = found.ok_or_else(|| not_found(id))?;
        Ok((credential, self.request(caller, &request.to_string()).await?))
    }

    /// The claims and the request of a token that this authority signed and that is in time.
    async fn recognize(
        &self,
        token: &Secret,
        audience: Option<&str>,
    ) -> Result<Option<(Claims, Request)>, AppError> {
        let verifier = match audience {
            Some(audience) => Verifier::new(&self.base, audience),
            None => Verifier::of_own(&self.base),
        };
        let verdict = verifier.examine(token.expose(), &self.published().set, self.clock.now());
        let Ok(claims) = verdict else { return Ok(None) };
        match self.ledger.load(claims.request, None).await? {
            Some(request) => Ok(Some((claims, request))),
            None => Ok(None),
        }
    }
}

/// What is said of a good token (RFC 7662 section 2.2); how it is to be presented, too.
fn active(claims: Claims) -> wire::Introspection {
    let token_type = token_type(claims.confirmation.is_some());
    let mut claims = claims.all;
    claims.insert("token_type".to_owned(), token_type.into());
    wire::Introspection { active: true, claims }
}

/// RFC 9449 sections 5 and 6.2, RFC 6750.
fn token_type(is_bound: bool) -> &'static str {
    if is_bound { "DPoP" } else { "Bearer" }
}

impl Asserts for Authority {
    fn assert(&self, grant: &Grant, assertion: &Assertion<'_>) -> Result<Secret, BrokerError> {
        let signer = self.signer(assertion.audience);
        let signer = signer.map_err(|problem| BrokerError::Refused(problem.to_string()))?;
        let signed = signer.assert(grant, assertion, self.chance.source());
        signed.map_err(|problem| BrokerError::Away(problem.to_string()))
    }
}

fn handed_out(minted: Minted, fields: &Fields) -> wire::Credential {
    let exposed =
        |(name, secret): (&&str, &Secret)| ((*name).to_owned(), secret.expose().to_owned());
    wire::Credential {
        id: minted.credential.to_string(),
        token: minted.token.expose().to_owned(),
        token_type: token_type(minted.claims.get("cnf").is_some()).to_owned(),
        expires_at: minted.expires_at.to_string(),
        claims: minted.claims,
        fields: fields.iter().map(exposed).collect(),
        heartbeat: None,
        heartbeat_due: None,
    }
}

fn not_found(id: &str) -> AppError {
    AppError::NotFound { what: "credential", id: id.to_owned() }
}
