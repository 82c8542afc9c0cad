//! `assent login`

use assent_client::Secret;

use crate::args::ServerArgs;
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::settings::{self, Environment, Login, Server};
use crate::{show, terminal};

/// Saves a server and a token once the server has said whose token it is.
pub(crate) async fn run(
    args: &ServerArgs,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let path = environment.login_file()?;
    let Server { url, token } = Server::typed(args)?.ok_or_else(settings::no_server)?;
    let token = match token {
        Some(token) => token,
        None => Secret::new(terminal::secret_line("access token", output)?),
    };
    let login = Login { url, token };
    let client = Server::from(login.clone()).client(args)?;
    let whoami = client.whoami().await?;
    login.save(&path)?;
    let who = show::principal(&whoami.principal.iss, &whoami.principal.sub);
    output.talk(format!("logged in to {} as {who}", clean(client.base())));
    output.talk(format!("saved in {}", path.display()));
    Ok(Exit::Granted)
}
