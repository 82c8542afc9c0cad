//! `assent admin notices`

use assent_client::wire::Notices;
use assent_client::{Client, IdempotencyKey};

use crate::args::{NoticesCommand, NoticesReplayArgs};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Output, Paint, Table, clean};

/// Lists what became of notices, or has some tried again.
pub(crate) async fn run(
    command: NoticesCommand,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        NoticesCommand::List(args) => {
            let found = client.notices(args.state.map(|state| state.word())).await?;
            match args.printing.is_json() {
                true => output.json(&found)?,
                false => {
                    tell_ways(&found, output);
                    if found.notices.is_empty() {
                        output.talk("no notices");
                    } else {
                        output.data(table(&found, output.data_paint()))?;
                    }
                }
            }
        }
        NoticesCommand::Replay(NoticesReplayArgs { id, all: _, printing }) => {
            let id = id.map(|id| id.to_string());
            let done = client.replay_notices(id.as_deref(), &IdempotencyKey::fresh()).await?;
            match printing.is_json() {
                true => output.json(&done)?,
                false => output.data(format!("tried again: {}", done.count))?,
            }
            if id.is_some() && done.count == 0 {
                return Err(Failure::refused("it was not given up: it waits, or was told"));
            }
        }
    }
    Ok(Exit::Granted)
}

/// What stands in the way of anything.
fn tell_ways(found: &Notices, output: &Output) {
    for way in &found.ways {
        if let Some(problem) = &way.problem {
            let (name, problem) = (clean(&way.name), clean(problem));
            output.talk(format!(
                "{name}: {problem} ({} waiting, {} given up)",
                way.waiting, way.dead
            ));
        }
    }
}

fn table(found: &Notices, paint: Paint) -> String {
    let head = ["ID", "STATE", "OCCASION", "TO", "REQUEST", "AT", "TRIES", "PROBLEM"];
    let mut table = Table::new(&head, paint);
    for notice in &found.notices {
        table.row([
            Cell::text(&notice.id),
            Cell::text(&notice.state),
            Cell::text(&notice.occasion),
            Cell::text(&notice.to),
            Cell::text(&notice.request),
            Cell::text(&notice.at),
            Cell::text(&notice.attempts.to_string()),
            Cell::text(notice.problem.as_deref().unwrap_or("")),
        ]);
    }
    table.text()
}
