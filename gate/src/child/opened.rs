//! What a broker opened, as the programs that use it look for it. Which variables are set is decided
//! here and nowhere else: what the authority answers names fields, never variables of a command.

use std::collections::BTreeMap;

type Fields = BTreeMap<String, String>;

/// PostgreSQL's own programs (PostgreSQL documentation, libpq, environment variables).
const LIBPQ: &[(&str, &str)] = &[
    ("host", "PGHOST"),
    ("port", "PGPORT"),
    ("database", "PGDATABASE"),
    ("username", "PGUSER"),
    ("password", "PGPASSWORD"),
    ("sslmode", "PGSSLMODE"),
];

/// AWS's command line and SDKs (AWS SDKs and Tools Reference Guide, environment variables).
const AWS: &[(&str, &str)] = &[
    ("access_key_id", "AWS_ACCESS_KEY_ID"),
    ("secret_access_key", "AWS_SECRET_ACCESS_KEY"),
    ("session_token", "AWS_SESSION_TOKEN"),
    ("expires_at", "AWS_CREDENTIAL_EXPIRATION"),
    ("region", "AWS_REGION"),
    ("region", "AWS_DEFAULT_REGION"),
];

/// What would let some of them take other credentials than those.
const OTHER_AWS: &[&str] = &[
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_SECURITY_TOKEN",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
];

/// `gh` and actions, for github.com and GitHub Enterprise Cloud (`gh help environment`).
const GITHUB: &[(&str, &str)] = &[("token", "GH_TOKEN"), ("token", "GITHUB_TOKEN")];

/// The same, for a GitHub Enterprise Server.
const GITHUB_SERVER: &[(&str, &str)] =
    &[("token", "GH_ENTERPRISE_TOKEN"), ("token", "GITHUB_ENTERPRISE_TOKEN"), ("host", "GH_HOST")];

/// What would let `gh` take another token, or go elsewhere.
const OTHER_GITHUB: &[&str] =
    &["GH_HOST", "GH_TOKEN", "GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN", "GITHUB_ENTERPRISE_TOKEN"];

/// What a broker opens, as far as programs look for it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Postgres,
    Aws,
    Github,
    GithubServer,
    Other,
}

impl Kind {
    fn of(fields: &Fields) -> Self {
        let has = |all: &[&str]| all.iter().all(|name| fields.contains_key(*name));
        let host = fields.get("host").map(String::as_str).unwrap_or_default();
        if fields.get("url").is_some_and(|url| url.starts_with("postgresql://")) {
            Self::Postgres
        } else if has(&["access_key_id", "secret_access_key", "session_token"]) {
            Self::Aws
        } else if has(&["installation", "token", "host"]) {
            let cloud = host == "github.com" || host.ends_with(".ghe.com");
            if cloud { Self::Github } else { Self::GithubServer }
        } else {
            Self::Other
        }
    }
}

/// What the command finds: each field under its name, and as the programs look for it that use what
/// it is.
pub(super) fn variables(fields: &Fields) -> BTreeMap<String, String> {
    let own = fields.iter().map(|(name, value)| {
        (format!("ASSENT_FIELD_{}", name.to_ascii_uppercase()), value.clone())
    });
    let known = match Kind::of(fields) {
        Kind::Postgres => LIBPQ,
        Kind::Aws => AWS,
        Kind::Github => GITHUB,
        Kind::GithubServer => GITHUB_SERVER,
        Kind::Other => &[],
    };
    let known = known.iter().filter_map(|(field, variable)| {
        fields.get(*field).map(|value| ((*variable).to_owned(), value.clone()))
    });
    let elsewhere = fields.get("host").filter(|host| host.ends_with(".ghe.com"));
    let elsewhere = elsewhere.filter(|_| Kind::of(fields) == Kind::Github);
    let elsewhere = elsewhere.map(|host| ("GH_HOST".to_owned(), host.clone()));
    own.chain(known).chain(elsewhere).collect()
}

/// What the command does not find any more: whoever started it may be somebody else there.
pub(super) fn hidden(fields: &Fields) -> &'static [&'static str] {
    match Kind::of(fields) {
        Kind::Aws => OTHER_AWS,
        Kind::Github | Kind::GithubServer => OTHER_GITHUB,
        Kind::Postgres | Kind::Other => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The variables of these fields that are not each field's own.
    fn known(fields: &[(&str, &str)]) -> String {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let fields = fields.collect();
        let all = variables(&fields);
        let own = all.keys().filter(|name| name.starts_with("ASSENT_FIELD_")).count();
        assert_eq!(own, fields.len());
        let rest = all.iter().filter(|(name, _)| !name.starts_with("ASSENT_FIELD_"));
        rest.map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_login_is_found_by_psql() {
        let fields = |url| [("password", "s3"), ("port", "5432"), ("url", url)];
        assert_eq!(known(&fields("postgresql://host/orders")), "PGPASSWORD=s3 PGPORT=5432");
        assert_eq!(known(&fields("https://elsewhere")), "");
        assert_eq!(known(&[]), "");
    }

    #[test]
    fn a_session_is_found_by_aws() {
        let fields = [
            ("access_key_id", "ASIA1"),
            ("secret_access_key", "s3"),
            ("session_token", "t"),
            ("region", "eu-central-1"),
            ("expires_at", "2027-01-15T08:00:00.000Z"),
            ("assumed_role_arn", "arn"),
        ];
        assert_eq!(
            known(&fields),
            "AWS_ACCESS_KEY_ID=ASIA1 AWS_CREDENTIAL_EXPIRATION=2027-01-15T08:00:00.000Z \
             AWS_DEFAULT_REGION=eu-central-1 AWS_REGION=eu-central-1 AWS_SECRET_ACCESS_KEY=s3 \
             AWS_SESSION_TOKEN=t"
        );
        assert_eq!(known(&fields[..2]), "");
    }

    #[test]
    fn a_token_is_found_by_gh_and_goes_to_its_own_host_alone() {
        let fields = |host| [("token", "ghs_1"), ("host", host), ("installation", "7")];
        assert_eq!(known(&fields("github.com")), "GH_TOKEN=ghs_1 GITHUB_TOKEN=ghs_1");
        assert_eq!(
            known(&fields("octo.ghe.com")),
            "GH_HOST=octo.ghe.com GH_TOKEN=ghs_1 GITHUB_TOKEN=ghs_1"
        );
        assert_eq!(
            known(&fields("ghes.example.com")),
            "GH_ENTERPRISE_TOKEN=ghs_1 GH_HOST=ghes.example.com GITHUB_ENTERPRISE_TOKEN=ghs_1"
        );
        assert_eq!(known(&fields("github.com")[..1]), "");
    }
}
