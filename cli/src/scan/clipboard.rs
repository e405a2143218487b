//! The clipboard: looked through for a code, as text, then as a picture, and cleared of it afterwards.
//!
//! On Linux it is the one of the X display, on macOS and Windows the system's own. Nothing is ever
//! written to it, and what is no code of ours is neither kept nor told, only what kind of thing it is.

use std::time::Duration;

use arboard::Clipboard;
use healthsync_core::{api::Code, report::Hint as _};
use healthsync_pairing::{
    invite::{Invite, InviteError},
    secret::Secret,
};
use image::{DynamicImage, RgbaImage};
use sha2::{Digest as _, Sha256};

use super::{display, picture};
use crate::{error::CliError, printer::Printer, settings::Settings};

/// A code, and what in the clipboard held it.
#[derive(Debug)]
pub(crate) struct Copied {
    pub(crate) invite: Invite,
    pub(crate) holder: Holder,
}

/// What to compare the clipboard with before it is cleared.
#[derive(Debug)]
pub(crate) enum Holder {
    /// This text, whole.
    Text(Secret),
    /// A picture of these pixels: SHA-256 of width, height and RGBA.
    Picture([u8; 32]),
}

/// What is in the clipboard besides a code, for people.
#[derive(Debug)]
enum Contents {
    Nothing,
    /// Text of that many characters.
    Text(usize),
    /// A picture of that width and height, pixels.
    Picture(usize, usize),
}

/// What was found.
enum Seen {
    Code(Copied),
    Other(Contents),
}

/// The code in the clipboard; `None` if there is none.
///
/// # Errors
///
/// Without a display, or with one that does not answer, `NO_DISPLAY`; if there is a code that cannot be
/// used, why.
pub(crate) async fn look(settings: &Settings) -> Result<Option<Copied>, CliError> {
    Ok(match see(settings).await? {
        Seen::Code(copied) => Some(copied),
        Seen::Other(_) => None,
    })
}

/// The code in the clipboard, which must be there.
pub(crate) async fn read(settings: &Settings) -> Result<Copied, CliError> {
    let contents = match see(settings).await? {
        Seen::Code(copied) => return Ok(copied),
        Seen::Other(contents) => contents,
    };
    let contents = match contents {
        Contents::Nothing => "it is empty, or holds neither text nor a picture".to_owned(),
        Contents::Text(length) => format!("it holds {length} characters of other text"),
        Contents::Picture(width, height) => {
            format!("it holds a picture of {width} x {height} pixels without one")
        }
    };
    Err(CliError::from(InviteError::NotFound)
        .saying(format!("there is no pairing code in the clipboard: {contents}"))
        .with_hint(
            "copy the text that starts with `HS1:`, or a picture of the QR code, and run `healthsync scan --clipboard` again",
        ))
}

async fn see(settings: &Settings) -> Result<Seen, CliError> {
    display::present(settings)?;
    display::ask(settings, || {
        let mut clipboard = open()?;
        // Some programs answer with text when asked for a picture, or the reverse: one that fails
        // does not hide the other.
        let text = text_of(&mut clipboard);
        if let Ok(Some(text)) = &text
            && let Some(copied) = in_text(text)?
        {
            return Ok(Seen::Code(copied));
        }
        let picture = picture_of(&mut clipboard);
        if let Ok(Some(picture)) = picture {
            let (width, height) = (picture.width, picture.height);
            return Ok(match in_picture(picture)? {
                Some(copied) => Seen::Code(copied),
                None => Seen::Other(Contents::Picture(width, height)),
            });
        }
        match (text, picture) {
            (Ok(Some(text)), _) => {
                let text = String::from_utf8_lossy(text.expose());
                Ok(Seen::Other(Contents::Text(text.chars().count())))
            }
            (Err(error), _) | (_, Err(error)) => Err(error),
            (Ok(None), Ok(_)) => Ok(Seen::Other(Contents::Nothing)),
        }
    })
    .await?
}

/// A code that was taken from the clipboard and is being used. Dropped, also by Ctrl-C, it clears the
/// clipboard, if that still holds exactly the same.
#[derive(Debug)]
pub(crate) struct Used {
    holder: Option<Holder>,
    printer: Printer,
    /// Longest wait for the display.
    patience: Duration,
}

impl Used {
    /// From now on.
    pub(crate) fn new(holder: Holder, settings: &Settings) -> Self {
        Self {
            holder: Some(holder),
            printer: settings.printer,
            patience: settings.connect_timeout,
        }
    }

    /// It was not used after all and will be wanted again.
    pub(crate) fn keep(mut self) {
        self.holder = None;
    }
}

