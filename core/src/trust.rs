//! Trusts: whose tokens are believed, which of them, who that is then, and what they may ask for.
//!
//! A trust is written in a policy document. One that is too wide is refused when it is read, not
//! warned of: an issuer signs for everybody who uses it, so that its name alone says nothing
//! (`shape.rs` has what each kind of issuer must say). Claims are compared whole, byte for byte;
//! there are no patterns, because names that begin alike are what attackers register.

mod shape;
mod subject;
#[cfg(test)]
pub(crate) mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use crate::canonical;
use crate::digest::Digest;
use crate::endorsement;
use crate::github::OWN_CLAIMS;
use crate::membership::is_name_character;
use crate::policy::glob::Glob;
use crate::principal::{Principal, PrincipalId, PrincipalIdError, PrincipalKind, is_visible};
use crate::time::{Span, Timestamp};
use crate::token::{PublicKeys, Typ, VerifiedToken};

pub use shape::Shape;
use subject::Subject;

/// How long an access token of a trust lives where nothing is said.
pub const DEFAULT_LIFETIME: Span = Span::minutes(15);
/// How long it lives at most: longer than a run's own token would be of no use to a run.
pub const MAX_LIFETIME: Span = Span::hours(1);
/// The most claims, and the most values of one.
const MAX_CLAIMS: usize = 32;

/// A trust as it is written; nothing of it is checked.
#[derive(Clone, Debug, Default)]
pub struct UnverifiedTrust {
    /// Its name.
    pub name: String,
    /// The exact `iss`.
    pub issuer: String,
    /// The exact `aud`.
    pub audience: String,
    /// What kind of issuer it is, where it is a known one.
    pub shape: Option<Shape>,
    /// The claims that must be there, each with the values that it may have.
    pub claims: BTreeMap<String, BTreeSet<String>>,
    /// How the workload is named: text with `{claim}` in it.
    pub principal: Option<String>,
    /// Who the people are whom the issuer knows by a number: they are behind what is asked.
    pub people: BTreeMap<String, PrincipalId>,
    /// The groups the workload is in.
    pub groups: BTreeSet<String>,
    /// The kinds it may ask for.
    pub kinds: BTreeSet<Glob>,
    /// The environments it may ask for.
    pub environments: BTreeSet<Glob>,
    /// How long the access token lives.
    pub lifetime: Option<Span>,
    /// Whether each token is good once.
    pub single_use: Option<bool>,
    /// The issuer's keys, so that nothing is fetched.
    pub jwks: Option<Value>,
    /// Where the issuer's keys are, so that nothing is discovered.
    pub jwks_uri: Option<String>,
}

/// One thing that is wrong with a trust.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {problem}")]
pub struct TrustFault {
    /// The field.
    pub field: &'static str,
    /// What is wrong and what was expected.
    pub problem: String,
}

/// Whose tokens are believed, and what for. Only [`UnverifiedTrust::verify`] makes one.
#[derive(Clone, Debug)]
pub struct Trust {
    name: String,
    issuer: String,
    audience: String,
    shape: Option<Shape>,
    claims: BTreeMap<String, BTreeSet<String>>,
    subject: Subject,
    people: BTreeMap<String, PrincipalId>,
    groups: BTreeSet<String>,
    scope: Scope,
    lifetime: Span,
    single_use: bool,
    keys: KeySource,
    digest: Digest,
}

/// Where the issuer's keys come from.
#[derive(Clone, Debug)]
pub enum KeySource {
    /// From where the issuer's metadata says (OpenID Connect Discovery 1.0 section 4).
    Discovered,
    /// From this address.
    At(String),
    /// From the trust itself.
    Pinned(PublicKeys),
}

