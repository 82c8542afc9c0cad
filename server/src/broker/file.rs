//! The file of brokers: strict YAML, and secrets only by where they stand.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;

use assent_core::credential::Secret;
use serde::Deserialize;

use super::aws::{Aws, AwsSettings};
use super::github::{Github, GithubSettings};
use super::postgres::{Postgres, PostgresSettings};
use super::{Broker, Brokers};
use crate::settings::{self, SettingsError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    brokers: BTreeMap<String, Settings>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Settings {
    Aws(Box<AwsSettings>),
    Github(Box<GithubSettings>),
    Postgres(Box<PostgresSettings>),
}

impl Settings {
    /// The broker that is set up like this, or what is wrong with that.
    fn broker(self, variable: &dyn Fn(&str) -> Option<Secret>) -> Result<Arc<dyn Broker>, String> {
        fn shared<B: Broker + 'static, F: Display>(
            made: Result<B, F>,
        ) -> Result<Arc<dyn Broker>, String> {
            made.map(|broker| Arc::new(broker) as Arc<dyn Broker>)
                .map_err(|fault| fault.to_string())
        }
        match self {
            Self::Aws(settings) => shared(Aws::new(*settings)),
            Self::Github(settings) => shared(Github::new(*settings, variable)),
            Self::Postgres(settings) => shared(Postgres::new(*settings, variable)),
        }
    }
}

