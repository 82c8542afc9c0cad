//! How a PostgreSQL broker is set up.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assent_core::credential::Secret;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use serde::Deserialize;
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::broker::{Fields, Name};

/// What is wrong with the settings of a PostgreSQL broker.
#[derive(Debug, thiserror::Error)]
pub enum PostgresFault {
    /// A field says what cannot be.
    #[error("`{field}`: {problem}")]
    Field {
        /// Which.
        field: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The password goes over a network in which others may listen.
    #[error(
        "`host`: {0} is not this machine, so TLS is needed: name the certificates of those who may \
         vouch for it in `ca_file`"
    )]
    NoTls(String),
    /// None, or two.
    #[error("say where the password is, once: `password_file` or `password_env`")]
    Password,
}

fn bad(field: &'static str, problem: impl ToString) -> PostgresFault {
    PostgresFault::Field { field, problem: problem.to_string() }
}

/// As it is written in a file of brokers.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PostgresSettings {
    /// Where: a name, an address, or the directory of a Unix socket.
    host: String,
    /// On which port.
    #[serde(default = "port")]
    port: u16,
    /// The database that callers are told.
    database: String,
    /// The authority's own login, which may make roles.
    username: String,
    /// The file that holds its password.
    password_file: Option<PathBuf>,
    /// The environment variable that holds its password.
    password_env: Option<String>,
    /// The certificates, as PEM, of those who may vouch for the server.
    ca_file: Option<PathBuf>,
    /// The roles that may be granted: the one that the rules name, or all of them.
    roles: Vec<String>,
    /// How many sessions at once.
    #[serde(default = "connection_limit")]
    connection_limit: u32,
    /// What becomes of what a session leaves behind that belongs to its role.
    #[serde(default)]
    owned: Owned,
}

fn port() -> u16 {
    5432
}

fn connection_limit() -> u32 {
    2
}

/// What becomes of tables and the like that belong to a role when it goes. Nothing is ever the
/// authority's own login's: what a session made would run with the right to make roles.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "OwnedAsWritten")]
pub(super) enum Owned {
    /// They are dropped.
    #[default]
    Drop,
    /// Tables and sequences are this role's from then on; the rest is dropped.
    GiveTo(String),
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum OwnedAsWritten {
    Drop,
    GiveTo(String),
    Keep,
}

impl TryFrom<OwnedAsWritten> for Owned {
    type Error = &'static str;

    fn try_from(written: OwnedAsWritten) -> Result<Self, Self::Error> {
        match written {
            OwnedAsWritten::Drop => Ok(Self::Drop),
            OwnedAsWritten::GiveTo(role) => Ok(Self::GiveTo(role)),
            OwnedAsWritten::Keep => Err(
                "`owned: keep` would hand what a session made to a login that may make roles: write \
                 `owned: drop`, or `owned: {give_to: ROLE}` with a role that may not log in",
            ),
        }
    }
}

/// A PostgreSQL server, as it can be used.
pub(super) struct Target {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) database: String,
    pub(super) username: String,
    password: Password,
    pub(super) tls: Option<MakeRustlsConnect>,
    roles: Vec<String>,
    pub(super) connection_limit: u32,
    pub(super) owned: Owned,
}

impl std::fmt::Debug for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { host, port, database, username, roles, .. } = self;
        let mut shown = f.debug_struct("Target");
        shown.field("host", host).field("port", port).field("database", database);
        shown.field("username", username).field("roles", roles).finish_non_exhaustive()
    }
}

enum Password {
    /// Read each time, so that it can be replaced without a restart.
    In(PathBuf),
    Is(Secret),
}

impl PostgresSettings {
    /// As they can be used, or what is wrong with them.
    pub(super) fn settled(
        self,
        variable: &dyn Fn(&str) -> Option<Secret>,
    ) -> Result<Target, PostgresFault> {
        self.check()?;
        let tls = self.ca_file.as_deref().map(tls).transpose()?;
        if tls.is_none() && !is_here(&self.host) {
            return Err(PostgresFault::NoTls(self.host));
        }
        let password = match (self.password_file, self.password_env) {
            (Some(path), None) => {
                in_file(&path).map_err(|error| bad("password_file", told(&path, &error)))?;
                Password::In(path)
            }
            (None, Some(name)) => {
                let missing = || bad("password_env", format!("`{name}` is not set"));
                Password::Is(variable(&name).ok_or_else(missing)?)
            }
            (None, None) | (Some(_), Some(_)) => return Err(PostgresFault::Password),
        };
        Ok(Target {
            host: self.host,
            port: self.port,
            database: self.database,
            username: self.username,
            password,
            tls,
            roles: self.roles,
            connection_limit: self.connection_limit,
            owned: self.owned,
        })
    }

    fn check(&self) -> Result<(), PostgresFault> {
        if self.host.is_empty() || self.host.chars().any(|c| c.is_control() || c == ' ') {
            return Err(bad("host", "a name, an address, or the directory of a Unix socket"));
        }
        if self.port == 0 {
            return Err(bad("port", "there is no port 0"));
        }
        check_name("database", &self.database)?;
        check_name("username", &self.username)?;
        if self.roles.is_empty() {
            return Err(bad("roles", "name at least one role that may be granted"));
        }
        self.roles.iter().try_for_each(|role| check_name("roles", role))?;
        if let Owned::GiveTo(role) = &self.owned {
            check_name("owned", role)?;
            if *role == self.username || self.roles.contains(role) || role.starts_with("pg_") {
                let problem = "give it to a role of its own: not to `username`, one of `roles`, or \
                    one of PostgreSQL's own";
                return Err(bad("owned", problem));
            }
        }
        if !(1..=1000).contains(&self.connection_limit) {
            return Err(bad("connection_limit", "between 1 and 1000 sessions at once"));
        }
        Ok(())
    }
}

