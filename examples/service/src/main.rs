//! Serves until it is stopped: `assent-example-service AUTHORITY TOKEN-FILE LISTEN PUBLIC-URL AUDIENCE`.

use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context as _, Result, bail};
use assent_core::credential::Secret;
use assent_core::time::Timestamp;
use assent_example_service::{Authority, Guard, router, serve};

#[tokio::main]
async fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [authority, token, listen, base, audience] = words.as_slice() else {
        bail!("usage: assent-example-service AUTHORITY TOKEN-FILE LISTEN PUBLIC-URL AUDIENCE");
    };
    let token = std::fs::read_to_string(token).with_context(|| token.clone())?;
    let token = Secret::new(token.trim().to_owned());
    let authority = Authority::reach(authority, token, now()).await;
    let authority = authority.context("the authority's keys cannot be had")?;
    let mut key = [0; 32];
    aws_lc_rs::rand::fill(&mut key).ok().context("no randomness")?;
    let guard = Guard::new(authority, audience, base, &key, Arc::new(now));
    let listener = tokio::net::TcpListener::bind(listen).await?;
    serve(listener, router(Arc::new(guard))).await?;
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the only place that reads the clock")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let millis = since.map_or(0, |since| i64::try_from(since.as_millis()).unwrap_or(i64::MAX));
    Timestamp::from_millis(millis)
}
