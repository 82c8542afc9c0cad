//! The kinds of things that policy is made of, and how each is read, sent and shown.

use std::collections::BTreeMap;
use std::fmt;

use assent_client::{Client, ClientError, ErrorKind, wire};

use crate::diagnostic::Path;
use crate::schema::Attribute;
use crate::value::Value;

/// One kind.
#[tonic::async_trait]
pub(crate) trait Kind: fmt::Debug + Send + Sync + Sized + 'static {
    /// One as it is to be.
    type New: Clone + PartialEq + fmt::Debug + Send + Sync;
    /// One that the server keeps.
    type Kept: Send + Sync;

    /// The name of the resource's type.
    const TYPE: &'static str;
    /// What a person calls one.
    const NOUN: &'static str;
    /// What the resource is.
    const ABOUT: &'static str;

    /// What the configuration says of one, beside its name.
    fn arguments() -> Vec<Attribute>;

    /// What depends on the arguments alone, and is known as soon as they are.
    fn results() -> Vec<Attribute> {
        Vec::new()
    }

    /// [`Kind::results`] of this one.
    fn found_out(_: &Self::New) -> Vec<(&'static str, Value)> {
        Vec::new()
    }

    /// Under which name it is kept: `groups/dba`.
    fn kept_name(name: &str) -> String;

    /// What a configuration or state says; `None` while a part of it is unknown.
    fn stated(state: &Value) -> Option<Self::New>;

    /// What one says, as arguments.
    fn told(new: &Self::New) -> Vec<(&'static str, Value)>;

    /// What the server keeps, without who wrote it.
    fn said(kept: &Self::Kept) -> Self::New;

    /// Who wrote it.
    fn written(kept: &Self::Kept) -> Written;

    /// The argument that a fault is in; `field` is what the server calls it, if it names one.
    ///
    /// Only arguments of the root: Terraform finds no other in a configuration.
    fn at(field: Option<&str>) -> Path {
        let field = field.unwrap_or_default();
        let name = field.split(['.', '[']).next().filter(|name| !name.is_empty());
        Path::attribute(name.unwrap_or("name"))
    }

    /// The text that a fault's line and column are in, if people wrote it as text.
    fn text(_: &Self::New) -> Option<&str> {
        None
    }

    /// Those of this kind among changes that are checked.
    fn among(check: &mut wire::PolicyCheck) -> &mut BTreeMap<String, Option<Self::New>>;

    /// What the server keeps under this name.
    async fn get(server: &Client, name: &str) -> Result<Self::Kept, ClientError>;

    /// Writes one.
    async fn put(
        server: &Client,
        name: &str,
        new: &Self::New,
        approval: Option<&str>,
    ) -> Result<Self::Kept, ClientError>;

    /// Removes one.
    async fn remove(server: &Client, name: &str, approval: Option<&str>)
    -> Result<(), ClientError>;

    /// What the server keeps under this name, or nothing.
    async fn find(server: &Client, name: &str) -> Result<Option<Self::Kept>, ClientError> {
        match Self::get(server, name).await {
            Ok(kept) => Ok(Some(kept)),
            Err(error) if error.kind == ErrorKind::NotFound && !error.retryable => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// Who wrote something, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Written {
    /// Which version it is, from 1.
    pub(crate) version: u64,
    /// Who.
    pub(crate) by: String,
    /// When.
    pub(crate) at: String,
}
