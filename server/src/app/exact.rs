//! The exact plan's bytes: taken from the requester, sealed before they touch the disk, and given once
//! to the run that asked. What is stored opens only for its upload and its place in it, and the whole
//! must have the digest that people approved.

use std::sync::Arc;
use std::time::Duration;

use assent_core::digest::Digest;
use assent_core::id::UploadId;
use assent_core::request::{KeptPlan, Request, SendPlanError, Sent};
use assent_core::time::{Span, Timestamp};
use aws_lc_rs::digest::{Context, SHA256};
use axum::body::Bytes;
use futures_util::{Stream, StreamExt as _};
use tokio::time::{Instant, timeout_at};
use zeroize::Zeroizing;

use crate::app::refusals::Attempt;
use crate::app::{AppError, Authority, Caller, TRIES, Wish};
use crate::ledger::{Call, Commit, LedgerError, NewCall, Piece, Write};

/// The largest plan, as of its JSON.
pub(crate) const LARGEST: u64 = 32 * 1024 * 1024;
/// How much of plans one requester may have kept at once.
const LARGEST_OF_ONE: u64 = 1024 * 1024 * 1024;
/// How many bytes are sealed together.
const PIECE: usize = 1024 * 1024;
/// How many plans are taken in at once: each is held, sealed, until its digest is known.
pub(super) const AT_ONCE: usize = 4;
/// How long a plan may take to come in, and for how many bytes it is given a second more. Whoever sends
/// nothing must not keep a place from others.
const AT_FIRST: Duration = Duration::from_secs(10);
const EACH_SECOND: u64 = 128 * 1024;
/// How long pieces that nothing keeps are left alone: longer than any call takes.
const UNKEPT: Span = Span::minutes(10);

/// Why bytes that are being sent did not come to their end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BodyLost;

/// A plan that may be given: to be read piece by piece.
#[derive(Clone, Copy, Debug)]
pub struct GivenPlan {
    upload: UploadId,
    /// How many bytes.
    pub size: u64,
}

impl GivenPlan {
    fn of(plan: &KeptPlan) -> Self {
        Self { upload: plan.upload, size: plan.size }
    }

    /// How many pieces.
    pub fn pieces(&self) -> u32 {
        u32::try_from(self.size.div_ceil(PIECE as u64)).unwrap_or(u32::MAX)
    }
}

impl Authority {
    /// The same, keeping exact plans no longer than this.
    #[must_use]
    pub fn with_plan_retention(self, plan_retention: Option<Span>) -> Self {
        Self { plan_retention, ..self }
    }

    /// Takes in the exact plan of a request. Nothing of it is kept before its digest is known to be the
    /// one that the intent names. The same plan sent again changes nothing.
    ///
    /// # Errors
    /// [`AppError::SendPlan`]; [`AppError::TooLarge`]; [`AppError::BodyLost`]; [`AppError::TooSlow`].
    pub async fn send_plan(
        &self,
        caller: &Caller,
        id: &str,
        body: impl Stream<Item = Result<Bytes, BodyLost>> + Unpin,
    ) -> Result<Request, AppError> {
        let sent = self.try_send_plan(caller, id, body).await;
        self.noted(caller, id, Attempt::SendPlan, sent).await
    }

    async fn try_send_plan(
        &self,
        caller: &Caller,
        id: &str,
        body: impl Stream<Item = Result<Bytes, BodyLost>> + Unpin,
    ) -> Result<Request, AppError> {
        let request = self.request(caller, id).await?;
        self.check_scope(caller, request.intent())?;
        let wanted = request.check_send_plan(caller.principal(), self.clock.now())?;
        if self.ledger.kept_bytes(&caller.principal().id).await? >= LARGEST_OF_ONE {
            return Err(AppError::TooMuchKept);
        }
        // Whoever sends several at once waits for themselves, and takes one place.
        let _turn = self.sending_plans.wait(caller.principal().id.clone()).await;
        // Closed only with the authority, which then answers nobody.
        let _place = self.taking_plans.acquire().await.map_err(|_| AppError::Closing)?;
        let sealed = self.sealed(body).await?;
        let sent = sealed.sent;
        if sent.digest != wanted {
            return Err(SendPlanError::OtherDigest { sent: sent.digest, wanted }.into());
        }
        if request.kept_plan().is_some_and(|plan| plan.is_kept(self.clock.now())) {
            return Ok(request);
        }
        self.write_pieces(sealed).await?;
        for _ in 0..TRIES {
            let request = self.request(caller, id).await?;
            let now = self.clock.now();
            let step = request.keep_plan(caller.principal(), sent, self.plan_retention, now)?;
            // Another call was first with the same; what this one wrote is nobody's, and is swept away.
            let Some(step) = step else { return Ok(request) };
            let next = step.next().clone();
            if let Commit::Done(_) = self.commit_alone(step).await? {
                return Ok(next);
            }
        }
        Err(AppError::Busy)
    }

