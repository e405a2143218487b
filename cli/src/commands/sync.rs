//! `healthsync sync`: a copy that follows the server, page by page.
//!
//! ```text
//! GET changes?after=CURSOR ──► rows and the next cursor, in one transaction ──┐
//!          ▲                                                                  │
//!          └────────── while there is more ◄──────────────────────────────────┤
//! GET aggregates ──► daily totals from the earliest change on ◄───────────────┘
//!          └──► of a folder: the files of the types and years that changed
//! ```
//!
//! When nothing is new this is one request. With `--follow` the server holds it back until something
//! is written.

mod folder;
mod target;

use std::{mem, time::Duration};

use healthsync_core::{
    aggregate::TotalsBatch,
    api::{self, Code},
    change::ChangeBatch,
    format::{ArrowStream, Columnar, by_name},
    replica::{ReplicaError, TotalsDue},
    report::Hint as _,
    time,
};
use indicatif::ProgressBar;
use serde_json::json;

use self::target::Target;
use super::{
    request::Request,
    wait::{LONGEST, may_pass},
};
use crate::{
    args::Sync,
    client::{Answer, Link},
    error::CliError,
    printer::{Printer, grouped},
    settings::{Settings, Trial, zone_name},
};

/// Seconds that the server may hold an answer back; less than anybody takes for silence.
const WAIT: u64 = 20;

/// A sleep that ends on a later day may have begun so much earlier, and belonged to that day.
const TWO_DAYS_MS: i64 = 2 * 86_400_000;

/// What was brought and not told yet.
#[derive(Clone, Copy, Debug, Default)]
struct Brought {
    written: u64,
    deleted: u64,
    began_anew: bool,
    /// Files that were changed; `None`: the copy is no folder.
    files: Option<u64>,
}

/// Keeps the copy.
pub(crate) async fn run(sync: &Sync, settings: &Settings) -> Result<(), CliError> {
    let timezone = zone_name(sync.timezone.as_deref())?;
    let link = Link::open(settings).await?;
    let target = Target::open(sync, &link.server.pair, settings)?;
    let mut copy = Copy {
        pair: link.server.pair.clone(),
        link,
        target,
        timezone,
        trial: settings.trial,
        progress: Printer::counter("changes"),
        lacks_totals: false,
        brought: Brought::default(),
    };
    settings.printer.show(&copy.progress);
    copy.link.shows_nothing();
    let standing = copy.target.mirror.standing().map_err(not_kept)?;
    if !standing.pair.is_empty() && standing.pair != copy.pair {
        return Err(CliError::new(
            Code::OtherCopy,
            format!("{} is the copy of another pair", copy.target.path.display()),
        ));
    }
    let outcome = copy.round(0, settings).await;
    copy.progress.finish_and_clear();
    outcome?;
    copy.tell(settings)?;
    if !sync.follow {
        return Ok(());
    }
    let silence = settings.read_timeout.as_secs();
    let wait = WAIT.min((silence / 2).max(1));
    let mut pause = Duration::from_secs(1);
    let mut has_failed = false;
    loop {
        // What failed is tried again at once, not when something changes.
        let outcome = copy
            .round(if has_failed { 0 } else { wait }, settings)
            .await;
        has_failed = outcome.is_err();
        match outcome {
            Ok(()) => {
                pause = Duration::from_secs(1);
                if copy.brought.is_any() {
                    copy.tell(settings)?;
                }
            }
            Err(error) if may_pass(&error) => {
                let asked = error.retry_after().map(Duration::from_secs);
                let next = pause.max(asked.unwrap_or_default());
                settings.printer.note(&format!(
                    "{error} [{}]; trying again in {} s",
                    error.code(),
                    next.as_secs().max(1)
                ));
                tokio::time::sleep(next).await;
                pause = (pause * 2).min(LONGEST);
            }
            Err(error) => return Err(error),
        }
    }
}

impl Brought {
    fn is_any(self) -> bool {
        self.written + self.deleted + self.files.unwrap_or_default() > 0 || self.began_anew
    }
}

struct Copy {
    link: Link,
    target: Target,
    pair: String,
    timezone: String,
    /// How a test wants it to die.
    trial: Trial,
    progress: ProgressBar,
    /// There were too many overlaps to make totals, and nothing has changed since.
    lacks_totals: bool,
    brought: Brought,
}

impl Copy {
    /// Takes all pages that there are, then the totals that they touch; files are written without
    /// them, too.
    async fn round(&mut self, wait: u64, settings: &Settings) -> Result<(), CliError> {
        let mut wait = wait;
        loop {
            let standing = self.target.mirror.standing().map_err(not_kept)?;
            self.trial.place();
            let after = standing.after().map(str::to_owned);
            let page = match self.page(after.as_deref(), wait).await {
                Ok(page) => page,
                Err(error) if begins_anew(&error) && after.is_some() => {
                    self.target.mirror.begin_anew().map_err(not_kept)?;
                    self.brought.began_anew = true;
                    self.lacks_totals = false;
                    continue;
                }
                Err(error) => return Err(error),
            };
            wait = 0;
            self.trial.place();
            let (batches, next, has_more) = page;
            let applied = self
                .target
                .mirror
                .apply(&self.pair, &standing, &batches, (&next, has_more))
                .map_err(not_kept)?;
            self.trial.place();
            self.brought.written += applied.written;
            self.brought.deleted += applied.deleted;
            self.lacks_totals &= applied.written + applied.deleted == 0;
            self.progress.inc(applied.written + applied.deleted);
            if !has_more {
                break;
            }
        }
        let totals = if self.lacks_totals {
            Ok(())
        } else {
            self.try_totals(settings).await
        };
        if let Some(files) = self.target.write_files(&mut self.trial)? {
            *self.brought.files.get_or_insert_default() += files;
        }
        totals
    }

