//! What is on record of a sign-in, who is linked, what a narrow token does, what groups are read.

use serde_json::json;

use super::*;

fn who(iss: &str, sub: &str) -> PrincipalId {
    PrincipalId::new(iss, sub).unwrap()
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

const CORP: &str = "https://corp.example";
const LAB: &str = "https://lab.example";
const GIT: &str = "https://git.example";

fn linked(current: &[(&PrincipalId, &PrincipalId)]) -> Membership {
    let pairs: Vec<_> = current.iter().map(|(a, b)| ((*a).clone(), (*b).clone())).collect();
    Membership::default().with_links(&pairs, &[])
}

#[test]
fn t08_one_account_at_each_provider_and_no_change_of_it() {
    let (bob, robert, git) = (who(CORP, "bob"), who(LAB, "robert"), who(GIT, "1"));
    let make = |person: &PrincipalId, account: &PrincipalId, members: &Membership| {
        Link::make(person, Some(at(0)), account, members, at(300)).map(|link| link.account)
    };
    let none = Membership::default();
    assert_eq!(make(&bob, &robert, &none), Ok(robert.clone()));
    assert_eq!(make(&bob, &who(CORP, "carol"), &none), Err(LinkError::SameIssuer));
    let members = linked(&[(&bob, &robert)]);
    let taken = |who: &PrincipalId| Err(LinkError::Taken(who.clone()));
    assert_eq!(make(&bob, &who(LAB, "other"), &members), taken(&robert));
    assert_eq!(make(&who(CORP, "carol"), &robert, &members), taken(&who(CORP, "carol")));
    // Over a third: bob is robert is 1, so robert has an account at git already.
    let members = linked(&[(&bob, &robert), (&bob, &git)]);
    assert_eq!(make(&robert, &who(GIT, "2"), &members), taken(&git));
    assert_eq!(make(&robert, &git, &members), taken(&bob), "the same again");
}

#[test]
fn t08_linking_needs_a_recent_sign_in() {
    let (bob, robert) = (who(CORP, "bob"), who(LAB, "robert"));
    for (since, now, fits) in [(Some(0), 300, true), (Some(0), 301, false), (None, 0, false)] {
        let made = Link::make(&bob, since.map(at), &robert, &Membership::default(), at(now));
        assert_eq!(made.is_ok(), fits, "{since:?} {now}");
    }
}

#[test]
fn t08_links_make_one_person_and_undone_ones_tie() {
    let (bob, robert, git) = (who(CORP, "bob"), who(LAB, "robert"), who(GIT, "1"));
    let pair = |a: &PrincipalId, b: &PrincipalId| (a.clone(), b.clone());
    let groups = [("lab".to_owned(), BTreeSet::from([robert.clone()]))];
    let of = |current: &[_], former: &[_]| {
        Membership::new(groups.clone().into()).with_links(current, former)
    };
    let behind = |who: &PrincipalId| BTreeSet::from([who.clone()]);
    let is_tied = |members: &Membership, who: &PrincipalId, other: &PrincipalId| {
        let behind = behind(other);
        members.tie(who, &behind.iter().collect()).is_some()
    };
    let current = of(&[pair(&bob, &robert), pair(&robert, &git)], &[]);
    assert!(current.are_same(&bob, &git) && is_tied(&current, &git, &bob));
    assert_eq!(current.groups_of(&bob).collect::<Vec<_>>(), ["lab"]);
    let former = of(&[], &[pair(&bob, &robert)]);
    assert!(!former.are_same(&bob, &robert), "they share nothing any more");
    assert_eq!(former.groups_of(&bob).count(), 0);
    assert!(former.count_as_one(&bob, &robert) && is_tied(&former, &bob, &robert));
    assert!(!former.accounts().is_linked_at(LAB, &bob), "who bob is there is not known");
    let moved = of(&[pair(&bob, &who(LAB, "new"))], &[pair(&bob, &robert)]);
    assert!(is_tied(&moved, &bob, &robert) && is_tied(&moved, &robert, &who(LAB, "new")));
    assert!(!is_tied(&moved, &bob, &git));
}

#[test]
fn t08_whom_the_documents_know_stays_who_they_are_there() {
    let (bob, git) = (who(CORP, "bob"), who(GIT, "1"));
    let local = PrincipalId::local("bob").unwrap();
    let people = crate::membership::People::new([(git.clone(), local.clone())]);
    let members = Membership::new([("g".to_owned(), BTreeSet::from([local.clone()]))].into());
    let members = members.with_accounts(people).with_links(&[(bob.clone(), git.clone())], &[]);
    assert_eq!(members.person(&bob), &local);
    assert_eq!(members.groups_of(&bob).collect::<Vec<_>>(), ["g"]);
}

#[test]
fn a_narrow_token_does_what_it_is_for_and_looks() {
    use Scope::{AllOfMine, Read, Request, Review};
    for has in Scope::ALL {
        assert!(has.suffices(Read), "{has:?}");
        assert_eq!(has.word().parse(), Ok(has));
        for needed in [Request, Review, AllOfMine] {
            assert_eq!(has.suffices(needed), has == AllOfMine || has == needed, "{has:?}");
        }
    }
    assert!("admin".parse::<Scope>().is_err());
}

#[test]
fn only_groups_that_a_provider_is_believed_about_are_read() {
    let of: BTreeSet<String> = ["a", "b"].map(str::to_owned).into();
    let read = |claim: Option<&serde_json::Value>| {
        groups_of(claim, &of).into_iter().collect::<Vec<_>>().join(" ")
    };
    assert_eq!(read(Some(&json!(["a", "c", "b"]))), "a b");
    assert_eq!(read(Some(&json!("a"))), "a");
    assert_eq!(read(Some(&json!("a b"))), "");
    for other in [json!(["a", 1]), json!({"a": true}), json!(null), json!(vec!["a"; 2_001])] {
        assert_eq!(read(Some(&other)), "");
    }
    assert_eq!(read(None), "");
}

#[test]
fn what_is_shown_of_a_person_hides_nothing() {
    let claims = json!({"name": " B\u{202e}ob\n ", "email": 7, "nick": "\u{200b}"});
    let claims = claims.as_object().unwrap();
    assert_eq!(shown(claims, "name").as_deref(), Some("Bob"));
    assert_eq!((shown(claims, "email"), shown(claims, "nick")), (None, None));
}

/// A good identity token of each algorithm, but for what these claims say.
fn identity(algorithm: &str, claims: serde_json::Value) -> Result<Identity, IdentityError> {
    use crate::token::tests::{KEYS, NOW, merged, now, verified};
    let good = json!({
        "iss": CORP, "sub": "bob", "aud": "assent", "nonce": "n", "iat": NOW - 5,
        "exp": NOW + 300, "auth_time": NOW - 5, "acr": "high", "amr": ["pwd", "hwk"], "sid": "s",
    });
    let header = json!({"alg": algorithm, "kid": algorithm, "typ": "JWT"});
    let claims = merged(good, claims);
    let token = verified(&KEYS.token(algorithm, &header.to_string(), &claims.to_string()))?;
    let expected = Expected {
        issuer: CORP,
        client: "assent",
        nonce: "n",
        access_token: "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y",
        since: Some(at(NOW - 60)),
    };
    Identity::of_code_flow(&token, expected, now())
}

#[test]
fn t24_an_identity_token_belongs_to_its_access_token_by_the_hash_of_its_algorithm() {
    let hash = |algorithm, text: &str| {
        let all = digest(algorithm, text.as_bytes());
        URL_SAFE_NO_PAD.encode(&all.as_ref()[..all.as_ref().len() / 2])
    };
    let token = "jHkWEdUXMU1BwAsC4vtUsZwnNvTIxEl0z9K3vx5KF0Y";
    // OpenID Connect Core 1.0 appendix A.3 has this pair.
    assert_eq!(hash(&SHA256, token), "77QmUPtjPfzWtF2AnpK9RQ");
    for (algorithm, fits) in [
        ("RS256", &SHA256),
        ("PS256", &SHA256),
        ("ES256", &SHA256),
        ("ES384", &SHA384),
        ("EdDSA", &SHA512),
    ] {
        for with in [&SHA256, &SHA384, &SHA512] {
            let read = identity(algorithm, json!({"at_hash": hash(with, token)}));
            match std::ptr::eq(with, fits) {
                true => assert_eq!(read.unwrap().id, who(CORP, "bob"), "{algorithm}"),
                false => assert_eq!(read, Err(IdentityError::AccessToken), "{algorithm}"),
            }
        }
        assert!(identity(algorithm, json!({})).is_ok(), "it need not have one");
        let of_other = json!({"at_hash": hash(fits, "another")});
        assert_eq!(identity(algorithm, of_other), Err(IdentityError::AccessToken));
    }
}

#[test]
fn t63_whoever_is_to_sign_in_again_must_have_done_so_since() {
    use crate::token::tests::NOW;
    for (auth_time, wanted) in [
        (json!(NOW - 120), Ok(())),
        (json!(NOW - 121), Err(IdentityError::NotAgain)),
        (json!(null), Err(IdentityError::NotAgain)),
        (json!(NOW + 61), Err(TokenError::TooEarly(at(NOW + 61)).into())),
    ] {
        let read = identity("ES256", json!({"auth_time": auth_time}));
        assert_eq!(read.map(drop), wanted, "{auth_time}");
    }
    let read = identity("ES256", json!({})).unwrap();
    let expected = (Some("high"), 2, Some("s"));
    assert_eq!((read.acr.as_deref(), read.amr.len(), read.sid.as_deref()), expected);
}

#[test]
fn t66_only_an_address_that_is_verified_and_whole_is_one() {
    let claims = |email: &str, verified: Value| {
        let claims = json!({"email": email, "email_verified": verified});
        verified_email(claims.as_object().unwrap())
    };
    assert_eq!(claims("bob@corp.example", json!(true)).as_deref(), Some("bob@corp.example"));
    assert_eq!(claims("bob@corp.example", json!(false)), None);
    assert_eq!(claims("bob@corp.example", json!("true")), None);
    assert_eq!(claims(" bob@corp.example", json!(true)), None);
    assert_eq!(claims("bob\u{200b}@corp.example", json!(true)), None);
    assert_eq!(claims(&format!("{}@corp.example", "b".repeat(300)), json!(true)), None);
    assert_eq!(verified_email(json!({"email": "bob@corp.example"}).as_object().unwrap()), None);
}
