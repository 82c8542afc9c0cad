//! The pages in a real browser.

use crate::support::{Server, Window};

mod history;
pub(crate) mod injected;
mod live;
mod looks;
mod others;
mod pages;
mod passkeys;
mod tools;

/// Signs in as this person by a link, as `--dev` prints it.
pub(crate) async fn sign_in(window: &Window, server: &Server, name: &str) {
    let (_, code) = server.authority.seed_person(name).await.unwrap();
    window.go(&format!("{}/login/{}", server.base(), code.expose())).await;
    window.click("form.decide button").await;
    window.until_it_says("Sign out").await;
}
