//! The pairing screen: the QR code, the same as text, a code to type, what to do with them. Within
//! 80 x 24.

use std::{
    fs::{self, OpenOptions},
    io::{self, Cursor, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use healthsync_core::report::Hint;
use healthsync_pairing::{qr::QrCode, secret::Secret};
use image::{GrayImage, ImageFormat, Luma};
use jiff::{Timestamp, tz::TimeZone};

/// Columns and rows that every terminal has.
const COLUMNS: usize = 80;
/// Light modules around a code (ISO/IEC 18004, section 9.1).
const QUIET: usize = 4;
/// Pixels of a module in a picture.
const SCALE: usize = 8;
/// Between the code and the text.
const GAP: usize = 2;

/// Why the code cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum PresentError {
    /// `--approve none` where others can connect.
    #[error("a server that other computers reach does not pair without approval")]
    ApprovalNeeded,
    /// A file is there already.
    #[error("{0:?} exists")]
    Exists(PathBuf),
    /// The code does not fit.
    #[error("the invitation does not fit into a QR code")]
    TooLong,
    /// The picture could not be made.
    #[error("could not make the picture")]
    Picture(#[source] image::ImageError),
    /// The file could not be written.
    #[error("could not write {0:?}")]
    Write(PathBuf, #[source] io::Error),
}

impl Hint for PresentError {
    fn code(&self) -> &'static str {
        match self {
            Self::ApprovalNeeded => "APPROVAL_NEEDED",
            Self::Exists(_) => "OUTPUT_EXISTS",
            Self::TooLong => "INVITE_TOO_LONG",
            Self::Picture(_) | Self::Write(..) => "OUTPUT_FAILED",
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::ApprovalNeeded => Some(
                "leave out `--approve none`, or serve this computer alone: `healthsync-server \
                 start --listen 127.0.0.1:8443`"
                    .to_owned(),
            ),
            Self::Exists(_) => Some("name another file, or add `--force`".to_owned()),
            Self::TooLong | Self::Picture(_) => None,
            Self::Write(..) => Some("name a file in a folder of yours with `--png`".to_owned()),
        }
    }
}

/// An invitation as it is shown.
#[derive(Debug)]
pub struct Screen {
    code: QrCode,
    text: Secret,
    typed: Option<Secret>,
    expires_at: i64,
}

impl Screen {
    /// Takes the text of an invitation, and the code that can be typed in its place.
    pub fn new(text: String, typed: Option<String>, expires_at: i64) -> Result<Self, PresentError> {
        let text = Secret::new(text.into_bytes());
        let code = QrCode::new(&text).ok_or(PresentError::TooLong)?;
        Ok(Self {
            code,
            text,
            typed: typed.map(|typed| Secret::new(typed.into_bytes())),
            expires_at,
        })
    }

    /// The code, and to its right the same as text and what to do with it.
    pub fn lines(&self, zone: &TimeZone) -> Vec<String> {
        let code = self.code.terminal(QUIET);
        let width = self.code.width.saturating_add(2 * QUIET);
        let beside = self.beside(COLUMNS.saturating_sub(width + GAP), zone);
        let rows = code.len().max(beside.len());
        let (mut code, mut beside) = (code.into_iter(), beside.into_iter());
        (0..rows)
            .map(|_| {
                let left = code.next().unwrap_or_else(|| " ".repeat(width));
                match beside.next().filter(|line| !line.is_empty()) {
                    Some(right) => format!("{left}{}{right}", " ".repeat(GAP)),
                    None => left,
                }
            })
            .collect()
    }

    /// The invitation as text, then the code to type, if there is one.
    pub fn texts(&self) -> Vec<String> {
        std::iter::once(&self.text)
            .chain(&self.typed)
            .map(shown)
            .collect()
    }

    fn beside(&self, width: usize, zone: &TimeZone) -> Vec<String> {
        let mut lines: Vec<String> = [
            "",
            "Pair a device: run there",
            "  healthsync scan",
            "and paste this text:",
        ]
        .map(str::to_owned)
        .into();
        lines.extend(wrap(&shown(&self.text), width));
        if let Some(typed) = &self.typed {
            lines.extend([
                "or run".to_owned(),
                "  healthsync pair".to_owned(),
                "and type this code:".to_owned(),
                format!("  {}", shown(typed)),
            ]);
        }
        lines.extend([
            String::new(),
            format!("It works once, until {}.", clock(self.expires_at, zone)),
        ]);
        lines.extend(
            [
                "Whoever sees it can try to use it",
                "first: let nobody look. Then type",
                "here the digits that your device",
                "shows.",
                "Ctrl-C closes the window.",
            ]
            .map(str::to_owned),
        );
        lines
    }

    /// Writes the code as a picture that only its user can read.
    pub fn write_png(&self, path: &Path, force: bool) -> Result<(), PresentError> {
        let side = u32::try_from((self.code.width + 2 * QUIET) * SCALE)
            .map_err(|_| PresentError::TooLong)?;
        let picture = GrayImage::from_fn(side, side, |x, y| {
            Luma([if self.is_dark(x, y) { 0 } else { 255 }])
        });
        let mut bytes = Cursor::new(Vec::new());
        picture
            .write_to(&mut bytes, ImageFormat::Png)
            .map_err(PresentError::Picture)?;
        let failed = |error| PresentError::Write(path.to_owned(), error);
        if force {
            // A new file in place of the old: what others have open or linked is not written to.
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => PresentError::Exists(path.to_owned()),
                _ => failed(error),
            })?;
        file.write_all(bytes.get_ref()).map_err(|error| {
            // A picture that broke off is of no use to anybody.
            drop(fs::remove_file(path));
            failed(error)
        })
    }

    fn is_dark(&self, x: u32, y: u32) -> bool {
        let module = |pixel: u32| {
            let module = (usize::try_from(pixel).ok()? / SCALE).checked_sub(QUIET)?;
            (module < self.code.width).then_some(module)
        };
        match (module(x), module(y)) {
            (Some(x), Some(y)) => self
                .code
                .dark
                .get(y * self.code.width + x)
                .copied()
                .unwrap_or(false),
            _ => false,
        }
    }
}

fn shown(secret: &Secret) -> String {
    String::from_utf8_lossy(secret.expose()).into_owned()
}

/// Cuts the text into lines that neither begin nor end with its space: who copies them would lose
/// it.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let cut = (1..=width.min(rest.len()))
            .rev()
            .find(|&cut| cut == rest.len() || is_clean_cut(rest, cut))
            .unwrap_or(rest.len());
        let (line, after) = rest.split_at_checked(cut).unwrap_or((rest, ""));
        lines.push(line.to_owned());
        rest = after;
    }
    lines
}

