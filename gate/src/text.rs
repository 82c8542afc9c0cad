//! Text from elsewhere, made safe to show.

use assent_core::principal::is_visible;

/// The text on one line, with what a terminal would act on, or an eye would not see, written as
/// an escape. Reasons and comments are other people's words.
pub fn clean(text: &str) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_peoples_words_stay_on_their_line() {
        assert_eq!(clean("a\nb\tc"), "a b c");
        assert_eq!(clean("\u{1b}[31mred\u{202e}"), "\\u{1b}[31mred\\u{202e}");
    }
}
