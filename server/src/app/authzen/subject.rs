//! Whom an evaluation is about. Never somebody that this authority has not verified, and nobody
//! whom the caller may not ask about: a decision tells what somebody may do, and that is theirs.
//!
//! Callers ask about themselves. A workload asks about the people it acts for, and an
//! administrator about everybody. Those others are taken as their newest access token that lives
//! says they are, and ruled on in every group that any of theirs vouches for; what the evaluation says of them are properties, never groups.

use assent_core::access::Access;
use assent_core::principal::{Principal, PrincipalId, PrincipalKind};
use assent_core::wire::authzen::Entity;
use tokio::sync::OnceCell;

use crate::app::access::lives;
use crate::app::{AppError, Authority, Caller};

/// The subjects of one call. What the ledger knows of others is read once.
pub(super) struct Subjects<'a> {
    authority: &'a Authority,
    caller: &'a Caller,
    accesses: OnceCell<Vec<Access>>,
}

impl<'a> Subjects<'a> {
    pub(super) fn of(authority: &'a Authority, caller: &'a Caller) -> Self {
        Self { authority, caller, accesses: OnceCell::new() }
    }

    pub(super) fn caller(&self) -> &'a Caller {
        self.caller
    }

    /// Whether this is the caller.
    pub(super) fn is_caller(&self, principal: &Principal) -> bool {
        let own = self.caller.principal();
        (own.kind, &own.id) == (principal.kind, &principal.id)
    }

    /// The principal that is named; `None` where nobody known is.
    ///
    /// # Errors
    /// [`AppError::ForeignSubject`] where the caller may not ask about them, known or not.
    pub(super) async fn principal(&self, named: &Entity) -> Result<Option<Principal>, AppError> {
        let own = self.caller.principal();
        let wanted = Named::read(named);
        if wanted.as_ref().is_some_and(|wanted| wanted.is(own)) {
            return Ok(Some(own.clone()));
        }
        let acts_for = |wanted: &Named| {
            own.kind == PrincipalKind::Workload
                && wanted.kind == PrincipalKind::Person
                && own.acts_for.contains(&wanted.id)
        };
        if !self.caller.is_administrator() && !wanted.as_ref().is_some_and(acts_for) {
            return Err(AppError::ForeignSubject(named.id.chars().take(255).collect()));
        }
        match wanted {
            Some(wanted) => self.newest(&wanted).await,
            None => Ok(None),
        }
    }

    async fn newest(&self, wanted: &Named) -> Result<Option<Principal>, AppError> {
        let read = || self.authority.ledger.accesses();
        let accesses = self.accesses.get_or_try_init(read).await?;
        let (now, policy) = (self.authority.clock.now(), self.authority.policy());
        let live = accesses.iter().filter(|access| lives(access, accesses, &policy, now));
        let theirs = live.filter(|access| wanted.is(&access.principal));
        Ok(theirs.max_by_key(|access| access.created_at).map(|access| access.principal.clone()))
    }
}

/// Somebody, as a subject names them.
struct Named {
    kind: PrincipalKind,
    id: PrincipalId,
}

impl Named {
    /// `person` and `user` are people, `workload` is a workload; ids are as policies write them,
    /// `alice` or `issuer#subject`.
    fn read(named: &Entity) -> Option<Self> {
        let kind = match named.type_.as_str() {
            "person" | "user" => PrincipalKind::Person,
            "workload" => PrincipalKind::Workload,
            _ => return None,
        };
        let id = match named.id.rsplit_once('#') {
            Some((iss, sub)) => PrincipalId::new(iss, sub),
            None => PrincipalId::local(&named.id),
        };
        Some(Self { kind, id: id.ok()? })
    }

    fn is(&self, principal: &Principal) -> bool {
        (self.kind, &self.id) == (principal.kind, &principal.id)
    }
}
