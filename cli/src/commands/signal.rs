//! `assent signal`

use assent_client::wire::{NewSignal, PrincipalId, SignalSubject, ToldSignal};
use assent_client::{Client, IdempotencyKey};
use assent_core::principal::LOCAL_ISSUER;

use crate::args::{AboutArgs, ClearArgs, SignalCommand, TellArgs};
use crate::failure::{Exit, Failure};
use crate::output::{Cell, Output, Paint, Table, clean};
use crate::show;

/// Lists, tells or takes back what is told of somebody or something.
pub(crate) async fn run(
    command: SignalCommand,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    match command {
        SignalCommand::List(printing) => {
            let all = client.signals().await?;
            match printing.is_json() {
                true => output.json(&all)?,
                false if all.about.is_empty() => output.talk("no signals"),
                false => output.data(table(&all.about, output.data_paint()))?,
            }
            Ok(Exit::Granted)
        }
        SignalCommand::Tell(TellArgs { state, about, reason, until, printing }) => {
            let signal = NewSignal { about: subject(about)?, state, reason, until };
            let told = client.tell(&signal, &IdempotencyKey::fresh()).await?;
            match printing.is_json() {
                true => output.json(&told)?,
                false => output.data(table(&[told], output.data_paint()))?,
            }
            Ok(Exit::Granted)
        }
        SignalCommand::Clear(ClearArgs { about, reason, printing }) => {
            let (about, state) = (subject(about)?, "clear".to_owned());
            let signal = NewSignal { about, state, reason, until: None };
            let told = client.tell(&signal, &IdempotencyKey::fresh()).await?;
            match printing.is_json() {
                true => output.json(&told)?,
                false => {
                    let about = in_words(&told.about);
                    output.talk(format!("cleared: {about}; what was ended stays ended"));
                }
            }
            Ok(Exit::Granted)
        }
    }
}

fn subject(about: AboutArgs) -> Result<SignalSubject, Failure> {
    let AboutArgs { person, workload, environment } = about;
    let id = |text: String| match text.rsplit_once('#') {
        Some((iss, sub)) => PrincipalId { iss: iss.to_owned(), sub: sub.to_owned() },
        None => PrincipalId { iss: LOCAL_ISSUER.to_owned(), sub: text },
    };
    let person = person.map(|who| SignalSubject::Person(id(who)));
    let workload = workload.map(|who| SignalSubject::Workload(id(who)));
    let about = person.or(workload).or(environment.map(SignalSubject::Environment));
    about.ok_or_else(|| Failure::usage("say --person, --workload or --environment"))
}

fn table(signals: &[ToldSignal], paint: Paint) -> String {
    let mut table = Table::new(&["ABOUT", "STATE", "SINCE", "UNTIL", "BY", "REASON", "ID"], paint);
    for signal in signals {
        table.row([
            Cell::text(&in_words(&signal.about)),
            Cell::text(&signal.state),
            Cell::text(&signal.at),
            Cell::text(signal.until.as_deref().unwrap_or("")),
            Cell::text(&signal.teller),
            Cell::text(&signal.reason),
            Cell::text(&signal.id),
        ]);
    }
    table.text()
}

fn in_words(about: &SignalSubject) -> String {
    match about {
        SignalSubject::Person(id) => format!("person {}", show::principal(&id.iss, &id.sub)),
        SignalSubject::Workload(id) => format!("workload {}", show::principal(&id.iss, &id.sub)),
        SignalSubject::Environment(name) => format!("environment {}", clean(name)),
    }
}