fn is_clean_cut(text: &str, cut: usize) -> bool {
    text.split_at_checked(cut)
        .is_some_and(|(line, after)| !line.ends_with(' ') && !after.starts_with(' '))
}

fn clock(seconds: i64, zone: &TimeZone) -> String {
    Timestamp::from_second(seconds)
        .map(|instant| {
            instant
                .to_zoned(zone.clone())
                .strftime("%H:%M:%S")
                .to_string()
        })
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// As long as an invitation can be, all from the alphanumeric set.
    fn longest() -> String {
        let mut text = "HS1:".to_owned();
        text.extend(
            "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
                .chars()
                .cycle()
                .take(150),
        );
        text
    }

    /// What a terminal shows of a line: escape sequences take no room.
    fn columns(line: &str) -> usize {
        let (mut columns, mut escaped) = (0, false);
        for c in line.chars() {
            match c {
                '\u{1b}' => escaped = true,
                'm' if escaped => escaped = false,
                _ if escaped => {}
                _ => columns += 1,
            }
        }
        columns
    }

    #[test]
    fn screen_fits_80_by_24_and_holds_the_whole_text() {
        let typed = "K7QF-3M9X-5".to_owned();
        let screen = Screen::new(longest(), Some(typed.clone()), 1_768_021_200).unwrap();
        let mut lines = screen.lines(&TimeZone::UTC);
        // The line on which the person types.
        lines.push(crate::question::digits_prompt(60));
        assert!(lines.len() <= 24, "{} rows", lines.len());
        for line in &lines {
            assert!(columns(line) <= 80, "{} columns: {line}", columns(line));
        }
        lines.pop();
        let beside: String = lines
            .iter()
            .map(|line| line.split("\u{1b}[0m").nth(1).unwrap().trim())
            .collect();
        assert!(beside.contains(&longest()), "{beside}");
        assert!(beside.contains("05:00:00"));
        assert!(beside.contains(&typed));
    }

    #[test]
    fn lines_do_not_hide_spaces() {
        assert_eq!(wrap("AB CD EF", 3), ["A", "B C", "D E", "F"]);
    }

    #[test]
    fn picture_is_private_and_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code.png");
        let screen = Screen::new(longest(), None, 0).unwrap();
        screen.write_png(&path, false).unwrap();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(
            screen.write_png(&path, false).unwrap_err().code(),
            "OUTPUT_EXISTS"
        );
        screen.write_png(&path, true).unwrap();
        let picture = image::open(&path).unwrap().to_luma8();
        assert_eq!(picture.dimensions(), (45 * 8, 45 * 8));
        // The corner is quiet, the finder pattern is dark.
        assert_eq!(picture.get_pixel(0, 0).0, [255]);
        assert_eq!(picture.get_pixel(4 * 8, 4 * 8).0, [0]);
    }
}