impl KeySource {
    /// What a document says of where an issuer's keys are.
    pub(crate) fn read(
        jwks: Option<&Value>,
        jwks_uri: Option<&String>,
        faults: &mut Vec<TrustFault>,
    ) -> Self {
        match (jwks, jwks_uri) {
            (None, None) => Self::Discovered,
            (None, Some(at)) => {
                faults.extend(url_fault(at).map(|problem| fault("jwks_uri", problem)));
                Self::At(at.clone())
            }
            (Some(set), None) => {
                let keys = PublicKeys::read(set);
                if keys.is_empty() {
                    let problem = "no key that can be used: expected `keys` with public RSA keys of \
                        2048 bits or more, P-256, P-384 or Ed25519 keys, each with its own `kid`";
                    faults.push(fault("jwks", problem.to_owned()));
                }
                Self::Pinned(keys)
            }
            (Some(_), Some(_)) => {
                faults.push(fault("jwks_uri", "`jwks` or `jwks_uri`: not both".to_owned()));
                Self::Discovered
            }
        }
    }
}

/// What a workload may ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    kinds: BTreeSet<Glob>,
    environments: BTreeSet<Glob>,
}

impl Scope {
    /// The kinds.
    pub fn kinds(&self) -> &BTreeSet<Glob> {
        &self.kinds
    }

    /// The environments.
    pub fn environments(&self) -> &BTreeSet<Glob> {
        &self.environments
    }

    /// Whether this is within it.
    pub fn holds(&self, kind: &str, environment: &str) -> bool {
        let any = |globs: &BTreeSet<Glob>, text| globs.iter().any(|glob| glob.matches(text));
        any(&self.kinds, kind) && any(&self.environments, environment)
    }
}

/// Why a trust does not take a token.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Mismatch {
    /// Of another issuer.
    #[error("it is of another issuer")]
    Issuer,
    /// For somebody else, or not for this audience alone.
    #[error("it is not for the audience of the trust alone")]
    Audience,
    /// Another kind of token.
    #[error("it is another kind of token than the trust is for")]
    Typ,
    /// A claim that is missing, of another type, or of another value.
    #[error("its claim `{0}` is not what the trust wants")]
    Claim(String),
    /// What it names cannot be a principal.
    #[error("no principal can be named by it")]
    Principal(#[from] PrincipalIdError),
}

impl UnverifiedTrust {
    /// The trust, or every fault with its field.
    ///
    /// # Errors
    /// All [`TrustFault`]s at once: what is malformed, and what would let in too many.
    pub fn verify(mut self) -> Result<Trust, Vec<TrustFault>> {
        let mut faults = Vec::new();
        let shape = self.shape;
        if let Some(shape) = shape {
            shape.complete(&mut self.claims);
        }
        self.check(&mut faults);
        let principal =
            self.principal.as_deref().unwrap_or_else(|| shape::principal(shape, &self.claims));
        let subject = principal.parse::<Subject>();
        let keys = self.keys(&mut faults);
        let digest = self.digest();
        let single_use = self.single_use.unwrap_or(shape.is_some_and(Shape::is_single_use));
        let lifetime = self.lifetime.unwrap_or(DEFAULT_LIFETIME);
        match subject {
            Err(problem) => faults.push(fault("principal", problem.to_string())),
            Ok(subject) if faults.is_empty() => {
                return Ok(Trust {
                    name: self.name,
                    issuer: self.issuer,
                    audience: self.audience,
                    shape,
                    claims: self.claims,
                    subject,
                    people: self.people,
                    groups: self.groups,
                    scope: Scope { kinds: self.kinds, environments: self.environments },
                    lifetime,
                    single_use,
                    keys,
                    digest,
                });
            }
            Ok(_) => {}
        }
        Err(faults)
    }

