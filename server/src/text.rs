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
pub(crate) fn hides(text: &str) -> bool {
    text.chars().any(|c| !is_visible(c) && c != '\n')
}

/// A word whose letters may be taken for others: letters that look like those of another script, or
/// in the place of plain ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LookAlike {
    /// The word, as it is.
    pub(crate) word: String,
    /// The same with each letter that is not plain written out.
    pub(crate) written: String,
    /// What is odd about it.
    pub(crate) problem: &'static str,
}

/// Longer words end here when they are told of.
const LONGEST_WORD: usize = 60;

/// What looks like something else in a text that people wrote: words of letters of several scripts that
/// have the same shapes. Words of one script are what other languages are written in.
pub(crate) fn look_alikes_in_prose(text: &str) -> Vec<LookAlike> {
    words(text).filter_map(|word| look_alike(word, false)).collect()
}

/// The same in a name: there each letter of a script whose letters look like Latin ones is told of,
/// because names are compared by eye.
pub(crate) fn look_alikes_in_name(text: &str) -> Vec<LookAlike> {
    words(text).filter_map(|word| look_alike(word, true)).collect()
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '_' | '-' | '.'))
        .filter(|word| !word.is_ascii() && !word.is_empty())
}

fn look_alike(word: &str, is_name: bool) -> Option<LookAlike> {
    let scripts: std::collections::BTreeSet<Script> = word.chars().filter_map(Script::of).collect();
    let has = |script| scripts.contains(&script);
    let resembling = [Script::Cyrillic, Script::Greek, Script::Armenian, Script::Cherokee];
    let problem = if has(Script::Styled) {
        "letters that are not the plain ones they look like"
    } else if resembling.iter().filter(|script| has(**script)).count()
        + usize::from(has(Script::Latin))
        > 1
    {
        "letters of several scripts that look alike"
    } else if is_name && resembling.iter().any(|script| has(*script)) {
        "letters of another script that look like Latin ones"
    } else {
        return None;
    };
    let short: String = word.chars().take(LONGEST_WORD).collect();
    let written = short.chars().map(|c| match c.is_ascii() {
        true => c.to_string(),
        false => format!("\\u{{{:x}}}", u32::from(c)),
    });
    Some(LookAlike { written: written.collect(), word: plain(&short), problem })
}

/// The scripts that are told apart: those with letters that have the shapes of Latin ones (Unicode TR 39,
/// confusables), and letters that stand for plain ones in another dress.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Script {
    Latin,
    Greek,
    Cyrillic,
    Armenian,
    Cherokee,
    Styled,
}

impl Script {
    fn of(c: char) -> Option<Self> {
        if !c.is_alphanumeric() {
            return None;
        }
        match c {
            'a'..='z' | 'A'..='Z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => {
                Some(Self::Latin)
            }
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => Some(Self::Greek),
            '\u{400}'..='\u{52f}'
            | '\u{1c80}'..='\u{1c8f}'
            | '\u{2de0}'..='\u{2dff}'
            | '\u{a640}'..='\u{a69f}' => Some(Self::Cyrillic),
            '\u{530}'..='\u{58f}' => Some(Self::Armenian),
            '\u{13a0}'..='\u{13ff}' | '\u{ab70}'..='\u{abbf}' => Some(Self::Cherokee),
            '\u{250}'..='\u{2af}'
            | '\u{1d00}'..='\u{1dbf}'
            | '\u{2100}'..='\u{218f}'
            | '\u{2460}'..='\u{24ff}'
            | '\u{fb00}'..='\u{fb06}'
            | '\u{ff10}'..='\u{ff5a}'
            | '\u{1d400}'..='\u{1d7ff}'
            | '\u{1f100}'..='\u{1f1ff}' => Some(Self::Styled),
            _ => None,
        }
    }
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

    #[test]
    fn t37_letters_that_look_like_others_are_told_of() {
        let told =
            |text: &str| look_alikes_in_prose(text).into_iter().map(|one| one.written).collect();
        let found: Vec<String> = told("restart p\u{430}yments and \u{1d429}rod");
        assert_eq!(found, ["p\\u{430}yments", "\\u{1d429}rod"]);
        for fine in ["pay", "Größe, déjà vu", "перезапуск базы", "再起動", "Ωμέγα", "v1.2-beta_3"]
        {
            assert_eq!(look_alikes_in_prose(fine), [], "{fine}");
        }
        let name = look_alikes_in_name("module.\u{430}\u{440}\u{440}/prod");
        assert_eq!(name.len(), 1, "a whole word of another script is odd in a name: {name:?}");
        assert_eq!(look_alikes_in_name("größe/再"), []);
    }
}
