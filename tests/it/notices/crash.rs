//! The real binary, killed with SIGKILL between the step and the telling of it.

use std::collections::BTreeMap;

use super::world::{Slack, at_hook, at_slack, channels_in, receiver};
use crate::support::{
    Binary, POLICY, approve, cycles, eventually, filing, fresh_key, policy_in, until,
};

/// Whatever was acknowledged is told, however often the server dies meanwhile; and a receiver that
/// knows ids again is told nothing twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn t56_kill_9_between_commit_and_delivery_loses_nothing_and_doubles_nothing_visible() {
    let folder = tempfile::tempdir().unwrap();
    let (hook, slack) = (receiver().await, Slack::start().await);
    let text = at_slack(&slack).replace(
        "channels:\n",
        &format!("{}  prod2: {{slack: {{channel: C0000000001}}}}\n", at_hook(&hook)),
    );
    let file = channels_in(folder.path(), &text);
    let (data, policy) = (folder.path().join("data"), folder.path().join("policy"));
    let more = "notices: [{to: ['channel:siem', 'channel:prod2', requester]}]\n";
    policy_in(&policy, &format!("{POLICY}{more}"));
    let with = [std::path::Path::new("--channels"), file.as_path()];
    let mut binary = Binary::start_with(&data, &policy, &with).await;
    let tokens = binary.tokens.clone();
    let mut decided = Vec::new();
    for cycle in 0..cycles(12) {
        let alice = binary.holder_of(&tokens["alice"]);
        let bob = binary.holder_of(&tokens["bob"]);
        for number in 0..3 {
            let filing = filing("one", &format!("cycle {cycle}, {number}"));
            let request = alice.client.file(&filing, &fresh_key()).await.unwrap();
            approve(&bob, &request).await.unwrap();
            decided.push(request.id);
        }
        // The moments come as they are: before anybody is addressed, in between, in the middle of a call.
        let seen = hook.asked().len();
        if cycle % 3 == 1 {
            until("a call", || hook.asked().len() > seen).await;
        }
        binary.kill().await;
        binary = Binary::start_with(&data, &policy, &with).await;
    }
    let told = || {
        let mut ids: BTreeMap<String, String> = BTreeMap::new();
        for asked in hook.asked() {
            let body: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
            if body["type"] == "request.granted" {
                let request = body["data"]["request"].as_str().unwrap().to_owned();
                let id = asked.header("webhook-id").to_owned();
                let before = ids.insert(request, id.clone());
                assert!(before.is_none_or(|before| before == id), "one thing under two ids");
            }
        }
        ids
    };
    eventually("everything is told", async || {
        let told = told();
        decided.iter().all(|id| told.contains_key(id)).then_some(())
    })
    .await;
    let of_one = |id: &str| {
        let all = slack.messages();
        all.iter()
            .filter(|one| one.to_string().contains(id) && one["channel"] == "C0000000001")
            .count()
    };
    eventually("the channel shows all", async || {
        decided.iter().all(|id| of_one(id) >= 1).then_some(())
    })
    .await;
    assert!(decided.iter().all(|id| of_one(id) == 1), "one message to a request");
    binary.kill().await;
}