    fn check(&self, faults: &mut Vec<TrustFault>) {
        let mut say = |field, problem: Option<String>| {
            faults.extend(problem.map(|problem| TrustFault { field, problem }));
        };
        say("issuer", url_fault(&self.issuer));
        say("audience", self.audience_fault());
        self.claims.iter().for_each(|(name, values)| say("claims", claim_fault(name, values)));
        let too_many = self.claims.len() > MAX_CLAIMS;
        say("claims", too_many.then(|| format!("more than {MAX_CLAIMS} claims")));
        say("claims", shape::width_fault(self.shape, &self.issuer, &self.claims));
        say("shape", shape::shape_fault(self.shape, &self.issuer));
        let unfit = |name: &&String| !name.chars().all(is_name_character) || name.is_empty();
        let group = self.groups.iter().find(unfit);
        say("groups", group.map(|name| format!("`{name}` is no name of a group")));
        let names = shape::person(self.shape, &self.issuer).is_some()
            || self.shape == Some(Shape::AssentAuthority);
        let nobody = !self.people.is_empty() && !names;
        let problem = "tokens of this shape name no people by a number";
        say("people", nobody.then(|| problem.to_owned()));
        for (what, globs) in [("kinds", &self.kinds), ("environments", &self.environments)] {
            let problem = "is empty: name what may be asked for; `**` is everything";
            say("may_ask", globs.is_empty().then(|| format!("`{what}` {problem}")));
        }
        let lifetime = self.lifetime.filter(|life| *life > MAX_LIFETIME || *life == Span::ZERO);
        say("lifetime", lifetime.map(|life| format!("{life} is not within 1s to {MAX_LIFETIME}")));
    }

    fn audience_fault(&self) -> Option<String> {
        let audience = &self.audience;
        let hidden = audience.chars().any(|c| c.is_whitespace() || !is_visible(c));
        if audience.is_empty() || audience.len() > 255 || hidden {
            return Some("expected 1 to 255 visible characters without spaces".to_owned());
        }
        let why = if *audience == self.issuer {
            "is the issuer itself, which is no audience of this server's own"
        } else if shape::is_default_audience(self.shape, audience) {
            "is what every token of that owner is for where nothing else is asked"
        } else {
            return None;
        };
        Some(format!("`{audience}` {why}; use this server's URL, and ask for it in the job"))
    }

    fn keys(&self, faults: &mut Vec<TrustFault>) -> KeySource {
        KeySource::read(self.jwks.as_ref(), self.jwks_uri.as_ref(), faults)
    }

    /// The digest of everything it says. An access token is good as long as this is what rules.
    fn digest(&self) -> Digest {
        let texts = |globs: &BTreeSet<Glob>| globs.iter().map(Glob::to_string).collect::<Vec<_>>();
        let people = self.people.iter().map(|(number, id)| (number.clone(), id.to_string().into()));
        canonical::digest(&json!({
            "v": 1,
            "name": self.name,
            "issuer": self.issuer,
            "audience": self.audience,
            "shape": self.shape.map(Shape::word),
            "claims": self.claims,
            "principal": self.principal,
            "people": people.collect::<Map<String, Value>>(),
            "groups": self.groups,
            "kinds": texts(&self.kinds),
            "environments": texts(&self.environments),
            "lifetime": self.lifetime.map(|life| life.to_string()),
            "single_use": self.single_use,
            // As text: any JSON may stand in a key, and not all of it has a canonical form.
            "jwks": self.jwks.as_ref().map(Value::to_string),
            "jwks_uri": self.jwks_uri,
        }))
    }
}

impl Trust {
    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The exact issuer.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// The exact audience.
    pub fn audience(&self) -> &str {
        &self.audience
    }

    /// What kind of issuer it is, where it is a known one.
    pub fn shape(&self) -> Option<Shape> {
        self.shape
    }

    /// The claims that must be there, each with the values that it may have.
    pub fn claims(&self) -> &BTreeMap<String, BTreeSet<String>> {
        &self.claims
    }

    /// How its workloads are named: text with `{claim}` in it.
    pub fn principal(&self) -> String {
        self.subject.to_string()
    }

    /// Who the people are whom the issuer knows by a number.
    pub fn people(&self) -> &BTreeMap<String, PrincipalId> {
        &self.people
    }

    /// Where the people who start its jobs have accounts, where that is known of its shape.
    pub fn accounts_at(&self) -> Option<String> {
        shape::accounts_at(self.shape, &self.issuer)
    }

