//! Frames over a channel, with time limits: whole frames in, whole frames out, nothing between.

use std::{future::poll_fn, io, pin::Pin, task::Poll, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf},
    time::timeout,
};

use super::frame::{self, Abort, HEADER, Malformed};
use crate::defence::{Defence, holds};

/// Each frame comes, or goes out, within this time.
pub(super) const FRAME_TIME: Duration = Duration::from_secs(5);

/// What came instead of the frame.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireError {
    /// The peer said why it ends.
    #[error("the peer ended the exchange")]
    Aborted(Abort),
    /// The connection is gone.
    #[error("the connection broke off")]
    Lost(#[source] io::Error),
    /// Nothing came in time.
    #[error("the peer did not answer in time")]
    Late,
    /// Wrong type for the state, a bad length or value, or a byte before its turn.
    #[error("the peer does not follow the protocol")]
    Malformed,
}

impl From<Malformed> for WireError {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

/// One end of an exchange.
#[derive(Debug)]
pub(super) struct Wire<S>(pub(super) S);

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    /// The next frame, which must be of type `kind`: the whole frame and where its body starts.
    pub(super) async fn read(&mut self, kind: u8, within: Duration) -> Result<Vec<u8>, WireError> {
        timeout(within, self.read_now(kind))
            .await
            .map_err(|_| WireError::Late)?
    }

    async fn read_now(&mut self, kind: u8) -> Result<Vec<u8>, WireError> {
        let mut header = [0; HEADER];
        self.0
            .read_exact(&mut header)
            .await
            .map_err(WireError::Lost)?;
        let (found, length) = frame::header(header)?;
        if found != kind && found != frame::kind::ABORT && holds(Defence::PeerText) {
            return Err(WireError::Malformed);
        }
        let mut whole = header.to_vec();
        whole.resize(HEADER + length, 0);
        let room = whole.get_mut(HEADER..).unwrap_or_default();
        self.0.read_exact(room).await.map_err(WireError::Lost)?;
        if found == kind {
            Ok(whole)
        } else if !holds(Defence::PeerText) {
            let text = String::from_utf8_lossy(&whole).into_owned();
            Err(WireError::Lost(io::Error::other(text)))
        } else {
            Err(WireError::Aborted(Abort::read(body(&whole))?))
        }
    }

    /// Sends a whole frame. Bytes that came before our turn end the exchange.
    pub(super) async fn write(&mut self, whole: &[u8]) -> Result<(), WireError> {
        self.quiet().await?;
        timeout(FRAME_TIME, async {
            self.0.write_all(whole).await?;
            self.0.flush().await
        })
        .await
        .map_err(|_| WireError::Late)?
        .map_err(WireError::Lost)
    }

    /// Says why, as well as it goes, then closes and reads what still comes, so that the last
    /// frame is not lost to a reset.
    pub(super) async fn close(&mut self, last_words: Option<&Abort>) {
        let farewell = async {
            if let Some(frame) = last_words.and_then(|abort| abort.write().ok()) {
                self.0.write_all(&frame).await?;
            }
            self.0.shutdown().await?;
            let mut rest = [0; 1024];
            while self.0.read(&mut rest).await? > 0 {}
            Ok::<_, io::Error>(())
        };
        // Whether the peer hears it is its own business.
        drop(timeout(Duration::from_millis(500), farewell).await);
    }

    /// Ends when anything comes, also the end of the connection.
    pub(super) async fn anything(&mut self) -> WireError {
        let mut byte = [0; 1];
        match self.0.read(&mut byte).await {
            Ok(0) => WireError::Lost(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => WireError::Malformed,
            Err(error) => WireError::Lost(error),
        }
    }

    /// Whether nothing waits to be read.
    async fn quiet(&mut self) -> Result<(), WireError> {
        let stream = &mut self.0;
        poll_fn(|context| {
            let mut byte = [0; 1];
            let mut room = ReadBuf::new(&mut byte);
            Poll::Ready(match Pin::new(&mut *stream).poll_read(context, &mut room) {
                Poll::Pending => Ok(()),
                Poll::Ready(Ok(())) if room.filled().is_empty() => {
                    Err(WireError::Lost(io::ErrorKind::UnexpectedEof.into()))
                }
                Poll::Ready(Ok(())) => Err(WireError::Malformed),
                Poll::Ready(Err(error)) => Err(WireError::Lost(error)),
            })
        })
        .await
    }
}

/// The body of a whole frame.
pub(super) fn body(whole: &[u8]) -> &[u8] {
    whole.get(HEADER..).unwrap_or_default()
}
