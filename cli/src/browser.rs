//! The browser of whoever types: asked to show a page of the server that was named, and of no other.

use std::process::{Command, Stdio};

use assent_client::Url;

use crate::output::{Output, clean};
use crate::settings::Environment;

/// The page, if it is of the server that was named: nothing else is opened because a server says so.
pub(crate) fn ours(page: &str, server: &Url) -> Option<Url> {
    Url::parse(page)
        .ok()
        .filter(|page| page.origin() == server.origin() && page.origin().is_tuple())
}

/// Asks the desktop to show a page. If it cannot, the address stands on the terminal.
pub(crate) fn open(page: &Url) {
    let opener = if cfg!(target_os = "macos") { "open" } else { "xdg-open" };
    open_with(opener, page);
}

/// Says where the page is, and has it shown by the program that was named, that `BROWSER` names, or by
/// the desktop where there is one.
pub(crate) fn show(page: &Url, named: Option<&str>, environment: &Environment, output: &Output) {
    output.talk(format!("open {}", clean(page.as_str())));
    match named.or_else(|| environment.browser()) {
        Some(browser) => open_with(browser, page),
        None if output.talks_to_a_terminal() && environment.has_display() => open(page),
        None => {}
    }
}

fn open_with(opener: &str, page: &Url) {
    let mut command = Command::new(opener);
    command.arg(page.as_str()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // What becomes of it is nothing to wait for.
    drop(command.spawn());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t65_only_a_page_of_the_named_server_is_opened() {
        let server: Url = "https://assent.example.com".parse().unwrap();
        assert!(ours("https://assent.example.com/device", &server).is_some());
        for other in [
            "https://assent.example.com.evil.example/device",
            "https://assent.example.com@evil.example/device",
            "http://assent.example.com/device",
            "https://assent.example.com:8443/device",
            "file:///etc/passwd",
            "--help",
            "",
        ] {
            assert!(ours(other, &server).is_none(), "{other}");
        }
    }
}
