//! The ceremony with a certified provider.

use assent_core::time::Span;

use super::world::World;

fn leads(answer: &crate::support::Answer) -> &str {
    answer.headers["location"].to_str().unwrap()
}

#[tokio::test]
async fn a_person_signs_in_and_is_who_the_provider_says() {
    let world = World::start().await;
    let mut bob = world.browser();
    let page = bob.get("/login").await.is(200).text;
    assert!(page.contains("Sign in with corp"), "{page}");
    let answer = bob.sign_in("corp", "bob").await.is(303);
    assert_eq!(leads(&answer), "/");
    assert!(bob.cookie("assent-ceremony").is_none(), "the ceremony is over");
    let settings = bob.get("/settings").await.is(200).text;
    assert!(settings.contains(&format!("{}#bob", world.provider.url)), "{settings}");
    assert!(settings.contains("bob of Corp") && settings.contains("release-managers"));
    assert!(!settings.contains("administrator"));
    let mut root = world.signed_in("root").await;
    assert!(root.get("/settings").await.text.contains("administrator"));
    assert!(root.get("/admin/people").await.status == 200);
    assert_eq!(bob.get("/admin/people").await.status, 403);
}

#[tokio::test]
async fn t65_whoever_signs_in_comes_back_to_the_page_they_wanted_and_nowhere_else() {
    let world = World::start().await;
    let (_, id) = world.filed("one").await;
    for (wanted, back) in [
        (format!("/requests/{id}"), format!("/requests/{id}")),
        ("/settings/tokens".to_owned(), "/settings/tokens".to_owned()),
        ("/history?q=orders&state=denied".to_owned(), "/history?q=orders&state=denied".to_owned()),
        ("/audit?by=bob&to=//evil.example".to_owned(), "/audit?by=bob".to_owned()),
        ("device".to_owned(), "/device".to_owned()),
        ("//evil.example".to_owned(), "/".to_owned()),
        ("/requests/../../evil".to_owned(), "/".to_owned()),
        (format!("/requests/{id}?x=https://evil.example"), "/".to_owned()),
        ("https://evil.example/".to_owned(), "/".to_owned()),
        ("/\\evil.example".to_owned(), "/".to_owned()),
        ("/logout".to_owned(), "/".to_owned()),
    ] {
        let mut bob = world.browser();
        let next: String = url::form_urlencoded::byte_serialize(wanted.as_bytes()).collect();
        let to = bob.led(&format!("/login/corp/begin?next={next}")).await;
        let came = bob.at_provider(&to, "bob").await;
        let answer = bob.follow(&came).await.is(303);
        assert_eq!(leads(&answer), back, "{wanted}");
    }
    // A page that needs a session says where to come back to.
    let path = format!("/requests/{id}");
    let answer = world.browser().get(&path).await.is(303);
    assert_eq!(leads(&answer), format!("/login?next={path}"));
    let answer = world.browser().get("/history?q=a%26b&state=denied").await.is(303);
    assert_eq!(leads(&answer), "/login?next=/history%3Fq%3Da%2526b%26state%3Ddenied");
    let login = world.browser().get(leads(&answer)).await.is(200).text;
    let begin = "/login/corp/begin?next=/history%3Fq%3Da%2526b%26state%3Ddenied\"";
    assert!(login.contains(begin), "{login}");
}

#[tokio::test]
async fn t63_a_sign_in_gives_a_new_session_and_ends_the_one_before() {
    let world = World::start().await;
    let mut bob = world.signed_in("bob").await;
    let before = bob.clone();
    let first = bob.cookie("assent").unwrap().clone();
    bob.sign_in("corp", "bob").await.is(303);
    assert_ne!(bob.cookie("assent").unwrap(), &first);
    bob.get("/settings").await.is(200);
    assert_eq!(before.clone().get("/settings").await.status, 303, "the old one is over");
    // A session that somebody planted is not gone on with.
    let mut victim = world.browser();
    victim.cookies = before.cookies;
    victim.leave_providers();
    victim.sign_in("corp", "carol").await.is(303);
    assert_ne!(victim.cookie("assent").unwrap(), &first);
    assert!(victim.get("/settings").await.text.contains("carol of Corp"));
}

