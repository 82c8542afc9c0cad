//! `assent absence`

use assent_client::wire::{Absence, NewAbsence};
use assent_client::{Client, IdempotencyKey};

use crate::args::{AbsenceBeginArgs, AbsenceCommand, AbsenceEndArgs, Printing};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Output, Paint, Table};
use crate::show;

/// Who is out of office, and who stands in.
pub(crate) async fn run(
    command: AbsenceCommand,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        AbsenceCommand::List(printing) => list(printing, client, output).await,
        AbsenceCommand::Begin(args) => begin(args, client, output).await,
        AbsenceCommand::End(args) => end(&args, client, output).await,
    }
}

async fn list(printing: Printing, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let found = client.absences().await?;
    match printing.is_json() {
        true => output.json(&found)?,
        false if found.absences.is_empty() => output.talk("nobody is or was out of office"),
        false => output.data(table(&found.absences, output.data_paint()))?,
    }
    Ok(Exit::Granted)
}

async fn begin(args: AbsenceBeginArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let AbsenceBeginArgs { to, from, until, printing } = args;
    let new = NewAbsence { to, from: from.map(|at| at.to_string()), until: until.to_string() };
    let absence = client.begin_absence(&new, &IdempotencyKey::fresh()).await?;
    print(&absence, printing, output)
}

async fn end(args: &AbsenceEndArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let absence = client.end_absence(&args.id.to_string(), &IdempotencyKey::fresh()).await?;
    print(&absence, args.printing, output)
}

fn print(absence: &Absence, printing: Printing, output: &Output) -> Result<Exit, Failure> {
    match printing.is_json() {
        true => output.json(absence)?,
        false => output.data(table(std::slice::from_ref(absence), output.data_paint()))?,
    }
    Ok(Exit::Granted)
}

fn table(absences: &[Absence], paint: Paint) -> String {
    let mut table = Table::new(&["ID", "AWAY", "STANDS IN", "FROM", "UNTIL", "ENDED"], paint);
    for absence in absences {
        table.row([
            Cell::text(&absence.id),
            Cell::text(&show::principal(&absence.who.iss, &absence.who.sub)),
            Cell::text(&show::principal(&absence.to.iss, &absence.to.sub)),
            Cell::text(&absence.from),
            Cell::text(&absence.until),
            Cell::text(absence.ended_at.as_deref().unwrap_or_default()),
        ]);
    }
    table.text()
}
