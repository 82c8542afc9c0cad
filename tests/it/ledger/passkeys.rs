//! Passkeys and what they signed: of a removal and a signed review one wins.

use std::sync::Arc;

use assent_core::audit::{Prover, includes};
use assent_core::digest::Digest;
use assent_core::id::{PasskeyId, ReviewId};
use assent_core::passkey::{Passkey, PasskeyStep};
use assent_core::principal::PrincipalId;
use assent_core::request::{Request, Said, Step, Verdict};
use assent_core::statement::{Signature, Statement, UnverifiedSignature};
use assent_core::time::{Span, Timestamp};
use assent_core::webauthn::{RelyingParty, UnverifiedAssertion, UnverifiedRegistration};
use assent_core::wire;
use assent_server::ledger::{Commit, Ledger};

use super::kit::{alone, at, done, file, person, rules, verified};
use crate::support::passkey::Soft;

const SERVER: &str = "https://assent.example.com";

fn bob() -> PrincipalId {
    person("bob").id
}

fn enrolment(soft: &Soft, number: u8, who: &PrincipalId, now: Timestamp) -> PasskeyStep {
    let party = RelyingParty::of(SERVER).unwrap();
    let (attestation, client_data) = soft.register(party.id(), SERVER, b"challenge");
    let sent = UnverifiedRegistration { attestation, client_data };
    let made = sent.verify(&party, b"challenge").unwrap();
    let id = PasskeyId::new(now, [number; 10]);
    Passkey::enrol(id, who, (made, "phone"), Some(now), &[], now).unwrap()
}

fn signed(request: &Request, soft: &Soft, passkey: &Passkey, now: Timestamp) -> Arc<Signature> {
    let statement = Statement {
        server: SERVER.to_owned(),
        request: request.id(),
        digest: request.digest(),
        policy: request.ruling().policy,
        verdict: Verdict::Approve,
        comment: Statement::digest_of("fine"),
        party: "assent.example.com".to_owned(),
        approver: bob(),
        credential: soft.credential.clone(),
        nonce: [1; 16],
        issued_at: now,
        expires_at: now.plus(Span::minutes(5)),
        log: (0, Digest::of(b"")),
    };
    let bytes = statement.bytes();
    let challenge = Statement::challenge(&bytes);
    let (authenticator_data, client_data, signature) =
        soft.sign("assent.example.com", SERVER, challenge.as_bytes());
    let sent = UnverifiedSignature {
        credential: soft.credential.clone(),
        statement: bytes,
        assertion: UnverifiedAssertion { authenticator_data, client_data, signature },
    };
    Arc::new(sent.verify(passkey, SERVER, now).unwrap())
}

fn review(request: &Request, signature: Arc<Signature>, now: Timestamp) -> Step {
    let (verdict, comment) = (Verdict::Approve, "fine".to_owned());
    let said = Said {
        verdict,
        digest: request.digest(),
        comment,
        signed_in_at: None,
        means: Default::default(),
    };
    let (id, members) = (ReviewId::new(now, [3; 10]), rules().membership(now));
    request.review_signed(id, &person("bob"), (said, Some(signature)), &members, now).unwrap()
}

pub(super) async fn a_passkey_is_found_by_person_id_and_name(ledger: Arc<dyn Ledger>) {
    let (one, two) = (Soft::new(-7), Soft::new(-257));
    let first = enrolment(&one, 1, &bob(), at(1));
    let second = enrolment(&two, 2, &bob(), at(2));
    for step in [&first, &second] {
        assert!(ledger.commit_passkey(step.clone()).await.unwrap());
    }
    let all = vec![first.next().clone(), second.next().clone()];
    assert_eq!(ledger.passkeys_of(&bob()).await.unwrap(), all);
    assert_eq!(ledger.passkeys_of(&person("carol").id).await.unwrap(), vec![]);
    assert_eq!(ledger.passkey(second.next().id).await.unwrap(), Some(second.next().clone()));
    let found = ledger.passkey_with(&one.credential).await.unwrap();
    assert_eq!(found.as_ref(), Some(first.next()));
    // The same authenticator's name for it again, for somebody else.
    let again = enrolment(&one, 3, &person("carol").id, at(3));
    assert!(!ledger.commit_passkey(again).await.unwrap());
    assert_eq!(verified(&ledger).await.entries, 2);
}

