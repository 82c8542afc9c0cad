//! A partner that accepts calls and never answers them.

use serde_json::json;
use tokio::net::TcpListener;

use super::*;

#[tokio::test]
async fn whoever_waits_for_a_silent_partner_holds_up_nobody_else() {
    let mut world = World::new().await;
    let (shown, _) = world.approved("they fall silent").await;
    let address = world.theirs.address;
    world.them.take().unwrap().stop().await;
    let silent = TcpListener::bind(address).await.unwrap();

    let key = fresh_key();
    let beginning = world.alice.client.begin(&shown.id, &key);
    let others = async {
        // It is being asked now, and stays so until this is dropped.
        let _held = silent.accept().await.unwrap();
        let about = json!({"person": {"iss": "assent:local", "sub": "mallory"}});
        let signal = json!({"about": about, "state": "suspended", "reason": "r"});
        world.us.administrator().await.post("/v1/signals", &signal).await.is(201);
        let dave = world.us.person("dave").await;
        dave.client.file(&filing("staging", "unrelated"), &fresh_key()).await.unwrap();
    };
    tokio::select! {
        biased;
        () = others => {}
        begun = beginning => panic!("others had to wait for it: {begun:?}"),
    }
}
