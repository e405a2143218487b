//! Streams samples from the store to a peer: constant memory, and never a silently short answer.
//!
//! ```text
//! blocking thread: Store::scan ──► Encoder ──► Outlet ──► channel of a few pieces ──► body of the answer
//!                     (a second thread, see stages)
//!                                               └─► audit log, which is asked first (see reading)
//! ```
//!
//! A failure in the middle breaks the stream (no last chunk on HTTP/1.1, a reset stream on HTTP/2), so
//! the peer sees that something is missing.

mod stages;

use std::{io, sync::Arc, task::Poll};

use axum::{
    body::{Body, Bytes},
    http::{HeaderValue, header},
    response::Response,
};
use futures_util::stream;
use healthsync_core::{
    api::{Code, NEXT_CURSOR},
    format::{Format, FormatError, LineError, Options},
    kind::{Kind, Selector},
    query::{Cursor, Query},
    store::{Store, StoreError, TotalsError},
    time,
};
use healthsync_pairing::audit::AuditError;
use jiff::tz::TimeZone;
use tokio::sync::{mpsc, oneshot};

use super::reading::Reading;
use crate::{app::App, error::ServerError, packing, permit::Permit, refusal::ApiError};

/// Pieces that wait for the peer.
const PIECES: usize = 4;
/// Small batches are joined up to so many bytes.
const PIECE_BYTES: usize = 64 * 1024;

/// What a request asks for, still as text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    /// Names; none or `all` means all.
    pub(super) types: &'a [&'a str],
    /// First instant.
    pub(super) start: Option<&'a str>,
    /// First instant behind the range.
    pub(super) end: Option<&'a str>,
    /// At most so many.
    pub(super) limit: Option<u64>,
    /// Skip so many.
    pub(super) offset: u64,
    /// Go on behind.
    pub(super) cursor: Option<&'a str>,
    /// Names; none means all.
    pub(super) origins: &'a [&'a str],
    /// Also the columns of metadata.
    pub(super) include_metadata: bool,
}

impl Wanted<'_> {
    /// Reads it, with the names that the store holds beside those that everybody knows.
    pub(super) fn query(self, held: &[String], now_ms: i64) -> Result<Query, ApiError> {
        if self.limit == Some(0) {
            return Err(ApiError::new(Code::BadRequest, "a limit is at least 1"));
        }
        let query = Query {
            types: self.selectors(held)?,
            origins: self.origins.iter().map(|&name| name.to_owned()).collect(),
            start_ms: instant(self.start, now_ms)?,
            end_ms: instant(self.end, now_ms)?,
            limit: self.limit,
            offset: self.offset,
            cursor: self
                .cursor
                .map(str::parse::<Cursor>)
                .transpose()
                .map_err(|error| ApiError::new(Code::InvalidCursor, error.to_string()))?,
            include_metadata: self.include_metadata,
        };
        query
            .check()
            .map_err(|error| ApiError::new(Code::InvalidRange, error.to_string()))?;
        Ok(query)
    }

    fn selectors(&self, held: &[String]) -> Result<Vec<Selector>, ApiError> {
        if self.types.contains(&"all") {
            return Ok(Vec::new());
        }
        let names = held.iter().map(String::as_str);
        self.types
            .iter()
            .map(|name| {
                Kind::parse_among(name, names.clone()).map_err(|unknown| {
                    let error = ApiError::new(Code::UnknownType, unknown.to_string());
                    match unknown.nearest {
                        Some(nearest) => error.with_hint(format!("did you mean `{nearest}`?")),
                        None => error,
                    }
                })
            })
            .collect()
    }
}

pub(super) fn instant(text: Option<&str>, now_ms: i64) -> Result<Option<i64>, ApiError> {
    text.map(|text| time::parse(text, &TimeZone::UTC, now_ms))
        .transpose()
        .map_err(|error| ApiError::new(Code::InvalidRange, error.to_string()))
}

/// A piece of the answer's body.
enum Piece {
    /// Some bytes.
    Bytes(Bytes),
    /// All bytes were sent; without it the answer is not whole.
    Last,
}

