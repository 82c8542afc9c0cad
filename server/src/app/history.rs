//! What was asked before: found, and handed out.

use std::sync::Arc;

use assent_core::id::RequestId;
use assent_core::principal::PrincipalKind;
use assent_core::request::{Request, State};
use serde_json::Value;

use crate::app::places::Place;
use crate::app::readers::Reader;
use crate::app::{AppError, Authority, Caller, Listing};
use crate::ledger::listing::SHORTEST_WORD;
use crate::ledger::{LedgerError, Listed, LogSearch, Opening, Search};

/// How often it is looked for more, for one page of somebody who reads only what concerns them: what
/// names them concerns them, save where they are excluded or were suspended.
const LOOKS: usize = 10;

/// A page of what was found.
#[derive(Debug)]
pub struct Found {
    /// Newest first.
    pub lines: Vec<Listed>,
    /// After which the next page begins.
    pub next: Option<RequestId>,
}

/// How many files one caller takes in at once, and all together.
pub(super) const FILES_OF_ONE: usize = 2;
pub(super) const FILES: usize = 200;

impl Authority {
    /// A place for a file that is handed out to this caller.
    ///
    /// # Errors
    /// [`AppError::TooManyFiles`].
    pub(crate) fn place_for_file(&self, caller: &Caller) -> Result<Place, AppError> {
        self.files.take(&caller.principal().id).ok_or(AppError::TooManyFiles)
    }

    /// Requests that are searched for and that the caller may read.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn search(&self, caller: &Caller, mut search: Search) -> Result<Found, AppError> {
        let reader = self.reader(caller).await;
        if reader.is_asked() {
            let (found, next) = self.concerning(&reader, search).await?;
            return Ok(Found { lines: found.into_iter().map(|(line, _)| line).collect(), next });
        }
        let own = &caller.principal().id;
        if !reader.reads_everything() {
            if search.requester.as_ref().is_some_and(|other| other != own) {
                return Ok(Found { lines: Vec::new(), next: None });
            }
            search.requester = Some(own.clone());
        }
        let limit = search.limit;
        search.limit = limit.saturating_add(1);
        let mut lines = self.ledger.search(search).await?;
        let is_full = lines.len() > limit;
        lines.truncate(limit);
        let next = lines.last().filter(|_| is_full).map(|line| line.id);
        Ok(Found { lines, next })
    }

    /// The same for somebody from whom most may be kept: what names them is looked at, each by itself.
    pub(super) async fn concerning(
        &self,
        reader: &Reader,
        mut search: Search,
    ) -> Result<(Vec<(Listed, Request)>, Option<RequestId>), AppError> {
        let wanted = search.limit;
        search.limit = wanted.saturating_add(1);
        search.naming = Some(reader.named_as());
        let mut found: Vec<(Listed, Request)> = Vec::new();
        for _ in 0..LOOKS {
            let part = self.ledger.search(search.clone()).await?;
            let is_last = part.len() < search.limit;
            for line in part {
                search.before = Some(line.id);
                let request = match self.ledger.load(line.id, None).await {
                    // One damaged request must not hide all others; whoever asks for it is told.
                    Err(LedgerError::Corrupt(problem)) => {
                        tracing::error!(id = %line.id, problem, "a request is left out of a list");
                        continue;
                    }
                    found => found?,
                };
                let Some(request) = request.filter(|request| reader.reads(request)) else {
                    continue;
                };
                if found.len() >= wanted {
                    let next = found.last().map(|(line, _)| line.id);
                    return Ok((found, next));
                }
                found.push((line, request));
            }
            if is_last {
                return Ok((found, None));
            }
        }
        Ok((found, search.before))
    }

    /// The same, each in full.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn search_whole(&self, caller: &Caller, search: Search) -> Result<Listing, AppError> {
        let Found { lines, next } = self.search(caller, search).await?;
        let mut requests = Vec::with_capacity(lines.len());
        for line in lines {
            // Nobody deletes a request: one that is listed is there.
            requests.extend(self.ledger.load(line.id, None).await?);
        }
        Ok(Listing { requests, next })
    }

    /// Entries of the audit log that are searched for, newest first.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`], [`AppError::NotAuditor`]: the log tells of everybody's requests.
    pub async fn search_log(
        &self,
        caller: &Caller,
        search: LogSearch,
    ) -> Result<Vec<(u64, Value)>, AppError> {
        self.check_reads_everything(caller).await?;
        Ok(self.ledger.search_log(search).await?)
    }

    /// Somebody looks at a request that waits for people: the first time is noted, beside what they
    /// are answered.
    pub fn note_opening(self: &Arc<Self>, caller: &Caller, request: &Request) {
        let principal = caller.principal();
        let is_person = principal.kind == PrincipalKind::Person;
        let is_own = request.requester().behind().contains(&principal.id);
        if !is_person || is_own || !matches!(request.state(), State::Pending(_)) {
            return;
        }
        let (who, at) = (principal.id.clone(), self.clock.now());
        let (authority, opening) = (Arc::clone(self), Opening { request: request.id(), who, at });
        tokio::spawn(async move {
            if let Err(error) = authority.ledger.note_opening(opening).await {
                tracing::warn!(%error, "that a request was opened is not noted");
            }
        });
    }
}

/// The words of what somebody searches for.
///
/// # Errors
/// [`AppError::Field`] where none is long enough to be found, or there are too many.
pub fn words(text: &str) -> Result<Vec<String>, AppError> {
    let all: Vec<String> = text.split_whitespace().map(str::to_owned).collect();
    let problem = if text.len() > 200 || all.len() > 12 {
        "at most 12 words and 200 bytes".to_owned()
    } else if text.contains(char::is_control) {
        "words without control characters".to_owned()
    } else if all.iter().any(|word| word.chars().count() < SHORTEST_WORD) {
        format!("each word needs {SHORTEST_WORD} letters or more")
    } else {
        return Ok(all);
    };
    Err(AppError::Field { field: "search", problem })
}
