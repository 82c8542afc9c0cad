//! E-mail by SMTP: a text and a page of the same, over TLS or not at all.
//!
//! What strangers wrote is one line each, and encoded by whatever makes the headers: nothing of it
//! becomes a header or a tag.

use std::time::Duration;

use assent_core::credential::Secret;
use assent_core::digest::Digest;
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

use super::NotTold;
use super::message::{Message, title};
use crate::broker::outside::said;

/// How long one step of a delivery may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// And all of it.
const ALL_PATIENCE: Duration = Duration::from_secs(30);

/// Somebody's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Address(Mailbox);

impl Address {
    /// An address alone, as a provider tells it: without a name, and one only.
    pub(super) fn bare(text: &str) -> Option<Self> {
        let address = text.parse::<lettre::Address>().ok()?;
        Some(Self(Mailbox::new(None, address)))
    }
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mailbox = text.parse::<Mailbox>().map_err(|error| error.to_string());
        mailbox.map(Self)
    }
}

/// Over what a server is reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrapping {
    /// STARTTLS, which must be there.
    StartTls,
    /// TLS from the first byte on.
    Implicit,
}

/// Where mails are handed in.
#[derive(Debug)]
pub(super) struct Relay {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) wrapping: Wrapping,
    pub(super) credentials: Option<(String, Secret)>,
    /// Believed beside the system's (PEM).
    pub(super) authorities: Vec<u8>,
}

/// Hands mails in.
#[derive(Debug)]
pub(super) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// What stands behind the `@` of a message's id.
    domain: String,
}

impl Mailer {
    pub(super) fn new(relay: Relay, from: Address) -> Result<Self, String> {
        let Relay { host, port, wrapping, credentials, authorities } = relay;
        let told = |error: lettre::transport::smtp::Error| error.to_string();
        let mut tls = TlsParameters::builder(host.clone());
        if !authorities.is_empty() {
            for certificate in certificates(&authorities)? {
                tls = tls.add_root_certificate(certificate);
            }
        }
        let tls = tls.build().map_err(told)?;
        let tls = match wrapping {
            Wrapping::StartTls => Tls::Required(tls),
            Wrapping::Implicit => Tls::Wrapper(tls),
        };
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(port)
            .timeout(Some(PATIENCE))
            .tls(tls);
        let builder = match credentials {
            Some((name, password)) => {
                builder.credentials(Credentials::new(name, password.expose().to_owned()))
            }
            None => builder,
        };
        let domain = from.0.email.domain().to_owned();
        Ok(Self { transport: builder.build(), from: from.0, domain })
    }

    /// Hands one mail in.
    pub(super) async fn tell(&self, to: &Address, messages: &[Message]) -> Result<(), NotTold> {
        let id = match messages {
            [one] => one.id.clone(),
            several => {
                let ids: Vec<_> = several.iter().map(|one| one.id.as_bytes()).collect();
                Digest::of_parts(&ids).hex()
            }
        };
        let mail = lettre::Message::builder()
            .from(self.from.clone())
            .to(to.0.clone())
            .subject(one_line(&title(messages)))
            .message_id(Some(format!("<{id}@{}>", self.domain)))
            // Out-of-office programs leave alone what says this (RFC 3834 section 5).
            .header(Automatic)
            .multipart(MultiPart::alternative_plain_html(text(messages), html(messages)));
        let mail = mail.map_err(|error| NotTold::never(error.to_string()))?;
        let sending = tokio::time::timeout(ALL_PATIENCE, self.transport.send(mail)).await;
        let sent = sending.map_err(|_| NotTold::away("the mail server says nothing", None))?;
        sent.map(drop).map_err(|error| refused(&error))
    }
}

/// A message that no person sent.
#[derive(Clone, Debug)]
struct Automatic;

