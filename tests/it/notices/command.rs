//! `assent admin notices`.

use super::world::{at_hook, channels, filed, receiver, telling};
use crate::support::{Reply, Ways, assent};

#[tokio::test]
async fn administrators_see_what_was_given_up_and_have_it_tried_again() {
    let (folder, hook) = (tempfile::tempdir().unwrap(), receiver().await);
    let more = "notices: [{occasions: [stage_opened], to: ['channel:siem']}]\n";
    let server = telling(channels(folder.path(), &at_hook(&hook)), more).await;
    let root = server.administrator().await;
    let run = async |words: &[&str]| assent(server.base(), root.token(), words).await;
    let none = run(&["admin", "notices", "list"]).await.exits(0);
    assert!(none.talk.contains("no notices"), "{none:?}");
    hook.behave(Ways::Saying(Reply::new(404, "")));
    let request = filed(&server, "one", "deploy").await;
    server.authority.tell_due().await.unwrap();
    let listed = run(&["admin", "notices", "list", "--state", "dead"]).await.exits(0);
    assert!(listed.talk.contains("channel:siem: it answered 404"), "{listed:?}");
    let line = listed.lines().remove(1);
    assert!(line.contains(&format!("dead stage_opened channel:siem {}", request.id)), "{line}");
    let id = line.split(' ').next().unwrap().to_owned();
    hook.behave(Ways::Honest);
    let again = run(&["admin", "notices", "replay", &id]).await.exits(0);
    assert!(again.data.contains("tried again: 1"), "{again:?}");
    server.authority.tell_due().await.unwrap();
    run(&["admin", "notices", "replay", &id]).await.exits(1);
    let json = run(&["admin", "notices", "replay", "--all", "--output", "json"]).await.exits(0);
    assert_eq!(json.json()["count"], 0);
    run(&["admin", "notices", "replay"]).await.exits(2);
    run(&["admin", "notices", "replay", "ntc_1"]).await.exits(2);
}