/// Why a stream stopped.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    #[error(transparent)]
    Audit(#[from] AuditError),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Line(#[from] LineError),
    #[error(transparent)]
    Totals(#[from] TotalsError),
    #[error("the peer went away")]
    Gone,
    #[error("the thread that encodes has failed")]
    Thread,
}

impl From<Broken> for ApiError {
    fn from(broken: Broken) -> Self {
        match broken {
            Broken::Audit(error) => error.into(),
            Broken::Totals(error @ TotalsError::Overlaps { .. }) => {
                Self::new(Code::TooManyOverlaps, error.to_string())
            }
            other => Self::internal(&other),
        }
    }
}

/// Where the next page begins, once the head of the answer may leave.
type Head = oneshot::Sender<Result<Option<String>, ApiError>>;

/// The way out of the blocking thread: head, pieces, and what the audit log is told before.
pub(super) struct Outlet {
    /// Until the head has left.
    head: Option<Head>,
    next: Option<String>,
    pieces: mpsc::Sender<Piece>,
    reading: Reading,
}

impl Outlet {
    /// More rows are on their way.
    pub(super) fn add(&mut self, rows: usize) {
        self.reading.add(rows);
    }

    /// Sends what is ready, once it is worth a piece.
    pub(super) fn send_full(&mut self, out: &mut Vec<u8>) -> Result<(), Broken> {
        if out.len() < PIECE_BYTES {
            return Ok(());
        }
        self.send(std::mem::take(out))
    }

    /// A piece with more behind it.
    pub(super) fn send(&mut self, bytes: Vec<u8>) -> Result<(), Broken> {
        if self.head.is_some() {
            self.reading.begin()?;
        }
        self.push(bytes)
    }

    /// The last piece.
    pub(super) fn finish(&mut self, bytes: Vec<u8>) -> Result<(), Broken> {
        self.reading.end()?;
        self.push(bytes)?;
        self.pieces
            .blocking_send(Piece::Last)
            .map_err(|_| Broken::Gone)
    }

    fn push(&mut self, bytes: Vec<u8>) -> Result<(), Broken> {
        if let Some(head) = self.head.take() {
            head.send(Ok(self.next.take())).map_err(|_| Broken::Gone)?;
        }
        if bytes.is_empty() {
            return Ok(());
        }
        self.pieces
            .blocking_send(Piece::Bytes(bytes.into()))
            .map_err(|_| Broken::Gone)
    }
}

/// Answers with the samples of the query that `build` makes, as far as the device may read them.
pub(super) async fn answer(
    app: Arc<App>,
    reading: Reading,
    permit: Arc<Permit>,
    format: &'static Format,
    options: Options,
    build: impl FnOnce(&[String]) -> Result<Query, ApiError> + Send + 'static,
) -> Result<Response, ApiError> {
    let begun = move |store: &Store, reading: &mut Reading| {
        let query = narrowed(store, &permit, build, reading)?;
        let next = store
            .next_cursor(&query)
            .map_err(|error| ApiError::internal(&error))?;
        Ok((query, next.map(|cursor| cursor.to_string())))
    };
    let shared = Arc::clone(&app);
    let written = move |store: &Store, query: Query, outlet: &mut Outlet| {
        let mut encoder = (format.encoder)(&options);
        let packs = packing::packs_for(&shared, &query, encoder.as_ref());
        let scanned = stages::write(store, packs.as_ref(), &query, encoder.as_mut(), outlet)?;
        if encoder.takes_packs() {
            packing::answered(&shared, packs, &scanned);
        }
        Ok(())
    };
    respond(app, reading, format.media_type, begun, written).await
}

/// Answers with what `write` sends, in a thread that may wait. `begin` comes first: it refuses, or
/// says what is read and where the next page begins. Both see one state of the store.
pub(super) async fn respond<T>(
    app: Arc<App>,
    reading: Reading,
    media_type: &'static str,
    begin: impl FnOnce(&Store, &mut Reading) -> Result<(T, Option<String>), ApiError> + Send + 'static,
    write: impl FnOnce(&Store, T, &mut Outlet) -> Result<(), Broken> + Send + 'static,
) -> Result<Response, ApiError> {
    let Some(turn) = app.scan_turn().await else {
        return Err(ApiError::new(Code::StoreUnavailable, "the server stops"));
    };
    let (head, begun) = oneshot::channel();
    let (pieces, body) = mpsc::channel(PIECES);
    let path = app.folder().health_db();
    let mut outlet = Outlet {
        head: Some(head),
        next: None,
        pieces,
        reading,
    };
    tokio::task::spawn_blocking(move || {
        let _turn = turn;
        // Threads come and go, and the allocator keeps for each what it had once.
        let store = match Store::open_to_walk(&path) {
            Ok(store) => store,
            Err(error) => {
                // The receiver is gone only if the peer is.
                if let Some(head) = outlet.head.take() {
                    drop(head.send(Err(ServerError::Store(path, error).into())));
                }
                return;
            }
        };
        // The cursor in the head and the samples behind it show one state of the store: an import
        // that ends between them must not make the next page skip rows.
        let ended = store.snapshot(|store| match begin(store, &mut outlet.reading) {
            Ok((wanted, next)) => {
                outlet.next = next;
                write(store, wanted, &mut outlet)
            }
            Err(error) => {
                if let Some(head) = outlet.head.take() {
                    drop(head.send(Err(error)));
                }
                Ok(())
            }
        });
        match (ended, outlet.head.take()) {
            (Ok(()) | Err(Broken::Gone), _) => {}
            // Nothing has left yet: the peer is told.
            (Err(error), Some(head)) => drop(head.send(Err(error.into()))),
            (Err(error), None) => {
                tracing::error!(request = outlet.reading.request(), %error, "an answer broke off");
            }
        }
    });
    let next: Option<String> = begun.await.map_err(|error| ApiError::internal(&error))??;
    let mut response = Response::new(body_of(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::VARY, HeaderValue::from_static("accept"));
    if let Some(cursor) = next.and_then(|cursor| HeaderValue::from_str(&cursor).ok()) {
        headers.insert(NEXT_CURSOR, cursor);
    }
    Ok(response)
}

/// The query, narrowed to what the device may read; the audit log is told what it is about.
pub(super) fn narrowed(
    store: &Store,
    permit: &Permit,
    build: impl FnOnce(&[String]) -> Result<Query, ApiError>,
    reading: &mut Reading,
) -> Result<Query, ApiError> {
    let held = permit
        .names(store)
        .map_err(|error| ApiError::internal(&error))?;
    let query = build(&held)?;
    reading.about(&query);
    let query = match permit.narrow(query) {
        Ok(query) => query,
        Err(refused) => {
            reading.refuse(refused.code)?;
            return Err(refused);
        }
    };
    reading.about(&query);
    Ok(query)
}

/// The body that ends well only after [`Piece::Last`].
fn body_of(mut pieces: mpsc::Receiver<Piece>) -> Body {
    let mut whole = false;
    Body::from_stream(stream::poll_fn(move |context| {
        if whole {
            return Poll::Ready(None);
        }
        pieces.poll_recv(context).map(|piece| match piece {
            Some(Piece::Bytes(bytes)) => Some(Ok(bytes)),
            Some(Piece::Last) => {
                whole = true;
                None
            }
            // The writer stopped without a word: this must not look like the end.
            None => Some(Err(io::Error::from(io::ErrorKind::UnexpectedEof))),
        })
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn check(pieces: Vec<Piece>) -> Option<Bytes> {
        let (sender, receiver) = mpsc::channel(8);
        for piece in pieces {
            sender.send(piece).await.unwrap();
        }
        drop(sender);
        axum::body::to_bytes(body_of(receiver), 1000).await.ok()
    }

    #[tokio::test]
    async fn answer_that_breaks_off_is_an_error() {
        let bytes = || Piece::Bytes(Bytes::from_static(b"x"));
        assert_eq!(
            check(vec![bytes(), bytes(), Piece::Last]).await,
            Some(Bytes::from_static(b"xx"))
        );
        assert_eq!(check(vec![Piece::Last]).await, Some(Bytes::new()));
        assert_eq!(check(vec![bytes(), bytes()]).await, None);
        assert_eq!(check(vec![]).await, None);
    }
}
