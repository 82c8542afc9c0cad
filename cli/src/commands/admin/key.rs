//! `assent admin key`

use std::io::Read as _;
use std::path::Path;

use assent_client::wire::{Key, Keys, NewKey};
use assent_client::{Client, IdempotencyKey};

use crate::args::{KeyCommand, KeyImportArgs, KeyRotateArgs, Printing};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Output, Paint, Table, clean};

/// The longest file of one private key.
const LONGEST: u64 = 64 * 1024;

/// Lists signing keys, makes or brings another, takes one out.
pub(crate) async fn run(
    command: KeyCommand,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let key = IdempotencyKey::fresh();
    match command {
        KeyCommand::List(printing) => list(printing, client, output).await?,
        KeyCommand::Rotate(KeyRotateArgs { algorithm, now, printing }) => {
            let algorithm = algorithm.map(|algorithm| algorithm.to_string());
            let wanted = NewKey { algorithm, at_once: now, private_key: None };
            taken_in(&client.make_key(&wanted, &key).await?, printing, output)?;
        }
        KeyCommand::Import(KeyImportArgs { file, now, printing }) => {
            let private_key = Some(read(&file)?);
            let wanted = NewKey { algorithm: None, at_once: now, private_key };
            taken_in(&client.make_key(&wanted, &key).await?, printing, output)?;
        }
        KeyCommand::Retire(args) => {
            let retired = client.retire_key(&args.id, &key).await?;
            print(std::slice::from_ref(&retired), args.printing, &retired, output)?;
        }
        KeyCommand::Revoke(args) => {
            let revoked = client.revoke_key(&args.id, &args.reason, &key).await?;
            output.talk("verifiers that keep the key set may believe it for some minutes more");
            print(std::slice::from_ref(&revoked), args.printing, &revoked, output)?;
        }
    }
    Ok(Exit::Granted)
}

async fn list(printing: Printing, client: &Client, output: &Output) -> Result<(), Failure> {
    let all = client.signing_keys().await?;
    print(&all.keys, printing, &all, output)?;
    if !printing.is_json() {
        tell_misfits(&all, output);
    }
    Ok(())
}

fn tell_misfits(all: &Keys, output: &Output) {
    for misfit in &all.misfits {
        let (who, problem) = (clean(&misfit.who), clean(&misfit.problem));
        output.talk(format!("{}: {who}: {problem}", clean(&all.issuer)));
    }
}

fn taken_in(key: &Key, printing: Printing, output: &Output) -> Result<(), Failure> {
    match key.stage.as_str() {
        "signing" => {
            output.talk("it signs now; verifiers learn of it when they next fetch the key set")
        }
        _ => output.talk(format!("it is published and signs from {} on", clean(&key.signs_from))),
    }
    print(std::slice::from_ref(key), printing, key, output)
}

/// The private key of this file; of stdin where it is `-`.
fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let read = match file == Path::new("-") {
        true => std::io::stdin().lock().take(LONGEST).read_to_string(&mut text),
        false => {
            std::fs::File::open(file).and_then(|open| open.take(LONGEST).read_to_string(&mut text))
        }
    };
    read.map_err(|error| Failure::file(file, &error))?;
    Ok(text)
}

fn print(
    keys: &[Key],
    printing: Printing,
    wire: &impl serde::Serialize,
    output: &Output,
) -> Result<(), Failure> {
    match printing.is_json() {
        true => output.json(wire),
        false => output.data(table(keys, output.data_paint())),
    }
}

fn table(keys: &[Key], paint: Paint) -> String {
    let head = ["ID", "ALGORITHM", "STAGE", "ORIGIN", "SIGNS FROM", "PUBLISHED UNTIL", "AUDIENCES"];
    let mut table = Table::new(&head, paint);
    for key in keys {
        table.row([
            Cell::text(&key.id),
            Cell::text(&key.algorithm),
            Cell::text(&key.stage),
            Cell::text(&key.origin),
            Cell::text(&key.signs_from),
            Cell::text(key.published_until.as_deref().unwrap_or("")),
            Cell::text(&key.audiences.join(" ")),
        ]);
    }
    table.text()
}
