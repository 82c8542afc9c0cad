//! The guides. People write them; what is made is the head that the Registry reads, where there is
//! none yet, and the examples that they show, which are files that a test runs.

use std::fs;

use super::{files, first_sentence, root, text};

/// Before a fenced block that is a file: `<!-- file: examples/guides/… -->`.
const SHOWN: &str = "<!-- file: ";

/// Every guide as it should be, by its path.
pub(super) fn pages() -> impl Iterator<Item = (String, String)> {
    files(["docs/guides".to_owned()]).into_iter().map(|path| {
        let guide = text(&path);
        let page = with_examples(&with_head(&guide), &text);
        (path, page)
    })
}

/// The guide, beginning with what the Registry needs to list it.
fn with_head(guide: &str) -> String {
    if guide.starts_with("---\n") {
        return guide.to_owned();
    }
    let title = guide.lines().find_map(|line| line.strip_prefix("# ")).expect("it has a title");
    let paragraphs = guide.split("\n\n").map(str::trim);
    let is_prose = |part: &&str| {
        part.starts_with(|c: char| c.is_alphabetic() || c == '`') && !part.starts_with("```")
    };
    let begins = paragraphs.into_iter().find(is_prose).unwrap_or(title).replace('\n', " ");
    let begins = without_links(&begins);
    let summary = first_sentence(&begins);
    let head = format!(
        "---\npage_title: \"{}\"\nsubcategory: \"\"\ndescription: |-\n  {summary}\n---\n\n",
        title.replace('`', "")
    );
    head + guide
}

/// `[text](address)` as `text`.
fn without_links(text: &str) -> String {
    let mut parts = text.split('[');
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.split_once("](").and_then(|(said, rest)| Some((said, rest.split_once(')')?.1))) {
            Some((said, rest)) => plain += &format!("{said}{rest}"),
            None => plain += &format!("[{part}"),
        }
    }
    plain
}

/// The guide, each block that is a file as the file is now.
fn with_examples(guide: &str, read: &impl Fn(&str) -> String) -> String {
    let mut parts = guide.split(SHOWN);
    let mut page = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (path, rest) = part.split_once(" -->\n").expect("the mark of a file ends");
        let mut blocks = rest.splitn(3, "```");
        let (before, block) = (blocks.next().unwrap(), blocks.next().expect("a block follows"));
        let after = blocks.next().expect("the block ends");
        assert!(before.trim().is_empty(), "between {path} and its block there is {before:?}");
        let (language, _) = block.split_once('\n').unwrap();
        let now = read(path);
        page +=
            &format!("{SHOWN}{path} -->\n{before}```{language}\n{}\n```{after}", now.trim_end());
    }
    page
}

#[test]
fn a_guide_gets_a_head_and_its_examples() {
    let guide = "# Gate an `apply`\n\nSee [this](b.md). Then\nthat.\n\n<!-- file: a.tf -->\n```terraform\n\
                 old\n```\n\nMore ```text\nhere\n```\n";
    let page = with_examples(&with_head(guide), &|path| format!("new {path}\n"));
    let head = "---\npage_title: \"Gate an apply\"\nsubcategory: \"\"\ndescription: |-\n  \
                See this\n---\n\n# Gate an `apply`\n\nSee [this](b.md). Then\nthat.\n\n";
    let rest = "<!-- file: a.tf -->\n```terraform\nnew a.tf\n```\n\nMore ```text\nhere\n```\n";
    assert_eq!(page, format!("{head}{rest}"));
    assert_eq!(with_head(&page), page);
}

/// Whatever can be run is a file, so that it is run.
#[test]
fn every_example_of_a_guide_is_shown_in_one() {
    let guides: String = files(["docs/guides".to_owned()]).iter().map(|path| text(path)).collect();
    for folder in files(["examples/guides".to_owned()]) {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let path = format!("{folder}/{}", entry.unwrap().file_name().to_str().unwrap());
            let is_shown = guides.contains(&format!("{SHOWN}{path} -->"));
            assert!(is_shown || !path.ends_with(".tf"), "no guide shows {path}");
        }
    }
}