    /// Seals what comes in, as it comes in; no more of it than a piece is ever held in the clear.
    async fn sealed(
        &self,
        mut body: impl Stream<Item = Result<Bytes, BodyLost>> + Unpin,
    ) -> Result<Sealed, AppError> {
        let upload = self.chance.upload_id(self.clock.now())?;
        let mut taken = Context::new(&SHA256);
        let (mut size, mut pieces) = (0_u64, Vec::new());
        let mut piece = Zeroizing::new(Vec::with_capacity(PIECE));
        let begun = Instant::now();
        while let Some(bytes) = next_in_time(&mut body, begun, size).await? {
            size += bytes.len() as u64;
            if size > LARGEST {
                return Err(AppError::TooLarge { most: LARGEST });
            }
            taken.update(&bytes);
            let mut rest = bytes.as_ref();
            while !rest.is_empty() {
                let (now, later) = rest.split_at(rest.len().min(PIECE - piece.len()));
                piece.extend_from_slice(now);
                rest = later;
                if piece.len() == PIECE {
                    pieces.push(self.seal_piece(upload, pieces.len(), &piece)?);
                    piece.clear();
                }
            }
        }
        if !piece.is_empty() {
            pieces.push(self.seal_piece(upload, pieces.len(), &piece)?);
        }
        let sent = Sent { upload, digest: finished(taken), size };
        Ok(Sealed { sent, pieces })
    }

    fn seal_piece(
        &self,
        upload: UploadId,
        number: usize,
        bytes: &[u8],
    ) -> Result<Vec<u8>, AppError> {
        Ok(self.sealer.seal(&purpose(upload, number as u64), bytes)?)
    }

    async fn write_pieces(&self, sealed: Sealed) -> Result<(), AppError> {
        let at = self.clock.now();
        for (number, sealed_bytes) in (0..).zip(sealed.pieces) {
            let upload = sealed.sent.upload;
            let piece = Piece { upload, number, sealed: sealed_bytes, at };
            self.ledger.write_piece(piece).await?;
        }
        Ok(())
    }

    /// Gives the exact plan of a request, once: that it was given is on record before it is. The same
    /// call again gives it again, as long as the grant lasts: an answer may be lost on its way.
    ///
    /// # Errors
    /// [`AppError::FetchPlan`].
    pub async fn fetch_plan(
        &self,
        caller: &Caller,
        id: &str,
        wish: Wish,
    ) -> Result<GivenPlan, AppError> {
        let fetched = self.try_fetch_plan(caller, id, wish).await;
        self.noted(caller, id, Attempt::FetchPlan, fetched).await
    }

    async fn try_fetch_plan(
        &self,
        caller: &Caller,
        id: &str,
        wish: Wish,
    ) -> Result<GivenPlan, AppError> {
        if let Some(call) = self.ledger.recall(wish.key).await? {
            return self.fetch_again(caller, call, wish).await;
        }
        let asked = self.request(caller, id).await?;
        self.check_partners(caller, &asked).await?;
        for _ in 0..TRIES {
            let _turn = self.before_the_next_signal().await;
            let request = self.request(caller, id).await?;
            self.check_scope(caller, request.intent())?;
            let now = self.clock.now();
            let (step, plan) = request.fetch_plan(caller.principal(), &self.membership(), now)?;
            // What cannot be given is not spent.
            self.check_whole(&request, &plan).await?;
            let next = step.next().clone();
            let call = Some(NewCall { key: wish.key, asked: wish.asked, credential: None });
            match self
                .ledger
                .commit(Write { step, call, unless_open: false, most_pending: None })
                .await?
            {
                Commit::Done(_) => {
                    self.written(&next);
                    return Ok(GivenPlan::of(&plan));
                }
                Commit::Repeated(call) => return self.fetch_again(caller, call, wish).await,
                Commit::Conflict | Commit::Open(_) | Commit::TooMany => {}
            }
        }
        Err(AppError::Busy)
    }

    async fn fetch_again(
        &self,
        caller: &Caller,
        call: Call,
        wish: Wish,
    ) -> Result<GivenPlan, AppError> {
        if call.asked != wish.asked {
            return Err(AppError::KeyReused);
        }
        let request = self.current(call.request).await?;
        self.check_scope(caller, request.intent())?;
        self.check_partners(caller, &request).await?;
        let (members, now) = (self.membership(), self.clock.now());
        Ok(GivenPlan::of(request.check_fetch_plan(caller.principal(), &members, now)?))
    }

