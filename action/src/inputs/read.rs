//! One input after the other, and what is wrong with them.

use std::collections::BTreeMap;
use std::str::FromStr;

use assent_client::{Client, Roots, Secret, Settings, Url};
use assent_core::canonical;
use serde_json::{Map, Value};

use super::Fault;
use crate::environment::Environment;

/// Reads inputs, and keeps what is wrong with them.
pub(super) struct Reader<'a> {
    environment: &'a Environment,
    faults: Vec<Fault>,
}

impl<'a> Reader<'a> {
    pub(super) fn of(environment: &'a Environment) -> Self {
        Self { environment, faults: Vec::new() }
    }

    pub(super) fn fault(&mut self, input: &str, problem: String) {
        self.faults.push(Fault { input: input.to_owned(), problem });
    }

    /// That an input is not there; where it is and is at fault, that has been said.
    pub(super) fn miss(&mut self, input: &str, problem: &str) {
        if self.faults.iter().all(|fault| fault.input != input) {
            self.fault(input, problem.to_owned());
        }
    }

    /// The inputs, if nothing is wrong with them.
    pub(super) fn done<T>(self, inputs: T) -> Result<T, Vec<Fault>> {
        if self.faults.is_empty() { Ok(inputs) } else { Err(self.faults) }
    }

    pub(super) fn text(&self, name: &str) -> Option<String> {
        self.environment.input(name).map(str::to_owned)
    }

    /// What is not read is not quoted: it may be a secret in the wrong place.
    pub(super) fn parsed<T: FromStr>(&mut self, name: &str) -> Option<T> {
        let read = self.environment.input(name)?.parse().ok();
        if read.is_none() {
            let wanted = match name {
                "digest" => "write sha256: and 64 lower-case hex digits",
                _ => "write a whole number and s, m, h or d, such as 15m",
            };
            self.fault(name, wanted.to_owned());
        }
        read
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)]) -> Option<T> {
        let text = self.environment.input(name)?;
        let meant = words.iter().find(|(word, _)| *word == text).map(|(_, meant)| *meant);
        if meant.is_none() {
            let words: Vec<_> = words.iter().map(|(word, _)| format!("`{word}`")).collect();
            self.fault(name, format!("write {}", words.join(" or ")));
        }
        meant
    }

    /// Where the authority is, if it can be spoken to without being overheard.
    pub(super) fn authority(&mut self) -> Option<Url> {
        let text = self.environment.input("url")?;
        let read = text.parse::<Url>().map_err(|error| error.to_string()).and_then(|url| {
            let made = Client::new(Settings::new(url.clone(), "assent-action"));
            made.map(|_| url).map_err(|error| error.message)
        });
        read.map_err(|problem| self.fault("url", problem)).ok()
    }

    pub(super) fn target(&mut self) -> BTreeMap<String, String> {
        let mut target = BTreeMap::new();
        let text = self.text("target").unwrap_or_default();
        let lines = text.lines().map(str::trim).zip(1..).filter(|(line, _)| !line.is_empty());
        for (line, number) in lines {
            match line.split_once('=').map(|(name, value)| (name.trim(), value.trim())) {
                None => self.fault("target", format!("line {number} is not `name=value`")),
                Some((name, _)) if target.contains_key(name) => {
                    self.fault("target", format!("line {number} says `{name}` a second time"));
                }
                Some((name, value)) => {
                    target.insert(name.to_owned(), value.to_owned());
                }
            }
        }
        target
    }

    pub(super) fn context(&mut self) -> Map<String, Value> {
        let Some(text) = self.environment.input("context") else { return Map::new() };
        match canonical::parse(text.as_bytes()) {
            Ok(Value::Object(object)) => return object,
            Ok(_) => {
                self.fault(
                    "context",
                    "write a JSON object, such as {\"ticket\": \"OPS-1\"}".into(),
                );
            }
            Err(error) => self.fault("context", error.to_string()),
        }
        Map::new()
    }

    /// Whether other jobs go on by the same grant.
    pub(super) fn shared(&mut self) -> bool {
        let total = self.environment.input("job-total").map(str::parse::<u32>);
        if let Some(Err(_)) = total {
            self.fault("job-total", "leave it as it is: ${{ strategy.job-total }}".to_owned());
        }
        let by_total = matches!(total, Some(Ok(2..)));
        let words = [("auto", by_total), ("true", true), ("false", false)];
        self.word("shared", &words).unwrap_or(by_total)
    }

    /// Who else may vouch for the authority.
    pub(super) fn roots(&mut self) -> Roots {
        let Some(path) = self.environment.input("ca-bundle") else { return Roots::default() };
        let read = std::fs::read(path).map_err(|error| error.to_string());
        let roots = read.and_then(|text| Roots::from_pem(&text).map_err(|error| error.message));
        roots.map_err(|problem| self.fault("ca-bundle", problem)).unwrap_or_default()
    }

    /// With what a pull request is told.
    pub(super) fn comments(&mut self) -> Option<Secret> {
        let wanted = self.word("comment", &[("auto", true), ("off", false)]).unwrap_or(true);
        let token = self.text("github-token").filter(|_| wanted);
        token.map(Secret::new)
    }
}