impl Target {
    /// The roles to grant, where the rules name this one or none.
    pub(super) fn granted(&self, role: Option<&str>) -> Result<Vec<&str>, String> {
        let all = || self.roles.iter().map(String::as_str);
        match role {
            None => Ok(all().collect()),
            Some(role) if all().any(|one| one == role) => {
                Ok(all().filter(|one| *one == role).collect())
            }
            Some(role) => Err(format!("the rules name the role `{role}`, which it does not grant")),
        }
    }

    /// The password of the authority's own login.
    pub(super) fn password(&self) -> Result<Secret, String> {
        match &self.password {
            Password::Is(secret) => Ok(secret.clone()),
            Password::In(path) => in_file(path).map_err(|error| told(path, &error)),
        }
    }

    /// What a caller is given.
    pub(super) fn fields(&self, username: &Name, password: &Secret) -> Fields {
        let sslmode = if self.tls.is_some() { "verify-full" } else { "prefer" };
        let fields = [
            ("host", self.host.clone()),
            ("port", self.port.to_string()),
            ("database", self.database.clone()),
            ("username", username.to_string()),
            ("password", password.expose().to_owned()),
            ("sslmode", sslmode.to_owned()),
            ("url", self.url(username, password, sslmode)),
        ];
        fields.map(|(name, value)| (name, Secret::new(value))).into()
    }

    /// The same as one URL (PostgreSQL documentation, libpq, connection URIs). A socket's directory
    /// stands among the parameters.
    fn url(&self, username: &Name, password: &Secret, sslmode: &str) -> String {
        let (port, host, database) = (self.port, &self.host, encoded(&self.database));
        let who = format!("postgresql://{username}:{}@", password.expose());
        if host.starts_with('/') {
            return format!("{who}/{database}?host={}&port={port}", encoded(host));
        }
        let is_v6 = host.parse::<IpAddr>().is_ok_and(|ip| ip.is_ipv6());
        let host = if is_v6 { format!("[{host}]") } else { encoded(host) };
        format!("{who}{host}:{port}/{database}?sslmode={sslmode}")
    }
}

/// A name as PostgreSQL keeps it: at most 63 bytes, and none of them zero (documentation, 4.1.1).
fn check_name(field: &'static str, name: &str) -> Result<(), PostgresFault> {
    match (1..=63).contains(&name.len()) && !name.chars().any(char::is_control) {
        true => Ok(()),
        false => Err(bad(field, "a name has 1 to 63 bytes, and no control characters")),
    }
}

/// Whether what is sent there stays on this machine.
fn is_here(host: &str) -> bool {
    host.starts_with('/')
        || host == "localhost"
        || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn tls(path: &Path) -> Result<MakeRustlsConnect, PostgresFault> {
    let fault = |problem: &dyn std::fmt::Display| bad("ca_file", told(path, problem));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| fault(&e))? {
        roots.add(certificate.map_err(|e| fault(&e))?).map_err(|e| fault(&e))?;
    }
    if roots.is_empty() {
        return Err(fault(&"it holds no certificate"));
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| fault(&e))?;
    Ok(MakeRustlsConnect::new(config.with_root_certificates(roots).with_no_client_auth()))
}

/// The one line of a file.
fn in_file(path: &Path) -> Result<Secret, std::io::Error> {
    let text = zeroize::Zeroizing::new(std::fs::read_to_string(path)?);
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

fn told(path: &Path, problem: &dyn std::fmt::Display) -> String {
    format!("{}: {problem}", path.display())
}

/// As it can stand in any part of a URL (RFC 3986 section 2.1).
fn encoded(text: &str) -> String {
    let unreserved = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    let code = |b: u8| match unreserved(b) {
        true => char::from(b).to_string(),
        false => format!("%{b:02X}"),
    };
    text.bytes().map(code).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(host: &str) -> Target {
        let settings = PostgresSettings {
            host: host.to_owned(),
            port: 5433,
            database: "or ders".to_owned(),
            username: "assent".to_owned(),
            password_file: None,
            password_env: Some("P".to_owned()),
            ca_file: None,
            roles: vec!["reader".to_owned(), "writer".to_owned()],
            connection_limit: 1,
            owned: Owned::Drop,
        };
        settings.settled(&|_| Some(Secret::new("own".to_owned()))).unwrap()
    }

    #[track_caller]
    fn check_url(host: &str, wanted: &str) {
        let name = Name::of("crd_01JD5K3N7Q8R9S0T1V2W3X4Y5Z".parse().unwrap());
        let fields = target(host).fields(&name, &Secret::new("s3".to_owned()));
        assert_eq!(fields["url"].expose(), wanted);
        assert_eq!(fields["host"].expose(), host);
    }

    #[test]
    fn a_url_says_the_same_as_the_fields() {
        let user = "postgresql://assent_01jd5k3n7q8r9s0t1v2w3x4y5z:s3";
        let end = "or%20ders?sslmode=prefer";
        check_url("localhost", &format!("{user}@localhost:5433/{end}"));
        check_url("::1", &format!("{user}@[::1]:5433/{end}"));
        check_url("/run/pg", &format!("{user}@/or%20ders?host=%2Frun%2Fpg&port=5433"));
    }

    #[test]
    fn the_rules_name_one_of_its_roles_or_none() {
        let target = target("localhost");
        assert_eq!(target.granted(None).unwrap(), ["reader", "writer"]);
        assert_eq!(target.granted(Some("writer")).unwrap(), ["writer"]);
        assert!(target.granted(Some("postgres")).unwrap_err().contains("`postgres`"));
    }
}
