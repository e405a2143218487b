//! The display of this computer, asked within a time limit: the X server may be at the other end of a
//! network that is gone, the program that holds the clipboard may be stopped, and no command may hang
//! for that.

use std::{
    sync::mpsc::{Receiver, channel},
    thread,
};

use healthsync_core::api::Code;

use crate::{
    error::CliError,
    settings::{Display, Settings},
};

/// Says why there is nothing to ask, if that is known beforehand.
pub(super) fn present(settings: &Settings) -> Result<(), CliError> {
    match settings.display {
        Display::Present => Ok(()),
        Display::Absent => Err(CliError::new(
            Code::NoDisplay,
            "this computer has no display (DISPLAY is not set)",
        )),
        Display::Wayland => Err(CliError::new(
            Code::NoDisplay,
            "this display speaks Wayland alone, and healthsync reads an X display (DISPLAY is not set)",
        )),
    }
}

/// Lets a thread of its own ask. The runtime does not wait for it at the end of the program.
pub(super) fn begin<T: Send + 'static>(
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<Receiver<T>, CliError> {
    let (send, receive) = channel();
    thread::Builder::new()
        .name("display".to_owned())
        .spawn(move || {
            // Nobody waits for it any more: what was asked for is dropped, secrets are wiped.
            drop(send.send(job()));
        })
        .map_err(|error| {
            CliError::new(Code::Internal, "the system gives no threads").because(error)
        })?;
    Ok(receive)
}

/// Asks, and waits no longer than for a connection.
pub(super) async fn ask<T: Send + 'static>(
    settings: &Settings,
    job: impl FnOnce() -> T + Send + 'static,
) -> Result<T, CliError> {
    let (send, receive) = tokio::sync::oneshot::channel();
    begin(move || drop(send.send(job())))?;
    match tokio::time::timeout(settings.connect_timeout, receive).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => {
            Err(CliError::new(Code::Internal, "the display could not be asked").because(error))
        }
        Err(_) => Err(CliError::new(
            Code::NoDisplay,
            format!(
                "the display does not answer within {} ms",
                settings.connect_timeout.as_millis()
            ),
        )),
    }
}
