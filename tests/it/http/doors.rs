//! The one-time door of the first administrator, and the doors of `--dev`.

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn t68_the_first_administrator_comes_in_once() {
    let server = Server::start().await;
    let code = server.authority.open_bootstrap().await.unwrap().unwrap();
    let stranger = server.stranger();
    let with = |code: &str, sub: &str| json!({"code": code, "sub": sub});
    stranger.post("/v1/bootstrap", &with("guess", "eve")).await.refuses(403, "wrong_code");
    stranger.post("/v1/bootstrap", &with("", "eve")).await.refuses(403, "wrong_code");
    let bad = stranger.post("/v1/bootstrap", &with(code.expose(), "no name")).await;
    bad.refuses(422, "invalid");
    let made = stranger.post("/v1/bootstrap", &with(code.expose(), "root")).await.is(201);
    let again = stranger.post("/v1/bootstrap", &with(code.expose(), "eve")).await;
    assert!(again.refuses(403, "wrong_code").contains("was used"));
    let root = server.holder_of(&made.str("token"));
    assert!(root.client.whoami().await.unwrap().administrator);
    assert!(server.authority.open_bootstrap().await.unwrap().is_none(), "it opens again");
}

#[tokio::test]
async fn t68_of_many_who_use_the_code_at_once_one_comes_in() {
    let server = Server::start().await;
    let code = server.authority.open_bootstrap().await.unwrap().unwrap();
    let body = json!({"code": code.expose(), "sub": "root"});
    let entrants = (0..20).map(|_| {
        let (stranger, body) = (server.stranger(), body.clone());
        tokio::spawn(async move { stranger.post("/v1/bootstrap", &body).await.status })
    });
    let mut statuses = Vec::new();
    for entrant in entrants.collect::<Vec<_>>() {
        statuses.push(entrant.await.unwrap());
    }
    statuses.sort_unstable();
    assert_eq!((statuses[0], statuses[1], statuses[19]), (201, 403, 403));
}

#[tokio::test]
async fn where_an_administrator_is_known_there_is_no_bootstrap() {
    let server = Server::start().await;
    server.administrator().await;
    assert!(server.authority.open_bootstrap().await.unwrap().is_none());
    let body = json!({"code": "", "sub": "root"});
    server.stranger().post("/v1/bootstrap", &body).await.refuses(403, "wrong_code");
    server.time().pass(assent_core::time::Span::hours(25));
    let reopened = server.authority.open_bootstrap().await.unwrap();
    assert!(reopened.is_some(), "nobody can administer any more");
}
