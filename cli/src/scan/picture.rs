//! Finding the pairing code in a picture: a photo, a screenshot, dark on light or light on dark.

use std::{collections::BTreeSet, io, path::Path};

use healthsync_core::api::Code;
use healthsync_pairing::{
    invite::{Invite, InviteError},
    secret::Secret,
};
use image::{DynamicImage, GrayImage, ImageReader, Limits};

use crate::error::CliError;

/// Neither a phone nor a screen makes larger pictures.
const LARGEST_SIDE: u32 = 20_000;

/// What decoding may take: 100 megapixels of four bytes.
const LARGEST_PICTURE: u64 = 400 << 20;

/// Larger pictures are also tried at this width: noise goes, modules stay.
const COMFORTABLE_SIDE: u32 = 1600;

/// Reads the code from the picture `path`.
pub(crate) fn from_file(path: &Path) -> Result<Invite, CliError> {
    let unreadable = |error: io::Error| {
        CliError::new(
            Code::ReadFailed,
            format!("could not read {}", path.display()),
        )
        .because(error)
    };
    let mut reader = ImageReader::open(path)
        .map_err(unreadable)?
        .with_guessed_format()
        .map_err(unreadable)?;
    reader.limits(limits());
    let picture = reader.decode().map_err(|error| {
        CliError::new(
            Code::ReadFailed,
            format!("{} is not a picture that can be read", path.display()),
        )
        .because(error)
        .with_hint("give a PNG, JPEG, WebP, GIF, BMP or TIFF picture, or paste the text with `healthsync scan`")
    })?;
    find([picture], "in the picture")
}

/// How large a picture may be that is decoded.
pub(crate) fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_image_width = Some(LARGEST_SIDE);
    limits.max_image_height = Some(LARGEST_SIDE);
    limits.max_alloc = Some(LARGEST_PICTURE);
    limits
}

/// The one pairing code in these pictures, which are `place`. The pixels are wiped.
///
/// A code that is damaged or leads elsewhere is passed over while a good one is there. Two good ones
/// are an error: nobody knows which server is meant.
pub(crate) fn find(
    pictures: impl IntoIterator<Item = DynamicImage>,
    place: &str,
) -> Result<Invite, CliError> {
    let mut texts = BTreeSet::new();
    for picture in pictures {
        texts.append(&mut codes_of(&picture));
        wipe(picture);
    }
    let (mut good, mut wrong) = (Vec::new(), None);
    for text in texts {
        match Invite::parse(&text) {
            Ok(invite) => good.push(invite),
            Err(error) => wrong = wrong.or(Some(error)),
        }
        drop(Secret::new(text.into_bytes()));
    }
    let mut good = good.into_iter();
    match (good.next(), good.next()) {
        (Some(invite), None) => Ok(invite),
        (Some(_), Some(_)) => Err(CliError::new(
            Code::InviteAmbiguous,
            format!("there are several pairing codes {place}"),
        )),
        (None, _) => Err(match wrong {
            Some(error) => CliError::from(error),
            None => CliError::from(InviteError::NotFound)
                .saying(format!("there is no pairing code {place}"))
                .with_hint(
                    "take the picture again, straight and sharp with the whole code in it, or paste the text with `healthsync scan`",
                ),
        }),
    }
}

/// Overwrites the pixels: a picture of a code is as good as the code.
fn wipe(picture: DynamicImage) {
    drop(Secret::new(picture.into_bytes()));
}

fn codes_of(picture: &DynamicImage) -> BTreeSet<String> {
    let grey = picture.to_luma8();
    let mut codes = codes_both_ways(&grey);
    if codes.is_empty() && grey.width().max(grey.height()) > COMFORTABLE_SIDE {
        let small = picture.thumbnail(COMFORTABLE_SIDE, COMFORTABLE_SIDE);
        let small_grey = small.to_luma8();
        codes = codes_both_ways(&small_grey);
        wipe(small_grey.into());
        wipe(small);
    }
    wipe(grey.into());
    codes
}

/// The library knows dark modules on a light ground only, so a picture without any code is also
/// read the other way round. Both ways always, else a second code could hide in the other colours.
fn codes_both_ways(grey: &GrayImage) -> BTreeSet<String> {
    let mut codes = codes(grey, |level| level);
    codes.append(&mut self::codes(grey, |level| 255 - level));
    codes
}

