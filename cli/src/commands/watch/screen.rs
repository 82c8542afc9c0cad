//! A terminal that is written over, and given back as it was.

use std::io::Read as _;

use assent_gate::{Ask, Signals};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{self, UnboundedReceiver};

use crate::failure::Failure;
use crate::output::Output;
use crate::terminal::{self, Keys};

/// Another screen, and no cursor on it.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";
/// Back, and what was there is there again.
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// The screen, until it is dropped.
pub(super) struct Screen<'a> {
    output: &'a Output,
    pressed: UnboundedReceiver<u8>,
    resized: Signal,
    signals: Signals,
    _keys: Option<Keys>,
}

/// What follows from a key, a signal or another size.
pub(super) enum Turn {
    /// It is shown again.
    Again,
    /// It is over.
    Over,
}

impl<'a> Screen<'a> {
    pub(super) fn begin(output: &'a Output) -> Result<Self, Failure> {
        let caught = |error| Failure::unknown("signals cannot be caught").because(error);
        let resized = signal(SignalKind::window_change()).map_err(caught)?;
        let signals = Signals::catch()?;
        let keys = Keys::begin();
        let pressed = read_keys(keys.is_some());
        output.frame(ENTER)?;
        Ok(Self { output, pressed, resized, signals, _keys: keys })
    }

    pub(super) fn size(&self) -> (usize, usize) {
        terminal::size()
    }

    pub(super) fn show(&self, lines: &[String]) -> Result<(), Failure> {
        // Each line's rest is wiped, and so is whatever stood below: nothing flickers.
        let text = lines.join("\u{1b}[K\r\n");
        self.output.frame(&format!("\u{1b}[H{text}\u{1b}[K\u{1b}[J"))
    }

    pub(super) async fn turn(&mut self) -> Turn {
        tokio::select! {
            key = self.pressed.recv() => match key {
                Some(b'q' | b'Q') => Turn::Over,
                Some(_) => Turn::Again,
                // Nobody types: the others are listened to.
                None => self.quiet_turn().await,
            },
            _ = self.resized.recv() => Turn::Again,
            asked = self.signals.next() => over(asked),
        }
    }

    async fn quiet_turn(&mut self) -> Turn {
        tokio::select! {
            _ = self.resized.recv() => Turn::Again,
            asked = self.signals.next() => over(asked),
        }
    }
}

fn over(asked: Ask) -> Turn {
    match asked {
        Ask::User1 | Ask::User2 => Turn::Again,
        Ask::Interrupt | Ask::Terminate | Ask::Hangup | Ask::Quit => Turn::Over,
    }
}

impl Drop for Screen<'_> {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing back.
        let _ = self.output.frame(LEAVE);
    }
}

/// The keys, read beside everything else: the thread ends with the program.
fn read_keys(somebody_types: bool) -> UnboundedReceiver<u8> {
    let (tell, pressed) = mpsc::unbounded_channel();
    if somebody_types {
        std::thread::spawn(move || {
            let mut key = [0_u8; 1];
            while let Ok(1) = std::io::stdin().lock().read(&mut key) {
                let [one] = key;
                if tell.send(one).is_err() {
                    return;
                }
            }
        });
    }
    pressed
}
