//! Reviews that are due after a grant, and the doors that close when they are missed.

use std::collections::BTreeSet;
use std::sync::Arc;

use assent_core::id::RequestId;
use assent_core::request::Request;
use assent_core::time::Timestamp;
use assent_core::wire;

use crate::app::requests::said;
use crate::app::{AppError, Authority, Caller, Wish};

/// A later review that is open or overdue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LaterReview {
    /// Of which request.
    pub request: RequestId,
    /// The rule that wants it.
    pub rule: String,
    /// Until when.
    pub due: Timestamp,
    /// The rule that does not match as long as it is overdue.
    pub suspends: Option<String>,
}

impl Authority {
    /// Every later review that is not done.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn later_reviews(&self) -> Result<Arc<Vec<LaterReview>>, AppError> {
        let read = async || {
            let mut all = Vec::new();
            for id in self.ledger.later_reviews().await? {
                if let Some(request) = self.ledger.load(id, None).await? {
                    all.extend(open_of(&request));
                }
            }
            Ok(all)
        };
        self.later_reviews.get(read).await
    }

    /// The same, of the requests that the caller may read.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn later_reviews_for(&self, caller: &Caller) -> Result<Vec<LaterReview>, AppError> {
        let all = self.later_reviews().await?;
        if all.is_empty() {
            return Ok(Vec::new());
        }
        let reader = self.reader(caller).await;
        let mut read = Vec::new();
        for review in all.iter() {
            let request = match reader.reads_everything() {
                true => None,
                false => self.ledger.load(review.request, None).await?,
            };
            if reader.reads_everything() || request.is_some_and(|request| reader.reads(&request)) {
                read.push(review.clone());
            }
        }
        Ok(read)
    }

    /// The rules that do not match at this moment. It needs no timer to be true: a later review is
    /// overdue when its time is up, whether or not that is on record yet.
    pub(super) async fn suspended(&self, now: Timestamp) -> Result<BTreeSet<String>, AppError> {
        let reviews = self.later_reviews().await?;
        let overdue = reviews.iter().filter(|review| now >= review.due);
        Ok(overdue.filter_map(|review| review.suspends.clone()).collect())
    }

    /// Something was written about a request: whoever waits for it is told, and what is known of
    /// its later reviews is looked up again.
    pub(super) fn written(&self, next: &Request) {
        if !next.afterwards().is_empty() {
            self.later_reviews.forget();
        }
        if next.to_close(self.clock.now()).next().is_some() {
            self.closings.ended();
        }
        if next.has_errands() {
            self.errands.due();
        }
        self.deployments.changed(next);
        self.waiters.wake(next.id());
    }

    /// Takes a person's later review.
    ///
    /// # Errors
    /// [`AppError::PostReview`] says why not; an objection needs a comment.
    pub async fn review_afterwards(
        &self,
        caller: &Caller,
        id: &str,
        review: wire::NewReview,
        wish: Wish,
    ) -> Result<Request, AppError> {
        if review.signature.is_some() {
            let problem = "a later review is not signed".to_owned();
            return Err(AppError::Field { field: "signature", problem });
        }
        let said = said(caller, review)?;
        self.check_signs_in(caller)?;
        let asked = self.request(caller, id).await?;
        self.confirm_people(caller, &asked).await?;
        self.change(caller, id, wish, |request| {
            let now = self.clock.now();
            let review_id = self.chance.review_id(now)?;
            let members = &self.membership();
            let by = caller.principal();
            Ok(request.review_afterwards(review_id, by, said.clone(), members, now)?)
        })
        .await
    }

    /// Requests whose open later review this caller is asked for, oldest first.
    ///
    /// # Errors
    /// [`AppError::Ledger`].
    pub async fn asked_afterwards(&self, caller: &Caller) -> Result<Vec<Request>, AppError> {
        let (mut asked, mut seen) = (Vec::new(), BTreeSet::new());
        for review in self.later_reviews().await?.iter() {
            if !seen.insert(review.request) {
                continue;
            }
            let Some(request) = self.ledger.load(review.request, None).await? else { continue };
            let objection = request.may_review_afterwards(caller.principal(), &self.membership());
            if objection.is_none() {
                asked.push(request);
            }
        }
        Ok(asked)
    }
}

fn open_of(request: &Request) -> impl Iterator<Item = LaterReview> {
    let open = request.afterwards().iter().filter(|after| after.done.is_none());
    open.map(|after| LaterReview {
        request: request.id(),
        rule: after.review.rule.clone(),
        due: after.due,
        suspends: after.review.suspend.clone(),
    })
}
