//! Untrusted text for people's eyes: nothing hides, nothing reorders.

use assent_core::principal::is_visible;

/// The text with every character that does not show itself written out. Line ends stay.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_visible(c) || c == '\n' {
            shown.push(c);
        } else {
            shown.push_str(&format!("\\u{{{:x}}}", u32::from(c)));
        }
    }
    shown
}

/// Whether a text holds characters that do not show themselves.
pub(super) fn hides(text: &str) -> bool {
    text.chars().any(|c| !is_visible(c) && c != '\n')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t37_blanks_of_other_scripts_are_written_out() {
        for c in ['\u{34f}', '\u{2028}', '\u{180b}', '\u{2800}', '\u{3000}', '\u{a0}', '\t'] {
            let text = format!("a{c}b");
            assert!(hides(&text) && !plain(&text).contains(c), "{text:?}");
        }
    }

    #[test]
    fn t37_what_hides_is_written_out() {
        let text = "pay\u{202e}dc\u{200b}\u{1b}[31m";
        assert_eq!(plain(text), "pay\\u{202e}dc\\u{200b}\\u{1b}[31m");
        assert!(hides(text));
        assert!(!hides("two\nlines, déjà vu"));
    }
}
