//! Policy documents over the API: whole texts, with their versions.

use assent_core::digest::Digest;
use assent_core::wire;

use crate::app::policies::change::{Change, missing};
use crate::app::{AppError, Authority, Caller};
use crate::ledger::KeptDocument;

impl Authority {
    /// The policy documents that came over the API. For people and administrators.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`].
    pub async fn documents(&self, caller: &Caller) -> Result<wire::PolicyDocuments, AppError> {
        caller.check_reader()?;
        let newest = self.ledger.documents().await?.into_iter();
        let ruling = newest.filter(|held| held.text.is_some() && is_document(&held.name));
        let documents = ruling.map(|document| (document.name.clone(), written(&document)));
        Ok(wire::PolicyDocuments { documents: documents.collect() })
    }

    /// Everything that came over the API and rules, entries too. For people and administrators.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`].
    pub(crate) async fn kept(&self, caller: &Caller) -> Result<Vec<KeptDocument>, AppError> {
        caller.check_reader()?;
        let newest = self.ledger.documents().await?.into_iter();
        Ok(newest.filter(|held| held.text.is_some()).collect())
    }

    /// One of them with its versions. For people and administrators.
    ///
    /// # Errors
    /// [`AppError::NotForWorkloads`]; [`AppError::NotFound`].
    pub async fn document(
        &self,
        caller: &Caller,
        name: &str,
    ) -> Result<wire::PolicyDocument, AppError> {
        caller.check_reader()?;
        if !is_document(name) {
            return Err(missing_document(name));
        }
        let versions = self.ledger.document(name).await?;
        let newest = versions.last().ok_or_else(|| missing(name))?;
        Ok(wire::PolicyDocument {
            name: newest.name.clone(),
            text: newest.text.clone(),
            version: newest.version,
            versions: versions.iter().map(written).collect(),
        })
    }

    /// Writes a policy document, and rules by it from now on. Only for administrators.
    ///
    /// # Errors
    /// [`AppError::Policy`] with every fault of the whole set, [`AppError::ApprovalRequired`] and
    /// [`AppError::Approval`]: nothing changes then.
    pub async fn write_document(
        &self,
        caller: &Caller,
        name: &str,
        sent: wire::NewDocument,
        approval: Option<&str>,
    ) -> Result<wire::PolicyDocument, AppError> {
        caller.check_administrator()?;
        self.make(caller, document_change(name, Some(sent))?, approval).await?;
        self.document(caller, name).await
    }

    /// Removes a policy document. Only for administrators.
    ///
    /// # Errors
    /// As [`Authority::write_document`]; [`AppError::InUse`] if others lean on it;
    /// [`AppError::NotFound`].
    pub async fn remove_document(
        &self,
        caller: &Caller,
        name: &str,
        approval: Option<&str>,
    ) -> Result<(), AppError> {
        caller.check_administrator()?;
        if !is_document(name) {
            return Err(missing_document(name));
        }
        let change = Change { name: name.to_owned(), text: None };
        self.make(caller, change, approval).await
    }
}

/// The change that this document is.
pub(super) fn document_change(
    name: &str,
    document: Option<wire::NewDocument>,
) -> Result<Change, AppError> {
    check_name(name)?;
    Ok(Change { name: name.to_owned(), text: document.map(|document| document.text) })
}

/// Groups and calendars are kept under names with a `/`.
fn is_document(name: &str) -> bool {
    !name.contains('/')
}

fn missing_document(name: &str) -> AppError {
    AppError::NotFound { what: "policy document", id: name.chars().take(80).collect() }
}

/// Names are file names: what a document is, its ending says.
fn check_name(name: &str) -> Result<(), AppError> {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
    let ends = [".yaml", ".yml", ".rego", ".json"].iter().any(|ending| name.ends_with(ending));
    let fits = (6..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(plain);
    let problem = "a name such as freeze.yaml: 6 to 64 letters, digits, `-`, `_` and `.`, ending \
        in .yaml, .yml, .rego or .json"
        .to_owned();
    if fits && ends { Ok(()) } else { Err(AppError::Field { field: "name", problem }) }
}

fn written(document: &KeptDocument) -> wire::WrittenDocument {
    wire::WrittenDocument {
        version: document.version,
        at: document.at.to_string(),
        by: document.by.clone(),
        digest: document.text.as_ref().map(|text| Digest::of(text.as_bytes()).to_string()),
    }
}
