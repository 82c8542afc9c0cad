//! The environment, read once.

use std::path::PathBuf;

use assent_client::Secret;

use crate::failure::Failure;

/// What the environment says, beside what the arguments take from it themselves.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment {
    home: Option<PathBuf>,
    xdg_config: Option<PathBuf>,
    xdg_data: Option<PathBuf>,
    credentials: Option<PathBuf>,
    no_color: bool,
    dumb_terminal: bool,
    terraform: Option<String>,
    browser: Option<String>,
    has_display: bool,
    /// The filter of the server's log.
    pub(crate) log: Option<String>,
    /// Whether the server's log shall be JSON in any case.
    pub(crate) log_is_json: bool,
}

impl Environment {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let directory = |name| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
        Self {
            home: directory("HOME"),
            xdg_config: directory("XDG_CONFIG_HOME"),
            xdg_data: directory("XDG_DATA_HOME"),
            credentials: directory("CREDENTIALS_DIRECTORY"),
            no_color: variable("NO_COLOR").is_some(),
            dumb_terminal: variable("TERM").is_some_and(|term| term == "dumb"),
            terraform: variable("TERRAFORM"),
            browser: variable("BROWSER").filter(|browser| !browser.is_empty()),
            has_display: ["DISPLAY", "WAYLAND_DISPLAY"].iter().any(|name| variable(name).is_some()),
            log: variable("ASSENT_LOG"),
            log_is_json: variable("ASSENT_LOG_FORMAT").is_some_and(|format| format == "json"),
        }
    }

    /// Whether colour is wanted where there is a terminal.
    pub(crate) fn wants_colour(&self) -> bool {
        !self.no_color && !self.dumb_terminal
    }

    /// Whether a line can be written over.
    pub(crate) fn can_rewrite(&self) -> bool {
        !self.dumb_terminal
    }

    /// Whether a browser can show itself.
    pub(crate) fn has_display(&self) -> bool {
        self.has_display || cfg!(target_os = "macos")
    }

    /// The program that shows pages.
    pub(crate) fn browser(&self) -> Option<&str> {
        self.browser.as_deref()
    }

    /// The program that shows saved plans.
    pub(crate) fn terraform(&self) -> &str {
        self.terraform.as_deref().unwrap_or("terraform")
    }

    /// A file that systemd hands over (systemd.exec(5), `LoadCredential=`), if it does.
    pub(crate) fn systemd_credential(&self, name: &str) -> Option<PathBuf> {
        Some(self.credentials.as_ref()?.join(name)).filter(|file| file.exists())
    }

    /// Where the login is saved.
    pub(crate) fn login_file(&self) -> Result<PathBuf, Failure> {
        let own = self.directory(self.xdg_config.as_ref(), ".config", "XDG_CONFIG_HOME")?;
        Ok(own.join("login.json"))
    }

    /// Where the server keeps its data, unless it is told otherwise.
    pub(crate) fn data_directory(&self) -> Result<PathBuf, Failure> {
        self.directory(self.xdg_data.as_ref(), ".local/share", "XDG_DATA_HOME")
    }

    fn directory(
        &self,
        xdg: Option<&PathBuf>,
        in_home: &str,
        name: &str,
    ) -> Result<PathBuf, Failure> {
        let in_home =
            if cfg!(target_os = "macos") { "Library/Application Support" } else { in_home };
        let base = xdg.cloned().or_else(|| Some(self.home.as_ref()?.join(in_home)));
        let base = base.ok_or_else(|| {
            Failure::usage("there is no home directory").hint(format!("set HOME or {name}"))
        })?;
        Ok(base.join("assent"))
    }

    #[cfg(test)]
    pub(crate) fn in_home(home: &std::path::Path) -> Self {
        Self { home: Some(home.to_owned()), ..Self::default() }
    }
}

/// A secret that another setting says is in this variable.
pub(crate) fn secret_variable(name: &str) -> Option<Secret> {
    variable(name).map(Secret::new)
}

#[expect(clippy::disallowed_methods, reason = "settings are made here, once")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|text| !text.is_empty())
}
