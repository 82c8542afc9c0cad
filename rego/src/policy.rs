//! A policy written in Rego: its modules, its data, and the product whose forms it keeps to.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::OnceLock;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::dialect::Dialect;
use crate::source::Module;

/// The most modules and the most data of one policy.
const MAX_MODULES: usize = 64;
const MAX_DATA_BYTES: usize = 4 * 1024 * 1024;

/// A policy as it was given, every module short and shallow enough to be shown to a worker.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Policy {
    pub(crate) dialect: Dialect,
    pub(crate) modules: Vec<Module>,
    pub(crate) data: Vec<Document>,
    query: Option<String>,
    namespace: Option<String>,
    #[serde(skip)]
    revision: OnceLock<Revision>,
}

/// A file of `data`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Document {
    pub(crate) name: String,
    text: String,
    format: Format,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Format {
    Json,
    Yaml,
}

/// The parts do not make a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// There is no module, or there are too many.
    #[error("a policy has 1 to 64 modules, this one has {0}")]
    Modules(usize),
    /// Two modules have one name, so that a fault could not be placed.
    #[error("two modules are called `{0}`")]
    SameName(String),
    /// The ending says neither JSON nor YAML.
    #[error("`{0}`: data ends in .json, .yaml or .yml")]
    Ending(String),
    /// More than 4 MiB of data.
    #[error("`{0}`: with it the data has more than 4 MiB")]
    DataSize(String),
    /// The query is not the path of a rule.
    #[error("the query `{0}` is not the path of a rule, such as data.main.deny")]
    Query(String),
    /// The dialect has no default query.
    #[error("the dialect `{0}` needs a query: the path of the rule that it reads")]
    NoQuery(Dialect),
    /// The dialect reads rules of its own.
    #[error("the dialect `{0}` reads rules by their names; leave the query out")]
    FixedQuery(Dialect),
    /// The namespace is not a package, or the dialect has a package of its own.
    #[error("the namespace `{0}` is not a package that this dialect could read")]
    Namespace(String),
}

impl Policy {
    /// A policy of these modules.
    ///
    /// # Errors
    /// [`PolicyError`] when there are none or too many, or two of one name.
    pub fn new(dialect: Dialect, modules: Vec<Module>) -> Result<Self, PolicyError> {
        if modules.is_empty() || modules.len() > MAX_MODULES {
            return Err(PolicyError::Modules(modules.len()));
        }
        let mut names = BTreeSet::new();
        for module in &modules {
            if !names.insert(module.name()) {
                return Err(PolicyError::SameName(module.name.clone()));
            }
        }
        Ok(Self {
            dialect,
            modules,
            data: Vec::new(),
            query: None,
            namespace: None,
            revision: OnceLock::new(),
        })
    }

    /// With a file of data, which is merged into `data` at its root.
    ///
    /// # Errors
    /// [`PolicyError`] when it is neither JSON nor YAML by its name, or too long. Whether it can
    /// be read is found when the policy is loaded.
    pub fn with_data(mut self, name: &str, text: &str) -> Result<Self, PolicyError> {
        let format = match name.rsplit_once('.') {
            Some((_, "json")) => Format::Json,
            Some((_, "yaml" | "yml")) => Format::Yaml,
            _ => return Err(PolicyError::Ending(name.to_owned())),
        };
        let held: usize = self.data.iter().map(|document| document.text.len()).sum();
        if held + text.len() > MAX_DATA_BYTES {
            return Err(PolicyError::DataSize(name.to_owned()));
        }
        self.revision = OnceLock::new();
        self.data.push(Document { name: name.to_owned(), text: text.to_owned(), format });
        Ok(self)
    }

    /// With the path of the rule to be read.
    ///
    /// # Errors
    /// [`PolicyError`] when it is no path, or the dialect reads rules by their names.
    pub fn with_query(mut self, query: &str) -> Result<Self, PolicyError> {
        if !self.dialect.takes_query() {
            return Err(PolicyError::FixedQuery(self.dialect));
        }
        if !query.strip_prefix("data.").is_some_and(is_path) {
            return Err(PolicyError::Query(query.to_owned()));
        }
        self.revision = OnceLock::new();
        self.query = Some(query.to_owned());
        Ok(self)
    }

    /// With the package to be read, where the dialect leaves it free.
    ///
    /// # Errors
    /// [`PolicyError`] when it is no package, or the dialect has its own.
    pub fn with_namespace(mut self, namespace: &str) -> Result<Self, PolicyError> {
        if !self.dialect.takes_namespace() || !is_path(namespace) {
            return Err(PolicyError::Namespace(namespace.to_owned()));
        }
        self.revision = OnceLock::new();
        self.namespace = Some(namespace.to_owned());
        Ok(self)
    }

    /// Which product's forms it keeps to.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What names exactly this policy: a digest of all of it.
    pub fn revision(&self) -> &Revision {
        self.revision.get_or_init(|| {
            let told = serde_json::to_vec(self).unwrap_or_default();
            let bytes = digest(&SHA256, &told);
            Revision(bytes.as_ref().iter().map(|byte| format!("{byte:02x}")).collect())
        })
    }

    /// The rules to be read among those there are.
    pub(crate) fn queries(
        &self,
        rules: &BTreeSet<String>,
    ) -> Result<BTreeMap<String, String>, String> {
        self.dialect.queries(rules, self.query.as_deref(), self.namespace.as_deref())
    }
}

impl Document {
    /// Its value. To be called in a worker only.
    pub(crate) fn value(&self) -> Result<regorus::Value, String> {
        let value = match self.format {
            Format::Json => regorus::Value::from_json_str(&self.text),
            Format::Yaml => regorus::Value::from_yaml_str(&self.text),
        };
        let value = value.map_err(|e| format!("`{}` cannot be read: {e}", self.name))?;
        if value.as_object().is_err() {
            return Err(format!("`{}` is not an object", self.name));
        }
        match self.format {
            Format::Yaml if holds_old_boolean(&value) => Err(format!(
                "`{}` holds yes, no, on or off, which OPA takes for true and false and others for \
                 texts; write true or false, or give the file as JSON",
                self.name
            )),
            Format::Yaml | Format::Json => Ok(value),
        }
    }
}

/// `no` is false to YAML 1.1, which OPA reads, and a text to YAML 1.2: a text holds as a condition.
fn holds_old_boolean(value: &regorus::Value) -> bool {
    if let Ok(text) = value.as_string() {
        let text = text.to_ascii_lowercase();
        return ["y", "n", "yes", "no", "on", "off"].contains(&text.as_str());
    }
    let items = value.as_array().map(|items| items.iter().any(holds_old_boolean));
    let fields = value.as_object().map(|fields| {
        fields.iter().any(|(key, field)| holds_old_boolean(key) || holds_old_boolean(field))
    });
    items.unwrap_or(false) || fields.unwrap_or(false)
}

/// Names with dots between.
fn is_path(text: &str) -> bool {
    text.len() <= 200
        && text.split('.').all(|name| {
            let mut chars = name.chars();
            chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
                && chars.all(|c| c.is_ascii_alphanumeric() || c == '_')
        })
}

/// Names one policy text: hexadecimal SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision(String);

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
