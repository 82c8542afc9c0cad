//! `assent credential proof`

use std::path::Path;

use assent_client::Secret;
use assent_core::credential::dpop::Holder;
use assent_server::chance::Chance;

use crate::args::ProofArgs;
use crate::clock;
use crate::failure::{Exit, Failure};
use crate::output::Output;

/// Prints a proof for one call (RFC 9449): the `DPoP` header beside `Authorization: DPoP TOKEN`.
pub(crate) fn run(args: ProofArgs, output: &Output) -> Result<Exit, Failure> {
    let token = super::given(args.credential)?;
    let holder = held(&args.dpop_key)?;
    let chance = Chance::default();
    let (call, nonce) = ((args.method.as_str(), args.url.as_str()), args.nonce.as_deref());
    let proof = holder.proof(call, Some(token.expose()), nonce, clock::now(), chance.source());
    let proof = proof.map_err(|error| Failure::unknown("no proof can be made").because(error))?;
    output.data(proof)?;
    Ok(Exit::Granted)
}

/// The private key in this file.
pub(super) fn held(file: &Path) -> Result<Holder, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::file(file, &error))?;
    Holder::from_pem(&Secret::new(text)).map_err(|error| {
        Failure::usage(format!(
            "`{}` holds no key that a credential can be bound to",
            file.display()
        ))
        .because(error)
        .hint("make one: openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256")
    })
}
