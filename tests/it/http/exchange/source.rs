//! Where a job comes from, as those see it who decide.

use serde_json::json;

use super::{AUDIENCE, job, of_kind, ruled_by, rules, workload};
use crate::pages::Browser;
use crate::support::{Issuer, fresh_key};

const ACTIONS: &str = "https://token.actions.githubusercontent.com";
const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

#[tokio::test]
async fn t36_t37_whoever_decides_sees_where_a_job_comes_from_and_is_led_nowhere_else() {
    let issuer = Issuer::start().await;
    let trust = format!(
        "  acme:
    issuer: {ACTIONS}
    audience: {AUDIENCE}
    shape: github-actions
    claims: {{repository_owner_id: \"17\", repository_id: \"4711\", environment: production}}
    groups: [deployers]
    may_ask: {{kinds: [terraform.*], environments: [production]}}
    jwks: {}
",
        issuer.jwks()
    );
    let server = ruled_by(&rules(&trust)).await;
    let bob = Browser::of(&server, "bob").await;
    let page_of = async |reference: &str| {
        let more = json!({"iss": ACTIONS, "sha": SHA, "run_attempt": "2", "ref": reference});
        let caller = workload(&server, &job(&issuer, more)).await;
        let filing = of_kind("production", "terraform.apply");
        let request = caller.client.file(&filing, &fresh_key()).await.unwrap();
        (request.source, bob.get(&format!("/requests/{}", request.id)).await.text)
    };
    let (source, page) = page_of("refs/heads/main").await;
    let source = source.unwrap();
    assert_eq!(source.commit_url, format!("https://github.com/acme/orders/commit/{SHA}"));
    for link in [&source.repository_url, &source.commit_url, &source.run_url] {
        assert!(page.contains(&format!("<a href=\"{link}\" rel=\"noreferrer\">")), "{page}");
    }
    assert!(page.contains("refs/heads/main") && !page.contains("Hidden characters"), "{page}");
    let (_, page) = page_of("refs/heads/<b>niam\u{202e}").await;
    assert!(page.contains("Hidden characters") && page.contains("\\u{202e}"), "{page}");
    assert!(!page.contains("<b>niam"), "{page}");
}
