//! The files in which a step tells outputs and state (`FileCommandManager`).

use std::collections::BTreeMap;

/// What a step told, by name.
pub(super) fn read(text: &str) -> BTreeMap<String, String> {
    let (mut told, mut lines) = (BTreeMap::new(), text.lines());
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        let (name, value) = match (equals, heredoc) {
            (Some(at), other) if other.is_none_or(|other| at < other) => {
                (&line[..at], line[at + 1..].to_owned())
            }
            (_, Some(at)) => {
                let delimiter = &line[at + 2..];
                assert!(!delimiter.is_empty(), "{line:?} has no delimiter");
                let mut value = Vec::new();
                loop {
                    let line = lines.next();
                    match line.unwrap_or_else(|| panic!("`{delimiter}` does not come in {text:?}"))
                    {
                        line if line == delimiter => break,
                        line => value.push(line),
                    }
                }
                (&line[..at], value.join("\n"))
            }
            _ => panic!("the runner cannot read {line:?}"),
        };
        assert!(!name.is_empty(), "{line:?} has no name");
        told.insert(name.to_owned(), value);
    }
    told
}

#[test]
fn the_files_are_read_as_the_runner_reads_them() {
    let told = read("a=b<<c\nd<<X\nf=g\nX Y\nX\n\nh=\n");
    let wanted = [("a", "b<<c"), ("d", "f=g\nX Y"), ("h", "")];
    assert_eq!(told, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())).into());
}