#[tokio::test]
async fn t65_an_answer_counts_once_and_only_in_the_browser_that_asked() {
    let world = World::start().await;
    let mut bob = world.browser();
    let to = bob.led("/login/corp/begin").await;
    let back = bob.at_provider(&to, "bob").await;
    // Somebody else follows the link that was meant for bob's browser.
    let mut other = world.browser();
    other.follow(&back).await.is(400);
    assert!(other.cookie("assent").is_none());
    // One who began a sign-in of their own is not signed in by bob's answer either.
    other.led("/login/corp/begin").await;
    other.follow(&back).await.is(400);
    assert!(other.cookie("assent").is_none());
    let kept = bob.clone();
    bob.follow(&back).await.is(303);
    // The same again, with everything the browser had: the code is spent.
    let mut again = kept.clone();
    let answer = again.follow(&back).await.is(403);
    assert!(again.cookie("assent").is_none(), "{}", answer.text);
    // Changed on the way.
    for (from, to) in [("state=", "state=x"), ("code=", "code=x"), ("iss=", "iss=x")] {
        let mut bob = world.browser();
        let to_provider = bob.led("/login/corp/begin").await;
        let back = bob.at_provider(&to_provider, "bob").await;
        assert!(back.contains(from), "{back}");
        let answer = bob.follow(&back.replace(from, to)).await;
        assert!([400, 403].contains(&answer.status), "{answer:?}");
        assert!(bob.cookie("assent").is_none(), "{from}");
    }
}

#[tokio::test]
async fn a_ceremony_is_over_after_ten_minutes() {
    let mut world = World::start().await;
    let mut bob = world.browser();
    let to = bob.led("/login/corp/begin").await;
    let back = bob.at_provider(&to, "bob").await;
    world.pass(Span::minutes(10)).await;
    bob.follow(&back).await.is(400);
    assert!(bob.cookie("assent").is_none());
}

#[tokio::test]
async fn whoever_the_provider_does_not_know_is_told_so_and_not_signed_in() {
    let world = World::start().await;
    let mut eve = world.browser();
    let answer = eve.sign_in("corp", "eve").await.is(403);
    assert!(answer.text.contains("access_denied"), "{}", answer.text);
    assert!(eve.cookie("assent").is_none());
}

#[tokio::test]
async fn t65_a_stage_that_wants_a_recent_sign_in_is_reviewed_after_another_one() {
    let mut world = World::start().await;
    let (_, id) = world.filed("fresh").await;
    let mut bob = world.signed_in("bob").await;
    world.pass(Span::minutes(11)).await;
    let answer = bob.decide(&id, "approve").await.is(303);
    let path = format!("/requests/{id}");
    let wanted = format!("/login/again?return=%2Frequests%2F{id}&within=10m");
    assert_eq!(leads(&answer), wanted);
    let again = bob.get(&format!("/login/again?return={path}&within=10m")).await.is(200).text;
    assert!(again.contains("at most 10 min ago"), "{again}");
    // Another person's sign-in does not count for this session.
    let before = bob.cookie("assent").unwrap().clone();
    let answer = bob.sign_in_again("corp", "carol", &path).await.is(403);
    assert!(answer.text.contains("another account"), "{}", answer.text);
    assert_eq!(bob.cookie("assent").unwrap(), &before);
    let answer = bob.sign_in_again("corp", "bob", &path).await.is(303);
    assert_eq!(leads(&answer), path);
    assert_ne!(bob.cookie("assent").unwrap(), &before, "a new id at step-up");
    bob.decide(&id, "approve").await.is(303);
    let root = world.server.administrator().await;
    assert_eq!(root.client.request(&id).await.unwrap().state, "approved");
}

#[tokio::test]
async fn t68_beginnings_are_few_from_one_place_and_nobody_elses() {
    use assent_server::rates::{Rate, Rates};
    let sign_ins = Rate { burst: 2, each: Span::seconds(2) };
    let rates = Rates { sign_ins, ..Rates::default() };
    let setup = crate::support::Setup { rates, ..crate::support::Setup::default() };
    let world = World::set_up(setup).await;
    for _ in 0..2 {
        world.browser().led("/login/corp/begin").await;
    }
    let answer = world.browser().get("/login/corp/begin").await.is(429);
    assert_eq!(answer.headers["retry-after"], "2");
    world.server.time().pass(Span::seconds(2));
    world.browser().led("/login/corp/begin").await;
}
