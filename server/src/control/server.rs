//! The running server's end of the control socket.

use std::{sync::Arc, time::Duration};

use healthsync_core::{query::Query, report::Hint as _};
use healthsync_pairing::{
    audit::{Event, Note},
    certificate::crl_to_pem,
    trust::{Scope, State, TrustError},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{UnixStream, unix::OwnedWriteHalf},
};
use tokio_util::task::TaskTracker;

use super::{
    ControlError, audit,
    protocol::{CrlLine, Failure, Limits, PairLine, Reply, Request, StatusLine},
    socket::{self, BoundSocket},
    window,
};
use crate::{
    app::App,
    config::Config,
    error::{ServerError, Told},
    permit,
};

/// A request is one line of at most so many bytes.
const REQUEST_BYTES: u64 = 64 * 1024;
/// A command that connects sends its request at once.
const REQUEST_TIME: Duration = Duration::from_secs(5);

/// Answers commands until the task is dropped.
pub async fn serve(socket: BoundSocket, app: Arc<App>) {
    let tasks = TaskTracker::new();
    loop {
        match socket.listener.accept().await {
            Ok((stream, _)) if socket::is_own(&stream) => {
                let app = Arc::clone(&app);
                tasks.spawn(async move {
                    if let Err(error) = answer(stream, app).await {
                        tracing::debug!(%error, "a command went away");
                    }
                });
            }
            Ok(_) => tracing::warn!("another user tried to use the control socket"),
            Err(error) => {
                tracing::warn!(%error, "could not accept a command");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn answer(stream: UnixStream, app: Arc<App>) -> std::io::Result<()> {
    let (reader, writer) = stream.into_split();
    let mut answer = Answer { writer };
    let mut lines = BufReader::new(reader.take(REQUEST_BYTES));
    let mut line = String::new();
    match tokio::time::timeout(REQUEST_TIME, lines.read_line(&mut line)).await {
        Ok(read) => read?,
        Err(_) => return Ok(()),
    };
    let Ok(request) = serde_json::from_str(&line) else {
        return answer.fail(&ControlError::Unexpected.into()).await;
    };
    let outcome = match request {
        Request::Pair {
            seconds,
            approval,
            limits,
            days,
        } => match window::open(&app, seconds, approval, limits, days).await {
            Ok((window, scope)) => {
                return window::follow(
                    &app,
                    window,
                    &scope,
                    lines.into_inner().into_inner(),
                    &mut answer,
                )
                .await;
            }
            Err(error) => Err(error),
        },
        Request::Pairs => pairs(&app).await,
        Request::Approve { digits } => approve(&app, digits).await,
        Request::Refuse => refuse(&app).await,
        Request::Revoke { name } => revoke(&app, name).await,
        Request::Crl { name } => crl(&app, name).await,
        Request::Reset => reset(&app).await,
        Request::Allow { name, limits, all } => allow(&app, name, limits, all).await,
        Request::Pause => pause(&app, true).await,
        Request::Resume => pause(&app, false).await,
        Request::Audit(wanted) => match audit::list(&app, wanted, &mut answer).await {
            Ok(said) => return said,
            Err(error) => Err(error),
        },
        Request::AuditVerify => audit::verify(&app).await,
        Request::Status => status(&app).await.map(|status| vec![Reply::Status(status)]),
    };
    // What was done stands in the audit log before it is confirmed.
    if let Err(error) = app.audit().settle().await {
        tracing::error!(%error, "an event waits for the audit log");
    }
    match outcome {
        Ok(replies) => {
            for reply in &replies {
                answer.say(reply).await?;
            }
            answer.say(&Reply::Done).await
        }
        Err(error) => answer.fail(&error).await,
    }
}

/// Writes reply lines.
pub(super) struct Answer {
    writer: OwnedWriteHalf,
}

impl Answer {
    pub(super) async fn say(&mut self, reply: &Reply) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(reply)?;
        line.push(b'\n');
        self.writer.write_all(&line).await
    }

    async fn fail(&mut self, error: &ServerError) -> std::io::Result<()> {
        let told = Told::new(error, error.stable_code(), error.hint());
        self.say(&Reply::Error(Failure::from(told))).await
    }
}

async fn pairs(app: &Arc<App>) -> Result<Vec<Reply>, ServerError> {
    let trust = Arc::clone(app.trust());
    let records = app.blocking(move || trust.pairs()).await??;
    Ok(records
        .iter()
        .map(|record| Reply::Pair(PairLine::from(record)))
        .collect())
}

async fn approve(app: &Arc<App>, digits: String) -> Result<Vec<Reply>, ServerError> {
    let trust = Arc::clone(app.trust());
    app.blocking(move || trust.approve(&digits)).await??;
    Ok(Vec::new())
}

async fn refuse(app: &Arc<App>) -> Result<Vec<Reply>, ServerError> {
    let trust = Arc::clone(app.trust());
    app.blocking(move || trust.refuse()).await??;
    Ok(Vec::new())
}

async fn revoke(app: &Arc<App>, name: String) -> Result<Vec<Reply>, ServerError> {
    let trust = Arc::clone(app.trust());
    let reply = app
        .blocking(move || {
            // A revoked pair has given its name away; the one revoked last is meant.
            let before = trust
                .pairs()?
                .into_iter()
                .filter(|record| record.state == State::Revoked)
                .filter(|record| record.name == name || record.pair.to_string() == name)
                .max_by_key(|record| record.created_at);
            let record = match (trust.revoke(&name), &before) {
                (Err(TrustError::NotFound(_)), Some(old)) => trust.revoke(&old.pair.to_string())?,
                (revoked, _) => revoked?,
            };
            let line = PairLine::from(&record);
            Ok::<_, TrustError>(if before.is_some_and(|old| old.pair == record.pair) {
                Reply::AlreadyRevoked(line)
            } else {
                Reply::Revoked(line)
            })
        })
        .await??;
    Ok(vec![reply])
}

/// The list of one pair, or of every pair that has one.
async fn crl(app: &Arc<App>, name: Option<String>) -> Result<Vec<Reply>, ServerError> {
    let trust = Arc::clone(app.trust());
    let replies = app.blocking(move || {
        let reply = |name: &str| {
            trust.crl(name).map(|list| {
                Reply::Crl(CrlLine {
                    pair: list.record.pair.to_string(),
                    name: list.record.name,
                    state: list.record.state.as_str().to_owned(),
                    pem: crl_to_pem(&list.der),
                })
            })
        };
        if let Some(name) = name {
            return reply(&name).map(|reply| vec![reply]);
        }
        let records = trust.pairs()?.into_iter();
        records
            .map(|record| match reply(&record.pair.to_string()) {
                Err(TrustError::NoCrl) => Ok(Reply::CrlMissing(PairLine::from(&record))),
                other => other,
            })
            .collect()
    });
    Ok(replies.await??)
}

async fn reset(app: &Arc<App>) -> Result<Vec<Reply>, ServerError> {
    let trust = Arc::clone(app.trust());
    let revoked = app.blocking(move || trust.reset()).await??;
    tracing::info!(pairs = revoked.len(), "revoked every device");
    let lines = revoked.iter().map(PairLine::from);
    Ok(lines.map(Reply::Revoked).collect())
}

/// Limits whose types are names of this server's.
pub(super) struct Understood(Limits);

impl Understood {
    /// What is named replaces what was.
    pub(super) fn change(self, scope: &mut Scope) {
        let Limits { types, origins } = self.0;
        if !types.is_empty() {
            scope.types = Some(types);
        }
        if !origins.is_empty() {
            scope.origins = Some(origins);
        }
    }
}

pub(super) async fn understood(app: &App, mut limits: Limits) -> Result<Understood, ServerError> {
    if !limits.types.is_empty() {
        let mut held = app
            .with_store(|store| store.names_of(&Query::default()))
            .await?;
        held.extend(permit::other_words().map(str::to_owned));
        for text in &mut limits.types {
            *text = permit::parse(text, held.iter().map(String::as_str))?;
        }
    }
    for list in [&mut limits.types, &mut limits.origins] {
        list.sort_unstable();
        list.dedup();
    }
    Ok(Understood(limits))
}

async fn allow(
    app: &Arc<App>,
    name: String,
    limits: Limits,
    all: bool,
) -> Result<Vec<Reply>, ServerError> {
    let limits = understood(app, limits).await?;
    let trust = Arc::clone(app.trust());
    let changed = app
        .blocking(move || {
            trust.allow(&name, |scope| {
                if all {
                    *scope = Scope::default();
                }
                limits.change(scope);
            })
        })
        .await??;
    tracing::info!(pair = %changed.pair, "changed what a device may read");
    Ok(vec![Reply::Allowed(PairLine::from(&changed))])
}

/// Locks first and unlocks last: a server that cannot remember it is paused all the same.
async fn pause(app: &Arc<App>, paused: bool) -> Result<Vec<Reply>, ServerError> {
    let was_paused = app.is_paused();
    if paused || was_paused {
        app.set_paused(true);
    }
    if paused && !was_paused {
        // Before it is saved: it holds already, whether or not that succeeds.
        app.audit().note(Note::new(Event::Paused));
    }
    let folder = app.folder().clone();
    let saved = app.blocking(move || {
        let config = folder.config()?;
        folder.save(&Config { paused, ..config })
    });
    saved.await??;
    if !paused && was_paused {
        app.audit().note(Note::new(Event::Resumed));
    }
    app.set_paused(paused);
    tracing::info!(paused, "paused or resumed");
    Ok(Vec::new())
}

async fn status(app: &Arc<App>) -> Result<StatusLine, ServerError> {
    let trust = Arc::clone(app.trust());
    let records = app.blocking(move || trust.pairs()).await??;
    let active = records
        .iter()
        .filter(|record| record.state == State::Active)
        .count();
    let types = app.with_store(healthsync_core::store::Store::types).await?;
    Ok(StatusLine {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        name: app.name().to_owned(),
        process: std::process::id(),
        addresses: app.listening().iter().map(ToString::to_string).collect(),
        data_folder: app.folder().path().display().to_string(),
        key_store: app.key_store().to_owned(),
        active_pairs: u64::try_from(active).unwrap_or(u64::MAX),
        connections: app.connections(),
        window_open: app.is_window_open(),
        paused: app.is_paused(),
        samples: types.iter().map(|summary| summary.count).sum(),
        types: u64::try_from(types.len()).unwrap_or(u64::MAX),
    })
}
