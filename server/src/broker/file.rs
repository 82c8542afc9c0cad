//! The file of brokers: strict YAML, and secrets only by where they stand.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use assent_core::credential::Secret;
use assent_core::policy::document::{Fault, strict_yaml};
use serde::Deserialize;

use super::postgres::{Postgres, PostgresSettings};
use super::{Broker, Brokers};

/// Why the brokers of a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BrokersError {
    /// The file, or one that it names.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is no YAML as we read it.
    #[error(transparent)]
    Yaml(#[from] Fault),
    /// It does not say what a file of brokers says.
    #[error("{}: {field}: {problem}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Which part of it.
        field: String,
        /// What is wrong.
        problem: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    api_version: ApiVersion,
    kind: Kind,
    brokers: BTreeMap<String, Settings>,
}

#[derive(Deserialize)]
enum ApiVersion {
    #[serde(rename = "assent/v1")]
    V1,
}

#[derive(Deserialize)]
enum Kind {
    Brokers,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Settings {
    Postgres(PostgresSettings),
}

impl Brokers {
    /// The brokers of this file. What it says of environment variables, `variable` knows.
    ///
    /// # Errors
    /// [`BrokersError`], which never holds a secret.
    pub fn read(
        path: &Path,
        variable: &dyn Fn(&str) -> Option<Secret>,
    ) -> Result<Self, BrokersError> {
        let unreadable = |source| BrokersError::Unreadable { path: path.to_owned(), source };
        let field = |field: String, problem: String| BrokersError::Field {
            path: path.to_owned(),
            field,
            problem,
        };
        let text = std::fs::read_to_string(path).map_err(unreadable)?;
        let json = strict_yaml(&path.display().to_string(), &text)?;
        let document: Document = serde_path_to_error::deserialize(json)
            .map_err(|error| field(error.path().to_string(), error.inner().to_string()))?;
        let Document { api_version: ApiVersion::V1, kind: Kind::Brokers, brokers } = document;
        let mut all: BTreeMap<String, Arc<dyn Broker>> = BTreeMap::new();
        for (name, settings) in brokers {
            let place = format!("brokers.{name}");
            if !is_name(&name) {
                let problem = "name a broker in 1 to 63 of a-z, 0-9, `-`, `_` and `.`";
                return Err(field(place, problem.to_owned()));
            }
            let broker: Arc<dyn Broker> = match settings {
                Settings::Postgres(settings) => Arc::new(
                    Postgres::new(settings, variable)
                        .map_err(|problem| field(place, problem.to_string()))?,
                ),
            };
            all.insert(name, broker);
        }
        Ok(Self::new(all))
    }
}

fn is_name(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_.".contains(c);
    (1..=63).contains(&name.len()) && name.chars().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
apiVersion: assent/v1
kind: Brokers
brokers:
  orders-db:
    type: postgres
    host: 127.0.0.1
    port: 5433
    database: orders
    username: assent
    password_env: ORDERS_PASSWORD
    roles: [orders_reader]
";

    fn read(text: &str) -> Result<Brokers, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("brokers.yaml");
        std::fs::write(&file, text).unwrap();
        let variable =
            |name: &str| (name == "ORDERS_PASSWORD").then(|| Secret::new("canary".to_owned()));
        Brokers::read(&file, &variable).map_err(|error| error.to_string())
    }

    #[track_caller]
    fn refuses(from: &str, to: &str, wanted: &str) {
        assert!(GOOD.contains(from), "{from}");
        let told = read(&GOOD.replace(from, to)).unwrap_err();
        assert!(told.contains(wanted) && !told.contains("canary"), "{told}");
    }

    #[test]
    fn a_file_of_brokers_is_read() {
        let brokers = read(GOOD).unwrap();
        assert_eq!(brokers.names().collect::<Vec<_>>(), ["orders-db"]);
        assert!(brokers.get("orders-db").unwrap().check(Some("orders_reader")).is_ok());
        assert!(!format!("{brokers:?}").contains("canary"));
    }

    #[test]
    fn what_is_not_meant_is_told_with_its_place() {
        refuses("assent/v1", "assent/v2", "apiVersion");
        refuses("kind: Brokers", "kind: Policy", "kind");
        refuses("orders-db:", "Orders DB:", "brokers.Orders DB: name a broker");
        refuses("type: postgres", "type: oracle", "oracle");
        refuses("host: 127.0.0.1", "host: 127.0.0.1\n    colour: red", "colour");
        refuses("host: 127.0.0.1", "host: db.example.com", "ca_file");
        refuses("host: 127.0.0.1", "host: ''", "host");
        refuses("port: 5433", "port: 0", "port");
        refuses("port: 5433", "port: 99999", "brokers");
        refuses("database: orders", "database: ''", "database");
        refuses("roles: [orders_reader]", "roles: []", "roles");
        refuses("ORDERS_PASSWORD", "NOT_THERE", "NOT_THERE");
        refuses("password_env: ORDERS_PASSWORD", "password: hunter2", "password");
        refuses("    password_env: ORDERS_PASSWORD\n", "", "password_file");
        refuses(
            "password_env: ORDERS_PASSWORD",
            "password_env: ORDERS_PASSWORD\n    password_file: /x",
            "password_file",
        );
        refuses("roles: [", "connection_limit: 0\n    roles: [", "connection_limit");
        refuses("roles: [", "ca_file: /not/there.pem\n    roles: [", "/not/there.pem");
        refuses("roles: [", "owned: {give: x}\n    roles: [", "give_to");
        refuses("roles: [", "owned: keep\n    roles: [", "write `owned: drop`");
        refuses("roles: [", "owned: {give_to: assent}\n    roles: [", "`owned`: give it to a role");
        refuses("roles: [", "owned: keep\n    roles: [", "write `owned: drop`");
        refuses("roles: [", "owned: {give_to: assent}\n    roles: [", "`owned`: give it to a role");
    }
}
