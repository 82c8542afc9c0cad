//! `assent logout`

use crate::failure::{Exit, Failure};
use crate::output::Output;
use crate::settings::{Environment, Login};

/// Forgets the saved login. The token stays good: whoever wants it gone revokes it.
pub(crate) fn run(environment: &Environment, output: &Output) -> Result<Exit, Failure> {
    match Login::forget(&environment.login_file()?)? {
        true => output.talk("logged out; the token itself ends at its time, or when it is revoked"),
        false => output.talk("there is no saved login"),
    }
    Ok(Exit::Granted)
}
