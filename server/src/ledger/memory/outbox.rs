//! Notices in memory.

use std::collections::BTreeMap;

use assent_core::id::{NoticeId, RequestId};
use assent_core::principal::PrincipalId;
use assent_core::request::Step;
use assent_core::time::Timestamp;
use assent_core::wire::NoticeWishes;
use async_trait::async_trait;

use super::MemoryLedger;
use crate::ledger::LedgerError;
use crate::ledger::outbox::{Counts, Found, Notice, Outbox, Posted, Standing};

/// What is to be told, and how everybody wishes it.
#[derive(Debug, Default)]
pub(super) struct Posts {
    next: u64,
    posted: BTreeMap<u64, Posted>,
    notices: BTreeMap<NoticeId, Notice>,
    wishes: BTreeMap<PrincipalId, NoticeWishes>,
}

impl Posts {
    pub(super) fn post(&mut self, step: &Step) {
        if let Some(posted) = Posted::of(step) {
            self.next += 1;
            self.posted.insert(self.next, Posted { seq: self.next, ..posted });
        }
    }
}

#[async_trait]
impl Outbox for MemoryLedger {
    async fn posted(&self, limit: usize) -> Result<Found, LedgerError> {
        let posted = self.inside().posts.posted.values().take(limit).cloned().collect();
        Ok(Found { posted, damaged: Vec::new() })
    }

    async fn address(&self, done: Vec<u64>, notices: Vec<Notice>) -> Result<(), LedgerError> {
        let posts = &mut self.inside().posts;
        posts.posted.retain(|seq, _| !done.contains(seq));
        for notice in notices {
            posts.notices.entry(notice.id).or_insert(notice);
        }
        Ok(())
    }

    async fn due_notices(
        &self,
        way: &str,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<Notice>, LedgerError> {
        let inside = self.inside();
        let waits = |notice: &&Notice| {
            notice.standing == Standing::Waiting && notice.due <= now && notice.to.way() == way
        };
        let mut due: Vec<_> = inside.posts.notices.values().filter(waits).cloned().collect();
        due.sort_by_key(|notice| (notice.due, notice.id));
        due.truncate(limit);
        Ok(due)
    }

    async fn keep_notices(&self, notices: Vec<Notice>) -> Result<(), LedgerError> {
        let posts = &mut self.inside().posts;
        posts.notices.extend(notices.into_iter().map(|notice| (notice.id, notice)));
        Ok(())
    }

    async fn notices_of(&self, request: RequestId) -> Result<Vec<Notice>, LedgerError> {
        let inside = self.inside();
        let theirs = inside.posts.notices.values().filter(|notice| notice.request == request);
        Ok(theirs.cloned().collect())
    }

    async fn notices(
        &self,
        standing: Option<Standing>,
        limit: usize,
    ) -> Result<Vec<Notice>, LedgerError> {
        let inside = self.inside();
        let all = inside.posts.notices.values().rev();
        let wanted = all.filter(|notice| standing.is_none_or(|wanted| notice.standing == wanted));
        Ok(wanted.take(limit).cloned().collect())
    }

    async fn notice(&self, id: NoticeId) -> Result<Option<Notice>, LedgerError> {
        Ok(self.inside().posts.notices.get(&id).cloned())
    }

    async fn notice_counts(&self) -> Result<BTreeMap<String, Counts>, LedgerError> {
        let mut counts: BTreeMap<String, Counts> = BTreeMap::new();
        for notice in self.inside().posts.notices.values() {
            match notice.standing {
                Standing::Waiting => counts.entry(notice.to.way()).or_default().waiting += 1,
                Standing::Dead => counts.entry(notice.to.way()).or_default().dead += 1,
                Standing::Sent | Standing::Moot => {}
            }
        }
        Ok(counts)
    }

    async fn forget_notices(&self, before: Timestamp) -> Result<(), LedgerError> {
        let stays =
            |notice: &Notice| notice.standing == Standing::Waiting || notice.told.at >= before;
        self.inside().posts.notices.retain(|_, notice| stays(notice));
        Ok(())
    }

    async fn wishes(&self, who: &PrincipalId) -> Result<Option<NoticeWishes>, LedgerError> {
        Ok(self.inside().posts.wishes.get(who).cloned())
    }

    async fn keep_wishes(
        &self,
        who: &PrincipalId,
        wishes: Option<NoticeWishes>,
    ) -> Result<(), LedgerError> {
        let kept = &mut self.inside().posts.wishes;
        match wishes {
            Some(wishes) => drop(kept.insert(who.clone(), wishes)),
            None => drop(kept.remove(who)),
        }
        Ok(())
    }
}
