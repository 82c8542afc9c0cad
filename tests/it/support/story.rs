//! What happens in most tests: filing, approving, minting.

use std::time::{Duration, Instant};

use assent_client::{ClientError, wire};

use super::{Caller, fresh_key};

/// An intent for this environment and reason.
pub(crate) fn intent(environment: &str, reason: &str) -> wire::Intent {
    wire::Intent {
        kind: "terraform.apply".to_owned(),
        environment: environment.to_owned(),
        target: [("workspace".to_owned(), "payments".to_owned())].into(),
        reason: reason.to_owned(),
        ..wire::Intent::default()
    }
}

/// Its filing.
pub(crate) fn filing(environment: &str, reason: &str) -> wire::Filing {
    wire::Filing { intent: intent(environment, reason), reattach: false, heartbeat: None }
}

/// Approves what the request shows.
pub(crate) async fn approve(
    who: &Caller,
    request: &wire::Request,
) -> Result<wire::Request, ClientError> {
    review(who, request, wire::Verdict::Approve).await
}

/// Denies what the request shows.
pub(crate) async fn deny(
    who: &Caller,
    request: &wire::Request,
) -> Result<wire::Request, ClientError> {
    review(who, request, wire::Verdict::Deny).await
}

async fn review(
    who: &Caller,
    request: &wire::Request,
    verdict: wire::Verdict,
) -> Result<wire::Request, ClientError> {
    let comment = "as discussed".to_owned();
    let review =
        wire::NewReview { verdict, comment, digest: request.digest.clone(), signature: None };
    who.client.review(&request.id, &review, &fresh_key()).await
}

/// Mints for `aws`.
pub(crate) async fn mint(
    who: &Caller,
    request: &wire::Request,
) -> Result<wire::Credential, ClientError> {
    let wanted = wire::MintRequest { audience: "aws".to_owned(), ..Default::default() };
    who.client.mint(&request.id, &wanted, &fresh_key()).await
}

/// Looks until it is so; gives up after 20 seconds.
#[track_caller]
pub(crate) fn until<'a>(
    what: &'a str,
    mut is_so: impl FnMut() -> bool + 'a,
) -> impl Future<Output = ()> + 'a {
    let deadline = Instant::now() + Duration::from_secs(20);
    async move {
        while !is_so() {
            assert!(Instant::now() < deadline, "{what} did not come about");
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    }
}

/// Tries until it is there; gives up after a minute.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let tries = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(60), tries).await;
    found.unwrap_or_else(|_| panic!("{what} did not come about"))
}
