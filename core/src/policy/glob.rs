//! Globs: `*` stays within a `/` segment, `**` crosses them, `?` is one character other than `/`.
//!
//! `\` takes the meaning from `*`, `?` and itself; everything else stands for itself, letter case
//! included, and the whole text must match. `**` is any run of characters and no more than that:
//! `a/**/b` matches `a/x/b`, never `a/b`. There are no classes, alternatives or regular
//! expressions, so a glob can be read aloud; its meaning is that of OPA's `glob.match` with the
//! delimiter `/`, where a class or an alternative is escaped.
//!
//! Matching takes the length of the text times the length of the pattern, whatever they hold.

use std::fmt;
use std::str::FromStr;

/// The longest pattern, in bytes.
pub const MAX_BYTES: usize = 512;
/// How often `*` or `**` may stand in one pattern.
pub const MAX_STARS: usize = 16;

/// A compiled glob. Two are equal when they are written the same.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glob {
    pattern: String,
    pieces: Vec<Piece>,
}

/// What one part of a pattern stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Piece {
    /// This character.
    Literal(char),
    /// `?`
    One,
    /// `*`
    Within,
    /// `**`
    Across,
}

/// The text is not a glob.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotAGlob {
    /// Nothing is written.
    #[error("a glob must not be empty; write `**` for any text")]
    Empty,
    /// Longer than [`MAX_BYTES`].
    #[error("a glob has at most {MAX_BYTES} bytes, and this one has {0}")]
    TooLong(usize),
    /// More than [`MAX_STARS`].
    #[error("the glob `{0}` has more than {MAX_STARS} stars; write several shorter globs")]
    TooManyStars(String),
    /// Three stars or more in a row.
    #[error("the glob `{0}` has more than two stars in a row; write `*` or `**`")]
    StarsInARow(String),
    /// A `\` at the end.
    #[error("the glob `{0}` ends in `\\`, which escapes nothing; write `\\\\` for a backslash")]
    NothingEscaped(String),
    /// A `\` before a character that has no other meaning.
    #[error("the glob `{pattern}` escapes `{escaped}`; only `*`, `?` and `\\` can be escaped")]
    NeedlessEscape {
        /// The glob.
        pattern: String,
        /// What stands after the `\`.
        escaped: char,
    },
}

impl FromStr for Glob {
    type Err = NotAGlob;

    fn from_str(pattern: &str) -> Result<Self, Self::Err> {
        if pattern.is_empty() {
            return Err(NotAGlob::Empty);
        }
        if pattern.len() > MAX_BYTES {
            return Err(NotAGlob::TooLong(pattern.len()));
        }
        let pieces = pieces_of(pattern)?;
        let stars = pieces.iter().filter(|piece| piece.is_star()).count();
        if stars > MAX_STARS {
            return Err(NotAGlob::TooManyStars(pattern.to_owned()));
        }
        Ok(Self { pattern: pattern.to_owned(), pieces })
    }
}

fn pieces_of(pattern: &str) -> Result<Vec<Piece>, NotAGlob> {
    let mut pieces = Vec::new();
    let mut rest = pattern.chars().peekable();
    while let Some(character) = rest.next() {
        pieces.push(match character {
            '\\' => match rest.next() {
                Some(escaped @ ('*' | '?' | '\\')) => Piece::Literal(escaped),
                Some(escaped) => {
                    return Err(NotAGlob::NeedlessEscape { pattern: pattern.to_owned(), escaped });
                }
                None => return Err(NotAGlob::NothingEscaped(pattern.to_owned())),
            },
            '?' => Piece::One,
            '*' if rest.next_if_eq(&'*').is_none() => Piece::Within,
            '*' if rest.peek() != Some(&'*') => Piece::Across,
            '*' => return Err(NotAGlob::StarsInARow(pattern.to_owned())),
            literal => Piece::Literal(literal),
        });
    }
    Ok(pieces)
}

impl Piece {
    fn is_star(self) -> bool {
        matches!(self, Self::Within | Self::Across)
    }
}

