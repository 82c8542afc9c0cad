//! What a failed call to the server means to the person who runs Terraform.

use assent_client::{ClientError, ErrorKind};

use crate::diagnostic::{Diagnostic, Diagnostics, Path};
use crate::intent::sentence;

/// Why the call failed, in one sentence or two.
pub(crate) fn why(error: &ClientError) -> String {
    sentence(&error.to_string())
}

/// The failure as a diagnostic: why, and what to do.
pub(crate) fn told(error: &ClientError, summary: &str) -> Diagnostic {
    Diagnostic::error(summary, format!("{} {}", why(error), advice(error)))
}

/// The failure of a call that stated an intent: what the server found wrong with an argument is told
/// there.
pub(crate) fn told_of_intent(error: &ClientError, summary: &str) -> Diagnostics {
    let found = error.problem.iter().flat_map(|problem| &problem.errors);
    let at_arguments: Option<Vec<_>> = found
        .map(|found| {
            let path = path(found.field.strip_prefix("intent.")?);
            let detail = format!("The server: {} {}", sentence(&found.problem), advice(error));
            Some(Diagnostic::error(summary, detail).at(path))
        })
        .collect();
    let mut told = Diagnostics::default();
    match at_arguments {
        Some(faults) if !faults.is_empty() => faults.into_iter().for_each(|f| told.push(f)),
        // What has no argument of its own is told as a whole, and nothing is left out.
        Some(_) | None => told.push(self::told(error, summary)),
    }
    told
}

/// The path to an argument that the server names: one of the resource, or a key in one.
fn path(field: &str) -> Path {
    match field.split_once('.') {
        Some((name, key)) => Path::attribute(name).then_key(key),
        None => Path::attribute(field),
    }
}

/// What to do about a failure.
fn advice(error: &ClientError) -> &'static str {
    let status = error.problem.as_ref().map(|problem| problem.status);
    match (error.kind, error.code()) {
        (_, Some("invalid_grant")) => {
            "Check that the server's policy has a trust for this issuer and audience, and that the \
             run has the claims that it names; the server's log says what did not match."
        }
        (_, Some("invalid_target")) => {
            "Set `oidc.audience` in the provider block to the audience of the trust."
        }
        (_, Some("outside_trust")) => {
            "The trust that let this run in does not let it ask for this: have `may_ask` of the \
             trust changed, or ask for something else."
        }
        (_, Some("other_run")) => {
            "An approval is good in the run that asked for it; plan and apply anew in this one, or have \
             the rule say `reuse_within_run` where a job is only tried again."
        }
        (_, Some("not_applying")) => {
            "HCP Terraform says of this run that it plans; what was approved is given to its apply \
             only. Let the apply of this run mint."
        }
        (ErrorKind::Usage, _) => "Correct the provider block.",
        (ErrorKind::Unreachable, _) => {
            "Check `url` in the provider block, or ASSENT_URL, and that the server is up."
        }
        (ErrorKind::Untrusted, _) => {
            "Check `url` in the provider block. If a private authority vouches for the server, name \
             its certificate in `ca_bundle`, or in ASSENT_CA_BUNDLE."
        }
        (ErrorKind::NoToken, _) => {
            "Check `token_file` or `oidc` in the provider block, or what stands for it in the \
             environment."
        }
        (ErrorKind::Unavailable, _) => "Run terraform again later.",
        (ErrorKind::Unauthorized, _) if status == Some(403) => {
            "The holder of this access token may not do that."
        }
        (ErrorKind::Unauthorized, _) => {
            "Check the access token: it may be wrong, expired or revoked. It comes from `token`, \
             `token_file` or `oidc` in the provider block, or from the environment."
        }
        (ErrorKind::NotFound, _) => "It does not exist, or may not be seen with this access token.",
        (ErrorKind::Conflict, _) => "It has changed meanwhile; run terraform again.",
        (ErrorKind::Invalid, _) => "Correct the configuration and run terraform again.",
        (ErrorKind::Protocol, Some("no_such_path" | "no_such_method")) => {
            "Update the server, or check the path of `url` in the provider block."
        }
        (ErrorKind::Protocol, _) => "Check that `url` is the address of an Assent server.",
    }
}

/// Whether what was to be ended is over anyway: ended already, not there, or of another run, which
/// this one could not use if it wanted to.
///
/// An answer that may change when the call is sent again says no such thing.
pub(crate) fn is_over(error: &ClientError) -> bool {
    let gone = error.kind == ErrorKind::NotFound && !error.retryable;
    gone || error.code() == Some("other_run") || has_ended(error)
}

/// Whether the server knows what the call was about, and it has ended.
pub(crate) fn has_ended(error: &ClientError) -> bool {
    error.kind == ErrorKind::Conflict && !error.retryable
}

/// A fault of this provider, whose details are in its log.
pub(crate) fn ours(doing: &str) -> Diagnostic {
    let detail = format!("There was no answer from {doing}; TF_LOG=debug shows more.");
    Diagnostic::error("The provider failed", detail)
}

