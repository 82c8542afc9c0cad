//! Text from elsewhere, made safe to print.

/// The text without the tokens that were typed, if it quotes any. A misplaced argument is quoted
/// by the message about it, and messages end in logs.
pub(crate) fn hides_secrets(text: &str, typed: impl Iterator<Item = String>) -> Option<String> {
    let mut safe = text.to_owned();
    for argument in typed {
        let value = argument.split_once('=').map_or(argument.as_str(), |(_, value)| value);
        if looks_secret(value) {
            safe = safe.replace(value, "(a token)");
        }
    }
    (safe != text).then_some(safe)
}

/// Signed tokens begin with the base64 of `{"`; access tokens say what they are.
fn looks_secret(text: &str) -> bool {
    text.len() > 30 && (text.starts_with("eyJ") || text.starts_with("assent_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_typed_token_is_not_quoted() {
        let token = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln";
        let text = format!("unexpected argument '{token}'");
        let typed = [format!("--tken={token}")];
        let safe = hides_secrets(&text, typed.into_iter()).unwrap();
        assert_eq!(safe, "unexpected argument '(a token)'");
        assert!(hides_secrets("unexpected argument 'x'", ["x".to_owned()].into_iter()).is_none());
    }
}
