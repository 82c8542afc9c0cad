//! `assent admin init`

use assent_client::{IdempotencyKey, Secret};

use crate::args::{InitArgs, ServerArgs};
use crate::failure::{Exit, Failure};
use crate::output::{Output, clean};
use crate::settings::{self, Environment, Login, Server};
use crate::terminal;

/// Makes the first administrator. The saved login does not count: there is none to be had yet.
pub(crate) async fn run(
    args: InitArgs,
    server: &ServerArgs,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let InitArgs { name, code, save, printing } = args;
    let Server { url, .. } = Server::typed(server)?.ok_or_else(settings::no_server)?;
    let login_file = environment.login_file()?;
    let code = match code {
        Some(code) => code,
        None => Secret::new(terminal::secret_line("one-time code", output)?),
    };
    let client = Server { url: url.clone(), token: None }.client(server)?;
    let fresh = client.bootstrap(code.expose(), &name, &IdempotencyKey::fresh()).await?;
    output.talk(format!("{} administers {}", clean(&name), clean(client.base())));
    if save {
        Login { url, token: Secret::new(fresh.token), is_own: false }.save(&login_file)?;
        output.talk(format!("saved in {}", login_file.display()));
        return Ok(Exit::Granted);
    }
    super::token::print_fresh(&fresh, printing, output)?;
    Ok(Exit::Granted)
}