impl Glob {
    /// Its parts, in order.
    pub(crate) fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// Whether it matches the whole text.
    pub fn matches(&self, text: &str) -> bool {
        // One cell for each piece: whether the pieces up to it match all that has been read.
        let mut row = Vec::with_capacity(self.pieces.len());
        let mut before = true;
        for piece in &self.pieces {
            before = before && piece.is_star();
            row.push(before);
        }
        let mut nothing_read = true;
        for character in text.chars() {
            self.read(character, nothing_read, &mut row);
            nothing_read = false;
        }
        row.last().copied().unwrap_or(nothing_read)
    }

    /// Moves the row on by one character. A star stays when it takes the character, and is passed
    /// over when the pieces before it match without it.
    fn read(&self, character: char, nothing_read: bool, row: &mut [bool]) {
        let in_segment = character != '/';
        let mut before_then = nothing_read;
        let mut before_now = false;
        for (piece, cell) in self.pieces.iter().zip(row) {
            let then = *cell;
            *cell = match piece {
                Piece::Literal(literal) => before_then && *literal == character,
                Piece::One => before_then && in_segment,
                Piece::Within => before_now || (then && in_segment),
                Piece::Across => before_now || then,
            };
            before_then = then;
            before_now = *cell;
        }
    }
}

impl fmt::Display for Glob {
    /// As it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.pattern)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn glob(pattern: &str) -> Glob {
        pattern.parse().unwrap()
    }

    #[track_caller]
    fn check(pattern: &str, matching: &[&str], other: &[&str]) {
        for text in matching {
            assert!(glob(pattern).matches(text), "`{pattern}` must match `{text}`");
        }
        for text in other {
            assert!(!glob(pattern).matches(text), "`{pattern}` must not match `{text}`");
        }
    }

    #[test]
    fn a_star_stays_within_its_segment() {
        check("acme/*", &["acme/", "acme/orders"], &["acme", "acme/a/b", "xacme/a", "acme/a/"]);
        check("acme/orders*", &["acme/orders", "acme/orders-api"], &["acme/orders/api"]);
        check("*", &["", "orders"], &["/", "a/b"]);
        check("a*c*e", &["ace", "abcde", "accce"], &["abde", "a/ce", "aced"]);
    }

    #[test]
    fn two_stars_cross_segments_and_add_no_slash_of_their_own() {
        check("acme/**", &["acme/", "acme/a", "acme/a/b/c"], &["acme", "other/a"]);
        check("a/**/b", &["a/x/b", "a//b", "a/x/y/b"], &["a/b", "a/b/c"]);
        check("**", &["", "a", "a/b/c", "/"], &[]);
        check("**/main.tf", &["x/main.tf", "x/y/main.tf", "/main.tf"], &["main.tf", "x/main.tfs"]);
    }

    #[test]
    fn a_question_mark_is_one_character_but_no_slash() {
        check("eu-?", &["eu-1", "eu-ü", "eu-\u{1f600}"], &["eu-", "eu-12", "eu-/"]);
        check("??*", &["ab", "abc"], &["a", "", "a/b"]);
    }

    #[test]
    fn everything_else_stands_for_itself() {
        check("[ab]{c,d}.e+", &["[ab]{c,d}.e+"], &["ac", "bd", "[ab]{c,d}xe+"]);
        check("Prod", &["Prod"], &["prod", "PROD", "Prod\n", ""]);
        check(r"a\*b\?\\", &[r"a*b?\"], &["axb?\\", "a*bx\\", r"a\*b\?\\"]);
        check(r"\**", &["*", "*x"], &["x", "*/"]);
    }

    #[test]
    fn what_is_not_a_glob_is_refused() {
        #[track_caller]
        fn check(pattern: &str, message: &str) {
            assert_eq!(pattern.parse::<Glob>().unwrap_err().to_string(), message);
        }
        check("", "a glob must not be empty; write `**` for any text");
        check(&"a".repeat(513), "a glob has at most 512 bytes, and this one has 513");
        check(&"ü".repeat(257), "a glob has at most 512 bytes, and this one has 514");
        let stars = "a*".repeat(17);
        let message = format!("the glob `{stars}` has more than 16 stars");
        check(&stars, &format!("{message}; write several shorter globs"));
        check("a***", "the glob `a***` has more than two stars in a row; write `*` or `**`");
        check("****", "the glob `****` has more than two stars in a row; write `*` or `**`");
        let message = r"ends in `\`, which escapes nothing; write `\\` for a backslash";
        check(r"a\", &format!(r"the glob `a\` {message}"));
        check(r"\d+", r"the glob `\d+` escapes `d`; only `*`, `?` and `\` can be escaped");
    }

    #[test]
    fn the_limits_themselves_are_taken() {
        assert!(glob(&"a".repeat(MAX_BYTES)).matches(&"a".repeat(MAX_BYTES)));
        assert!(glob(&"a**".repeat(MAX_STARS)).matches(&"a".repeat(MAX_STARS)));
        assert!(glob(&r"\*".repeat(MAX_STARS + 1)).matches(&"*".repeat(MAX_STARS + 1)));
        check(r"*\**", &["*", "a*b"], &["ab"]);
    }

    /// Tried with a matcher that goes back, this does not end in the life of the universe.
    #[test]
    fn a_pattern_that_almost_matches_a_long_text_is_not_slow() {
        let text = "a".repeat(20_000);
        assert!(!glob(&format!("{}b", "a*".repeat(15))).matches(&text));
        assert!(!glob(&format!("{}b", "a**".repeat(15))).matches(&text));
        assert!(!glob(&format!("{}b", "a**a*".repeat(8))).matches(&text));
        assert!(glob(&format!("{}a", "a*".repeat(15))).matches(&text));
    }

    /// The definition, by trying every way to split the text.
    fn naive(pattern: &[char], text: &[char]) -> bool {
        let splits = |rest: &[char], across: bool| {
            (0..=text.len())
                .take_while(|&n| across || !text[..n].contains(&'/'))
                .any(|n| naive(rest, &text[n..]))
        };
        match (pattern, text) {
            ([], _) => text.is_empty(),
            (['*', '*', rest @ ..], _) => splits(rest, true),
            (['*', rest @ ..], _) => splits(rest, false),
            (['?', rest @ ..], [c, text @ ..]) => *c != '/' && naive(rest, text),
            (['\\', c, rest @ ..], [d, text @ ..]) => c == d && naive(rest, text),
            ([c, rest @ ..], [d, text @ ..]) => *c != '\\' && c == d && naive(rest, text),
            (_, []) => false,
        }
    }

    proptest! {
        #[test]
        fn agrees_with_every_way_to_split_the_text(
            pattern in r"([ab/?]|\*|\*\*|\\[*?\\]){1,8}",
            text in r"[ab/*?\\]{0,8}",
        ) {
            let Ok(glob) = pattern.parse::<Glob>() else {
                prop_assert!(pattern.contains("***"), "{}", pattern);
                return Ok(());
            };
            let characters = |text: &str| text.chars().collect::<Vec<_>>();
            let expected = naive(&characters(&pattern), &characters(&text));
            prop_assert_eq!(glob.matches(&text), expected);
        }

        #[test]
        fn any_text_matches_itself_escaped(text in ".{1,40}", other in ".{0,40}") {
            let escaped: String = text.chars().flat_map(|c| {
                matches!(c, '*' | '?' | '\\').then_some('\\').into_iter().chain([c])
            }).collect();
            prop_assert!(glob(&escaped).matches(&text));
            prop_assert_eq!(glob(&escaped).matches(&other), text == other);
        }

        #[test]
        fn no_text_makes_it_panic_and_what_is_printed_reads_back(text in ".{0,600}") {
            if let Ok(glob) = text.parse::<Glob>() {
                glob.matches(&text);
                prop_assert_eq!(glob.to_string().parse::<Glob>().unwrap(), glob);
            }
        }
    }
}
