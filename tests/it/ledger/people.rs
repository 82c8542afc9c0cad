//! People who sign in, as every ledger keeps them: part of the suite of `conformance`.

use std::collections::BTreeSet;
use std::sync::Arc;

use assent_core::access::{Access, Label, NewAccess, Purpose};
use assent_core::credential::Secret;
use assent_core::id::AccessId;
use assent_core::principal::PrincipalId;
use assent_core::sign_in::{Link, Login, Scope};
use assent_core::time::Span;
use assent_server::ledger::{Account, Ledger};
use serde_json::json;

use super::kit::{at, person, verified};

fn account(sub: &str, groups: &[&str]) -> Account {
    Account {
        id: PrincipalId::new("https://id.example.com", sub).unwrap(),
        provider: "corp".to_owned(),
        name: Some("Bob".to_owned()),
        email: None,
        groups: groups.iter().map(|group| (*group).to_owned()).collect(),
        confirmed_at: at(5),
        signed_in_at: at(4),
        refresh: Some(vec![1, 2, 3]),
    }
}

pub(super) async fn whoever_signs_in_is_kept_as_they_were_written_last(ledger: Arc<dyn Ledger>) {
    assert!(ledger.accounts().await.unwrap().is_empty());
    let (bob, carol) = (account("bob", &["a"]), account("carol", &[]));
    let entry = (json!({"type": "groups_changed"}), at(6));
    ledger.keep_account(bob.clone(), Some(entry)).await.unwrap();
    ledger.keep_account(carol.clone(), None).await.unwrap();
    let later = Account { refresh: None, confirmed_at: at(9), ..account("bob", &["a", "b"]) };
    ledger.keep_account(later.clone(), None).await.unwrap();
    let mut all = ledger.accounts().await.unwrap();
    all.sort_by_key(|account| account.id.to_string());
    assert_eq!(all, [later, carol]);
    let head = ledger.head().await.unwrap();
    assert_eq!((head.size, head.at), (1, at(6)), "what changes nothing of note is in no log");
}

pub(super) async fn links_are_kept_also_when_they_are_undone(ledger: Arc<dyn Ledger>) {
    let (person, account) = (person("bob").id, account("robert", &[]).id);
    let link = Link { person, account, since: at(1), until: None };
    let entry = |word: &str| json!({"type": word});
    ledger.keep_link(link.clone(), entry("accounts_linked"), at(1)).await.unwrap();
    let undone = Link { until: Some(at(2)), ..link.clone() };
    ledger.keep_link(undone.clone(), entry("accounts_unlinked"), at(2)).await.unwrap();
    let again = Link { since: at(3), ..link };
    ledger.keep_link(again.clone(), entry("accounts_linked"), at(3)).await.unwrap();
    assert_eq!(ledger.links().await.unwrap(), [undone, again]);
    assert_eq!(ledger.head().await.unwrap().size, 3);
}

pub(super) async fn sessions_of_a_person_and_of_a_providers_session_are_found(
    ledger: Arc<dyn Ledger>,
) {
    let id = |millis| AccessId::new(at(millis), [9; 10]);
    let new = |millis, sub: &str, purpose| NewAccess {
        id: id(millis),
        principal: person(sub),
        administrator: false,
        purpose,
        parent: None,
        life: Span::hours(1),
    };
    let login = Login {
        provider: "corp".to_owned(),
        at: Some(at(0)),
        acr: Some("high".to_owned()),
        amr: BTreeSet::from(["hwk".to_owned()]),
        sid: Some("s1".to_owned()),
    };
    let label = || Label { name: "Firefox".to_owned(), from: Some([192, 0, 2, 1].into()) };
    let secret = Secret::new("s".repeat(43));
    let other = Login { at: None, acr: None, sid: None, ..login.clone() };
    let mut kept = Vec::new();
    for (step, _) in [
        Access::open(new(1, "bob", Purpose::Session), login, label(), &secret, at(1)),
        Access::open(new(2, "bob", Purpose::Session), other, label(), &secret, at(2)),
        Access::make_own(
            new(3, "bob", Purpose::Token),
            Scope::Review,
            Label { from: None, ..label() },
            &secret,
            at(3),
        ),
    ] {
        kept.push(step.next().clone());
        ledger.commit_access(step).await.unwrap();
    }
    let (step, _) = Access::issue(new(4, "carol", Purpose::Token), &secret, &person("a").id, at(4));
    ledger.commit_access(step).await.unwrap();
    kept.reverse();
    assert_eq!(ledger.accesses_of(&person("bob").id).await.unwrap(), kept);
    assert_eq!(ledger.accesses_by_sid("s1").await.unwrap(), kept[2..]);
    assert!(ledger.accesses_by_sid("s2").await.unwrap().is_empty());
    assert_eq!(ledger.access(kept[0].id).await.unwrap().as_ref(), Some(&kept[0]));
    for (access, millis) in [(id(1), 7), (id(2), 8), (id(1), 6)] {
        ledger.see(access, at(millis)).await.unwrap();
    }
    let mut seen = ledger.seen().await.unwrap();
    seen.sort();
    assert_eq!(seen, [(id(1), at(7)), (id(2), at(8))], "never earlier than before");
    assert_eq!(verified(&ledger).await.entries, 4);
}
