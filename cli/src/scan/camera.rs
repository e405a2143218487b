//! A camera, looked through for a QR code: V4L2, in builds with the feature `camera`.

use healthsync_pairing::invite::Invite;

use crate::{error::CliError, settings::Settings};

#[cfg(not(all(target_os = "linux", feature = "camera")))]
#[expect(clippy::unused_async, reason = "builds with a camera wait for it")]
pub(crate) async fn read(_settings: &Settings) -> Result<Invite, CliError> {
    Err(CliError::usage("this build of healthsync reads no camera")
        .with_hint("take a picture of the code and name it: `healthsync scan --file IMAGE`, or type the short code: `healthsync pair`"))
}

#[cfg(all(target_os = "linux", feature = "camera"))]
pub(crate) use video::read;

#[cfg(all(target_os = "linux", feature = "camera"))]
mod video {
    use std::{
        io,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
        thread,
        time::Duration,
    };

    use healthsync_core::{api::Code, report::Hint as _};
    use healthsync_pairing::invite::InviteError;
    use image::{DynamicImage, GrayImage, ImageFormat, ImageReader};
    use linuxvideo::{
        BufType, CapabilityFlags, Device,
        format::{PixFormat, PixelFormat},
    };

    use super::{CliError, Invite, Settings};
    use crate::scan::picture;

    /// How long a person may take to hold the code in front of the camera.
    const PATIENCE: Duration = Duration::from_mins(1);

    /// Enough for the code at arm's length, and each camera has something near it.
    const SIZE: (u32, u32) = (1280, 720);

    /// What can be decoded, the cheapest first.
    const FORMATS: [PixelFormat; 4] = [
        GREY,
        PixelFormat::YUYV,
        PixelFormat::MJPG,
        PixelFormat::JPEG,
    ];

    /// One byte a pixel.
    const GREY: PixelFormat = PixelFormat::from_fourcc(*b"GREY");

