//! The start of the conversation: the cookie, the versions, the one line.

use std::io::{self, Write};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;

use super::StartError;
use crate::environment::Environment;

/// What `TF_PLUGIN_MAGIC_COOKIE` holds when Terraform starts a provider. It is no
/// secret: it keeps people from running the program by mistake.
const COOKIE: &str = "d602bf8f470bc67ca7faa0386276bbdd4330efaf76d1a219cb4d6991ca9872b2";

/// The plugin protocol that this provider speaks.
const PROTOCOL: u32 = 6;

/// Checks that Terraform started this process and speaks its protocol.
///
/// Without a list of versions the process was started by hand, to attach
/// Terraform to it.
pub(super) fn check(environment: &Environment) -> Result<(), StartError> {
    if environment.cookie.as_deref() != Some(COOKIE) {
        return Err(StartError::NotTerraform);
    }
    match &environment.versions {
        Some(versions) if !speaks(versions) => Err(StartError::Protocol(versions.clone())),
        Some(_) | None => Ok(()),
    }
}

/// Whether a list of versions, in whatever order, has ours.
fn speaks(versions: &str) -> bool {
    versions.split(',').any(|version| version.trim().parse() == Ok(PROTOCOL))
}

/// Prints the one line that tells Terraform where to connect and which
/// certificate to expect there.
pub(super) fn announce(
    socket: &Path,
    certificate: Option<&[u8]>,
    asks_for_multiplexing: bool,
) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", line(socket, certificate, asks_for_multiplexing))?;
    stdout.flush()
}

/// The line: core version, protocol, network, address, kind, certificate and,
/// only if asked, whether streams are multiplexed (they are not).
fn line(socket: &Path, certificate: Option<&[u8]>, asks_for_multiplexing: bool) -> String {
    let certificate = certificate.map(|der| STANDARD_NO_PAD.encode(der)).unwrap_or_default();
    let multiplexing = if asks_for_multiplexing { "|false" } else { "" };
    format!("1|{PROTOCOL}|unix|{}|grpc|{certificate}{multiplexing}", socket.display())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Defaults;

    fn environment(cookie: Option<&str>, versions: Option<&str>) -> Environment {
        Environment {
            cookie: cookie.map(str::to_owned),
            versions: versions.map(str::to_owned),
            client_certificate: None,
            asks_for_multiplexing: false,
            trace: None,
            defaults: Defaults::default(),
        }
    }

    #[test]
    fn only_terraform_may_start_it() {
        for cookie in [None, Some("wrong")] {
            let refused = check(&environment(cookie, Some("6")));
            assert!(matches!(refused, Err(StartError::NotTerraform)));
        }
    }

    #[test]
    fn versions_come_in_any_order() {
        for versions in [None, Some("5,6"), Some("6,5"), Some("6")] {
            assert!(check(&environment(Some(COOKIE), versions)).is_ok());
        }
        for versions in ["5", "16", "60,5"] {
            let refused = check(&environment(Some(COOKIE), Some(versions)));
            assert!(matches!(refused, Err(StartError::Protocol(_))));
        }
    }

    #[test]
    fn the_line_has_six_fields_or_seven() {
        let socket = Path::new("/s");
        assert_eq!(line(socket, None, false), "1|6|unix|/s|grpc|");
        assert_eq!(line(socket, Some(b"ab"), true), "1|6|unix|/s|grpc|YWI|false");
    }
}
