//! The second look: a bare connection that finds out what an HTTP client may have lost.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustls::ClientConfig;
use tokio::{io::AsyncReadExt as _, time::timeout};

use super::{Shown, dial, reset};
use crate::{
    id::PairId,
    tls::{
        failure::{Failure, Phase, Subject, cause},
        trace::Trace,
    },
};

/// How long a server that refuses us may take to say so.
const SECOND_LOOK: Duration = Duration::from_millis(300);

/// Opens a connection of its own to `address`, sends nothing, reads once: shows what was
/// negotiated, or gives the reason, also the alert that an HTTP client loses.
pub async fn look(
    configuration: Arc<ClientConfig>,
    pair: &PairId,
    address: SocketAddr,
    within: Duration,
) -> Result<Shown, Failure> {
    look_again(configuration, pair, address, within, &Trace::off()).await
}

/// The same, telling each step.
pub async fn look_again(
    configuration: Arc<ClientConfig>,
    pair: &PairId,
    address: SocketAddr,
    within: Duration,
    trace: &Trace,
) -> Result<Shown, Failure> {
    let mut channel = dial(configuration, pair, address, within, trace).await?;
    let mut byte = [0_u8; 1];
    match timeout(SECOND_LOOK, channel.read(&mut byte)).await {
        // Silence, or the first bytes of HTTP/2: we are in.
        Err(_) | Ok(Ok(1..)) => {}
        Ok(Ok(0)) => {
            return Err(Failure::new(
                "ECONNRESET",
                Subject::Server,
                "the server closed the connection after the handshake",
            )
            .in_phase(Phase::Exchange));
        }
        Ok(Err(error)) => {
            return Err(channel
                .heard()
                .failure()
                .or_else(|| cause(&error))
                .unwrap_or_else(|| reset(&error, Phase::Exchange)));
        }
    }
    Ok(channel.shown().clone())
}
