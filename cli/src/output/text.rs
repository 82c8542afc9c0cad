//! Text from elsewhere, made safe to print.

use assent_core::principal::is_visible;

/// The text on one line, with what a terminal would act on, or an eye would not see, written as
/// an escape. Reasons and comments are other people's words.
pub(crate) fn clean(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' | '\r' => safe.push(' '),
            c if is_visible(c) => safe.push(c),
            c => safe.extend(c.escape_unicode()),
        }
    }
    safe
}

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
    fn other_peoples_words_stay_on_their_line() {
        assert_eq!(clean("a\nb\tc"), "a b c");
        assert_eq!(clean("\u{1b}[31mred\u{202e}"), "\\u{1b}[31mred\\u{202e}");
    }

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
