//! The command's end of the control socket.

use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines},
    net::{UnixStream, unix::OwnedReadHalf, unix::OwnedWriteHalf},
};

use super::{
    ControlError,
    protocol::{Reply, Request},
    socket,
};
use crate::{
    config::DataFolder,
    error::{ServerError, Told},
    settings::SocketHomes,
};

/// One request under way.
#[derive(Debug)]
pub struct Conversation {
    lines: Lines<BufReader<OwnedReadHalf>>,
    // Kept open: the server closes a pairing window when this end goes away.
    _requests: OwnedWriteHalf,
}

/// Sends `request` to the server of `folder`.
pub async fn ask(
    folder: &DataFolder,
    homes: &SocketHomes,
    request: &Request,
) -> Result<Conversation, ServerError> {
    let stream = socket::connect(folder, homes).await?;
    Conversation::start(stream, request).await
}

/// Sends `request` and expects one reply.
pub async fn ask_once(
    folder: &DataFolder,
    homes: &SocketHomes,
    request: &Request,
) -> Result<Reply, ServerError> {
    ask(folder, homes, request).await?.next().await
}

impl Conversation {
    async fn start(stream: UnixStream, request: &Request) -> Result<Self, ServerError> {
        let (reader, mut writer) = stream.into_split();
        let mut line =
            serde_json::to_vec(request).map_err(|error| ControlError::Broken(error.into()))?;
        line.push(b'\n');
        writer
            .write_all(&line)
            .await
            .map_err(ControlError::Broken)?;
        Ok(Self {
            lines: BufReader::new(reader).lines(),
            _requests: writer,
        })
    }

    /// The next reply; an error reply is an error. Nothing is lost if the caller stops waiting.
    pub async fn next(&mut self) -> Result<Reply, ServerError> {
        let line = self.lines.next_line().await.map_err(ControlError::Broken)?;
        let Some(line) = line else {
            return Err(ControlError::Broken(std::io::ErrorKind::UnexpectedEof.into()).into());
        };
        match serde_json::from_str(&line).map_err(|_| ControlError::Unexpected)? {
            Reply::Error(failure) => Err(Told::from(failure).into()),
            reply => Ok(reply),
        }
    }
}
