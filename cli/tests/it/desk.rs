//! A real X display with a clipboard, as another program uses it.
//!
//! Without `scripts/with-x-display` the tests that need one say that they are skipped: nobody's own
//! clipboard is read or cleared. `xclip`, which shares no code with ours, holds the clipboard and looks
//! into it.

use std::{
    ffi::OsString,
    fs,
    path::Path,
    process::{Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

use qrcode::{Color, QrCode};
use x11rb::{
    connection::Connection as _,
    protocol::xproto::{
        ConnectionExt as _, CreateGCAux, CreateWindowAux, Rectangle, Window, WindowClass,
    },
    rust_connection::RustConnection,
};

use crate::{
    device::Device,
    program::{Outcome, Running},
};

/// There is one clipboard and one screen.
static ALONE: Mutex<()> = Mutex::new(());

/// The display, this test's alone while it runs, with nothing in its clipboard.
pub(crate) struct Desk {
    name: OsString,
    _alone: MutexGuard<'static, ()>,
}

impl Desk {
    /// Unless there is none; says so then.
    #[expect(
        clippy::print_stdout,
        reason = "who runs the tests must see what was left out"
    )]
    pub(crate) fn new(test: &str) -> Option<Self> {
        if std::env::var_os("HEALTHSYNC_TEST_DISPLAY").is_none_or(|on| on != "1") {
            println!("{test}: skipped, run it with scripts/with-x-display");
            return None;
        }
        let desk = Self {
            name: std::env::var_os("DISPLAY").unwrap_or_default(),
            _alone: ALONE.lock().unwrap_or_else(PoisonError::into_inner),
        };
        let (connection, _) = RustConnection::connect(None).expect("the display");
        let clipboard = connection
            .intern_atom(false, b"CLIPBOARD")
            .expect("sent")
            .reply()
            .expect("an atom");
        connection
            .set_selection_owner(x11rb::NONE, clipboard.atom, x11rb::CURRENT_TIME)
            .expect("sent")
            .check()
            .expect("nobody's");
        Some(desk)
    }

    pub(crate) fn command(&self, device: &Device, words: &[&str]) -> Command {
        let mut command = device.command(&[words, &["--key-store", "file", "--json"]].concat());
        command.env("DISPLAY", &self.name);
        command
    }

    pub(crate) fn run(&self, device: &Device, words: &[&str]) -> Outcome {
        Running::start(&mut self.command(device, words)).end()
    }

    /// Somebody copies that.
    fn copy(&self, bytes: &[u8], kind: &str) {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("copied");
        fs::write(&file, bytes).expect("written");
        // It goes on in the background, as the owner of the clipboard, until it is cleared.
        let status = Command::new("xclip")
            .args(["-selection", "clipboard", "-t", kind, "-i"])
            .arg(&file)
            .env("DISPLAY", &self.name)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        assert!(status.expect("xclip runs").success());
    }

    pub(crate) fn copy_text(&self, text: &str) {
        self.copy(text.as_bytes(), "UTF8_STRING");
    }

    pub(crate) fn copy_picture(&self, file: &Path) {
        self.copy(&fs::read(file).expect("a picture"), "image/png");
    }

    /// What the clipboard holds of that kind, if anything.
    pub(crate) fn copied(&self, kind: &str) -> Option<Vec<u8>> {
        let output = Command::new("xclip")
            .args(["-selection", "clipboard", "-t", kind, "-o"])
            .env("DISPLAY", &self.name)
            .output()
            .expect("xclip runs");
        output.status.success().then_some(output.stdout)
    }
}

/// A window of another program that shows QR codes beside each other.
pub(crate) struct Poster {
    connection: RustConnection,
    window: Window,
}

impl Poster {
    pub(crate) fn show(texts: &[&str]) -> Self {
        const MODULE: u16 = 5;

        let (connection, screen) = RustConnection::connect(None).expect("the display");
        let screen = connection.setup().roots[screen].clone();
        let codes: Vec<QrCode> = texts
            .iter()
            .map(|text| QrCode::new(text).expect("a code"))
            .collect();
        let side = codes
            .iter()
            .map(|code| (u16::try_from(code.width()).expect("small") + 8) * MODULE)
            .max()
            .expect("one at least");
        let window = connection.generate_id().expect("an id");
        let gc = connection.generate_id().expect("an id");
        let looks = CreateWindowAux::new()
            .background_pixel(screen.white_pixel)
            .override_redirect(1);
        connection
            .create_window(
                x11rb::COPY_DEPTH_FROM_PARENT,
                window,
                screen.root,
                40,
                60,
                side * u16::try_from(codes.len()).expect("few"),
                side,
                0,
                WindowClass::INPUT_OUTPUT,
                screen.root_visual,
                &looks,
            )
            .expect("sent");
        connection.map_window(window).expect("sent");
        let black = CreateGCAux::new().foreground(screen.black_pixel);
        connection.create_gc(gc, window, &black).expect("sent");
        for (place, code) in (0_u16..).zip(&codes) {
            let width = code.width();
            let dark: Vec<Rectangle> = (0..width * width)
                .map(|at| (at % width, at / width))
                .filter(|(x, y)| code[(*x, *y)] == Color::Dark)
                .map(|(x, y)| {
                    let at = |cell: usize, start: u16| {
                        let cell = u16::try_from(cell).expect("small") + 4;
                        i16::try_from(start + cell * MODULE).expect("on the screen")
                    };
                    Rectangle {
                        x: at(x, place * side),
                        y: at(y, 0),
                        width: MODULE,
                        height: MODULE,
                    }
                })
                .collect();
            connection
                .poly_fill_rectangle(window, gc, &dark)
                .expect("sent");
        }
        // An answer comes when all before it was drawn.
        connection
            .get_input_focus()
            .expect("sent")
            .reply()
            .expect("drawn");
        Self { connection, window }
    }
}

impl Drop for Poster {
    fn drop(&mut self) {
        self.connection
            .destroy_window(self.window)
            .expect("sent")
            .check()
            .expect("gone");
    }
}
