//! `assent credential mint`

use assent_client::wire::MintRequest;
use assent_client::{Client, IdempotencyKey};

use assent_server::chance::Chance;

use super::proof::held;
use crate::args::MintArgs;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// Mints a credential and prints its token alone; with what a broker opened, each under its name.
pub(crate) async fn run(args: MintArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let MintArgs { request, audience, ttl, broker, heartbeat, dpop_key, printing } = args;
    let wanted = MintRequest {
        audience,
        ttl: ttl.map(|span| span.to_string()),
        broker,
        heartbeat: heartbeat.map(|span| span.to_string()),
    };
    let key = IdempotencyKey::fresh();
    let credential = match dpop_key {
        None => client.mint(&request.to_string(), &wanted, &key).await?,
        Some(file) => {
            let (holder, chance) = (held(&file)?, Chance::default());
            let prove = |url: &str, nonce: Option<&str>| {
                holder.proof(("POST", url), None, nonce, clock::now(), chance.source())
            };
            client.mint_bound(&request.to_string(), &wanted, &key, prove).await?
        }
    };
    output.talk(format!(
        "{} is good for {} until {}",
        clean(&credential.id),
        clean(&wanted.audience),
        clean(&credential.expires_at)
    ));
    match printing.is_json() {
        true => output.json(&credential)?,
        false if credential.fields.is_empty() => output.data(&credential.token)?,
        false => {
            let token = [("token", &credential.token)].into_iter();
            let fields = credential.fields.iter().map(|(name, value)| (name.as_str(), value));
            let lines = token.chain(fields).map(|(name, value)| format!("{name}={value}"));
            output.data(lines.collect::<Vec<_>>().join("\n"))?;
        }
    }
    Ok(Exit::Granted)
}
