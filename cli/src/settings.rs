//! What was typed, the environment and the saved login together: what it all means.

mod environment;
mod filing;
mod saved;

use std::path::Path;

use assent_client::{Client, Roots, Secret, Settings};
use url::Url;

pub(crate) use environment::{Environment, secret_variable};
pub(crate) use filing::{filing, targets};
pub(crate) use saved::Login;

use crate::args::ServerArgs;
use crate::failure::Failure;

/// What calls, in every call's `User-Agent`.
const USER_AGENT: &str = concat!("assent/", env!("CARGO_PKG_VERSION"));

/// Which server, and as whom.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) url: Url,
    pub(crate) token: Option<Secret>,
}

impl Server {
    /// What was typed counts first, then the saved login. The saved token is for the saved server
    /// alone: another server never sees it.
    pub(crate) fn settle(args: &ServerArgs, environment: &Environment) -> Result<Self, Failure> {
        let typed = Self::typed(args)?;
        if let Some(Self { token: Some(_), .. }) = &typed {
            return typed.ok_or_else(no_server);
        }
        let saved = Login::load(&environment.login_file()?)?;
        match (typed, saved) {
            (Some(typed), Some(saved)) if typed.url == saved.url => Ok(saved.into()),
            (Some(typed), _) => Ok(typed),
            (None, Some(saved)) => {
                let Self { url, token } = saved.into();
                Ok(Self { url, token: typed_token(args).or(token) })
            }
            (None, None) => Err(no_server()),
        }
    }

    /// Only what was typed or stands in the environment.
    pub(crate) fn typed(args: &ServerArgs) -> Result<Option<Self>, Failure> {
        let Some(text) = args.server.as_deref().filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        // What was typed is not quoted: a token pasted in the wrong place would end in a log.
        let url = text.parse().map_err(|e| {
            Failure::usage("the server is not named by a URL")
                .because(e)
                .hint("write the whole URL, such as https://assent.example.com")
        })?;
        Ok(Some(Self { url, token: typed_token(args) }))
    }

    /// A client for it; nothing is sent yet.
    pub(crate) fn client(self, args: &ServerArgs) -> Result<Client, Failure> {
        let roots = args.ca_bundle.as_deref().filter(|path| !path.as_os_str().is_empty());
        let roots = roots.map(read_roots).transpose()?.unwrap_or_default();
        let settings = Settings::new(self.url, USER_AGENT).with_token(self.token);
        Ok(Client::new(Settings { roots, ..settings })?)
    }
}

impl From<Login> for Server {
    fn from(login: Login) -> Self {
        Self { url: login.url, token: Some(login.token) }
    }
}

/// Who else may vouch for servers.
fn read_roots(path: &Path) -> Result<Roots, Failure> {
    let text = std::fs::read(path).map_err(|error| Failure::file(path, &error))?;
    Roots::from_pem(&text).map_err(|error| {
        let message = format!("`{}` is no bundle of certificates", path.display());
        Failure::usage(message).because(error)
    })
}

fn typed_token(args: &ServerArgs) -> Option<Secret> {
    args.token.clone().filter(|token| !token.expose().is_empty())
}

/// Nobody said which server.
pub(crate) fn no_server() -> Failure {
    Failure::usage("no server is named")
        .hint("give --server, set ASSENT_URL, or log in with `assent login`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(server: Option<&str>, token: Option<&str>) -> ServerArgs {
        let token = token.map(|text| Secret::new(text.to_owned()));
        ServerArgs { server: server.map(str::to_owned), token, ca_bundle: None }
    }

    fn settled(args: &ServerArgs, login: Option<(&str, &str)>) -> Result<Server, Failure> {
        let home = tempfile::tempdir().unwrap();
        let environment = Environment::in_home(home.path());
        if let Some((url, token)) = login {
            let (url, token) = (url.parse().unwrap(), Secret::new(token.to_owned()));
            let login = Login { url, token, is_own: false };
            login.save(&environment.login_file().unwrap()).unwrap();
        }
        Server::settle(args, &environment)
    }

    fn token(server: &Server) -> Option<&str> {
        server.token.as_ref().map(Secret::expose)
    }

    #[test]
    fn what_is_typed_counts_before_the_saved_login() {
        let login = Some(("https://a.example/", "saved"));
        let both = settled(&args(Some("https://b.example"), Some("typed")), login).unwrap();
        assert_eq!((both.url.as_str(), token(&both)), ("https://b.example/", Some("typed")));
        let token_alone = settled(&args(None, Some("typed")), login).unwrap();
        assert_eq!(token_alone.url.as_str(), "https://a.example/");
        assert_eq!(token(&token_alone), Some("typed"));
        let neither = settled(&args(Some(""), Some("")), login).unwrap();
        assert_eq!(token(&neither), Some("saved"));
    }

    #[test]
    fn the_saved_token_is_for_the_saved_server_alone() {
        let login = Some(("https://a.example/", "saved"));
        let same = settled(&args(Some("https://a.example"), None), login).unwrap();
        assert_eq!(token(&same), Some("saved"));
        let other = settled(&args(Some("https://b.example"), None), login).unwrap();
        assert_eq!(token(&other), None);
    }

    #[test]
    fn a_bundle_must_hold_certificates() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("ca.pem");
        let args = ServerArgs { ca_bundle: Some(file.clone()), ..args(None, None) };
        let url: Url = "https://a.example".parse().unwrap();
        let client = || Server { url: url.clone(), token: None }.client(&args);
        assert!(client().is_err());
        std::fs::write(file, "no certificate").unwrap();
        assert!(client().is_err());
        let without = ServerArgs { ca_bundle: Some("".into()), ..args.clone() };
        assert!(Server { url: url.clone(), token: None }.client(&without).is_ok());
    }

    #[test]
    fn no_server_is_wrong_usage() {
        assert!(settled(&args(None, Some("typed")), None).is_err());
        assert!(settled(&args(Some("not a url"), None), None).is_err());
    }
}
