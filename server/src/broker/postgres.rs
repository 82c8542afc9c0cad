//! PostgreSQL: a login role for one credential, with a generated password that only the caller
//! knows, gone when the credential ends.
//!
//! The password never leaves this process but in the answer: the server is sent its SCRAM verifier,
//! so that neither its log nor its statistics hold the password. The role cannot log in after the
//! credential's end by itself (`VALID UNTIL`); closing shuts it, ends its sessions and drops it with
//! what it owns, wherever in the cluster that is.
//!
//! Whoever holds a login may be hostile and work against its end, alone or with others who hold one.
//! So nothing waits for a lock that they can take and keep, and nothing that they made ever runs with
//! the rights of somebody who has more than they had.

mod close;
mod open;
mod owned;
mod plain;
mod scram;
mod session;
mod settings;

use async_trait::async_trait;

use super::{Broker, BrokerError, Closed, Closing, Fields, Opening, Recall, Sought};
use crate::chance::Chance;

pub use settings::{PostgresFault, PostgresSettings};

/// A PostgreSQL server, and what may be granted there.
#[derive(Debug)]
pub struct Postgres {
    target: settings::Target,
    chance: Chance,
}

impl Postgres {
    /// The one that is set up like this.
    ///
    /// # Errors
    /// [`PostgresFault`].
    pub fn new(
        settings: PostgresSettings,
        variable: &dyn Fn(&str) -> Option<assent_core::credential::Secret>,
    ) -> Result<Self, PostgresFault> {
        Ok(Self { target: settings.settled(variable)?, chance: Chance::default() })
    }
}

#[async_trait]
impl Broker for Postgres {
    fn check(&self, sought: &Sought<'_>) -> Result<(), String> {
        self.target.granted(sought.role).map(drop)
    }

    async fn open(&self, opening: &Opening<'_>) -> Result<Fields, BrokerError> {
        let granted = self.target.granted(opening.role()).map_err(BrokerError::Refused)?;
        let none = |_| BrokerError::Away("the system gives no randomness".to_owned());
        let password = self.chance.secret().map_err(none)?;
        let salt = self.chance.salt().map_err(none)?;
        let role = open::Role {
            name: opening.name(),
            verifier: scram::verifier(password.expose(), &salt),
            until: opening.until(),
            connections: self.target.connection_limit,
            granted,
        };
        open::open(&self.target, &role).await?;
        Ok(self.target.fields(opening.name(), &password))
    }

    fn recall(&self) -> Recall {
        Recall::Ends
    }

    async fn close(&self, closing: &Closing<'_>) -> Result<Closed, BrokerError> {
        close::close(&self.target, closing.name()).await?;
        Ok(Closed::Gone)
    }
}

/// A name as SQL has it: whatever is in it, it is one name (PostgreSQL documentation, 4.1.1).
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_is_in_a_name_it_is_one_name() {
        assert_eq!(quoted("reader"), "\"reader\"");
        assert_eq!(quoted("a\"; DROP ROLE b; --"), "\"a\"\"; DROP ROLE b; --\"");
    }
}
