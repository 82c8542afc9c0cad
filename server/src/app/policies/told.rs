//! Faults as they are told over the API: of what came over it, by its name and its field.

use assent_core::policy::document::{Fault, PolicyDocument, path_of};
use assent_core::policy::lint::Finding;
use assent_core::wire;

use crate::policy::kept_in;

/// The fault, with the entry and the field it is in where these files have that entry.
pub(super) fn told(fault: &Fault, files: &[PolicyDocument]) -> wire::PolicyFault {
    let document = kept_in(&fault.place.file).map(str::to_owned);
    let field = document.as_deref().and_then(|name| {
        let (section, entry) = name.split_once('/')?;
        let file = files.iter().find(|file| file.file == fault.place.file)?;
        Some(field(section, entry, &path_of(file, &fault.place)?))
    });
    wire::PolicyFault { document, field, ..wire::PolicyFault::from(fault) }
}

/// The finding, told like a fault.
pub(super) fn told_finding(finding: &Finding, files: &[PolicyDocument]) -> wire::PolicyFinding {
    wire::PolicyFinding { code: finding.code.to_owned(), fault: told(&finding.fault, files) }
}

/// The field of an entry that is at this path of the document it is kept as. Empty where the fault is
/// of the whole.
fn field(section: &str, entry: &str, path: &str) -> String {
    let within = path.strip_prefix(&format!("{section}.{entry}")).unwrap_or_default();
    match within.strip_prefix('.') {
        Some(field) => field.to_owned(),
        // A list by itself: the people of a group.
        None if within.starts_with('[') => format!("members{within}"),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_the_kept_document_is_a_field_of_the_entry() {
        for (section, path, wanted) in [
            ("groups", "groups.a.b[2]", "members[2]"),
            ("groups", "groups.a.b.identity", "identity"),
            ("calendars", "calendars.a.b.windows[0].from", "windows[0].from"),
            ("calendars", "calendars.a.b", ""),
            ("calendars", "metadata.name", ""),
        ] {
            assert_eq!(field(section, "a.b", path), wanted, "{path}");
        }
    }
}