impl Brokers {
    /// The brokers of this file. What it says of environment variables, `variable` knows.
    ///
    /// # Errors
    /// [`SettingsError`], which never holds a secret.
    pub fn read(
        path: &Path,
        variable: &dyn Fn(&str) -> Option<Secret>,
    ) -> Result<Self, SettingsError> {
        let Document { brokers } = settings::read(path, "Brokers")?;
        let mut all: BTreeMap<String, Arc<dyn Broker>> = BTreeMap::new();
        for (name, settings) in brokers {
            let place = format!("brokers.{name}");
            if !is_name(&name) {
                let problem = "name a broker in 1 to 63 of a-z, 0-9, `-`, `_` and `.`";
                return Err(SettingsError::at(path, place, problem));
            }
            let broker = settings.broker(variable);
            let broker = broker.map_err(|problem| SettingsError::at(path, place, problem))?;
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
    use assent_core::intent::UnverifiedIntent;
    use aws_lc_rs::encoding::AsDer as _;
    use base64::Engine as _;

    use super::*;
    use crate::broker::Sought;

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

    const AWS: &str = "
apiVersion: assent/v1
kind: Brokers
brokers:
  aws:
    type: aws
    region: eu-central-1
    endpoint: http://127.0.0.1:4
    roles:
      deploy: {arn: arn:aws:iam::123456789012:role/deploy}
      bucket:
        arn: arn:aws:iam::123456789012:role/deploy
        policy: {'Version': '2012-10-17', 'Statement': [{'Effect': 'Allow', 'Action': 's3:*',
          'Resource': 'arn:aws:s3:::{{target.bucket}}/*'}]}
";

    const GITHUB: &str = "
apiVersion: assent/v1
kind: Brokers
brokers:
  github:
    type: github
    app: Iv23liAbCdEf
    installation: 7
    private_key_file: APP.PEM
    roles:
      deploy: {repositories: [11, 12], permissions: {contents: read}}
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
        assert!(check(&brokers, "orders-db", Some("orders_reader")).is_ok());
        assert!(!format!("{brokers:?}").contains("canary"));
    }

    fn check(brokers: &Brokers, name: &str, role: Option<&str>) -> Result<(), String> {
        let intent = UnverifiedIntent {
            kind: "aws.deploy".to_owned(),
            environment: "production".to_owned(),
            reason: "ship it".to_owned(),
            ..UnverifiedIntent::default()
        };
        let intent = intent.verify().unwrap();
        brokers.get(name).unwrap().check(&Sought { role, intent: &intent })
    }

    #[test]
    fn sessions_of_aws_are_set_up_strictly() {
        let brokers = read(AWS).unwrap();
        assert!(check(&brokers, "aws", Some("deploy")).is_ok());
        assert!(check(&brokers, "aws", Some("admin")).unwrap_err().contains("`admin`"));
        assert!(check(&brokers, "aws", None).unwrap_err().contains("the rules name none"));
        let told = check(&brokers, "aws", Some("bucket")).unwrap_err();
        assert!(told.contains("`target.bucket`"), "{told}");
        for (from, to, wanted) in [
            ("region: eu-central-1", "region: ''", "`region`"),
            ("region: eu-central-1", "region: EU", "`region`"),
            (
                "endpoint: http://127.0.0.1:4",
                "endpoint: http://sts.example.com",
                "`endpoint`: https",
            ),
            ("endpoint: http://127.0.0.1:4", "endpoint: sts", "`endpoint`"),
            ("endpoint: http://127.0.0.1:4", "audience: ''", "`audience`"),
            ("endpoint: http://127.0.0.1:4", "ca_file: /not/there.pem", "/not/there.pem"),
            ("endpoint: http://127.0.0.1:4", "access_key_id: AKIA1", "access_key_id"),
            ("role/deploy}", "user/deploy}", "`roles.deploy.arn`"),
            (
                "role/deploy}",
                "role/deploy, max_session: 5m}",
                "`roles.deploy.max_session`: from 15m",
            ),
            ("role/deploy}", "role/deploy, max_session: 13h}", "`roles.deploy.max_session`"),
            ("role/deploy}", "role/deploy, max_session: long}", "`roles.deploy.max_session`"),
            ("role/deploy}", "role/deploy, policy_arns: [x]}", "`roles.deploy.policy_arns`"),
            ("role/deploy}", "role/deploy, policy_file: /not/there}", "/not/there"),
            ("role/deploy}", "role/deploy, chaining: maybe}", "maybe"),
            ("{{target.bucket}}", "{{target}}", "`roles.bucket.policy`: nothing fills"),
            ("policy: {", "policy_file: /x\n        policy: {", "say it once"),
        ] {
            assert!(AWS.contains(from), "{from}");
            let told = read(&AWS.replace(from, to)).unwrap_err();
            assert!(told.contains(wanted), "{to}: {told}");
        }
        let none = AWS.split("      deploy:").next().unwrap().replace("roles:", "roles: {}");
        assert!(read(&none).unwrap_err().contains("`roles`"));
    }

    /// A private key as GitHub gives it: PKCS #1, as PEM.
    fn app_key() -> String {
        let key = aws_lc_rs::rsa::KeyPair::generate(aws_lc_rs::rsa::KeySize::Rsa2048).unwrap();
        let pkcs8: aws_lc_rs::encoding::Pkcs8V1Der<'_> = key.as_der().unwrap();
        // What stands around a PKCS #1 key of this size in PKCS #8 has 26 bytes.
        let encoded = base64::engine::general_purpose::STANDARD.encode(&pkcs8.as_ref()[26..]);
        let lines: Vec<_> = encoded.as_bytes().chunks(64).map(String::from_utf8_lossy).collect();
        let kind = "RSA PRIVATE KEY";
        format!("-----BEGIN {kind}-----\n{}\n-----END {kind}-----\n", lines.join("\n"))
    }

    #[test]
    fn tokens_of_github_are_set_up_strictly() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.pem");
        crate::private::write(&file, app_key().as_bytes()).unwrap();
        let good = GITHUB.replace("APP.PEM", &file.display().to_string());
        let brokers = read(&good).unwrap();
        assert!(check(&brokers, "github", None).is_ok());
        assert!(check(&brokers, "github", Some("admin")).unwrap_err().contains("`admin`"));
        assert!(!format!("{brokers:?}").contains("PRIVATE"));
        let key = format!("private_key_file: {}", file.display());
        let readable = folder.path().join("readable.pem");
        std::fs::write(&readable, app_key()).unwrap();
        #[cfg(unix)]
        std::fs::set_permissions(&readable, std::os::unix::fs::PermissionsExt::from_mode(0o644))
            .unwrap();
        let readable = format!("private_key_file: {}", readable.display());
        for (from, to, wanted) in [
            ("app: Iv23liAbCdEf", "app: ''", "`app`"),
            ("app: Iv23liAbCdEf", "app: 'a b'", "`app`"),
            ("installation: 7", "installation: 0", "`installation`"),
            ("installation: 7", "installation: -1", "integer `-1`"),
            (key.as_str(), "", "`private_key_file`: say where"),
            (key.as_str(), readable.as_str(), "chmod 600"),
            (key.as_str(), "private_key_file: /not/there.pem", "/not/there.pem"),
            (key.as_str(), "private_key_env: NOT_THERE", "NOT_THERE"),
            // What is there is no key, and is not repeated.
            (key.as_str(), "private_key_env: ORDERS_PASSWORD", "no RSA private key"),
            ("[11, 12]", "[]", "`roles.deploy.repositories`"),
            ("[11, 12]", "[0]", "`roles.deploy.repositories`"),
            ("[11, 12]", "[acme/orders]", "repositories"),
            ("[11, 12]", "every", "repositories"),
            ("{contents: read}", "{}", "`roles.deploy.permissions`"),
            ("{contents: read}", "{Contents: read}", "`roles.deploy.permissions`"),
            ("{contents: read}", "{contents: all}", "all"),
            (
                "app: Iv23liAbCdEf",
                "app: a\n    api_url: http://ghes.example.com",
                "`api_url`: https",
            ),
            ("app: Iv23liAbCdEf", "app: a\n    api_url: 'https://u:canary@x'", "`api_url`"),
            ("app: Iv23liAbCdEf", "app: a\n    token: ghp_1", "token"),
        ] {
            assert!(good.contains(from), "{from}");
            let told = read(&good.replace(from, to)).unwrap_err();
            assert!(told.contains(wanted) && !told.contains("canary"), "{to}: {told}");
        }
        assert!(read(&good.replace("[11, 12]", "all")).is_ok());
    }

    #[test]
    fn what_is_not_meant_is_told_with_its_place() {
        refuses("assent/v1", "assent/v2", "apiVersion");
        refuses("kind: Brokers", "kind: Policy", "kind");
        refuses("orders-db:", "Orders DB:", "`brokers.Orders DB`: name a broker");
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
    }
}