fn codes(grey: &GrayImage, level: impl Fn(u8) -> u8) -> BTreeSet<String> {
    let (Ok(width), Ok(height)) = (
        usize::try_from(grey.width()),
        usize::try_from(grey.height()),
    ) else {
        return BTreeSet::new();
    };
    let pixels = grey.as_raw();
    let at = |x: usize, y: usize| pixels.get(y * width + x).copied().unwrap_or(255);
    rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| level(at(x, y)))
        .detect_grids()
        .iter()
        .filter_map(|grid| grid.decode().ok())
        .map(|(_, text)| text)
        .filter(|text| {
            text.get(..4)
                .is_some_and(|start| start.eq_ignore_ascii_case("HS1:"))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use healthsync_core::report::Hint as _;
    use healthsync_pairing::{id::KeyDigest, secret::Secret};
    use image::Luma;
    use qrcode::{Color, EcLevel, QrCode};

    use super::*;

    fn text(session: u8) -> String {
        let invite = Invite {
            session: [session; 8],
            key: KeyDigest([2; 32]),
            secret: Secret::new(vec![3; 16]),
            addresses: vec!["127.0.0.1:8443".parse().unwrap()],
            expires_at: 1_900_000_000,
        };
        String::from_utf8(invite.to_text().unwrap().expose().to_vec()).unwrap()
    }

    /// The code, black on white, four pixels a module, with its quiet zone.
    fn drawn(text: &str) -> GrayImage {
        let code = QrCode::with_error_correction_level(text, EcLevel::L).unwrap();
        let width = u32::try_from(code.width()).unwrap();
        GrayImage::from_fn((width + 8) * 4, (width + 8) * 4, |x, y| {
            let module = |at: u32| (at / 4).checked_sub(4).filter(|at| *at < width);
            let dark = match (module(x), module(y)) {
                (Some(x), Some(y)) => {
                    code[(usize::try_from(x).unwrap(), usize::try_from(y).unwrap())] == Color::Dark
                }
                _ => false,
            };
            Luma([if dark { 0 } else { 255 }])
        })
    }

    fn beside(left: &GrayImage, right: &GrayImage) -> GrayImage {
        let mut both = GrayImage::from_pixel(
            left.width() + right.width(),
            left.height().max(right.height()),
            Luma([255]),
        );
        image::imageops::replace(&mut both, left, 0, 0);
        image::imageops::replace(&mut both, right, i64::from(left.width()), 0);
        both
    }

    fn inverted(picture: &GrayImage) -> GrayImage {
        let mut picture = picture.clone();
        image::imageops::invert(&mut picture);
        picture
    }

    fn found(picture: GrayImage) -> Result<[u8; 8], &'static str> {
        find([picture.into()], "in the picture")
            .map(|invite| invite.session)
            .map_err(|error| error.code())
    }

    #[test]
    fn one_code_is_found_whatever_its_colours() {
        let code = drawn(&text(1));
        assert_eq!(found(code.clone()), Ok([1; 8]));
        assert_eq!(found(inverted(&code)), Ok([1; 8]));
        assert_eq!(found(image::imageops::rotate90(&code)), Ok([1; 8]));
        // Other codes in the picture are not ours; the same code twice is one code.
        assert_eq!(
            found(beside(&code, &drawn("https://example.org"))),
            Ok([1; 8])
        );
        assert_eq!(found(beside(&code, &code)), Ok([1; 8]));
    }

    #[test]
    fn no_code_and_two_codes_are_told() {
        assert_eq!(
            found(GrayImage::from_pixel(300, 300, Luma([255]))),
            Err("INVITE_NOT_FOUND")
        );
        assert_eq!(found(drawn("https://example.org")), Err("INVITE_NOT_FOUND"));
        assert_eq!(
            found(beside(&drawn(&text(1)), &drawn(&text(2)))),
            Err("INVITE_AMBIGUOUS")
        );
        assert_eq!(
            found(beside(&drawn(&text(1)), &inverted(&drawn(&text(2))))),
            Err("INVITE_AMBIGUOUS")
        );
    }

    #[test]
    fn a_damaged_code_does_not_hide_a_good_one() {
        let good = drawn(&text(1));
        let damaged = drawn(&text(2).replace("HS1:", "HS1:AAAA"));
        assert_eq!(found(beside(&damaged, &good)), Ok([1; 8]));
        assert_eq!(found(damaged), Err("INVITE_DAMAGED"));
        let two = [good.clone().into(), good.into()];
        assert_eq!(find(two, "on the screen").unwrap().session, [1; 8]);
        let two = [drawn(&text(1)).into(), drawn(&text(2)).into()];
        let error = find(two, "on the screen").unwrap_err();
        assert_eq!(error.code(), "INVITE_AMBIGUOUS");
        assert_eq!(
            error.to_string(),
            "there are several pairing codes on the screen"
        );
    }

    #[test]
    fn files_are_pictures_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("code.png");
        drawn(&text(1)).save(&path).unwrap();
        assert_eq!(from_file(&path).unwrap().session, [1; 8]);
        let wrong = folder.path().join("code.txt");
        std::fs::write(&wrong, "hello").unwrap();
        for path in [wrong, folder.path().join("none"), folder.path().to_owned()] {
            assert_eq!(from_file(&path).unwrap_err().code(), "READ_FAILED");
        }
    }
}
