//! What can be said in the provider block, and what it means.

use crate::schema::{Attribute, Schema};
use crate::value::Type;

/// The schema of the provider block.
pub(crate) fn schema() -> Schema {
    Schema::new(
        "Just-in-time approval for infrastructure: an action is stated, policy decides, people \
         approve exactly that, and a short-lived credential is minted for it alone.\n\n\
         Every argument can be left out and said in the environment instead; what stands in the \
         block counts more. Who asks is said in one way: by `token`, `token_file` or `oidc`. If \
         the block has none of them, the first of these counts: `ASSENT_TOKEN`, \
         `ASSENT_TOKEN_FILE`, `ASSENT_OIDC_TOKEN`, `ASSENT_OIDC_TOKEN_FILE`, \
         `ASSENT_OIDC_REQUEST_URL`, then what HCP Terraform or GitHub Actions gives a run by \
         itself. Configuring the provider contacts nobody, and a block that is known only after \
         apply can be planned with.",
        vec![
            Attribute::optional(
                "url",
                Type::String,
                "Address of the Assent server, such as `https://assent.example.com`. `http` is \
                 only for a server on the same machine. Taken from the environment variable \
                 `ASSENT_URL` if it is not set.",
            ),
            Attribute::optional(
                "token",
                Type::String,
                "Access token of whoever asks. Taken from the environment variable \
                 `ASSENT_TOKEN` if it is not set, which keeps it out of files.",
            )
            .sensitive(),
            Attribute::optional(
                "token_file",
                Type::String,
                "Path of a file with the access token of whoever asks. It is read again for each \
                 call, so another process may replace the token, also while people are waited \
                 for. A file that everybody on the machine can read is warned of. Taken from \
                 `ASSENT_TOKEN_FILE` if it is not set.",
            ),
            oidc(),
            Attribute::optional(
                "ca_bundle",
                Type::String,
                "Certificates of private authorities that may vouch for the server, in PEM: the \
                 path of a file, or the text itself. They are added to those that the operating \
                 system trusts. There is no way to trust a server unseen. Taken from \
                 `ASSENT_CA_BUNDLE` if it is not set.",
            ),
            Attribute::optional(
                "applying",
                Type::Bool,
                "Set this to `terraform.applying`. It is how the provider tells plan from apply: \
                 credentials are minted only at apply. Required by `assent_credential`. Taken \
                 from `ASSENT_APPLYING` (`true` or `false`) if it is not set; set that to `true` \
                 only for `terraform apply` of a saved plan.",
            ),
            Attribute::nested(
                "timeouts",
                vec![Attribute::optional(
                    "request",
                    Type::String,
                    "How long one call to the server may take, such as `30s`, from `1s` to `10m`. \
                     `30s` if it is not set here or in `ASSENT_TIMEOUT`. How long people are \
                     waited for is said by the `timeouts` of each resource.",
                )],
                "How long calls may take.",
            ),
            Attribute::nested(
                "retry",
                vec![
                    Attribute::optional(
                        "attempts",
                        Type::Number,
                        "How often a call is sent at most, the first time included, from 1 to \
                         20. 4 if it is not set here or in `ASSENT_RETRY_ATTEMPTS`.",
                    ),
                    Attribute::optional(
                        "max_wait",
                        Type::String,
                        "The longest pause between two attempts, up to `5m`. A server that asks \
                         for a longer one is not tried again. `5s` if it is not set here or in \
                         `ASSENT_RETRY_MAX_WAIT`.",
                    ),
                ],
                "When a call that failed is sent again: if the server cannot be reached, or says \
                 that it is busy, after pauses that grow. A change is sent again only with the \
                 key by which the server knows it, so it is never made twice. Waiting for people \
                 does not end with this: a server that is away meanwhile is tried until the \
                 resource's own timeout.",
            ),
        ],
    )
}

/// How a workload says who it is.
fn oidc() -> Attribute {
    Attribute::nested(
        "oidc",
        vec![
            Attribute::optional(
                "audience",
                Type::String,
                "Whom the identity token is made for, as a trust of the server's policy names \
                 it. In GitHub Actions a token for exactly this is requested; without it, for the \
                 server's `url`. A token that was made beforehand, as by HCP Terraform, must be \
                 for the same. Taken from `ASSENT_OIDC_AUDIENCE` if it is not set.",
            ),
            Attribute::optional(
                "token",
                Type::String,
                "The identity token itself; it may be ephemeral. There is no other one when it \
                 ends, so it should outlast the run. Taken from `ASSENT_OIDC_TOKEN` if nothing \
                 is set here: in GitLab, name one of the job's `id_tokens` so. HCP Terraform's \
                 `TFC_WORKLOAD_IDENTITY_TOKEN_ASSENT` and `TFC_WORKLOAD_IDENTITY_TOKEN` are found \
                 by themselves; they last as long as the run may take.",
            )
            .sensitive(),
            Attribute::optional(
                "token_file",
                Type::String,
                "Path of a file with the identity token, such as one that Kubernetes projects. It \
                 is read again for each exchange. Taken from `ASSENT_OIDC_TOKEN_FILE` if nothing \
                 is set here.",
            ),
            Attribute::optional(
                "request_url",
                Type::String,
                "Where to request an identity token, each time a new one. GitHub Actions says it \
                 in `ACTIONS_ID_TOKEN_REQUEST_URL`, to jobs with the permission `id-token: \
                 write`, and that is found by itself. Taken from `ASSENT_OIDC_REQUEST_URL` if \
                 nothing is set here.",
            ),
            Attribute::optional(
                "request_token",
                Type::String,
                "What is presented at `request_url`. Taken from `ASSENT_OIDC_REQUEST_TOKEN`, or \
                 GitHub's `ACTIONS_ID_TOKEN_REQUEST_TOKEN`, together with it.",
            )
            .sensitive(),
        ],
        "A workload says who it is by a token of its platform (OpenID Connect), which the server \
         exchanges for a short-lived access token if a trust of its policy accepts it. That \
         happens when the server is first needed, and again before the access token ends. `oidc = \
         {}` says no more than that one shall be found.",
    )
}
