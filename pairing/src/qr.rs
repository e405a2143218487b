//! The QR code as modules, for a terminal or a picture.

use qrcode::{Color, EcLevel, Version, bits::Bits};

use crate::secret::Secret;

/// Light modules that a reader expects on each side (ISO/IEC 18004 §6.3.8).
pub const QUIET_ZONE: usize = 4;

/// The modules of a code, quiet zone not included.
pub struct QrCode {
    /// Modules a side.
    pub width: usize,
    /// Row by row, true is dark.
    pub dark: Vec<bool>,
}

impl QrCode {
    /// Level L, smallest version (5 for 154 characters). `None`: a character outside the code's
    /// alphanumeric alphabet, or too many of them.
    pub fn new(text: &Secret) -> Option<Self> {
        let text = text.expose();
        if !text.iter().all(|symbol| ALPHANUMERIC.contains(symbol)) {
            return None;
        }
        // One segment: the library's own choice of segments may need a version more.
        let code = (1..=40).find_map(|version| {
            let mut bits = Bits::new(Version::Normal(version));
            bits.push_alphanumeric_data(text).ok()?;
            bits.push_terminator(LEVEL).ok()?;
            qrcode::QrCode::with_bits(bits, LEVEL).ok()
        })?;
        Some(Self {
            width: code.width(),
            dark: code
                .into_colors()
                .into_iter()
                .map(|color| color == Color::Dark)
                .collect(),
        })
    }

    /// Lines of half blocks with explicit black on white and this quiet zone (45 x 23 with 4
    /// modules at version 5). The colours are part of the code, because readers do not know
    /// inverted ones: they hold on dark and on light terminals, and `NO_COLOR` does not apply.
    pub fn terminal(&self, quiet: usize) -> Vec<String> {
        let side = self.width + 2 * quiet;
        (0..side)
            .step_by(2)
            .map(|row| {
                let cells = (0..side).map(|column| {
                    match (
                        self.is_dark(column, row, quiet),
                        self.is_dark(column, row + 1, quiet),
                    ) {
                        (true, true) => '█',
                        (true, false) => '▀',
                        (false, true) => '▄',
                        (false, false) => ' ',
                    }
                });
                format!("{BLACK_ON_WHITE}{}{RESET}", cells.collect::<String>())
            })
            .collect()
    }

    /// The modules of a picture, row by row, true is dark, with this quiet zone; its side in
    /// modules is [`Self::width`] and two quiet zones.
    pub fn picture(&self, quiet: usize) -> Vec<bool> {
        let side = self.width + 2 * quiet;
        (0..side)
            .flat_map(|row| (0..side).map(move |column| self.is_dark(column, row, quiet)))
            .collect()
    }

    /// A module by its place in the picture with its quiet zone.
    fn is_dark(&self, column: usize, row: usize, quiet: usize) -> bool {
        let inside = |place: usize| place.checked_sub(quiet).filter(|place| *place < self.width);
        inside(column)
            .zip(inside(row))
            .and_then(|(column, row)| self.dark.get(row * self.width + column))
            .copied()
            .unwrap_or(false)
    }
}

/// The modules are the secret in another form.
impl std::fmt::Debug for QrCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("QrCode")
            .field("width", &self.width)
            .finish_non_exhaustive()
    }
}

const ALPHANUMERIC: &[u8; 45] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

/// Fewer modules are read more surely from a screen than more error correction.
const LEVEL: EcLevel = EcLevel::L;

/// Black by its number in the 256 colours, which no theme changes, on the brightest white.
const BLACK_ON_WHITE: &str = "\u{1b}[38;5;16;48;5;231m";
const RESET: &str = "\u{1b}[0m";

#[cfg(test)]
mod tests {
    use super::*;

    fn alphanumeric(length: usize) -> String {
        "HS1:0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
            .chars()
            .cycle()
            .take(length)
            .collect()
    }

    fn code(text: &str) -> QrCode {
        QrCode::new(&Secret::new(text.as_bytes().to_vec())).unwrap()
    }

    /// What a reader sees in `side` x `side` modules of 4 pixels.
    fn read(side: usize, dark: &[bool]) -> String {
        assert_eq!(dark.len(), side * side);
        let mut image = rqrr::PreparedImage::prepare_from_greyscale(side * 4, side * 4, |x, y| {
            if dark[(y / 4) * side + x / 4] { 0 } else { 255 }
        });
        let grids = image.detect_grids();
        assert_eq!(grids.len(), 1);
        grids[0].decode().unwrap().1
    }

    /// The modules that a terminal shows: colours as the escape sequences set them.
    fn shown(lines: &[String]) -> Vec<bool> {
        let mut dark = Vec::new();
        for line in lines {
            let cells = line.strip_prefix(BLACK_ON_WHITE).unwrap();
            let cells = cells.strip_suffix(RESET).unwrap();
            assert!(!cells.contains('\u{1b}'));
            let halves: Vec<(bool, bool)> = cells
                .chars()
                .map(|cell| match cell {
                    '█' => (true, true),
                    '▀' => (true, false),
                    '▄' => (false, true),
                    ' ' => (false, false),
                    other => panic!("{other:?}"),
                })
                .collect();
            dark.extend(halves.iter().map(|half| half.0));
            dark.extend(halves.iter().map(|half| half.1));
        }
        dark
    }

    #[test]
    fn the_longest_invitation_takes_45_by_23_in_a_terminal() {
        let text = alphanumeric(154);
        let lines = code(&text).terminal(QUIET_ZONE);
        assert_eq!(lines.len(), 23);
        for line in &lines {
            let cells = line.chars().filter(|cell| "█▀▄ ".contains(*cell)).count();
            assert_eq!(cells, 45);
        }
        // 23 lines are 46 rows; the last is the terminal's, and light.
        let mut dark = shown(&lines);
        assert!(dark.split_off(45 * 45).iter().all(|dark| !dark));
        assert_eq!(read(45, &dark), text);
    }

    #[test]
    fn one_character_more_needs_the_next_version() {
        assert_eq!(code(&alphanumeric(154)).width, 37);
        assert_eq!(code(&alphanumeric(155)).width, 41);
        for (text, possible) in [
            (vec![b'A'; 4_296], true),
            (vec![b'A'; 4_297], false),
            (b"hs1".to_vec(), false),
            (vec![0xff], false),
        ] {
            assert_eq!(QrCode::new(&Secret::new(text)).is_some(), possible);
        }
    }

    #[test]
    fn a_picture_is_read_back() {
        for (text, quiet) in [
            (alphanumeric(154), QUIET_ZONE),
            (alphanumeric(154), 1),
            (alphanumeric(20), QUIET_ZONE),
        ] {
            let code = code(&text);
            assert_eq!(read(code.width + 2 * quiet, &code.picture(quiet)), text);
        }
    }

    #[test]
    fn the_quiet_zone_is_light_and_black_is_on_white() {
        let code = code(&alphanumeric(154));
        let lines = code.terminal(2);
        assert_eq!(lines.len(), 21);
        assert!(lines[0].starts_with("\u{1b}[38;5;16;48;5;231m   "));
        assert!(lines.iter().all(|line| line.ends_with("  \u{1b}[0m")));
        let picture = code.picture(2);
        assert!(picture[..2 * 41].iter().all(|dark| !dark));
        assert!(!format!("{code:?}").contains("true"));
    }
}
