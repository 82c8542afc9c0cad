//! Credentials, as they are asked for and presented on the command line.

use std::path::PathBuf;

use assent_client::{Secret, Url};
use assent_core::id::{CredentialId, RequestId};
use assent_core::time::Span;
use clap::{Args, Subcommand};

use crate::args::{Printing, secret};

#[derive(Debug, Subcommand)]
pub(crate) enum CredentialCommand {
    /// List credentials: all, or those that are good at this moment
    List(CredentialListArgs),
    /// Send a sign of life for a credential that ends when its holder is silent
    Heartbeat(HeartbeatArgs),
    /// Mint a credential of a granted request and print its token
    Mint(MintArgs),
    /// Print a proof, good for one call, that you hold the key which a credential is bound to
    Proof(ProofArgs),
    /// Print what a token says, without checking it
    Inspect(InspectArgs),
    /// Check a token: its signature, its claims and whether it was taken back
    Verify(VerifyTokenArgs),
}

/// Which credentials are meant: those that fit everything that is said.
#[derive(Debug, Args)]
pub(crate) struct MatchingArgs {
    /// Only those for this environment
    #[arg(long, value_name = "NAME")]
    pub(crate) environment: Option<String>,
    /// Only those for this kind of action
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Only those of this requester
    #[arg(long, value_name = "NAME")]
    pub(crate) requester: Option<String>,
}

impl MatchingArgs {
    /// Whether anything is said.
    pub(crate) fn says_anything(&self) -> bool {
        self.environment.is_some() || self.kind.is_some() || self.requester.is_some()
    }
}

#[derive(Debug, Args)]
pub(crate) struct CredentialListArgs {
    /// Only those that are good, or of which a broker has something open
    #[arg(long)]
    pub(crate) live: bool,
    #[command(flatten)]
    pub(crate) matching: MatchingArgs,
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct HeartbeatArgs {
    /// The credential's id
    pub(crate) id: CredentialId,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct MintArgs {
    /// The granted request
    #[arg(long, value_name = "ID")]
    pub(crate) request: RequestId,
    /// For whom it shall be good
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: String,
    /// How long it shall be good: 10m
    #[arg(long, value_name = "TIME")]
    pub(crate) ttl: Option<Span>,
    /// Have this broker of the authority open something; what it gave is printed with the token
    #[arg(long, value_name = "NAME")]
    pub(crate) broker: Option<String>,
    /// End it when its holder has not been heard of for so long: 2m; see `assent credential heartbeat`
    #[arg(long, value_name = "TIME")]
    pub(crate) heartbeat: Option<Span>,
    /// Bind it to the private key in this file: PEM (PKCS #8), on P-256 or of Ed25519
    #[arg(long, value_name = "FILE")]
    pub(crate) dpop_key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
pub(crate) struct ProofArgs {
    // Not named `token`: the access token is, and clap would take the one for the other.
    /// The credential's token; `-` reads it from stdin
    #[arg(value_name = "TOKEN", env = "ASSENT_CREDENTIAL", hide_env_values = true)]
    #[arg(value_parser = secret)]
    pub(crate) credential: Option<Secret>,
    /// The file with the private key that it is bound to
    #[arg(long, value_name = "FILE")]
    pub(crate) dpop_key: PathBuf,
    /// The method of the call that the proof is for
    #[arg(long, value_name = "METHOD", default_value = "GET")]
    pub(crate) method: String,
    /// The URL of that call
    #[arg(long, value_name = "URL")]
    pub(crate) url: Url,
    /// The nonce that the service asks for, in the `DPoP-Nonce` header of its refusal
    #[arg(long, value_name = "NONCE", allow_hyphen_values = true)]
    pub(crate) nonce: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct InspectArgs {
    // Not named `token`: the access token is, and clap would take the one for the other.
    /// The token; `-` reads it from stdin
    #[arg(value_name = "TOKEN", env = "ASSENT_CREDENTIAL", hide_env_values = true)]
    #[arg(value_parser = secret)]
    pub(crate) credential: Option<Secret>,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[derive(Debug, Args)]
#[command(after_help = "Exits 0 when the token is good, 1 when it is not, 3 when it could not be \
    found out.")]
pub(crate) struct VerifyTokenArgs {
    // Not named `token`: the access token is, and clap would take the one for the other.
    /// The token; `-` reads it from stdin
    #[arg(value_name = "TOKEN", env = "ASSENT_CREDENTIAL", hide_env_values = true)]
    #[arg(value_parser = secret)]
    pub(crate) credential: Option<Secret>,
    /// The audience it must be for; without it, any
    #[arg(long, value_name = "AUDIENCE")]
    pub(crate) audience: Option<String>,
    /// Check signature and claims by the server's public keys only; revocation is not seen
    #[arg(long, conflicts_with = "redeem")]
    pub(crate) offline: bool,
    /// Spend it: the next one who redeems it is refused
    #[arg(long)]
    pub(crate) redeem: bool,
    #[command(flatten)]
    pub(crate) printing: Printing,
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use crate::args::Cli;

    #[test]
    fn a_credential_is_never_taken_for_the_access_token() {
        for verb in ["inspect", "verify"] {
            let line = ["assent", "--token", "access", "credential", verb, "presented"];
            let token = Cli::try_parse_from(line).unwrap().server.token;
            assert_eq!(token.unwrap().expose(), "access", "{verb}");
        }
    }
}