#[cfg(test)]
mod tests {
    use assent_client::wire::{Problem, ProblemField};

    use super::*;

    fn error(kind: ErrorKind, retryable: bool) -> ClientError {
        let message = "the request is consumed".to_owned();
        ClientError { kind, retryable, message, problem: None, wait: None, nonce: None }
    }

    fn answered(kind: ErrorKind, status: u16, code: &str, fields: &[(&str, &str)]) -> ClientError {
        let field = |(field, problem): &(&str, &str)| ProblemField {
            field: (*field).to_owned(),
            problem: (*problem).to_owned(),
        };
        let problem = Problem {
            type_: "about:blank".to_owned(),
            title: "Error".to_owned(),
            status,
            code: code.to_owned(),
            detail: String::new(),
            errors: fields.iter().map(field).collect(),
            intent: None,
        };
        ClientError { problem: Some(Box::new(problem)), ..error(kind, false) }
    }

    #[test]
    fn what_ended_or_is_gone_is_over() {
        assert!(is_over(&error(ErrorKind::NotFound, false)));
        assert!(is_over(&error(ErrorKind::Conflict, false)));
        assert!(is_over(&answered(ErrorKind::Unauthorized, 403, "other_run", &[])));
        assert!(!is_over(&answered(ErrorKind::Unauthorized, 403, "not_requester", &[])));
        assert!(!is_over(&error(ErrorKind::Conflict, true)));
        assert!(has_ended(&error(ErrorKind::Conflict, false)));
        assert!(!has_ended(&error(ErrorKind::NotFound, false)));
        assert!(!is_over(&error(ErrorKind::Unreachable, true)));
    }

    #[test]
    fn a_failure_says_why_and_what_to_do() {
        let told = told(&error(ErrorKind::Conflict, false), "No credential was minted");
        let detail = "The request is consumed. It has changed meanwhile; run terraform again.";
        assert_eq!(
            (told.summary.as_str(), told.detail.as_str()),
            ("No credential was minted", detail)
        );
    }

    #[test]
    fn every_failure_has_advice_of_its_own() {
        let plain = |kind| error(kind, false);
        let failures = [
            (plain(ErrorKind::Usage), "provider block"),
            (plain(ErrorKind::Unreachable), "ASSENT_URL"),
            (plain(ErrorKind::Untrusted), "`ca_bundle`"),
            (plain(ErrorKind::NoToken), "`token_file` or `oidc`"),
            (plain(ErrorKind::Unavailable), "later"),
            (answered(ErrorKind::Unauthorized, 401, "invalid_token", &[]), "expired or revoked"),
            (answered(ErrorKind::Unauthorized, 403, "not_requester", &[]), "may not do that"),
            (answered(ErrorKind::Unauthorized, 403, "outside_trust", &[]), "`may_ask`"),
            (answered(ErrorKind::Unauthorized, 403, "other_run", &[]), "`reuse_within_run`"),
            (answered(ErrorKind::Unauthorized, 403, "not_applying", &[]), "apply of this run"),
            (answered(ErrorKind::Unauthorized, 400, "invalid_grant", &[]), "has a trust for"),
            (answered(ErrorKind::Invalid, 400, "invalid_target", &[]), "`oidc.audience`"),
            (answered(ErrorKind::Protocol, 404, "no_such_path", &[]), "Update the server"),
            (plain(ErrorKind::NotFound), "may not be seen"),
            (plain(ErrorKind::Conflict), "again"),
            (plain(ErrorKind::Invalid), "Correct the configuration"),
            (plain(ErrorKind::Protocol), "address of an Assent server"),
        ];
        for (error, said) in &failures {
            let advice = advice(error);
            assert!(advice.contains(said) && advice.ends_with('.'), "{error:?}: {advice}");
            let as_good = failures.iter().filter(|(other, _)| self::advice(other) == advice);
            assert_eq!(as_good.count(), 1, "{advice}");
        }
    }

    #[test]
    fn what_is_wrong_with_an_argument_is_told_there() {
        let fields = [
            ("intent.duration", "expected 1s to 7d in whole seconds"),
            ("intent.target.repo", "expected a short name"),
        ];
        let told = |fields| {
            told_of_intent(&answered(ErrorKind::Invalid, 422, "invalid_intent", fields), "No")
        };
        let faults = told(&fields);
        let paths = faults.list().iter().map(|fault| fault.path.as_ref().unwrap().to_string());
        assert_eq!(paths.collect::<Vec<_>>(), ["duration", "target.repo"]);
        assert!(faults.list()[0].detail.starts_with("The server: Expected 1s to 7d"));
        for other in [&[][..], &[fields[0], ("name", "too long")]] {
            let faults = told(other);
            let whole = (faults.list().len(), faults.list()[0].path.as_ref());
            assert_eq!(whole, (1, None), "nothing is left out");
        }
    }
}
