//! Workflow commands: how a program in a step speaks to the runner by its log (GitHub, "Workflow commands
//! for GitHub Actions"; escaping as in `actions/toolkit`, `packages/core/src/command.ts`).
//!
//! The runner looks for commands in every line that is printed. So whatever others wrote is printed
//! between a stop and a resume that nobody can guess, and without what would work even there.

use assent_gate::clean;

/// The longest message of an annotation that is shown (runner, `_maxIssueMessageLength`).
const LONGEST_MESSAGE: usize = 4_000;
/// What is shorter is not masked: it would hide half of the log and no secret.
const SHORTEST_MASKED: usize = 4;

/// How grave an annotation is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// It went as it should.
    Notice,
    /// It went on, and somebody should look.
    Warning,
    /// It did not go on.
    Error,
}

impl Level {
    fn word(self) -> &'static str {
        match self {
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// The commands by which the runner hides a secret from now on, one for each of its lines.
pub(crate) fn masks(secret: &str) -> Vec<String> {
    let lines = secret.lines().map(str::trim).filter(|line| line.len() >= SHORTEST_MASKED);
    lines.map(|line| format!("::add-mask::{}", data(line))).collect()
}

/// The command that shows a note on the page of the run.
pub(crate) fn annotation(level: Level, title: &str, message: &str) -> String {
    let message: String = message.chars().take(LONGEST_MESSAGE).collect();
    let message = message.lines().map(harmless).collect::<Vec<_>>().join("\n");
    format!("::{} title={}::{}", level.word(), property(&harmless(title)), data(&message))
}

/// These lines as they can be printed whoever wrote them; `token` is what nobody can guess.
pub(crate) fn untrusted<'a>(lines: impl IntoIterator<Item = &'a str>, token: &str) -> Vec<String> {
    let said = lines.into_iter().flat_map(str::lines).map(harmless);
    let begun = std::iter::once(format!("::stop-commands::{token}"));
    begun.chain(said).chain([format!("::{token}::")]).collect()
}

/// A text on one line, without what a terminal or an old runner would act on, and with what an eye would
/// not see written out. `##[` begins a command anywhere in a line (runner, `ActionCommand.TryParse`).
pub(crate) fn harmless(text: &str) -> String {
    clean(text).replace("##[", "##\\[")
}

fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_of_a_secret_is_masked() {
        let wanted = ["::add-mask::first%25 line", "::add-mask::second"];
        assert_eq!(masks("first% line\r\n\n  second\n}\n"), wanted);
        assert!(masks("").is_empty());
    }

    #[test]
    fn t40_an_annotation_is_one_command_whatever_it_says() {
        let title = "a,b:c\n::error::x";
        let message = "100%\n::set-output name=x::y\r##[error]z\u{1b}[31m\u{202e}";
        let told = annotation(Level::Error, title, message);
        assert_eq!(told.lines().count(), 1);
        assert_eq!(
            told,
            "::error title=a%2Cb%3Ac %3A%3Aerror%3A%3Ax::100%25%0A::set-output name=x::y \
             ##\\[error]z\\u{1b}[31m\\u{202e}"
        );
    }

    #[test]
    fn t40_untrusted_lines_stand_between_a_stop_and_a_resume() {
        let token = "00112233445566778899aabbccddeeff";
        let said = untrusted(["a\n::add-mask::x", "\u{1b}]0;t\u{7}b ##[group]c"], token);
        let wanted = [
            "::stop-commands::00112233445566778899aabbccddeeff",
            "a",
            "::add-mask::x",
            "\\u{1b}]0;t\\u{7}b ##\\[group]c",
            "::00112233445566778899aabbccddeeff::",
        ];
        assert_eq!(said, wanted);
    }

    #[test]
    fn t40_a_line_ends_nowhere_but_where_it_ends() {
        // What some terminals and log readers take for the end of a line.
        for end in ["\r", "\u{85}", "\u{2028}", "\u{2029}", "\u{b}", "\u{c}"] {
            let said = untrusted([format!("a{end}::error::b").as_str()], "t");
            assert_eq!(said.len(), 3, "{end:?}");
            assert!(said.iter().all(|line| !line.starts_with("::error")), "{said:?}");
            assert!(!said.concat().contains(end), "{end:?}");
        }
    }

    #[test]
    fn t37_what_an_eye_does_not_see_is_written_out() {
        assert_eq!(harmless("a\u{200b}b\u{feff}"), "a\\u{200b}b\\u{feff}");
    }

    #[test]
    fn a_long_message_is_cut() {
        assert!(annotation(Level::Notice, "t", &"x".repeat(10_000)).len() < 4_100);
    }
}
