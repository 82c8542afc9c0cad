//! How channels are set up: by a file, read as strictly as a policy.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use assent_core::credential::Secret;
use assent_core::membership::{Approver, is_name_character};
use assent_core::policy::cidr::Cidr;
use serde::Deserialize;
use url::Url;

use super::email::{Address, Mailer, Relay, Wrapping};
use super::outside::Outside;
use super::{Addresses, Channels, Way, slack, teams, webhook};
use crate::settings::{self, SettingsError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    networks: Vec<String>,
    #[serde(default)]
    allow_loopback: bool,
    ca_file: Option<PathBuf>,
    slack: Option<SlackText>,
    email: Option<EmailText>,
    #[serde(default)]
    channels: BTreeMap<String, ChannelText>,
    #[serde(default)]
    people: BTreeMap<String, PersonText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlackText {
    token_file: PathBuf,
    url: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmailText {
    host: String,
    port: Option<u16>,
    #[serde(default)]
    tls: TlsText,
    username: Option<String>,
    password_file: Option<PathBuf>,
    from: String,
    ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TlsText {
    #[default]
    Starttls,
    Implicit,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ChannelText {
    Slack(SlackChannel),
    Teams(TeamsChannel),
    Webhook(WebhookChannel),
    Email(EmailChannel),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SlackChannel {
    channel: Option<String>,
    webhook_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TeamsChannel {
    webhook_file: PathBuf,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookChannel {
    url: String,
    secret_file: PathBuf,
    previous_secret_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EmailChannel {
    to: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonText {
    slack: Option<String>,
    email: Option<String>,
}

/// A settings file while it is read.
struct Reader<'a> {
    path: &'a Path,
    outside: Outside,
}

impl Channels {
    /// As a file says; files that it names are beside it, or where an absolute path leads.
    ///
    /// # Errors
    /// [`SettingsError`].
    pub fn read(path: &Path) -> Result<Self, SettingsError> {
        let document: Document = settings::read(path, "Channels")?;
        let Document { networks, allow_loopback, ca_file, slack, email, channels, people } =
            document;
        let parsed = networks.iter().map(|text| text.parse::<Cidr>());
        let networks = parsed.collect::<Result<_, _>>();
        let networks =
            networks.map_err(|error| SettingsError::at(path, "networks", error.to_string()))?;
        let authorities = ca_file.map(|file| certificates(path, &file)).transpose()?;
        let outside = Outside::new(networks, allow_loopback, &authorities.unwrap_or_default())
            .map_err(|problem| SettingsError::at(path, "ca_file", problem))?;
        let reader = Reader { path, outside };
        let slack = slack.map(|slack| reader.slack(&slack)).transpose()?;
        let email = email.map(|email| reader.email(email)).transpose()?;
        let (has_slack, has_email) = (slack.is_some(), email.is_some());
        let channels = channels.into_iter().map(|(name, channel)| {
            let field = format!("channels.{name}");
            if name.is_empty() || !name.chars().all(is_name_character) {
                let problem = "a name of letters, digits, `-`, `_`, `.` and `/`";
                return Err(reader.fault("channels", problem.to_owned()));
            }
            let way = reader.channel(&field, channel, (has_slack, has_email))?;
            Ok((name, way))
        });
        let channels = channels.collect::<Result<_, _>>()?;
        let people = people.into_iter().map(|(name, person)| {
            let field = format!("people.{name}");
            let parsed = format!("person:{name}").parse::<Approver>();
            let Ok(Approver::Person(who)) = parsed else {
                let problem = "a person: by name, or https://ISSUER#SUBJECT".to_owned();
                return Err(reader.fault(&field, problem));
            };
            let email = person.email.map(|email| reader.address(&format!("{field}.email"), &email));
            let slack = person.slack.map(|id| reader.slack_id(&format!("{field}.slack"), id));
            Ok((who, Addresses { slack: slack.transpose()?, email: email.transpose()? }))
        });
        let people = people.collect::<Result<_, _>>()?;
        Ok(Self { slack, email, channels, people })
    }
}

impl Reader<'_> {
    fn fault(&self, field: &str, problem: String) -> SettingsError {
        SettingsError::at(self.path, field, problem)
    }

    fn slack(&self, text: &SlackText) -> Result<slack::Workspace, SettingsError> {
        let url = text.url.as_deref().unwrap_or("https://slack.com/api");
        let api = self.url("slack.url", url)?;
        let token = self.secret(&text.token_file)?;
        Ok(slack::Workspace::new(self.outside.clone(), api, token))
    }

    fn email(&self, text: EmailText) -> Result<Mailer, SettingsError> {
        let EmailText { host, port, tls, username, password_file, from, ca_file } = text;
        let (wrapping, usual) = match tls {
            TlsText::Starttls => (Wrapping::StartTls, 587),
            TlsText::Implicit => (Wrapping::Implicit, 465),
        };
        let credentials = match (username, password_file) {
            (Some(name), Some(file)) => Some((name, self.secret(&file)?)),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => {
                let problem = "`username` and `password_file`, or neither".to_owned();
                return Err(self.fault("email", problem));
            }
        };
        let authorities = ca_file.map(|file| certificates(self.path, &file)).transpose()?;
        let relay = Relay {
            host,
            port: port.unwrap_or(usual),
            wrapping,
            credentials,
            authorities: authorities.unwrap_or_default(),
        };
        let from = self.address("email.from", &from)?;
        Mailer::new(relay, from).map_err(|problem| self.fault("email", problem))
    }

    fn channel(
        &self,
        field: &str,
        channel: ChannelText,
        (has_slack, has_email): (bool, bool),
    ) -> Result<Way, SettingsError> {
        let at = |problem: String| self.fault(field, problem);
        match channel {
            ChannelText::Slack(SlackChannel { channel: Some(id), webhook_file: None }) => {
                match has_slack {
                    true => self.slack_id(field, id).map(Way::Slack),
                    false => Err(at("a channel needs `slack` with a token".to_owned())),
                }
            }
            ChannelText::Slack(SlackChannel { channel: None, webhook_file: Some(file) }) => {
                let hook = slack::Hook::new(self.outside.clone(), self.secret(&file)?);
                hook.map(Way::SlackHook).map_err(at)
            }
            ChannelText::Slack(_) => Err(at("`channel` or `webhook_file`: one of them".to_owned())),
            ChannelText::Teams(TeamsChannel { webhook_file }) => {
                let hook = teams::Hook::new(self.outside.clone(), self.secret(&webhook_file)?);
                hook.map(Way::Teams).map_err(at)
            }
            ChannelText::Webhook(WebhookChannel { url, secret_file, previous_secret_file }) => {
                let mut secrets = vec![self.secret(&secret_file)?];
                secrets.extend(previous_secret_file.map(|file| self.secret(&file)).transpose()?);
                let url = self.url(&format!("{field}.webhook.url"), &url)?;
                let hook = webhook::Hook::new(self.outside.clone(), url, &secrets);
                hook.map(Way::Webhook).map_err(at)
            }
            ChannelText::Email(EmailChannel { to }) => match has_email {
                true => self.address(field, &to).map(Way::Email),
                false => Err(at("a channel by e-mail needs `email`".to_owned())),
            },
        }
    }

    fn url(&self, field: &str, text: &str) -> Result<Url, SettingsError> {
        let url = Url::parse(text).map_err(|error| self.fault(field, error.to_string()))?;
        self.outside.check(&url).map_err(|problem| self.fault(field, problem))?;
        Ok(url)
    }

    fn address(&self, field: &str, text: &str) -> Result<Address, SettingsError> {
        text.parse().map_err(|problem| self.fault(field, problem))
    }

    /// Ids only: a name can become somebody else's.
    fn slack_id(&self, field: &str, id: String) -> Result<String, SettingsError> {
        let fits = (2..=32).contains(&id.len())
            && id.starts_with(['C', 'G', 'D', 'U', 'W'])
            && id.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit());
        match fits {
            true => Ok(id),
            false => {
                let problem = "an id as Slack shows it, such as C0123456789 or U0123456789";
                Err(self.fault(field, problem.to_owned()))
            }
        }
    }

    fn secret(&self, file: &Path) -> Result<Secret, SettingsError> {
        let secret = settings::secret(self.path, file)?;
        let text = secret.expose();
        if text.is_empty() || text.chars().any(char::is_control) {
            return Err(SettingsError::Unreadable {
                path: settings::beside(self.path, file),
                source: std::io::Error::other("it holds no secret of one line"),
            });
        }
        Ok(secret)
    }
}

fn certificates(path: &Path, file: &Path) -> Result<Vec<u8>, SettingsError> {
    let path = settings::beside(path, file);
    std::fs::read(&path).map_err(|source| SettingsError::Unreadable { path, source })
}

#[cfg(test)]
mod tests {
    use assent_core::principal::PrincipalId;

    use super::*;
    use crate::notify::Person;

    const GOOD: &str = "\
apiVersion: assent/v1
kind: Channels
slack: {token_file: token}
email: {host: smtp.example.com, from: Assent <assent@example.com>, username: u, password_file: token}
channels:
  prod: {slack: {channel: C0123456789}}
  hook: {slack: {webhook_file: url}}
  ops: {teams: {webhook_file: url}}
  siem: {webhook: {url: https://siem.example.com/in, secret_file: secret}}
  list: {email: {to: release@example.com}}
people:
  bob: {slack: U0123456789, email: bob@example.com}
  https://id.example.com#8f3a: {email: carol@example.com}
";

    fn read(text: &str) -> Result<Channels, String> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("channels.yaml");
        std::fs::write(&file, text).unwrap();
        let write = |name: &str, text: &str| {
            crate::private::write(&folder.path().join(name), text.as_bytes()).unwrap();
        };
        write("token", "xoxb-canary\n");
        write("url", "https://hooks.example.com/canary\n");
        write("secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n");
        write("empty", "\n");
        Channels::read(&file).map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_is_read_whole() {
        let channels = read(GOOD).unwrap();
        let ways: Vec<_> = channels.ways().into_iter().map(|(name, _)| name).collect();
        let wanted = [
            "channel:hook",
            "channel:list",
            "channel:ops",
            "channel:prod",
            "channel:siem",
            "people:slack",
            "people:email",
        ];
        assert_eq!(ways, wanted);
        assert!(!format!("{channels:?}").contains("canary"));
    }

    #[test]
    fn t27_t66_what_is_wrong_is_told_with_its_place_and_without_secrets() {
        for (text, wanted) in [
            (GOOD.replace("kind: Channels", "kind: Brokers"), "kind"),
            (format!("{GOOD}color: red\n"), "color"),
            (GOOD.replace("C0123456789", "prod"), "channels.prod"),
            (GOOD.replace("U0123456789", "bob"), "people.bob.slack"),
            (GOOD.replace("bob@example.com", "bob"), "people.bob.email"),
            (GOOD.replace("  prod:", "  \"a b\":"), "channels"),
            (GOOD.replace("https://siem.example.com", "http://siem.example.com"), "webhook.url"),
            (GOOD.replace("siem.example.com", "169.254.169.254"), "webhook.url"),
            (GOOD.replace("siem.example.com", "user@siem.example.com"), "webhook.url"),
            (GOOD.replace("secret_file: secret", "secret_file: token"), "channels.siem"),
            (GOOD.replace("secret_file: secret", "secret_file: none"), "none"),
            (GOOD.replace("secret_file: secret", "secret_file: empty"), "empty"),
            (GOOD.replace("slack: {token_file: token}\n", ""), "channels.prod"),
            (GOOD.replace(", password_file: token", ""), "email"),
            (GOOD.replace("{channel: C0123456789}", "{}"), "channels.prod"),
            (GOOD.replace("{slack: {channel: C0123456789}}", "{pigeon: {}}"), "channels.prod"),
            (format!("{GOOD}networks: [ten]\n"), "networks"),
        ] {
            let told = read(&text).unwrap_err();
            assert!(told.contains(wanted) && !told.contains("canary"), "{wanted}: {told}");
        }
    }

    #[test]
    fn t66_an_address_of_the_settings_comes_before_what_a_provider_says() {
        let channels = read(GOOD).unwrap();
        let mail_of = |sub: &str, mail: Option<&str>| {
            let id = PrincipalId::new("https://id.example.com", sub).unwrap();
            let who = Person { known_as: [id].into(), mail: mail.map(str::to_owned) };
            channels.email_of(&who).map(std::borrow::Cow::into_owned)
        };
        let address = |text: &str| Some(text.parse::<Address>().unwrap());
        let said = Some("said@corp.example");
        assert_eq!(mail_of("8f3a", said), address("carol@example.com"));
        assert_eq!(mail_of("other", said), address("said@corp.example"));
        assert_eq!(mail_of("other", None), None);
        for odd in
            ["Eve <eve@evil.example>", "a@b.example, c@d.example", "a@b.example\r\nBcc: c", ""]
        {
            assert_eq!(mail_of("other", Some(odd)), None, "{odd}");
        }
    }

    #[test]
    fn a_network_that_is_listed_may_be_reached() {
        let text = GOOD.replace("siem.example.com", "10.1.2.3");
        assert!(read(&text).is_err());
        assert!(read(&format!("{text}networks: [10.0.0.0/8]\n")).is_ok());
    }
}
