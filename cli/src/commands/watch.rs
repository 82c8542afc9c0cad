//! `assent watch`: what waits for whoever watches, kept up to date.

mod board;
mod desktop;
mod events;
mod follow;
mod screen;

use std::time::Duration;

use assent_client::Client;
use serde_json::json;
use tokio::sync::mpsc::Receiver;

use crate::args::WatchArgs;
use crate::clock;
use crate::commands::watch::board::{Board, Change};
use crate::commands::watch::follow::{Seen, follow};
use crate::commands::watch::screen::{Screen, Turn};
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::show;

/// Watches until somebody ends it.
pub(crate) async fn run(
    args: WatchArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    if args.events || args.from.is_some() {
        return events::run(&args, client, output).await;
    }
    let me = client.whoami().await?.principal;
    let board = Board::new(show::principal(&me.iss, &me.sub), args.all);
    let seen = follow(client.clone(), args.all).await?;
    match output.shows() && !args.printing.is_json() {
        true => on_screen(&args, board, seen, output).await,
        false => in_lines(&args, board, seen, client, output).await,
    }
}

/// A table that is written over.
async fn on_screen(
    args: &WatchArgs,
    mut board: Board,
    mut seen: Receiver<Seen>,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut screen = Screen::begin(output)?;
    let mut lost = None;
    let mut is_first = true;
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    loop {
        screen.show(&board.lines(
            clock::now(),
            screen.size(),
            lost.as_deref(),
            output.data_paint(),
        ))?;
        tokio::select! {
            next = seen.recv() => match next {
                Some(Seen::Open(requests)) => {
                    lost = None;
                    let changes = board.take(requests);
                    // What waited already when the watch began is no news.
                    if args.notify && !is_first {
                        desktop::tell(&changes, output).await;
                    }
                    is_first = false;
                }
                Some(Seen::Lost(problem)) => lost = Some(problem),
                Some(Seen::Failed(failure)) => return Err(failure),
                None => return Ok(Exit::Granted),
            },
            turn = screen.turn() => match turn {
                Turn::Again => {}
                Turn::Over => return Ok(Exit::Granted),
            },
            _ = seconds.tick() => {}
        }
    }
}

/// One line for each change.
async fn in_lines(
    args: &WatchArgs,
    mut board: Board,
    mut seen: Receiver<Seen>,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let mut is_lost = false;
    let mut is_first = true;
    while let Some(next) = seen.recv().await {
        match next {
            Seen::Open(requests) => {
                if is_lost {
                    output.talk("the server answers again");
                }
                is_lost = false;
                let changes = board.take(requests);
                if args.notify && !is_first {
                    desktop::tell(&changes, output).await;
                }
                is_first = false;
                for change in &changes {
                    print(change, args, client, output).await?;
                }
            }
            Seen::Lost(problem) => {
                if !is_lost {
                    output.talk(format!("trying again: {}", clean(&problem)));
                }
                is_lost = true;
            }
            Seen::Failed(failure) => return Err(failure),
        }
    }
    Ok(Exit::Granted)
}

async fn print(
    change: &Change,
    args: &WatchArgs,
    client: &Client,
    output: &Output,
) -> Result<(), Failure> {
    // What does not wait any more is told by what became of it.
    let now = match change {
        Change::Came(request) | Change::Changed(request) => (**request).clone(),
        Change::Went(id) => client.request(id).await?,
    };
    match args.printing.is_json() {
        true => output.json_line(&json!({"change": change.word(), "request": now})),
        false => {
            let (word, state) = (change.word(), output.data_paint().state(&now.state));
            output.data(format!("{word} {} {state} {}", clean(&now.id), show::sentence(&now)))
        }
    }
}