    /// The first code that the first camera sees.
    pub(crate) async fn read(settings: &Settings) -> Result<Invite, CliError> {
        /// Tells the thread that nobody waits for it any more.
        struct Stop(Arc<AtomicBool>);

        impl Drop for Stop {
            fn drop(&mut self) {
                self.0.store(true, Ordering::Relaxed);
            }
        }

        settings
            .printer
            .say("Hold the QR code in front of the camera, or stop with Ctrl-C.");
        let stop = Stop(Arc::default());
        let stopped = Arc::clone(&stop.0);
        let (send, receive) = tokio::sync::oneshot::channel();
        // A camera that gives no picture holds this thread for ever: the runtime must not wait for it.
        thread::Builder::new()
            .name("camera".to_owned())
            .spawn(move || drop(send.send(watch(&stopped))))
            .map_err(failed)?;
        match tokio::time::timeout(PATIENCE, receive).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(failed(io::Error::other(error))),
            Err(_) => Err(CliError::from(InviteError::NotFound)
                .saying(format!(
                    "the camera saw no pairing code within {} seconds",
                    PATIENCE.as_secs()
                ))
                .with_hint(Code::NoCamera.advice())),
        }
    }

    fn watch(stopped: &AtomicBool) -> Result<Invite, CliError> {
        let (device, format) = camera()?;
        let capture = device
            .video_capture(PixFormat::new(SIZE.0, SIZE.1, format))
            .map_err(failed)?;
        let format = Frame::of(capture.format());
        let mut stream = capture.into_stream().map_err(failed)?;
        while !stopped.load(Ordering::Relaxed) {
            let frame = stream
                .dequeue(|buffer| Ok((!buffer.is_error()).then(|| buffer.to_vec())))
                .map_err(failed)?;
            let Some(picture) = frame.and_then(|bytes| format.decode(bytes)) else {
                continue;
            };
            match picture::find([picture], "before the camera") {
                // Blurred codes come before sharp ones.
                Err(error)
                    if [InviteError::NotFound, InviteError::Damaged("")]
                        .iter()
                        .any(|passing| passing.code() == error.code()) => {}
                outcome => return outcome,
            }
        }
        Err(CliError::interrupted())
    }

    /// The first device that gives pictures of a kind that can be decoded, and which.
    fn camera() -> Result<(Device, PixelFormat), CliError> {
        let mut last = None;
        for device in linuxvideo::list().map_err(failed)? {
            match device.and_then(|device| Ok((kind(&device)?, device))) {
                Ok((Some(format), device)) => return Ok((device, format)),
                Ok((None, _)) => {}
                Err(error) => last = Some(error),
            }
        }
        let none = CliError::new(
            Code::NoCamera,
            "this computer has no camera that can be read",
        );
        Err(match last {
            Some(error) => none.because(error),
            None => none,
        })
    }

    fn kind(device: &Device) -> io::Result<Option<PixelFormat>> {
        let abilities = device.capabilities()?.device_capabilities();
        if !abilities.contains(CapabilityFlags::VIDEO_CAPTURE) {
            return Ok(None);
        }
        let mut offered = Vec::new();
        for format in device.formats(BufType::VIDEO_CAPTURE) {
            offered.push(format?.pixel_format());
        }
        Ok(FORMATS.into_iter().find(|format| offered.contains(format)))
    }

    fn failed(error: io::Error) -> CliError {
        CliError::new(Code::NoCamera, "the camera could not be read").because(error)
    }

    /// How the bytes of a frame are to be read; what the driver agreed to, not what it was asked for.
    struct Frame {
        format: PixelFormat,
        width: u32,
        height: u32,
        /// Bytes a line.
        stride: usize,
    }

    impl Frame {
        fn of(format: &PixFormat) -> Self {
            Self {
                format: format.pixel_format(),
                width: format.width(),
                height: format.height(),
                stride: usize::try_from(format.bytes_per_line()).unwrap_or(usize::MAX),
            }
        }

        /// The frame as a picture; `None` if it is broken, which the next one need not be.
        fn decode(&self, bytes: Vec<u8>) -> Option<DynamicImage> {
            if self.format == PixelFormat::MJPG || self.format == PixelFormat::JPEG {
                let mut reader =
                    ImageReader::with_format(io::Cursor::new(bytes), ImageFormat::Jpeg);
                reader.limits(picture::limits());
                return reader.decode().ok();
            }
            // YUYV has the light of each pixel in every second byte.
            let step = if self.format == PixelFormat::YUYV {
                2
            } else {
                1
            };
            let width = usize::try_from(self.width).ok()?;
            let height = usize::try_from(self.height).ok()?;
            let stride = self.stride.max(width.checked_mul(step)?);
            let light: Vec<u8> = bytes
                .chunks(stride)
                .take(height)
                .flat_map(|line| line.iter().step_by(step).take(width).copied())
                .collect();
            GrayImage::from_raw(self.width, self.height, light).map(DynamicImage::from)
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn frame(format: PixelFormat, stride: usize) -> Frame {
            Frame {
                format,
                width: 3,
                height: 2,
                stride,
            }
        }

        #[test]
        fn the_light_of_each_pixel_is_taken_and_padding_left() {
            let expected = Some(vec![1, 2, 3, 4, 5, 6]);
            let light = |frame: Frame, bytes: &[u8]| {
                frame.decode(bytes.to_vec()).map(DynamicImage::into_bytes)
            };
            let grey = [1, 2, 3, 0, 4, 5, 6, 0];
            assert_eq!(light(frame(GREY, 4), &grey), expected);
            let yuyv = [1, 9, 2, 9, 3, 9, 4, 9, 5, 9, 6, 9];
            assert_eq!(light(frame(PixelFormat::YUYV, 0), &yuyv), expected);
            // A frame that breaks off is no picture.
            assert_eq!(light(frame(PixelFormat::YUYV, 0), &yuyv[..8]), None);
            assert_eq!(light(frame(PixelFormat::MJPG, 0), &yuyv), None);
        }
    }
}
