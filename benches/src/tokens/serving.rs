//! What the authority does with tokens over HTTP on loopback: exchange, mint, introspect.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use assent_client::{IdempotencyKey, Secret, wire};

use super::world::{AUDIENCE, World};
use crate::Effort;
use crate::filings::closed_loop;
use crate::report::{self, Spread, thousands};

/// As many at once where there is more than one.
const CLIENTS: usize = 16;

pub(super) fn run(world: &World, effort: Effort) -> Result<()> {
    report::heading("Tokens over HTTP on loopback, SQLite: p50 / p99");
    let rows = [exchange(world, effort)?, mint(world, effort)?, introspect(world, effort)?];
    report::table(&["call", "one at a time", "sixteen at once"], &rows);
    Ok(())
}

/// Each token is good once, so each exchange has its own, made before.
fn exchange(world: &World, effort: Effort) -> Result<Vec<String>> {
    let mut tokens = Vec::new();
    for number in 0..2 * effort.approvals as u64 {
        tokens.push(Secret::new(world.foreign(number)?));
    }
    let stranger = world.alice.clone();
    let call = move |token: Secret| {
        let stranger = stranger.clone();
        async move {
            stranger.exchange(&token).await?;
            anyhow::Ok(())
        }
    };
    let (alone, crowd) = tokens.split_at(effort.approvals);
    row(world, "exchange, ES256, single use", (alone, crowd), call)
}

fn mint(world: &World, effort: Effort) -> Result<Vec<String>> {
    let mut requests = Vec::new();
    for number in 0..2 * effort.approvals {
        requests.push(world.granted("service.read", &format!("s{number}"))?.id);
    }
    let alice = world.alice.clone();
    let call = move |id: String| {
        let alice = alice.clone();
        async move {
            let wanted = wire::MintRequest { audience: AUDIENCE.to_owned(), ..Default::default() };
            alice.mint(&id, &wanted, &IdempotencyKey::fresh()).await?;
            anyhow::Ok(())
        }
    };
    let (alone, crowd) = requests.split_at(effort.approvals);
    row(world, "mint: two durable steps and a signature", (alone, crowd), call)
}

fn introspect(world: &World, effort: Effort) -> Result<Vec<String>> {
    let token = Secret::new(world.minted("service.read")?.token);
    let alice = world.alice.clone();
    let call = move || {
        let (alice, token) = (alice.clone(), token.clone());
        async move {
            let begun = Instant::now();
            ensure!(alice.introspect(&token).await?.active, "a good token is not active");
            Ok(begun.elapsed())
        }
    };
    let alone = closed_loop(&world.runtime, 1, effort.round, call.clone())?;
    let crowd = closed_loop(&world.runtime, CLIENTS, effort.round, call)?;
    let cell = |rate: f64, took: Spread| format!("{}/s, {took}", thousands(rate));
    let (alone, crowd) = (cell(alone.per_second, alone.took), cell(crowd.per_second, crowd.took));
    Ok(vec!["introspect".to_owned(), alone, crowd])
}

/// A call for each of these, one after the other, and for each of those, several at once.
fn row<T, F, A>(
    world: &World,
    what: &str,
    (alone, crowd): (&[T], &[T]),
    call: F,
) -> Result<Vec<String>>
where
    T: Clone + Send + Sync + 'static,
    F: Fn(T) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<()>> + Send,
{
    let alone = spread(world, alone, 1, call.clone())?;
    let crowd = spread(world, crowd, CLIENTS, call)?;
    Ok(vec![what.to_owned(), alone, crowd])
}

fn spread<T, F, A>(world: &World, each: &[T], clients: usize, call: F) -> Result<String>
where
    T: Clone + Send + Sync + 'static,
    F: Fn(T) -> A + Clone + Send + Sync + 'static,
    A: Future<Output = Result<()>> + Send,
{
    let (all, next) = (Arc::new(each.to_vec()), Arc::new(AtomicUsize::new(0)));
    let begun = Instant::now();
    let took: Vec<Duration> = world.runtime.block_on(async {
        let work = || {
            let (all, next, call) = (Arc::clone(&all), Arc::clone(&next), call.clone());
            async move {
                let mut took = Vec::new();
                while let Some(one) = all.get(next.fetch_add(1, Ordering::Relaxed)).cloned() {
                    let begun = Instant::now();
                    call(one).await?;
                    took.push(begun.elapsed());
                }
                anyhow::Ok(took)
            }
        };
        let tasks: Vec<_> = (0..clients).map(|_| tokio::spawn(work())).collect();
        let mut took = Vec::new();
        for task in tasks {
            took.extend(task.await.context("a client ended")??);
        }
        anyhow::Ok(took)
    })?;
    let rate = took.len() as f64 / begun.elapsed().as_secs_f64();
    Ok(format!("{}/s, {}", thousands(rate), Spread::of_durations(&took)?))
}
