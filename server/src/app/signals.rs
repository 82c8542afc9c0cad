//! What other systems tell: under a name of its own, which rules read as `signals.NAME` from then on,
//! or of a person, a workload or an environment.

mod following;
mod hearing;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;

use assent_core::wire;
use serde_json::{Map, Value, json};

use crate::app::{AppError, Authority, Caller};
use crate::ledger::{Keeping, Kept, KeptSignal};
pub(super) use hearing::Heard;
pub use tokens::PushError;

/// The largest value of one signal, in bytes of JSON.
const LARGEST: usize = 16 * 1024;
/// The largest of all together: each filing records them.
const LARGEST_TOGETHER: usize = 64 * 1024;

impl Authority {
    /// What other systems have told.
    pub(super) async fn told(&self) -> Result<Arc<Map<String, Value>>, AppError> {
        let read = async || {
            let signals = self.ledger.signals().await?;
            Ok(signals.into_iter().map(|signal| (signal.name, signal.value)).collect())
        };
        self.signals.get(read).await
    }

    /// Every signal, with who told it and when. Only for administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`].
    pub async fn signals(&self, caller: &Caller) -> Result<wire::Signals, AppError> {
        caller.check_administrator()?;
        let signals = self.ledger.signals().await?;
        let signals = signals.into_iter().map(|kept| (kept.name.clone(), shown(kept)));
        let (board, now) = (self.board(), self.clock.now());
        let about = board.holding(now).map(wire::ToldSignal::from).collect();
        Ok(wire::Signals { signals: signals.collect::<BTreeMap<_, _>>(), about })
    }

    /// One signal. Only for administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::NotFound`].
    pub async fn signal(&self, caller: &Caller, name: &str) -> Result<wire::Signal, AppError> {
        caller.check_administrator()?;
        let found = self.ledger.signals().await?.into_iter().find(|signal| signal.name == name);
        found.map(shown).ok_or_else(|| missing(name))
    }

    /// Takes in what another system tells. Only from administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::Field`] for a name or a value that is none.
    pub async fn tell(
        &self,
        caller: &Caller,
        name: &str,
        value: Value,
    ) -> Result<wire::Signal, AppError> {
        caller.check_administrator()?;
        check_name(name)?;
        let field = |field, problem: &str| AppError::Field { field, problem: problem.to_owned() };
        let size = value.to_string().len();
        if size > LARGEST {
            return Err(field("value", "at most 16 KiB of JSON"));
        }
        let told = self.told().await?;
        let others = told.iter().filter(|(other, _)| *other != name);
        let others: usize = others.map(|(_, value)| value.to_string().len()).sum();
        if others + size > LARGEST_TOGETHER {
            return Err(field("value", "all signals together may be 64 KiB; take others back"));
        }
        self.keep_signal(caller, name, Some(value)).await?;
        self.signal(caller, name).await
    }

    /// Takes back what was told. Only for administrators.
    ///
    /// # Errors
    /// [`AppError::NotAdministrator`]; [`AppError::NotFound`].
    pub async fn untell(&self, caller: &Caller, name: &str) -> Result<(), AppError> {
        self.signal(caller, name).await?;
        self.keep_signal(caller, name, None).await
    }

    async fn keep_signal(
        &self,
        caller: &Caller,
        name: &str,
        value: Option<Value>,
    ) -> Result<(), AppError> {
        let (by, at) = (caller.principal().id.clone(), self.clock.now());
        let fact = if value.is_some() { "signal_told" } else { "signal_taken_back" };
        let mut entry = json!({
            "v": 1, "type": fact, "at": at.to_string(),
            "by": by.to_json(), "name": name,
        });
        if let (Some(value), Some(entry)) = (&value, entry.as_object_mut()) {
            entry.insert("value".to_owned(), value.clone());
        }
        let what = Kept::Signal { name: name.to_owned(), value };
        self.ledger.keep(Keeping { what, by, at, entry }).await?;
        self.signals.forget();
        self.waiters.wake_log();
        Ok(())
    }
}

/// A name is one member of `signals`, so it has no dot.
fn check_name(name: &str) -> Result<(), AppError> {
    let fits = (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
    let problem = "1 to 64 letters, digits, `-` and `_`".to_owned();
    if fits { Ok(()) } else { Err(AppError::Field { field: "name", problem }) }
}

fn shown(kept: KeptSignal) -> wire::Signal {
    wire::Signal { value: kept.value, at: kept.at.to_string(), by: kept.by }
}

fn missing(name: &str) -> AppError {
    AppError::NotFound { what: "signal", id: name.chars().take(80).collect() }
}
