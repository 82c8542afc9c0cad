//! Addresses of what pages load: with a mark of its content, so that nobody has an old one.

use std::sync::LazyLock;

use assent_core::digest::Digest;

static STYLE: LazyLock<String> =
    LazyLock::new(|| marked("assent.css", include_bytes!("../../static/assent.css")));
static LIVE: LazyLock<String> =
    LazyLock::new(|| marked("live.js", include_bytes!("../../static/live.js")));

static PASSKEY: LazyLock<String> =
    LazyLock::new(|| marked("passkey.js", include_bytes!("../../static/passkey.js")));

fn marked(name: &str, content: &[u8]) -> String {
    let mark: String = Digest::of(content).hex().chars().take(12).collect();
    format!("/static/{name}?v={mark}")
}

/// Where the style is.
pub(super) fn style() -> &'static str {
    &STYLE
}

/// Where the script of live pages is.
pub(super) fn live() -> &'static str {
    &LIVE
}

/// Where the script of passkeys is.
pub(super) fn passkey() -> &'static str {
    &PASSKEY
}
