//! What a starting server has to say: where it listens, and how to get in.

use assent_server::Announcement;
use serde_json::{Value, json};

use crate::args::Printing;
use crate::failure::Failure;
use crate::output::{Output, Paint, clean};

/// Prints an announcement: for people on stderr, for programs on stdout.
pub(super) fn print(
    announcement: Announcement,
    printing: Printing,
    output: &Output,
) -> Result<(), Failure> {
    match printing.is_json() {
        true => output.json_line(&object(announcement)),
        // Where stderr goes to a log, what lets somebody in does not go with it.
        false if is_secret(&announcement) && !output.talks_to_a_terminal() => {
            output.data(text(announcement, output.talk_paint()))
        }
        false => {
            output.talk(text(announcement, output.talk_paint()));
            Ok(())
        }
    }
}

fn is_secret(announcement: &Announcement) -> bool {
    match announcement {
        Announcement::Bootstrap { .. }
        | Announcement::DevLogin { .. }
        | Announcement::DevToken { .. } => true,
        Announcement::Listening { .. } | Announcement::Policy { .. } => false,
    }
}

fn object(announcement: Announcement) -> Value {
    match announcement {
        Announcement::Listening { url } => json!({"type": "listening", "url": url}),
        Announcement::Bootstrap { link, code } => {
            json!({"type": "bootstrap", "link": link, "code": code.expose()})
        }
        Announcement::DevLogin { name, link } => {
            json!({"type": "dev_login", "name": name, "link": link})
        }
        Announcement::DevToken { name, token } => {
            json!({"type": "dev_token", "name": name, "token": token.expose()})
        }
        Announcement::Policy { rules, revision } => {
            json!({"type": "policy", "rules": rules, "revision": revision})
        }
    }
}

fn text(announcement: Announcement, paint: Paint) -> String {
    match announcement {
        Announcement::Listening { url } => {
            format!("listening on {}", paint.strong(&clean(&url)))
        }
        Announcement::Bootstrap { link, code } => {
            let base = link.split_once("/bootstrap").map_or("URL", |(base, _)| base);
            format!(
                "nobody administers this server yet; open once:\n  {}\nor run `assent admin init \
                 NAME --server {}` with the code\n  {}",
                clean(&link),
                clean(base),
                clean(code.expose())
            )
        }
        Announcement::DevLogin { name, link } => {
            format!("{} logs in at {}", paint.strong(&clean(&name)), clean(&link))
        }
        Announcement::DevToken { name, token } => {
            format!("{} has the token {}", paint.strong(&clean(&name)), clean(token.expose()))
        }
        Announcement::Policy { rules, revision } => {
            format!("policy: {rules} rules, revision {}", clean(&revision))
        }
    }
}

#[cfg(test)]
mod tests {
    use assent_client::Secret;

    use super::*;

    #[test]
    fn programs_read_tokens_and_links() {
        let token = Secret::new("t".to_owned());
        let said = object(Announcement::DevToken { name: "alice".to_owned(), token });
        assert_eq!(said, json!({"type": "dev_token", "name": "alice", "token": "t"}));
    }
}
