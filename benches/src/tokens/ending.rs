//! The end of everything that is live: by an administrator's order, and by a signal about its holder.
//! Beside it the same number of requests, revoked one call at a time by as many callers as are at once
//! under way in the order.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use assent_client::{Client, IdempotencyKey, Secret, wire};
use assent_core::principal::LOCAL_ISSUER;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::world::{AUDIENCE, World};
use crate::Effort;
use crate::report::{self, thousands};

/// As the authority takes them back.
const AT_ONCE: usize = 64;

pub(super) fn run(world: &World, effort: Effort) -> Result<()> {
    let root = world.host.administrator(&world.runtime)?;
    let many = 5 * effort.approvals;
    // What was measured before is live still.
    world.runtime.block_on(order(&root, false))?;
    let rows = world.runtime.block_on(async {
        anyhow::Ok([
            one_by_one(world, &root, many).await?,
            by_order(world, &root, many).await?,
            by_signal(world, &root, many).await?,
        ])
    })?;
    let count = thousands(many as f64);
    report::heading(&format!("The end of {count} requests with a live credential each, SQLite"));
    report::table(&["how", "answered", "on record", "each"], &rows);
    Ok(())
}

/// So many live credentials, each of a request of its own.
async fn live(world: &World, many: usize) -> Result<Vec<wire::Credential>> {
    let one = |number: usize| async move {
        let alice = &world.alice;
        let intent = wire::Intent {
            kind: "service.read".to_owned(),
            environment: "staging".to_owned(),
            reason: format!("measured {number}"),
            ..wire::Intent::default()
        };
        let filing = wire::Filing { intent, reattach: false, heartbeat: None };
        let request = alice.file(&filing, &IdempotencyKey::fresh()).await?;
        let wanted = wire::MintRequest { audience: AUDIENCE.to_owned(), ..Default::default() };
        anyhow::Ok(alice.mint(&request.id, &wanted, &IdempotencyKey::fresh()).await?)
    };
    stream::iter((0..many).map(one)).buffer_unordered(16).try_collect().await
}

async fn one_by_one(world: &World, root: &Client, many: usize) -> Result<Vec<String>> {
    live(world, many).await?;
    let ids: Vec<String> = requests(root).await?;
    ensure!(ids.len() == many, "{} are live", ids.len());
    let began = Instant::now();
    let revoked = ids.iter().map(|id| async move {
        let key = IdempotencyKey::fresh();
        anyhow::Ok(root.revoke(id, "measured", &key).await.map(drop)?)
    });
    stream::iter(revoked).buffer_unordered(AT_ONCE).try_collect::<Vec<()>>().await?;
    let took = began.elapsed();
    Ok(row(&format!("one call each, {AT_ONCE} at once"), took, took, many))
}

async fn by_order(world: &World, root: &Client, many: usize) -> Result<Vec<String>> {
    live(world, many).await?;
    let counted = order(root, true).await?;
    ensure!(counted.credentials == many, "{} are live", counted.credentials);
    let began = Instant::now();
    let done = order(root, false).await?;
    let took = began.elapsed();
    ensure!(done.credentials == many && done.failed.is_empty(), "not all have ended");
    Ok(row("`revoke --all`", took, took, many))
}

/// From the acknowledgement on everything is inactive; until all of it is on record takes longer.
async fn by_signal(world: &World, root: &Client, many: usize) -> Result<Vec<String>> {
    let credentials = live(world, many).await?;
    let about = wire::PrincipalId { iss: LOCAL_ISSUER.to_owned(), sub: "alice".to_owned() };
    let signal = |state: &str| wire::NewSignal {
        about: wire::SignalSubject::Person(about.clone()),
        state: state.to_owned(),
        reason: "measured".to_owned(),
        until: None,
    };
    let began = Instant::now();
    root.tell(&signal("flagged"), &IdempotencyKey::fresh()).await?;
    let answered = began.elapsed();
    for credential in credentials.iter().take(20) {
        let token = Secret::new(credential.token.clone());
        ensure!(!root.introspect(&token).await?.active, "one is active after the signal");
    }
    // Each look would end what it looks at: only the log is looked at, once nothing is written to it.
    let mut size = root.checkpoint().await?.size;
    let recorded = loop {
        let at = began.elapsed();
        tokio::time::sleep(Duration::from_millis(20)).await;
        let next = root.checkpoint().await?.size;
        if next == size {
            break at;
        }
        size = next;
    };
    ensure!(requests(root).await?.is_empty(), "some are live after the signal");
    root.tell(&signal("clear"), &IdempotencyKey::fresh()).await?;
    Ok(row("a signal about their holder", answered, recorded, many))
}

/// The requests with a live credential.
async fn requests(root: &Client) -> Result<Vec<String>> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let mut query = vec![("limit", "200"), ("state", "live")];
        query.extend(cursor.as_deref().map(|cursor| ("cursor", cursor)));
        let page = root.credentials(&query).await?;
        found.extend(page.credentials.into_iter().map(|entry| entry.request));
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(found);
        }
    }
}

async fn order(root: &Client, dry_run: bool) -> Result<wire::Revoked> {
    let reason = "measured".to_owned();
    let wanted = wire::Revocation { all: true, reason, dry_run, ..wire::Revocation::default() };
    Ok(root.revoke_all(&wanted, &IdempotencyKey::fresh()).await?)
}

fn row(how: &str, answered: Duration, recorded: Duration, many: usize) -> Vec<String> {
    let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let each = recorded.as_secs_f64() * 1e6 / many as f64;
    vec![how.to_owned(), milliseconds(answered), milliseconds(recorded), format!("{each:.0} µs")]
}
