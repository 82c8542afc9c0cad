//! Markdown whose untrusted parts cannot be anything but text.
//!
//! All of it stands in code spans and code blocks, whose fences are longer than any run of backticks
//! within (CommonMark 0.31, sections 4.5 and 6.1): no markup, no HTML, no mention, no link. Links are made
//! only of addresses of the authority itself.

use assent_gate::clean;
use url::Url;

/// A text as a code span.
pub(crate) fn code(text: &str) -> String {
    let text = clean(text);
    // A table would end its cell at a bar, also within code; nothing else here has a meaning.
    let text = text.replace('|', "\u{a6}");
    match text.trim().is_empty() {
        true => "(nothing)".to_owned(),
        false => {
            let fence = "`".repeat(longest_run(&text) + 1);
            format!("{fence} {text} {fence}")
        }
    }
}

/// Some lines as a code block.
pub(crate) fn block(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(clean).collect();
    let longest = lines.iter().map(|line| longest_run(line)).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}", lines.join("\n"))
}

/// A link to a page of the authority at this base; any other address is only a text.
pub(crate) fn link(words: &'static str, address: &str, base: &Url) -> String {
    match address.parse::<Url>() {
        Ok(url) if url.origin() == base.origin() && is_plain(&url) => {
            format!("[{words}](<{url}>)")
        }
        Ok(_) | Err(_) => code(address),
    }
}

fn is_plain(url: &Url) -> bool {
    let has_nobody = url.username().is_empty() && url.password().is_none();
    has_nobody && !url.as_str().contains(['<', '>', '\\', ' ', '`'])
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t36_a_code_span_cannot_be_left() {
        assert_eq!(code("a"), "` a `");
        assert_eq!(code("`</code>``@all"), "``` `</code>``@all ```");
        assert_eq!(code("a\n\n# b | c"), "` a  # b \u{a6} c `");
        assert_eq!(code(" \u{202e}"), "`  \\u{202e} `");
        assert_eq!(code(" "), "(nothing)");
    }

    #[test]
    fn t36_a_code_block_cannot_be_left() {
        assert_eq!(block("a\n````\n@all"), "`````text\na\n````\n@all\n`````");
        assert_eq!(block("\u{1b}[1m"), "```text\n\\u{1b}[1m\n```");
    }

    #[test]
    fn t36_only_the_authority_is_linked() {
        let base: Url = "https://assent.example.com".parse().unwrap();
        let linked = |address| link("Open", address, &base);
        assert_eq!(
            linked("https://assent.example.com/requests/1"),
            "[Open](<https://assent.example.com/requests/1>)"
        );
        for other in [
            "https://evil.example/requests/1",
            "http://assent.example.com/",
            "https://x@assent.example.com/",
            "javascript:alert(1)",
            "no url) [x](y",
        ] {
            assert!(linked(other).starts_with("` "), "{other}");
        }
    }
}