impl lettre::message::header::Header for Automatic {
    fn name() -> lettre::message::header::HeaderName {
        lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> lettre::message::header::HeaderValue {
        let name = <Self as lettre::message::header::Header>::name();
        lettre::message::header::HeaderValue::new(name, "auto-generated".to_owned())
    }
}

fn certificates(pem: &[u8]) -> Result<Vec<Certificate>, String> {
    let text = std::str::from_utf8(pem).map_err(|_| "it is no PEM".to_owned())?;
    let mut all = Vec::new();
    for block in text.split_inclusive("-----END CERTIFICATE-----") {
        if let Some((_, body)) = block.split_once("-----BEGIN CERTIFICATE-----") {
            let pem = format!("-----BEGIN CERTIFICATE-----{body}\n");
            all.push(Certificate::from_pem(pem.as_bytes()).map_err(|error| error.to_string())?);
        }
    }
    match all.is_empty() {
        true => Err("it holds no certificate".to_owned()),
        false => Ok(all),
    }
}

/// What follows from an answer (RFC 5321 section 4.2.1): 4yz comes again later, 5yz never is taken.
/// Only what is said of the recipient or of the mail is of this one mail.
fn refused(error: &lettre::transport::smtp::Error) -> NotTold {
    let problem = format!("mail server: {}", said(&with_cause(error)));
    let code = error.status().map(u16::from);
    match code {
        // Not now: a service that goes away, too many at once, no way in.
        Some(421 | 454 | 530 | 534 | 535 | 538) => NotTold::away(problem, None),
        Some(400..=499) => NotTold::later(problem),
        Some(500..=599) => NotTold::never(problem),
        Some(_) | None => NotTold::away(problem, None),
    }
}

fn with_cause(error: &lettre::transport::smtp::Error) -> String {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}"));
    let told = error.to_string();
    match cause {
        Some(cause) if !told.contains(cause.trim_start_matches(": ")) => format!("{told}{cause}"),
        Some(_) | None => told,
    }
}

fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(200).collect()
}

fn text(messages: &[Message]) -> String {
    let mut text = String::new();
    for message in messages {
        text.push_str(&format!("{}\n{}\n\n", message.headline, message.sentence));
        for (name, value) in &message.facts {
            text.push_str(&format!("{name}: {value}\n"));
        }
        text.push_str(&format!("\n{}\n\n", message.link));
    }
    text.push_str("Decide on the page: an answer to this mail is read by nobody.\n");
    text
}

fn html(messages: &[Message]) -> String {
    let mut body = String::new();
    for message in messages {
        body.push_str(&format!(
            "<h2>{}</h2>\n<p>{}</p>\n<table>\n",
            escaped(&message.headline),
            escaped(&message.sentence)
        ));
        for (name, value) in &message.facts {
            let (name, value) = (escaped(name), escaped(value));
            body.push_str(&format!(
                "<tr><th align=\"left\" valign=\"top\">{name}</th><td>{value}</td></tr>\n"
            ));
        }
        let link = escaped(&message.link);
        body.push_str(&format!("</table>\n<p><a href=\"{link}\">Open in Assent</a></p>\n"));
    }
    body.push_str("<p>Decide on the page: an answer to this mail is read by nobody.</p>\n");
    format!("<!doctype html>\n<html lang=\"en\"><body>\n{body}</body></html>\n")
}

/// Text in a page.
fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t36_what_strangers_write_is_neither_a_header_nor_a_tag() {
        let evil = "<img src=x onerror=alert(1)> \"'&";
        let message = Message {
            id: "ntc_1".to_owned(),
            request: "req_1".to_owned(),
            headline: "Approval wanted".to_owned(),
            sentence: evil.to_owned(),
            facts: vec![("Reason", evil.to_owned())],
            link: "https://assent.example/requests/req_1".to_owned(),
            event: serde_json::Value::Null,
        };
        let page = html(std::slice::from_ref(&message));
        assert!(!page.contains("<img") && page.contains("&lt;img src=x"), "{page}");
        assert!(text(&[message]).contains(evil), "a text is a text");
        assert_eq!(one_line("a\r\nBcc: b@example.com"), "a  Bcc: b@example.com");
    }

    #[test]
    fn an_address_is_one_mailbox() {
        for good in ["bob@example.com", "Bob B <bob@example.com>"] {
            assert!(good.parse::<Address>().is_ok(), "{good}");
        }
        for bad in ["", "bob", "bob@example.com, eve@example.com", "bob@example.com\r\nBcc: e@x.y"]
        {
            assert!(bad.parse::<Address>().is_err(), "{bad:?}");
        }
    }
}
