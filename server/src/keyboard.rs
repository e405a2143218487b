//! Lines typed by a person, as they come.
//!
//! Reading a terminal cannot be interrupted, so a thread of its own reads and the rest may stop
//! waiting. The thread ends with the process.

use std::{io, thread};

use tokio::sync::mpsc;

/// Lines of standard input.
#[derive(Debug)]
pub struct Keyboard {
    lines: mpsc::Receiver<String>,
}

impl Keyboard {
    /// Starts reading.
    pub fn open() -> io::Result<Self> {
        let (sender, lines) = mpsc::channel(16);
        thread::Builder::new()
            .name("keyboard".to_owned())
            .spawn(move || {
                for line in io::stdin().lines() {
                    let Ok(line) = line else { break };
                    if sender.blocking_send(line).is_err() {
                        break;
                    }
                }
            })?;
        Ok(Self { lines })
    }

    /// Forgets what was typed before anything was asked.
    pub fn forget(&mut self) {
        while self.lines.try_recv().is_ok() {}
    }

    /// The next line; `None` at the end of input.
    pub async fn line(&mut self) -> Option<String> {
        self.lines.recv().await
    }
}