    /// Brings the totals up to date, if they can be made.
    async fn try_totals(&mut self, settings: &Settings) -> Result<(), CliError> {
        match self.totals().await {
            // All else is kept, and the totals stay due.
            Err(error) if error.code() == Code::TooManyOverlaps.as_str() => {
                self.lacks_totals = true;
                settings.printer.warn(&format!(
                    "the daily totals are not up to date: {error} [{}]",
                    error.code()
                ));
                Ok(())
            }
            tried => tried,
        }
    }

    /// One page: changes, the next cursor, whether there is more.
    async fn page(
        &mut self,
        after: Option<&str>,
        wait: u64,
    ) -> Result<(Vec<ChangeBatch>, String, bool), CliError> {
        let answer = Request::get(api::CHANGES, arrow())
            .with("after", after.map(str::to_owned))
            .with("limit", self.trial.limit().map(|limit| limit.to_string()))
            .with("series", Some("true".to_owned()))
            .with("wait", (wait > 0).then(|| wait.to_string()))
            .send(&mut self.link)
            .await?;
        let header = |name: &str| {
            let value = answer.headers().get(name)?.to_str().ok()?;
            Some(value.to_owned())
        };
        let (next, has_more) = (header(api::NEXT_CURSOR), header(api::HAS_MORE));
        let damaged = || CliError::new(Code::AnswerDamaged, "the answer names no next page");
        let next = next.filter(|next| !next.is_empty()).ok_or_else(damaged)?;
        let has_more = match has_more.as_deref() {
            Some("true") => true,
            Some("false") => false,
            Some(_) | None => return Err(damaged()),
        };
        // A page that leads nowhere would be asked for again and again.
        if has_more && after == Some(next.as_str()) {
            return Err(damaged());
        }
        Ok((batches(&self.link, answer).await?, next, has_more))
    }

    /// The totals of the days that changed.
    async fn totals(&mut self) -> Result<(), CliError> {
        let due = self.target.mirror.totals_due(&self.timezone);
        let Some(due) = due.map_err(not_kept)? else {
            return Ok(());
        };
        let zone = healthsync_core::aggregate::zone(&self.timezone)
            .map_err(|error| CliError::new(Code::InvalidPeriod, error.to_string()))?;
        let from = match due {
            TotalsDue::All => None,
            TotalsDue::From(ms) => Some(time::local_date(ms.saturating_sub(TWO_DAYS_MS), &zone)),
        };
        let answer = Request::get(api::AGGREGATES, arrow())
            .with("period", Some("daily".to_owned()))
            .with("timezone", Some(self.timezone.clone()))
            .with("start", from.clone())
            .send(&mut self.link)
            .await?;
        let batches: Vec<TotalsBatch> = batches(&self.link, answer).await?;
        self.trial.place();
        self.target
            .mirror
            .keep_totals(&batches, from.as_deref(), &self.timezone)
            .map_err(not_kept)
    }

    fn tell(&mut self, settings: &Settings) -> Result<(), CliError> {
        let brought = mem::take(&mut self.brought);
        let printer = settings.printer;
        let samples = self.target.mirror.samples().map_err(not_kept)?;
        if printer.json {
            let mut told = json!({
                "event": "synced",
                "path": self.target.path,
                "written": brought.written,
                "deleted": brought.deleted,
                "beganAnew": brought.began_anew,
                "samples": samples,
            });
            if let (Some(files), Some(told)) = (brought.files, told.as_object_mut()) {
                told.insert("files".to_owned(), files.into());
            }
            return printer.object(&told);
        }
        if brought.began_anew {
            printer.note("The server's history begins anew: the whole copy was made again.");
        }
        let files = brought
            .files
            .map(|files| format!(", {} files changed", grouped(files)))
            .unwrap_or_default();
        printer.note(&format!(
            "{}: {} written, {} deleted; {} samples{files}",
            self.target.path.display(),
            grouped(brought.written),
            grouped(brought.deleted),
            grouped(samples)
        ));
        Ok(())
    }
}

fn arrow() -> Option<&'static str> {
    by_name("arrow").map(|format| format.media_type)
}

/// Takes a whole answer in; one that breaks off gives nothing.
async fn batches<B: Columnar>(link: &Link, mut answer: Answer) -> Result<Vec<B>, CliError> {
    let told = |error: healthsync_core::format::FormatError| {
        let code = error.code().parse().unwrap_or(Code::AnswerDamaged);
        CliError::new(code, "the answer is damaged or was cut off").because(error)
    };
    let address = answer.address;
    let mut stream = ArrowStream::<B>::default();
    let mut batches = Vec::new();
    loop {
        match answer.chunk().await {
            Ok(Some(bytes)) => batches.extend(stream.push(&bytes).map_err(told)?),
            Ok(None) => break,
            Err(broken) => return Err(link.broken(broken, address).await),
        }
    }
    stream.finish().map_err(told)?;
    Ok(batches)
}

/// The server cannot say what changed since.
fn begins_anew(error: &CliError) -> bool {
    [Code::HistoryGone, Code::ScopeChanged, Code::InvalidCursor]
        .iter()
        .any(|code| code.as_str() == error.code())
}

fn not_kept(error: ReplicaError) -> CliError {
    let code = error.code().parse().unwrap_or(Code::OutputFailed);
    CliError::new(code, "could not keep the copy").because(error)
}
