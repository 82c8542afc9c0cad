//! `assent login`

use assent_client::{Client, Secret};
use url::Url;

use crate::args::{LoginArgs, ServerArgs};
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::settings::{self, Environment, Login, Server};
use crate::{browser, show, terminal};

/// Saves a server and a token once the server has said whose token it is. Where there is no token
/// yet, the person gives one by their browser.
pub(crate) async fn run(
    args: &LoginArgs,
    server: &ServerArgs,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let path = environment.login_file()?;
    let Server { url, token } = match Server::typed(server)? {
        Some(typed) => typed,
        // Again where it was before, but not with what was good there then.
        None => Login::load(&path)?
            .map(|login| Server { url: login.url, token: None })
            .ok_or_else(settings::no_server)?,
    };
    let token = token.map_or_else(terminal::piped_secret, |token| Ok(Some(token)))?;
    let is_own = token.is_none();
    let anonymous = Server { url: url.clone(), token: None }.client(server)?;
    let token = match token {
        Some(token) => token,
        None => by_browser(args, &url, &anonymous, environment, output).await?,
    };
    let client = anonymous.with_token(token.clone());
    let whoami = client.whoami().await?;
    Login { url, token, is_own }.save(&path)?;
    let who = show::principal(&whoami.principal.iss, &whoami.principal.sub);
    output.talk(format!("logged in to {} as {who}", clean(client.base())));
    output.talk(format!("saved in {}", path.display()));
    Ok(Exit::Granted)
}

/// Shows the code, opens the page if there is a browser, and waits for the answer.
async fn by_browser(
    args: &LoginArgs,
    server: &Url,
    client: &Client,
    environment: &Environment,
    output: &Output,
) -> Result<Secret, Failure> {
    let login = client.begin_login().await?;
    let page = clean(&login.verification_uri);
    output.talk(format!("open {page} where you are signed in, and type the code"));
    output.talk(format!("\n    {}\n", output.talk_paint().strong(&clean(&login.user_code))));
    let may_open = !args.no_browser && output.talks_to_a_terminal() && environment.has_display();
    if let Some(page) = browser::ours(&login.verification_uri, server).filter(|_| may_open) {
        browser::open(&page);
    }
    output.talk(format!("waiting for your answer, {} minutes", login.expires_in.as_secs() / 60));
    client.await_login(&login).await.map(|fresh| fresh.token).map_err(|error| match error.code() {
        Some("access_denied") => Failure::refused("the login was denied in the browser"),
        Some("expired_token") => Failure::refused("nobody answered in time; start again"),
        _ => error.into(),
    })
}