    /// That every piece is there and opens, and that together they are what the intent names.
    async fn check_whole(&self, request: &Request, plan: &KeptPlan) -> Result<(), AppError> {
        let given = GivenPlan::of(plan);
        let mut taken = Context::new(&SHA256);
        for number in 0..given.pieces() {
            taken.update(&self.plan_piece(given, number).await?);
        }
        match request.intent().subject() == Some(finished(taken)) {
            true => Ok(()),
            false => Err(damaged(plan.upload, "its pieces are not what was sent")),
        }
    }

    /// One piece of a plan that may be given.
    ///
    /// # Errors
    /// [`AppError::Ledger`] where it is not there any more; [`AppError::Sealed`].
    pub async fn plan_piece(
        &self,
        plan: GivenPlan,
        number: u32,
    ) -> Result<Zeroizing<Vec<u8>>, AppError> {
        let sealed = self.ledger.piece(plan.upload, number).await?;
        let sealed = sealed.ok_or_else(|| damaged(plan.upload, "a piece is missing"))?;
        Ok(self.sealer.open(&purpose(plan.upload, number.into()), &sealed)?)
    }

    /// Removes what was sent and never kept, as of a call that was cut off.
    pub(super) async fn forget_pieces(&self, now: Timestamp) -> Result<(), AppError> {
        Ok(self.ledger.forget_pieces(now.before(UNKEPT)).await?)
    }
}

/// What comes next of a body of which so many bytes have come; `None` at its end.
async fn next_in_time(
    body: &mut (impl Stream<Item = Result<Bytes, BodyLost>> + Unpin),
    begun: Instant,
    so_far: u64,
) -> Result<Option<Bytes>, AppError> {
    let due = begun + AT_FIRST + Duration::from_secs(so_far / EACH_SECOND);
    let next = timeout_at(due, body.next()).await.map_err(|_| AppError::TooSlow)?;
    next.transpose().map_err(|BodyLost| AppError::BodyLost)
}

/// Bytes that came in, sealed, with what is known of them.
struct Sealed {
    sent: Sent,
    pieces: Vec<Vec<u8>>,
}

/// What a piece is sealed for. It opens nowhere else: not in another plan, not at another place.
fn purpose(upload: UploadId, number: u64) -> String {
    format!("plan/{upload}/{number}")
}

fn finished(taken: Context) -> Digest {
    let mut bytes = [0; 32];
    bytes.iter_mut().zip(taken.finish().as_ref()).for_each(|(byte, of)| *byte = *of);
    Digest::from_bytes(bytes)
}

fn damaged(upload: UploadId, problem: &str) -> AppError {
    AppError::Ledger(LedgerError::Corrupt(format!("plan {upload}: {problem}")))
}

/// The pieces of a plan, one after the other.
pub(crate) fn pieces(
    authority: Arc<Authority>,
    plan: GivenPlan,
) -> impl Stream<Item = Result<Bytes, AppError>> + Send {
    futures_util::stream::iter(0..plan.pieces()).then(move |number| {
        let authority = Arc::clone(&authority);
        async move {
            let opened = authority.plan_piece(plan, number).await?;
            Ok(Bytes::copy_from_slice(&opened))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What becomes of a body of so many bytes that come each time that this has passed.
    async fn sent(bytes: usize, every: Duration, times: u64) -> Result<u64, AppError> {
        let mut body = Box::pin(futures_util::stream::unfold(0, move |number| async move {
            tokio::time::sleep(every).await;
            (number < times).then(|| (Ok(Bytes::from(vec![7; bytes])), number + 1))
        }));
        let (begun, mut size) = (Instant::now(), 0);
        while let Some(bytes) = next_in_time(&mut body, begun, size).await? {
            size += bytes.len() as u64;
        }
        Ok(size)
    }

    #[tokio::test(start_paused = true)]
    async fn t61_whoever_sends_nothing_or_too_little_keeps_no_place() {
        let second = Duration::from_secs(1);
        let begun = Instant::now();
        assert!(matches!(sent(1, 3600 * second, 1).await, Err(AppError::TooSlow)));
        assert_eq!(begun.elapsed(), AT_FIRST);
        // Single bytes, as often as one likes, are no more than none.
        assert!(matches!(sent(1, second / 10, 1_000_000).await, Err(AppError::TooSlow)));
        assert_eq!(begun.elapsed(), 2 * AT_FIRST);
        assert_eq!(sent(128 * 1024, second, 80).await.unwrap(), 80 * 128 * 1024);
        assert!(matches!(sent(64 * 1024, second, 80).await, Err(AppError::TooSlow)));
        assert_eq!(sent(1024, second, 8).await.unwrap(), 8 * 1024);
    }
}
