//! `assent admin token`

use assent_client::wire::{Access, FreshAccess, Kind, NewAccess};
use assent_client::{Client, IdempotencyKey};

use crate::args::{Printing, TokenCommand, TokenCreateArgs};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Output, Paint, Table, clean};
use crate::show;

/// Makes, lists or revokes access tokens.
pub(crate) async fn run(
    command: TokenCommand,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        TokenCommand::Create(args) => create(args, client, output).await,
        TokenCommand::List(printing) => list(printing, client, output).await,
        TokenCommand::Revoke(args) => {
            let key = IdempotencyKey::fresh();
            let access = client.revoke_access(&args.id.to_string(), &key).await?;
            print_all(std::slice::from_ref(&access), args.printing, &access, output)?;
            Ok(Exit::Granted)
        }
    }
}

async fn create(args: TokenCreateArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let wanted = NewAccess {
        kind: if args.workload { Kind::Workload } else { Kind::Person },
        sub: args.name,
        acts_for: args.acts_for.into_iter().collect(),
        groups: args.group.into_iter().collect(),
        administrator: args.administrator,
        expires_after: args.expires_after.map(|span| span.to_string()),
    };
    let fresh = client.create_access(&wanted, &IdempotencyKey::fresh()).await?;
    print_fresh(&fresh, args.printing, output)?;
    Ok(Exit::Granted)
}

async fn list(printing: Printing, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let list = client.access_list().await?;
    print_all(&list.tokens, printing, &list, output)?;
    Ok(Exit::Granted)
}

/// Prints a fresh token alone on stdout; it is the only time that it is shown.
pub(crate) fn print_fresh(
    fresh: &FreshAccess,
    printing: Printing,
    output: &Output,
) -> Result<(), Failure> {
    let principal = &fresh.access.principal;
    output.talk(format!(
        "token {} of {} until {}; it is shown this once",
        clean(&fresh.access.id),
        show::principal(&principal.iss, &principal.sub),
        clean(&fresh.access.expires_at)
    ));
    match printing.is_json() {
        true => output.json(fresh),
        false => output.data(&fresh.token),
    }
}

fn print_all(
    tokens: &[Access],
    printing: Printing,
    wire: &impl serde::Serialize,
    output: &Output,
) -> Result<(), Failure> {
    match printing.is_json() {
        true => output.json(wire),
        false => output.data(table(tokens, output.data_paint())),
    }
}

fn table(tokens: &[Access], paint: Paint) -> String {
    let head = ["ID", "HOLDER", "KIND", "PURPOSE", "ADMIN", "CREATED", "EXPIRES", "REVOKED"];
    let mut table = Table::new(&head, paint);
    for access in tokens {
        let kind = match access.principal.kind {
            Kind::Person => "person",
            Kind::Workload => "workload",
        };
        table.row([
            Cell::text(&access.id),
            Cell::text(&show::principal(&access.principal.iss, &access.principal.sub)),
            Cell::text(kind),
            Cell::text(&access.purpose),
            Cell::text(if access.administrator { "yes" } else { "no" }),
            Cell::text(&access.created_at),
            Cell::text(&access.expires_at),
            Cell::text(access.revoked_at.as_deref().unwrap_or("")),
        ]);
    }
    table.text()
}
