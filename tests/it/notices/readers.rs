//! Whoever may not read a request is not told of it.

use std::path::Path;

use assent_core::credential::Secret;
use assent_server::policy::Source;
use assent_server::sign_in::SignIn;
use serde_json::json;

use super::world::{Slack, at_slack, channels, notices};
use crate::support::{POLICY, Server, Setup, documents};

fn read_by(readers: &str) -> SignIn {
    let text = format!(
        "apiVersion: assent/v1\nkind: SignIn\nproviders:\n  corp: {{type: oidc, issuer: \
         'https://id.example.com', client_id: assent, client_secret_env: SECRET}}\nreaders: {readers}\n"
    );
    let variable = |_: &str| Some(Secret::new("a-secret-of-the-tests-alone".to_owned()));
    SignIn::of_text(Path::new("sign-in.yaml"), &text, &variable).unwrap()
}

/// Policy names alice, who has nothing to do with what the workload asks.
#[tokio::test]
async fn a_person_whom_policy_names_is_told_of_no_request_that_they_may_not_read() {
    for (readers, told) in [("everyone", true), ("asked", false)] {
        let (slack, folder) = (Slack::start().await, tempfile::tempdir().unwrap());
        let more = "notices: [{occasions: [stage_opened], to: ['person:alice', 'person:bob']}]\n";
        let server = Server::set_up(Setup {
            source: Source::Given(documents(&format!("{POLICY}{more}"))),
            channels: channels(folder.path(), &at_slack(&slack)),
            sign_in: read_by(readers),
            ..Setup::default()
        })
        .await;
        let ci = server.workload("ci", &[]).await;
        let intent = json!({
            "kind": "terraform.apply", "environment": "one", "reason": "words for a few",
        });
        ci.post("/v1/requests", &json!({"intent": intent})).await.is(201);
        server.authority.tell_due().await.unwrap();
        let to = |place: &str| slack.messages().iter().any(|message| message["channel"] == place);
        assert!(to("D0000000002"), "{readers}: bob is asked, {:?}", notices(&server).await);
        assert_eq!(to("D0000000003"), told, "{readers}: {:?}", notices(&server).await);
    }
}
