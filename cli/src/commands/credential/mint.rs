//! `assent credential mint`

use assent_client::wire::MintRequest;
use assent_client::{Client, IdempotencyKey};

use crate::args::MintArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};

/// Mints a credential and prints its token alone.
pub(crate) async fn run(args: MintArgs, client: &Client, output: &Output) -> Result<Exit, Failure> {
    let MintArgs { request, audience, ttl, printing } = args;
    let wanted = MintRequest { audience, ttl: ttl.map(|span| span.to_string()) };
    let key = IdempotencyKey::fresh();
    let credential = client.mint(&request.to_string(), &wanted, &key).await?;
    output.talk(format!(
        "{} is good for {} until {}",
        clean(&credential.id),
        clean(&wanted.audience),
        clean(&credential.expires_at)
    ));
    match printing.is_json() {
        true => output.json(&credential)?,
        false => output.data(&credential.token)?,
    }
    Ok(Exit::Granted)
}
