//! The screen of this computer, looked through for a QR code: another window may show one.

use healthsync_core::{api::Code, report::Hint as _};
use healthsync_pairing::invite::{Invite, InviteError};
use image::DynamicImage;

use super::{display, picture};
use crate::{error::CliError, settings::Settings};

/// Where a code is looked for here, in words.
const PLACE: &str = "on the screen";

/// The one code that is drawn on the screen.
pub(crate) async fn read(settings: &Settings) -> Result<Invite, CliError> {
    display::present(settings)?;
    let pictures = display::ask(settings, system::screens).await??;
    tokio::task::spawn_blocking(|| picture::find(pictures, PLACE))
        .await
        .map_err(|error| {
            CliError::new(Code::Internal, "the picture could not be looked through").because(error)
        })?
        .map_err(|error| {
            if error.code() == InviteError::NotFound.code() {
                error.with_hint(HINT)
            } else {
                error
            }
        })
}

/// Under Wayland an X client sees the windows of other X clients alone.
const HINT: &str = "show the whole QR code, nothing over it, and run `healthsync scan --screen` again; under Wayland take a screenshot into the clipboard and run `healthsync scan --clipboard`";

#[cfg(all(unix, not(target_os = "macos")))]
mod system {
    use healthsync_core::api::Code;
    use x11rb::{
        connection::Connection as _,
        image::{Image, PixelLayout},
        protocol::xproto::{ConnectionExt as _, Screen},
        rust_connection::RustConnection,
    };

    use super::{CliError, DynamicImage};

    /// What the X server draws: a picture of each of its screens, grey.
    pub(super) fn screens() -> Result<Vec<DynamicImage>, CliError> {
        let (connection, _) = RustConnection::connect(None).map_err(|error| {
            CliError::new(
                Code::NoDisplay,
                "the display of this computer does not answer",
            )
            .because(error)
        })?;
        let screens = connection.setup().roots.clone();
        screens
            .iter()
            .map(|screen| picture(&connection, screen))
            .collect()
    }

    fn picture(connection: &RustConnection, screen: &Screen) -> Result<DynamicImage, CliError> {
        // It may have been resized since the X server described it.
        let size = connection
            .get_geometry(screen.root)
            .map_err(failed)?
            .reply()
            .map_err(failed)?;
        let (image, visual) =
            Image::get(connection, screen.root, 0, 0, size.width, size.height).map_err(failed)?;
        let visual = screen
            .allowed_depths
            .iter()
            .flat_map(|depth| &depth.visuals)
            .find(|kind| kind.visual_id == visual || kind.visual_id == screen.root_visual)
            .ok_or_else(|| {
                CliError::new(Code::ReadFailed, "the screen has pixels of an unknown kind")
            })?;
        let layout = PixelLayout::from_visual_type(*visual).map_err(failed)?;
        let grey = image::GrayImage::from_fn(size.width.into(), size.height.into(), |x, y| {
            let at = |place: u32| u16::try_from(place).unwrap_or(u16::MAX);
            let (red, green, blue) = layout.decode(image.get_pixel(at(x), at(y)));
            // The weights of ITU-R BT.709, of 16 bits each.
            let light =
                (2126 * u32::from(red) + 7152 * u32::from(green) + 722 * u32::from(blue)) / 10_000;
            image::Luma([u8::try_from(light >> 8).unwrap_or(u8::MAX)])
        });
        Ok(grey.into())
    }

    fn failed(error: impl std::error::Error + Send + Sync + 'static) -> CliError {
        CliError::new(Code::ReadFailed, "the screen could not be read")
            .because(error)
            .with_hint("save a picture of the code and name it: `healthsync scan --file IMAGE`")
    }
}

#[cfg(target_os = "macos")]
mod system {
    use std::process::{Command, Stdio};

    use healthsync_core::api::Code;

    use super::{CliError, DynamicImage};

    /// What the system's own tool photographs: the main screen, without a sound. The file lies in a
    /// private folder and goes with it.
    pub(super) fn screens() -> Result<Vec<DynamicImage>, CliError> {
        let folder = tempfile::tempdir().map_err(failed)?;
        let path = folder.path().join("screen.png");
        let status = Command::new("/usr/sbin/screencapture")
            .args(["-x", "-t", "png"])
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .map_err(failed)?;
        if !status.success() {
            return Err(failed(std::io::Error::other(format!(
                "screencapture ended with {status}"
            ))));
        }
        let mut reader = image::ImageReader::open(&path).map_err(failed)?;
        reader.limits(super::picture::limits());
        let picture = reader
            .decode()
            .map_err(|error| failed(std::io::Error::other(error)))?;
        Ok(vec![picture])
    }

    fn failed(error: std::io::Error) -> CliError {
        CliError::new(Code::ReadFailed, "the screen could not be read")
            .because(error)
            .with_hint("allow the terminal to record the screen (System Settings, Privacy & Security), or save a picture of the code and name it: `healthsync scan --file IMAGE`")
    }
}

#[cfg(windows)]
mod system {
    use healthsync_core::api::Code;

    use super::{CliError, DynamicImage};

    /// Windows gives pictures of the screen to unsafe code only.
    pub(super) fn screens() -> Result<Vec<DynamicImage>, CliError> {
        Err(CliError::new(
            Code::NoDisplay,
            "healthsync does not read the screen on Windows",
        )
        .with_hint(
            "press Windows+Shift+S, mark the QR code, and run `healthsync scan --clipboard`",
        ))
    }
}
