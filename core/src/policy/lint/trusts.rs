//! Trusts that let in more than somebody may have thought of. Those that are too wide are no policy.

use crate::policy::compile::Written;
use crate::policy::lint::Findings;

pub(super) fn look(written: &Written<'_>, findings: &mut Findings) {
    let trusts = written.halves.iter().flat_map(|(_, half)| &half.sections.trusts);
    for (name, placed) in trusts {
        for concern in placed.value.concerns() {
            let message = format!("trust `{name}`: {concern}");
            findings.warning("wide-trust", &placed.place, message);
        }
    }
}
