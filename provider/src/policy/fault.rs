//! What the server finds wrong with a change of policy, at the argument it comes from.

use assent_client::wire::{PolicyFault, PolicyFinding};

use crate::diagnostic::{Diagnostic, Severity};
use crate::intent::sentence;
use crate::policy::kind::Kind;

/// The longest part of a line that is shown.
const WIDTH: usize = 100;

/// A fault in what is planned.
pub(super) fn own<K: Kind>(fault: &PolicyFault, new: &K::New) -> Diagnostic {
    let summary = format!("Invalid {}", K::NOUN);
    Diagnostic::error(summary, in_words::<K>(fault, new)).at(K::at(fault.field.as_deref()))
}

/// A fault elsewhere that there would not be without what is planned.
pub(super) fn consequence<K: Kind>(fault: &PolicyFault, name: &str) -> Diagnostic {
    let detail = format!(
        "With this {} `{name}` there is a fault in {}: {} Change both in one run; if the other is in \
         this configuration, refer from one to the other, so that Terraform changes it first.",
        K::NOUN,
        place(fault),
        sentence(&fault.message),
    );
    Diagnostic::error("The policy would not stand", detail).at(K::at(None))
}

/// A fault elsewhere that is there already, so that nothing can be written.
pub(super) fn before<K: Kind>(fault: &PolicyFault) -> Diagnostic {
    let detail = format!(
        "{}: {} As long as this stands, the server writes no change of policy, and apply will fail.",
        place(fault),
        sentence(&fault.message),
    );
    Diagnostic::warning("The server's policy has a fault", detail)
}

/// Something that is allowed and yet probably not what was meant.
pub(super) fn finding<K: Kind>(finding: &PolicyFinding, new: &K::New) -> Diagnostic {
    let detail = format!("{} ({})", in_words::<K>(&finding.fault, new), finding.code);
    let path = K::at(finding.fault.field.as_deref());
    Diagnostic::warning("Probably a mistake in the policy", detail).at(path)
}

/// The same, not as sure: something that it depends on is known only at apply.
pub(super) fn perhaps(fault: Diagnostic) -> Diagnostic {
    let detail = format!(
        "{}\n\nOther changes of policy in this run are known only after apply, so this may come out \
         right; the server checks again then.",
        fault.detail,
    );
    Diagnostic { severity: Severity::Warning, detail, ..fault }
}

/// What is wrong and where; people see the line as they wrote it.
fn in_words<K: Kind>(fault: &PolicyFault, new: &K::New) -> String {
    let message = sentence(&fault.message);
    let Some(text) = K::text(new) else {
        let within = fault.field.as_ref().filter(|field| field.contains(['.', '[']));
        return within.map_or(message.clone(), |field| format!("In `{field}`: {message}"));
    };
    let told = format!("{}: {message}", place(fault));
    match excerpt(text, fault.line, fault.column) {
        Some(excerpt) => format!("{told}\n\n{excerpt}"),
        None => told,
    }
}

/// Where a fault is, as `file:line:column`; in what nobody wrote as lines, by its field.
fn place(fault: &PolicyFault) -> String {
    let PolicyFault { file, line, column, document, field, .. } = fault;
    let file = document.as_ref().unwrap_or(file);
    match field.as_deref() {
        None => format!("{file}:{line}:{column}"),
        Some("") => file.clone(),
        Some(field) => format!("{file}: {field}"),
    }
}

/// A line of a text with a mark below the column. Terraform does not break lines that are indented.
fn excerpt(text: &str, line: u64, column: u64) -> Option<String> {
    let at = usize::try_from(line).ok()?.checked_sub(1)?;
    let shown: String = text.lines().nth(at)?.chars().take(WIDTH).collect();
    let column = usize::try_from(column).ok()?.checked_sub(1)?;
    let number = line.to_string();
    let pad = " ".repeat(number.len());
    if column > shown.chars().count() {
        return Some(format!("  {number} | {shown}"));
    }
    // What stands before the mark must be as wide as in the line above.
    let indent: String =
        shown.chars().take(column).map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    Some(format!("  {number} | {shown}\n  {pad} | {indent}^"))
}

#[cfg(test)]
mod tests {
    use assent_client::wire::{NewDocument, NewGroup};

    use super::*;
    use crate::policy::document::Document;
    use crate::policy::group::Group;

    fn fault(document: &str, field: Option<&str>) -> PolicyFault {
        PolicyFault {
            file: format!("api:/{document}"),
            line: 2,
            column: 5,
            document: Some(document.to_owned()),
            field: field.map(str::to_owned),
            message: "unknown key `stagez`".to_owned(),
        }
    }

    #[test]
    fn a_fault_in_a_text_shows_its_line() {
        let new = NewDocument { text: "rules:\n  - {stagez: 1}\n".to_owned() };
        let told = own::<Document>(&fault("prod.yaml", None), &new);
        let detail = "prod.yaml:2:5: Unknown key `stagez`.\n\n  2 |   - {stagez: 1}\n    |     ^";
        assert_eq!(
            (told.summary.as_str(), told.detail.as_str()),
            ("Invalid policy document", detail)
        );
        assert_eq!(told.path.unwrap().to_string(), "content");
        let short = NewDocument { text: "rules:".to_owned() };
        let told = own::<Document>(&fault("prod.yaml", None), &short);
        assert_eq!(told.detail, "prod.yaml:2:5: Unknown key `stagez`.");
    }

    #[test]
    fn a_fault_in_an_entry_shows_no_line() {
        let told = own::<Group>(&fault("groups/dba", Some("members[0]")), &NewGroup::default());
        assert_eq!(told.detail, "In `members[0]`: Unknown key `stagez`.");
        assert_eq!(told.path.unwrap().to_string(), "members");
        let told = own::<Group>(&fault("groups/dba", Some("")), &NewGroup::default());
        assert_eq!(told.detail, "Unknown key `stagez`.");
    }

    #[test]
    fn a_consequence_says_where() {
        let told = consequence::<Group>(&fault("prod.yaml", None), "dba");
        assert!(
            told.detail.starts_with("With this group `dba` there is a fault in prod.yaml:2:5: ")
        );
        let unsure = perhaps(told);
        assert_eq!(unsure.severity, Severity::Warning);
    }

    #[test]
    fn odd_places_are_no_harm() {
        assert_eq!(excerpt("a\n", 0, 1), None);
        assert_eq!(excerpt("a\n", 1, 0), None);
        assert_eq!(excerpt("a\n", u64::MAX, 1), None);
        assert_eq!(excerpt("é\tb\n", 1, 3).unwrap(), "  1 | é\tb\n    |  \t^");
        assert_eq!(excerpt("a\n", 1, 900).unwrap(), "  1 | a");
    }
}
