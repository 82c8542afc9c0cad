//! The values that a plan marks as sensitive, gathered so that they are found where they stand
//! without a mark: in a key, a message, a constant of the configuration.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use crate::plan::marks::{self, Marks, Treatment};
use crate::plan::tape::{Kind, Node};

/// What stands in place of a sensitive value.
pub const MARKER: &str = "(sensitive)";

/// Shorter values are too common to be looked for.
const MIN_WHOLE: usize = 4;
/// Shorter values are not looked for inside others.
const MIN_WITHIN: usize = 8;
/// So much of a secret is compared inside other text; the rest need not be there.
const COMPARED: usize = 64;
/// Where more secrets begin alike, the beginning is enough.
const MAX_ALIKE: usize = 16;

type Window = [u8; MIN_WITHIN];

/// The secrets of one plan. Never printed, gone with the parse.
#[derive(Default)]
pub(super) struct Secrets<'t> {
    whole: HashSet<Cow<'t, str>>,
    keys: HashSet<Cow<'t, str>>,
    within: HashMap<Window, Vec<Cow<'t, str>>>,
}

impl std::fmt::Debug for Secrets<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

impl<'t> Secrets<'t> {
    /// All values that are marked.
    pub(super) fn gather(marks: &Marks<'t>) -> Self {
        let mut secrets = Self::default();
        for (value, treatment) in marks.all() {
            match treatment {
                Treatment::Hidden => secrets.add(value),
                Treatment::Within(mark) => {
                    marks::each_hidden(value, mark, &mut |hidden| secrets.add(hidden));
                }
                Treatment::Unread | Treatment::Verbatim | Treatment::Address | Treatment::Key => {}
            }
        }
        secrets
    }

    pub(super) fn is_empty(&self) -> bool {
        self.whole.is_empty() && self.keys.is_empty()
    }

    /// Whether the text is a secret or has one in it.
    pub(super) fn are_in(&self, text: &str) -> bool {
        if self.whole.is_empty() {
            return false;
        }
        self.whole.contains(text) || self.are_within(text)
    }

    /// Whether an instance key is a secret, has one in it, or is a key of something sensitive.
    pub(super) fn hold_key(&self, key: &str) -> bool {
        self.keys.contains(key) || self.are_in(key)
    }

    fn are_within(&self, text: &str) -> bool {
        if self.within.is_empty() {
            return false;
        }
        let bytes = text.as_bytes();
        bytes.windows(MIN_WITHIN).enumerate().any(|(at, window)| {
            let Some(alike) = Window::try_from(window).ok().and_then(|it| self.within.get(&it))
            else {
                return false;
            };
            let rest = bytes.get(at..).unwrap_or_default();
            let begins = |secret: &Cow<'_, str>| {
                let secret = secret.as_bytes();
                rest.starts_with(secret.get(..COMPARED).unwrap_or(secret))
            };
            alike.len() > MAX_ALIKE || alike.iter().any(begins)
        })
    }

    fn add(&mut self, value: Node<'t>) {
        match value.kind() {
            Kind::Text => {
                if let Some(text) = value.text() {
                    self.add_text(text);
                }
            }
            Kind::Number => self.add_text(Cow::Borrowed(value.raw())),
            Kind::List => value.items().for_each(|item| self.add(item)),
            Kind::Map => {
                for (name, member) in value.members() {
                    if name.len() >= MIN_WITHIN && !is_attribute(&name) {
                        self.add_text(name.clone());
                    }
                    if name.len() >= MIN_WHOLE {
                        self.keys.insert(name);
                    }
                    self.add(member);
                }
            }
            Kind::Null | Kind::Bool => {}
        }
    }

    fn add_text(&mut self, text: Cow<'t, str>) {
        if text.len() < MIN_WHOLE || !self.whole.insert(text.clone()) {
            return;
        }
        if text.len() < MIN_WITHIN {
            return;
        }
        // As it stands in JSON inside a text, as Go's encoder and as others write it.
        let plain = serde_json::to_string(&text).unwrap_or_default();
        let plain = plain.get(1..plain.len().saturating_sub(1)).unwrap_or_default().to_owned();
        let go = plain.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026");
        let is_new = |form: &String| *form != *text;
        let forms = [plain, go].into_iter().filter(is_new).map(Cow::Owned).collect::<Vec<_>>();
        for form in std::iter::once(text.clone()).chain(forms) {
            let window = form.as_bytes().get(..MIN_WITHIN).and_then(|it| Window::try_from(it).ok());
            let Some(window) = window else { continue };
            let alike = self.within.entry(window).or_default();
            if alike.len() <= MAX_ALIKE && !alike.contains(&form) {
                alike.push(form);
            }
        }
    }
}

/// Whether a name can be one that a provider gives, rather than somebody's data.
fn is_attribute(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    name.starts_with(|c: char| c.is_ascii_lowercase()) && name.bytes().all(plain)
}
