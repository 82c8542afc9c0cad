//! People of whom it is not known which accounts are theirs, where that decides who reviews.

use crate::policy::compile::Written;
use crate::policy::document::GroupPeople;
use crate::policy::lint::Findings;

pub(super) fn look(written: &Written<'_>, findings: &mut Findings) {
    let all = || written.halves.iter().map(|(_, half)| &half.sections);
    let is_anybody_linked = all().any(|sections| !sections.people.is_empty());
    let accounts = written.membership.accounts();
    for (name, group) in all().flat_map(|sections| &sections.groups) {
        match &group.people {
            GroupPeople::Team(team) if !is_anybody_linked => {
                let message = format!(
                    "group `{name}` is the team {team}, but nobody's account at GitHub is known: say \
                     under `people` whose is whose, or nobody of them can review"
                );
                findings.warning("unlinked-team", &group.place, message);
            }
            GroupPeople::Listed(people) => {
                for issuer in accounts.linked_at() {
                    for person in people.iter().filter(|who| !accounts.is_linked_at(issuer, who)) {
                        let message = format!(
                            "`{person}` of group `{name}` has no account of {issuer} under `people`, \
                             and so reviews nothing that an account there is behind"
                        );
                        findings.warning("unlinked-person", &group.place, message);
                    }
                }
            }
            GroupPeople::Team(_) | GroupPeople::Vouched => {}
        }
    }
}
