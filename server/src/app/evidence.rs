//! Evidence of one request: its entries and those of the passkeys that signed it, with proofs.

use std::collections::{BTreeMap, BTreeSet};

use assent_core::audit::Prover;
use assent_core::digest::Digest;
use assent_core::evidence::VERSION;
use assent_core::id::PasskeyId;
use assent_core::wire;
use serde_json::Value;

use crate::app::{AppError, Authority, Caller};

/// How many leaves are read at once.
const LEAVES: usize = 10_000;
/// How many walks through the log there are at once.
pub(super) const AT_ONCE: usize = 2;
/// For how many callers evidence is gathered or waited for, one each.
pub(super) const WAITING: usize = 1_000;

impl Authority {
    /// What lets a stranger check a request that the caller may see. The log is walked for it from its
    /// beginning, for one caller once at a time; whoever else asks has their turn.
    ///
    /// # Errors
    /// [`AppError::NotFound`]; [`AppError::Gathering`].
    pub async fn evidence_of(&self, caller: &Caller, id: &str) -> Result<wire::Evidence, AppError> {
        let request = self.request(caller, id).await?;
        let signed = request.reviews().iter().filter_map(|review| review.signature.as_ref());
        let signing: BTreeSet<PasskeyId> = signed.map(|signature| signature.passkey()).collect();
        let _place = self.gathered_for.take(&caller.principal().id).ok_or(AppError::Gathering)?;
        // Closed only with the authority, which then answers nobody.
        let _turn = self.gathering.acquire().await.map_err(|_| AppError::Closing)?;
        let entries = self.ledger.request_entries(request.id()).await?;
        let mut passkeys = BTreeMap::new();
        for passkey in signing {
            let told = self.ledger.passkey_entries(passkey).await?;
            passkeys.insert(passkey.to_string(), told);
        }
        let all = passkeys.values().flatten().chain(&entries);
        let mut prover = Prover::of(all.map(|(index, _)| *index));
        loop {
            let leaves = self.ledger.leaves(prover.size(), LEAVES).await?;
            if leaves.is_empty() {
                break;
            }
            leaves.into_iter().for_each(|leaf| prover.push(leaf));
        }
        let size = prover.size();
        let (root, paths) = prover.finish();
        let root = root.unwrap_or_else(|| Digest::of(b""));
        let prove = |told: Vec<(u64, Value)>| -> Vec<wire::ProvenEntry> {
            let proven = told.into_iter().map(|(index, entry)| wire::ProvenEntry {
                index,
                entry,
                proof: paths.get(&index).into_iter().flatten().map(ToString::to_string).collect(),
            });
            proven.collect()
        };
        let (now, random) = (self.clock.now(), self.chance.source());
        let checkpoint = self.signer(&self.base)?.sign_checkpoint((size, root), now, random)?;
        Ok(wire::Evidence {
            v: VERSION,
            server: self.base.clone(),
            request: request.id().to_string(),
            entries: prove(entries),
            passkeys: passkeys.into_iter().map(|(id, told)| (id, prove(told))).collect(),
            checkpoint,
        })
    }
}