    /// The accounts there of those whom it knows, each with the person whose it is.
    pub fn accounts(&self) -> impl Iterator<Item = (PrincipalId, &PrincipalId)> {
        let at = self.accounts_at();
        let account = move |number: &str| PrincipalId::new(at.as_deref()?, number).ok();
        self.people.iter().filter_map(move |(number, person)| Some((account(number)?, person)))
    }

    /// Where the issuer's keys come from.
    pub fn keys(&self) -> &KeySource {
        &self.keys
    }

    /// What its workloads may ask for.
    pub fn scope(&self) -> &Scope {
        &self.scope
    }

    /// The groups its workloads are in.
    pub fn groups(&self) -> &BTreeSet<String> {
        &self.groups
    }

    /// How long its access tokens live at most.
    pub fn lifetime(&self) -> Span {
        self.lifetime
    }

    /// How long an access token lives that is given for this one now. A credential of another Assent
    /// opens nothing here for longer than it opens anything there; nothing, once it is over.
    pub fn life(&self, token: &VerifiedToken, now: Timestamp) -> Span {
        match self.shape.is_some_and(Shape::is_for_one_action) {
            true => self.lifetime.min(now.until(token.expires_at())),
            false => self.lifetime,
        }
    }

    /// Whether each token is good once.
    pub fn is_single_use(&self) -> bool {
        self.single_use
    }

    /// The digest of everything it says.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What may have been meant otherwise, though it is no fault.
    pub fn concerns(&self) -> Vec<String> {
        let everything = |globs: &BTreeSet<Glob>| {
            globs.iter().any(|glob| matches!(glob.to_string().as_str(), "*" | "**"))
        };
        let all = everything(&self.scope.kinds) && everything(&self.scope.environments);
        let widest = "its workloads may ask for every kind in every environment";
        let own = all.then(|| widest.to_owned());
        own.into_iter().chain(shape::concerns(self.shape, &self.claims)).collect()
    }

    /// Who presents this token, if it is one that the trust is for.
    ///
    /// # Errors
    /// [`Mismatch`]: the first thing that is not as the trust wants it.
    pub fn admit(&self, token: &VerifiedToken) -> Result<Principal, Mismatch> {
        if token.issuer() != self.issuer {
            return Err(Mismatch::Issuer);
        }
        // One audience: a token that others get too, any of them could present.
        if !token.audiences().iter().eq([&self.audience]) {
            return Err(Mismatch::Audience);
        }
        if !shape::takes(self.shape, token.typ()) {
            return Err(Mismatch::Typ);
        }
        // What a partner says of a question of ours lets nobody in, whoever holds it.
        if token.claim("kind") == Some(endorsement::KIND) && token.typ() == Typ::AccessToken {
            return Err(Mismatch::Typ);
        }
        for (name, values) in &self.claims {
            let fits = token.claim(name).is_some_and(|value| values.contains(value));
            if !fits {
                return Err(Mismatch::Claim(name.clone()));
            }
        }
        let sub = self.subject.of(token).map_err(Mismatch::Claim)?;
        Ok(Principal {
            id: PrincipalId::new(&self.issuer, &sub)?,
            kind: PrincipalKind::Workload,
            groups: self.groups.clone(),
            acts_for: self.acts_for(token)?,
            claims: self.kept_claims(token),
        })
    }

    /// The people behind the workload, as the issuer knows them and as this authority does.
    fn acts_for(&self, token: &VerifiedToken) -> Result<BTreeSet<PrincipalId>, Mismatch> {
        let mut people = BTreeSet::new();
        if self.shape == Some(Shape::AssentAuthority) {
            let behind = || Mismatch::Claim("behind".to_owned());
            let names = token.claims("behind").filter(|names| !names.is_empty());
            for name in names.ok_or_else(behind)? {
                let who = PrincipalId::said_by(&self.issuer, name).map_err(|_| behind())?;
                people.extend(self.known_here(name, &who));
                people.insert(who);
            }
            return Ok(people);
        }
        let Some(person) = shape::person(self.shape, &self.issuer) else { return Ok(people) };
        // Who started it must be known: somebody would count who must not.
        let number = token.claim(person.claim);
        let number = number.ok_or_else(|| Mismatch::Claim(person.claim.to_owned()))?;
        let who = person.id(number)?;
        people.extend(self.known_here(number, &who));
        people.insert(who);
        Ok(people)
    }

