//! `assent logout`

use assent_client::{Client, ErrorKind, IdempotencyKey};
use assent_core::access::UnverifiedAccess;

use crate::args::{LogoutArgs, ServerArgs};
use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::{Environment, Login, Server};

/// Ends and forgets the saved login. A token that was not made for it stays good: it may be in use
/// elsewhere.
pub(crate) async fn run(
    args: &LogoutArgs,
    server: &ServerArgs,
    environment: &Environment,
    output: &Output,
) -> Result<Exit, Failure> {
    let path = environment.login_file()?;
    let Some(login) = Login::load(&path)? else {
        output.talk("there is no saved login");
        return Ok(Exit::Granted);
    };
    let ends = login.is_own && !args.local;
    if ends {
        end(&login, server).await?;
    }
    Login::forget(&path)?;
    output.talk(match ends {
        true => "logged out; the token is taken back",
        false => "logged out; the token itself ends at its time, or when it is revoked",
    });
    Ok(Exit::Granted)
}

/// Has the server take the token back. One that it does not know any more is at its end.
async fn end(login: &Login, server: &ServerArgs) -> Result<(), Failure> {
    let Ok(UnverifiedAccess { id, .. }) = UnverifiedAccess::read(login.token.expose()) else {
        return Ok(());
    };
    let client: Client = Server::from(login.clone()).client(server)?;
    match client.revoke_access(&id.to_string(), &IdempotencyKey::fresh()).await {
        Ok(_) => Ok(()),
        Err(error) if error.kind == ErrorKind::Unauthorized => Ok(()),
        Err(error) => Err(Failure::from(error)
            .hint("`assent logout --local` forgets the login without ending its token")),
    }
}
