//! `assent_policy`: a policy document.

use std::collections::BTreeMap;

use assent_client::{Client, ClientError, ErrorKind, wire};
use assent_core::digest::Digest;

use crate::diagnostic::Path;
use crate::policy::kind::{Kind, Written};
use crate::schema::Attribute;
use crate::value::{Type, Value};

/// A policy document.
#[derive(Debug)]
pub(crate) struct Document;

/// A document that the server keeps.
#[derive(Debug)]
pub(crate) struct KeptDocument {
    text: String,
    written: Written,
}

#[tonic::async_trait]
impl Kind for Document {
    type New = wire::NewDocument;
    type Kept = KeptDocument;

    const TYPE: &'static str = "assent_policy";
    const NOUN: &'static str = "policy document";
    const ABOUT: &'static str = "A policy document that the server keeps, beside those of its \
        directory. The server checks it at plan, together with the other changes of policy in the \
        same run: a fault fails the plan with file, line and column. To have those known first, \
        refer to them: `group:${assent_group.dba.name}`. A rule, group or calendar that stands \
        twice, here or in the directory, is a fault.";

    fn arguments() -> Vec<Attribute> {
        vec![Attribute::required(
            "content",
            Type::String,
            "The document's YAML, such as `file(\"freeze.yaml\")`. Changing it writes a new version.",
        )]
    }

    fn results() -> Vec<Attribute> {
        let about = "SHA-256 of the text: `sha256:` and 64 hex digits. Known at plan.";
        vec![Attribute::computed("digest", Type::String, about)]
    }

    fn found_out(new: &wire::NewDocument) -> Vec<(&'static str, Value)> {
        vec![("digest", Value::text(Digest::of(new.text.as_bytes()).to_string()))]
    }

    fn kept_name(name: &str) -> String {
        name.to_owned()
    }

    fn stated(state: &Value) -> Option<wire::NewDocument> {
        let text = state.attribute("content").as_text().given()?;
        Some(wire::NewDocument { text })
    }

    fn told(new: &wire::NewDocument) -> Vec<(&'static str, Value)> {
        vec![("content", Value::text(&new.text))]
    }

    fn said(kept: &KeptDocument) -> wire::NewDocument {
        wire::NewDocument { text: kept.text.clone() }
    }

    fn written(kept: &KeptDocument) -> Written {
        kept.written.clone()
    }

    fn at(field: Option<&str>) -> Path {
        Path::attribute(if field == Some("name") { "name" } else { "content" })
    }

    fn text(new: &wire::NewDocument) -> Option<&str> {
        Some(&new.text)
    }

    fn among(check: &mut wire::PolicyCheck) -> &mut BTreeMap<String, Option<wire::NewDocument>> {
        &mut check.documents
    }

    async fn get(server: &Client, name: &str) -> Result<KeptDocument, ClientError> {
        kept(server.policy_document(name).await?)
    }

    async fn put(
        server: &Client,
        name: &str,
        new: &wire::NewDocument,
        approval: Option<&str>,
    ) -> Result<KeptDocument, ClientError> {
        kept(server.write_document(name, new, approval).await?)
    }

    async fn remove(
        server: &Client,
        name: &str,
        approval: Option<&str>,
    ) -> Result<(), ClientError> {
        server.remove_document(name, approval).await
    }
}

/// The newest version. One that was removed is still on record, without a text.
fn kept(document: wire::PolicyDocument) -> Result<KeptDocument, ClientError> {
    let wire::PolicyDocument { name, text, version, versions } = document;
    let newest = versions.into_iter().find(|written| written.version == version);
    let error = |kind, message| ClientError {
        kind,
        retryable: false,
        message,
        problem: None,
        wait: None,
        nonce: None,
    };
    let text = text.ok_or_else(|| {
        error(ErrorKind::NotFound, format!("the policy document `{name}` was removed"))
    })?;
    let newest = newest.ok_or_else(|| {
        let message = format!("the server does not say who wrote version {version} of `{name}`");
        error(ErrorKind::Protocol, message)
    })?;
    Ok(KeptDocument { text, written: Written { version, by: newest.by, at: newest.at } })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_that_was_removed_is_gone() {
        let written = wire::WrittenDocument {
            version: 2,
            at: "2026-11-21T00:00:00Z".to_owned(),
            by: "root".to_owned(),
            digest: None,
        };
        let mut document = wire::PolicyDocument {
            name: "a.yaml".to_owned(),
            text: Some("x".to_owned()),
            version: 2,
            versions: vec![written],
        };
        assert_eq!(kept(document.clone()).unwrap().written.by, "root");
        document.text = None;
        assert_eq!(kept(document.clone()).unwrap_err().kind, ErrorKind::NotFound);
        document.text = Some("x".to_owned());
        document.versions.clear();
        assert_eq!(kept(document).unwrap_err().kind, ErrorKind::Protocol);
    }
}
