//! The signals that ask a program to end.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::Obstacle;

/// One of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ask {
    /// Ctrl-C, or the first sign of a runner that a job is canceled.
    Interrupt,
    /// The usual wish that a program end.
    Terminate,
    /// The terminal is gone.
    Hangup,
    /// Ctrl-\\.
    Quit,
    /// What a program makes of it.
    User1,
    /// The same.
    User2,
}

impl Ask {
    /// The signal itself.
    pub(crate) fn signal(self) -> rustix::process::Signal {
        match self {
            Self::Interrupt => rustix::process::Signal::INT,
            Self::Terminate => rustix::process::Signal::TERM,
            Self::Hangup => rustix::process::Signal::HUP,
            Self::Quit => rustix::process::Signal::QUIT,
            Self::User1 => rustix::process::Signal::USR1,
            Self::User2 => rustix::process::Signal::USR2,
        }
    }

    /// The code with which a program ends that a signal ended, as shells tell it.
    pub fn code(self) -> u8 {
        128 + u8::try_from(self.signal().as_raw()).unwrap_or(0)
    }
}

/// Catches them, from when it is made. None is lost: one that comes while nobody listens is there
/// when somebody does.
#[derive(Debug)]
pub struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
    quit: Signal,
    user1: Signal,
    user2: Signal,
}

impl Signals {
    /// Catches them from now on.
    ///
    /// # Errors
    /// [`Obstacle`] where the operating system does not allow it.
    pub fn catch() -> Result<Self, Obstacle> {
        let catch = |kind| {
            signal(kind).map_err(|e| Obstacle::unknown("signals cannot be caught").because(e))
        };
        Ok(Self {
            interrupt: catch(SignalKind::interrupt())?,
            terminate: catch(SignalKind::terminate())?,
            hangup: catch(SignalKind::hangup())?,
            quit: catch(SignalKind::quit())?,
            user1: catch(SignalKind::user_defined1())?,
            user2: catch(SignalKind::user_defined2())?,
        })
    }

    /// The next one.
    pub async fn next(&mut self) -> Ask {
        tokio::select! {
            _ = self.interrupt.recv() => Ask::Interrupt,
            _ = self.terminate.recv() => Ask::Terminate,
            _ = self.hangup.recv() => Ask::Hangup,
            _ = self.quit.recv() => Ask::Quit,
            _ = self.user1.recv() => Ask::User1,
            _ = self.user2.recv() => Ask::User2,
        }
    }

    /// One that has come already.
    pub async fn pending(&mut self) -> Option<Ask> {
        tokio::select! {
            biased;
            ask = self.next() => Some(ask),
            () = std::future::ready(()) => None,
        }
    }
}