impl Drop for Used {
    fn drop(&mut self) {
        let Some(holder) = self.holder.take() else {
            return;
        };
        let cleared =
            display::begin(move || clear(&holder)).map(|answer| answer.recv_timeout(self.patience));
        match cleared {
            Ok(Ok(Ok(true))) => self
                .printer
                .note("The code was cleared from the clipboard."),
            // Somebody copied something else: theirs to keep.
            Ok(Ok(Ok(false))) => {}
            _ => self.printer.warn(
                "the clipboard could not be cleared of the code; copy something else over it",
            ),
        }
    }
}

/// Clears the clipboard if it holds just that; whether it did.
fn clear(holder: &Holder) -> Result<bool, CliError> {
    let mut clipboard = open()?;
    let is_same = match holder {
        Holder::Text(text) => {
            text_of(&mut clipboard)?.is_some_and(|now| now.expose() == text.expose())
        }
        Holder::Picture(digest) => picture_of(&mut clipboard)?.is_some_and(|now| {
            let is_same = digest_of(&now) == *digest;
            // A picture of a code is as good as the code.
            drop(Secret::new(now.bytes.into_owned()));
            is_same
        }),
    };
    if is_same {
        clipboard.clear().map_err(failed)?;
    }
    Ok(is_same)
}

fn open() -> Result<Clipboard, CliError> {
    Clipboard::new().map_err(|error| {
        CliError::new(
            Code::NoDisplay,
            "the display of this computer does not answer",
        )
        .because(error)
    })
}

/// What else the library reports is about the clipboard, never what is in it.
fn failed(error: arboard::Error) -> CliError {
    CliError::new(Code::ReadFailed, "the clipboard could not be used")
        .because(error)
        .with_hint("paste the text at the prompt of `healthsync scan`, or name a picture of the code: `healthsync scan --file IMAGE`")
}

/// Its text, unless there is none.
fn text_of(clipboard: &mut Clipboard) -> Result<Option<Secret>, CliError> {
    match clipboard.get_text() {
        Ok(text) if text.is_empty() => Ok(None),
        Ok(text) => Ok(Some(Secret::new(text.into_bytes()))),
        // Not in UTF-8: no code either.
        Err(arboard::Error::ContentNotAvailable | arboard::Error::ConversionFailure) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// Its picture, unless there is none or it cannot be decoded.
fn picture_of(clipboard: &mut Clipboard) -> Result<Option<arboard::ImageData<'static>>, CliError> {
    match clipboard.get_image() {
        Ok(picture) => Ok(Some(picture)),
        Err(arboard::Error::ContentNotAvailable | arboard::Error::ConversionFailure) => Ok(None),
        Err(error) => Err(failed(error)),
    }
}

/// A code in that text; `None` if it is some other text.
fn in_text(text: &Secret) -> Result<Option<Copied>, CliError> {
    let Ok(plain) = std::str::from_utf8(text.expose()) else {
        return Ok(None);
    };
    match Invite::parse(plain) {
        Ok(invite) => Ok(Some(Copied {
            invite,
            holder: Holder::Text(Secret::new(text.expose().to_vec())),
        })),
        // A long text is no damaged code.
        Err(_) if !plain.contains("HS1:") => Ok(None),
        Err(error) => {
            Err(CliError::from(error)
                .within("the clipboard holds a pairing code that cannot be used"))
        }
    }
}

/// A code in that picture; `None` if it is a picture of something else.
fn in_picture(picture: arboard::ImageData<'static>) -> Result<Option<Copied>, CliError> {
    let digest = digest_of(&picture);
    let (width, height) = (u32::try_from(picture.width), u32::try_from(picture.height));
    let (Ok(width), Ok(height)) = (width, height) else {
        return Ok(None);
    };
    let Some(pixels) = RgbaImage::from_raw(width, height, picture.bytes.into_owned()) else {
        return Ok(None);
    };
    match picture::find(
        [DynamicImage::from(pixels)],
        "in the picture in the clipboard",
    ) {
        Ok(invite) => Ok(Some(Copied {
            invite,
            holder: Holder::Picture(digest),
        })),
        Err(error) if error.code() == InviteError::NotFound.code() => Ok(None),
        Err(error) => Err(error),
    }
}

fn digest_of(picture: &arboard::ImageData<'_>) -> [u8; 32] {
    let mut digest = Sha256::new();
    digest.update(picture.width.to_be_bytes());
    digest.update(picture.height.to_be_bytes());
    digest.update(&picture.bytes);
    digest.finalize().into()
}