pub(super) async fn a_passkeys_record_moves_only_from_what_it_was(ledger: Arc<dyn Ledger>) {
    let enrolled = enrolment(&Soft::new(-8), 1, &bob(), at(1));
    assert!(ledger.commit_passkey(enrolled.clone()).await.unwrap());
    let renamed = enrolled.next().rename("key", at(2)).unwrap().unwrap();
    let removed = enrolled.next().remove(&bob(), at(3)).unwrap();
    assert!(ledger.commit_passkey(removed.clone()).await.unwrap());
    assert!(!ledger.commit_passkey(renamed).await.unwrap(), "it would be there again");
    assert!(!ledger.commit_passkey(removed.clone()).await.unwrap());
    assert!(!ledger.commit_passkey(enrolled.clone()).await.unwrap());
    let kept = ledger.passkey(enrolled.next().id).await.unwrap();
    assert_eq!(kept.as_ref(), Some(removed.next()));
    let entries = ledger.passkey_entries(enrolled.next().id).await.unwrap();
    let told: Vec<_> =
        entries.iter().map(|(place, entry)| (*place, entry["type"].clone())).collect();
    assert_eq!(told, [(0, "passkey_enrolled".into()), (1, "passkey_removed".into())]);
}

pub(super) async fn of_a_removal_and_a_signed_review_one_wins(ledger: Arc<dyn Ledger>) {
    let soft = Soft::new(-7);
    let enrolled = enrolment(&soft, 1, &bob(), at(1));
    assert!(ledger.commit_passkey(enrolled.clone()).await.unwrap());
    let passkey = enrolled.next();
    let (early, _) = done(&ledger, file("production", "early", at(2))).await;
    let (late, _) = done(&ledger, file("production", "late", at(2))).await;
    let signature = signed(&early, &soft, passkey, at(3));
    let before = review(&early, signature, at(3));
    let after = review(&late, signed(&late, &soft, passkey, at(3)), at(4));
    done(&ledger, before.clone()).await;
    assert!(ledger.commit_passkey(passkey.remove(&bob(), at(4)).unwrap()).await.unwrap());
    // It was decided while the passkey was there, and is written when it is not.
    assert_eq!(ledger.commit(alone(after)).await.unwrap(), Commit::Conflict);
    assert_eq!(ledger.load(late.id(), None).await.unwrap().unwrap(), late);
    assert_eq!(ledger.load(early.id(), None).await.unwrap().unwrap(), *before.next());
    verified(&ledger).await;
}

pub(super) async fn a_log_in_which_a_strangers_key_signs_does_not_hold(ledger: Arc<dyn Ledger>) {
    let soft = Soft::new(-8);
    let enrolled = enrolment(&soft, 1, &bob(), at(1));
    assert!(ledger.commit_passkey(enrolled.clone()).await.unwrap());
    verified(&ledger).await;
    // Whoever can write the file puts a key of their own under the passkey's name.
    let other = Soft::new(-8);
    let forged = Passkey { credential: other.credential.clone(), ..enrolled.next().clone() };
    let key = assent_core::webauthn::PublicKey::read(&other.cose()).unwrap();
    let forged = Passkey { key, ..forged };
    let (request, _) = done(&ledger, file("production", "r", at(2))).await;
    done(&ledger, review(&request, signed(&request, &other, &forged, at(3)), at(3))).await;
    let told = super::kit::verify(&ledger).await;
    assert!(matches!(told, Err(wire::HistoryError::Unsigned { .. })), "{told:?}");
}

pub(super) async fn entries_of_a_request_are_proven_by_their_places(ledger: Arc<dyn Ledger>) {
    let mut requests = Vec::new();
    for number in 0..5 {
        requests.push(done(&ledger, file("production", &format!("{number}"), at(number))).await.0);
    }
    let approval = super::kit::approval(&requests[1], "bob", at(9));
    done(&ledger, approval).await;
    let told = ledger.request_entries(requests[1].id()).await.unwrap();
    assert_eq!(told.iter().map(|(place, _)| *place).collect::<Vec<_>>(), [1, 5]);
    let mut prover = Prover::of([1, 5]);
    loop {
        let leaves = ledger.leaves(prover.size(), 2).await.unwrap();
        if leaves.is_empty() {
            break;
        }
        leaves.into_iter().for_each(|leaf| prover.push(leaf));
    }
    let head = ledger.head().await.unwrap();
    let (root, paths) = prover.finish();
    assert_eq!(root, Some(head.root));
    for (place, entry) in &told {
        let leaf = assent_core::audit::leaf_hash(&wire::entry_bytes(entry));
        assert!(includes(leaf, *place, &paths[place], (head.size, head.root)));
    }
    let other = file("production", "nobody filed this", at(1));
    assert_eq!(ledger.request_entries(other.next().id()).await.unwrap(), vec![]);
}
