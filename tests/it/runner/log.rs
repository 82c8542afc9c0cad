//! The log of a step, read as the runner reads it: commands are taken out of it, and what is masked is
//! hidden in the rest.

use std::collections::BTreeMap;
use std::sync::Mutex;

/// What is hidden from now on in a job.
#[derive(Debug, Default)]
pub(super) struct Masks(Mutex<Vec<String>>);

impl Masks {
    fn add(&self, value: String) {
        self.0.lock().unwrap().push(value);
    }

    fn of(&self, line: &str) -> Option<String> {
        self.0.lock().unwrap().iter().find(|mask| line.contains(mask.as_str())).cloned()
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

/// A command that a step gave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) properties: BTreeMap<String, String>,
    pub(crate) data: String,
}

/// What the runner obeys.
const COMMANDS: [&str; 16] = [
    "add-mask",
    "add-matcher",
    "add-path",
    "debug",
    "echo",
    "endgroup",
    "error",
    "group",
    "internal-set-repo-path",
    "notice",
    "remove-matcher",
    "save-state",
    "set-env",
    "set-output",
    "stop-commands",
    "warning",
];

/// What a step printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Log {
    /// Every line as it was printed.
    pub(crate) raw: Vec<String>,
    /// The commands that were obeyed, in order.
    pub(crate) given: Vec<Given>,
    /// The lines that people read.
    pub(crate) shown: Vec<String>,
    /// Lines that held what was masked before.
    pub(crate) leaks: Vec<String>,
    resumes_with: Option<String>,
}

impl Log {
    pub(super) fn read(&mut self, line: &str, masks: &Masks) {
        self.raw.push(line.to_owned());
        let command = parsed(line, self.resumes_with.as_deref());
        if let Some(token) = &self.resumes_with {
            if command.as_ref().is_some_and(|command| command.name == *token) {
                self.resumes_with = None;
            } else {
                self.show(line, masks);
            }
            return;
        }
        let Some(command) = command else { return self.show(line, masks) };
        match command.name.as_str() {
            "add-mask" => masks.add(command.data.clone()),
            "stop-commands" => self.resumes_with = Some(command.data.clone()),
            _ => self.leaks.extend(masks.of(line)),
        }
        self.given.push(command);
    }

    fn show(&mut self, line: &str, masks: &Masks) {
        self.leaks.extend(masks.of(line));
        self.shown.push(line.to_owned());
    }

    /// What it says that people read.
    pub(crate) fn text(&self) -> String {
        self.shown.join("\n")
    }

    /// Every annotation: how grave, and what it says.
    pub(crate) fn annotations(&self) -> Vec<(&str, &str)> {
        let given = self.given.iter().map(|given| (given.name.as_str(), given.data.as_str()));
        given.filter(|(name, _)| ["error", "notice", "warning"].contains(name)).collect()
    }

    /// The names of all commands but masks and stops.
    pub(crate) fn commands(&self) -> Vec<&str> {
        let names = self.given.iter().map(|given| given.name.as_str());
        names.filter(|name| !["add-mask", "stop-commands"].contains(name)).collect()
    }
}

/// The command of a line, `::name p=v,q=w::data` after blanks, or the old `##[name p=v;q=w]data` anywhere.
fn parsed(line: &str, token: Option<&str>) -> Option<Given> {
    let is_known = |name: &str| token == Some(name) || COMMANDS.contains(&name);
    let new = line.trim_start().strip_prefix("::").and_then(|rest| rest.split_once("::"));
    let old = || line.split_once("##[").and_then(|(_, rest)| rest.split_once(']'));
    let given = |(info, data): (&str, &str), between: char| {
        let (name, properties) = info.split_once(' ').unwrap_or((info, ""));
        let pair = |pair: &str| {
            let (name, value) = pair.split_once('=')?;
            Some((name.trim().to_owned(), unescaped(value)))
        };
        is_known(name).then(|| Given {
            name: name.to_owned(),
            properties: properties.split(between).filter_map(pair).collect(),
            data: unescaped(data),
        })
    };
    new.and_then(|new| given(new, ',')).or_else(|| old().and_then(|old| given(old, ';')))
}

fn unescaped(text: &str) -> String {
    let escaped = [("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")];
    escaped.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
}

#[test]
fn commands_are_found_where_the_runner_finds_them() {
    let (mut log, masks) = (Log::default(), Masks::default());
    let lines = [
        "say ::error::nothing",
        "  ::error title=a%2Cb::it%0Afailed",
        "in the middle ##[warning]old",
        "::unknown::x",
        "::add-mask::secret",
        "a secret",
        "::stop-commands::t0ken",
        "::error::no",
        "##[error]no",
        "::t0ken::",
        "::notice::yes",
    ];
    lines.iter().for_each(|line| log.read(line, &masks));
    let said = [("error", "it\nfailed"), ("warning", "old"), ("notice", "yes")];
    assert_eq!(log.annotations(), said);
    assert_eq!(log.given[0].properties["title"], "a,b");
    assert_eq!(log.leaks, ["secret"]);
    assert_eq!(log.shown.len(), 5, "{:?}", log.shown);
}