    /// Who somebody behind the workload is here, in whichever way the token and policy write them.
    fn known_here(&self, said: &str, who: &PrincipalId) -> Option<PrincipalId> {
        let other = || self.people.get(&who.as_said_by(&self.issuer));
        self.people.get(said).or_else(other).cloned()
    }

    /// What policy and people can see of the token: the trust, its subject, and what it was known
    /// by or its shape knows to say something.
    fn kept_claims(&self, token: &VerifiedToken) -> Map<String, Value> {
        let named = self.claims.keys().map(String::as_str);
        let names = named.chain(["sub"]).chain(shape::telling(self.shape).iter().copied());
        let mut kept = Map::new();
        for name in names {
            if let Some(value) = token.claim(name) {
                kept.insert(name.to_owned(), value.into());
            }
        }
        kept.insert("trust".to_owned(), self.name.clone().into());
        kept
    }
}

fn fault(field: &'static str, problem: String) -> TrustFault {
    TrustFault { field, problem }
}

fn claim_fault(name: &str, values: &BTreeSet<String>) -> Option<String> {
    let hidden = |text: &str| text.chars().any(|c| !is_visible(c));
    if name.is_empty() || name.len() > 128 || hidden(name) {
        return Some(format!("`{}` is no name of a claim", name.escape_debug()));
    }
    if ["iss", "aud", "exp", "iat", "nbf", "jti"].contains(&name) {
        return Some(format!("`{name}` is checked always and tells tokens not apart"));
    }
    if OWN_CLAIMS.contains(&name) {
        return Some(format!("`{name}` is what this authority says itself, and no token"));
    }
    if values.is_empty() || values.len() > MAX_CLAIMS {
        return Some(format!("`{name}` needs 1 to {MAX_CLAIMS} values"));
    }
    let unfit = |value: &&String| value.is_empty() || value.len() > 512 || hidden(value);
    if let Some(value) = values.iter().find(unfit) {
        return Some(format!("`{}` can be no value of `{name}`", value.escape_debug()));
    }
    let pattern = values.iter().find(|value| value.contains(['*', '?']))?;
    let advice = "values are compared whole and are no patterns; write each with `in: [..]`";
    Some(format!("`{name}` is `{pattern}`, but {advice}"))
}

/// An address that says one thing only: what is compared as text is also what is fetched.
pub(crate) fn url_fault(text: &str) -> Option<String> {
    let problem = |what: &str| Some(format!("`{}` {what}", text.escape_debug()));
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~/:[]".contains(&b);
    if text.len() > 255 || !text.bytes().all(plain) {
        return problem("is no plain address: no user, query, fragment, `%` or spaces");
    }
    let (is_clear, rest) = match (text.strip_prefix("https://"), text.strip_prefix("http://")) {
        (Some(rest), _) => (false, rest),
        (None, Some(rest)) => (true, rest),
        (None, None) => return problem("does not begin with https://"),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (host, port) = match authority.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')) {
        Some((host, port)) => (host, Some(port)),
        None => (authority, None),
    };
    let is_number = |port: &str| {
        port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port)
    };
    if host.is_empty() || host.bytes().any(|b| b.is_ascii_uppercase()) {
        return problem("needs a host in lower case");
    }
    if port.is_some_and(|port| !is_number(port)) {
        return problem("has a port that is none");
    }
    if path.contains("//") || path.split('/').any(|part| part == "." || part == "..") {
        return problem("has a path that could be read in two ways");
    }
    let is_here = host == "localhost" || host == "127.0.0.1" || host == "[::1]";
    (is_clear && !is_here).then(|| format!("`{text}` is not https"))
}
