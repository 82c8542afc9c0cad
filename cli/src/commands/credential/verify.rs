//! `assent credential verify`

use assent_client::{Client, ErrorKind, IdempotencyKey, Secret};
use assent_core::credential::{Claims, KeySet, Verifier};
use serde_json::{Map, Value, json};

use crate::args::VerifyTokenArgs;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::{Output, Paint, facts};

use super::inspect::in_words;

/// Checks a token as a service would.
pub(crate) async fn run(
    args: VerifyTokenArgs,
    client: &Client,
    output: &Output,
) -> Result<Exit, Failure> {
    let token = super::given(args.credential.clone())?;
    match check(&args, &token, client).await {
        Ok(claims) => {
            print(&claims.all, args.printing.is_json(), output)?;
            output.talk(match (args.offline, args.redeem) {
                (true, _) => "good by its signature and claims; revocation was not looked at",
                (false, true) => "good, and spent by this",
                (false, false) => "good",
            });
            Ok(Exit::Granted)
        }
        Err(Bad::No(reason)) => {
            if args.printing.is_json() {
                output.json(&json!({"active": false}))?;
            }
            Err(Failure::refused("the token is not good").because(reason))
        }
        Err(Bad::Unknown(failure)) => Err(failure),
    }
}

/// Why it does not pass: it is not good, or nobody could tell.
enum Bad {
    No(String),
    Unknown(Failure),
}

impl From<assent_client::ClientError> for Bad {
    fn from(error: assent_client::ClientError) -> Self {
        Self::Unknown(error.into())
    }
}

async fn check(args: &VerifyTokenArgs, token: &Secret, client: &Client) -> Result<Claims, Bad> {
    let discovery = client.discovery().await?;
    let issuer = discovery.get("issuer").and_then(Value::as_str);
    let no_issuer = || Bad::Unknown(Failure::unknown("the server does not say its issuer"));
    let issuer = issuer.ok_or_else(no_issuer)?;
    let keys = KeySet::read(&client.jwks().await?);
    let verifier = match &args.audience {
        Some(audience) => Verifier::new(issuer, audience),
        None => Verifier::of_own(issuer),
    };
    let claims = verifier.examine(token.expose(), &keys, clock::now());
    let claims = claims.map_err(|rejection| Bad::No(rejection.to_string()))?;
    if args.redeem && claims.confirmation.is_some() {
        let reason =
            "it is bound to a key: only the service that was shown a proof of it spends it";
        return Err(Bad::No(reason.to_owned()));
    }
    if args.redeem {
        redeem(token, &claims, client).await?;
    } else if !args.offline && !client.introspect(token).await?.active {
        return Err(Bad::No("it was revoked, was spent or has ended".to_owned()));
    }
    Ok(claims)
}

async fn redeem(token: &Secret, claims: &Claims, client: &Client) -> Result<(), Bad> {
    match client.redeem(token, &claims.audience, &IdempotencyKey::fresh()).await {
        Ok(said) if said.active => Ok(()),
        Ok(_) => Err(Bad::No("it was revoked, was spent or has ended".to_owned())),
        Err(error) if error.kind == ErrorKind::Conflict => Err(Bad::No(error.message)),
        Err(error) => Err(error.into()),
    }
}

fn print(claims: &Map<String, Value>, is_json: bool, output: &Output) -> Result<(), Failure> {
    if is_json {
        let mut said = claims.clone();
        said.insert("active".to_owned(), Value::Bool(true));
        return output.json(&said);
    }
    output.data(text(claims, output.data_paint()))
}

fn text(claims: &Map<String, Value>, paint: Paint) -> String {
    let line = |(name, value)| -> (&str, String) {
        let name: &String = name;
        (name, in_words(name, value))
    };
    facts(&claims.iter().map(line).collect::<Vec<_>>(), paint)
}
