//! `healthsync fetch`: samples from the server to stdout or a file.
//!
//! ```text
//! network ──► bytes ──► bounded channel ──► ArrowStream ──► Sink (Encoder or Database) ──► Output
//!          async                        a thread of its own        another one
//! ```
//!
//! What travels is the Arrow stream whatever is written in the end: one wire format, whose end
//! shows that nothing was cut off, and which one thread reads while another decrypts.

mod collection;
mod format;
mod sink;
mod totals;
mod wanted;
mod writer;

use healthsync_core::{
    api::{self, Code},
    format::End,
    report::{Hint as _, inert},
};
use indicatif::ProgressBar;
use serde_json::json;
use tokio::{sync::mpsc, task::JoinError};

use self::{
    format::{chosen_format, options},
    sink::{LeftOut, Sink, needs_a_file},
    totals::Totals,
    wanted::{Wanted, unknown_type},
    writer::{Piece, Writer},
};
use super::wait::Wait;
use crate::{
    args::{Fetch, OutputFormat, What},
    client::{Answer, Broken, Link},
    config::ConfigFile,
    error::CliError,
    output::Output,
    printer::{Printer, QUICK, grouped, samples},
    range::Stretch,
    settings::{Settings, zone},
};

/// How many pieces of the answer may wait for the thread that reads them.
const AHEAD: usize = 16;

/// Fetches.
pub(crate) async fn run(fetch: &Fetch, settings: &Settings) -> Result<(), CliError> {
    if let Some(collection) = fetch.what.and_then(What::collection) {
        return collection::run(fetch, collection, settings).await;
    }
    let nights;
    let fetch = if fetch.what == Some(What::Sleep) {
        nights = totals::nights(fetch)?;
        &nights
    } else {
        fetch
    };
    let printer = settings.printer;
    // Whatever can be refused here is refused before anybody is called.
    let totals = Totals::new(fetch)?;
    let zone = match &totals {
        Some(totals) => totals.zone()?,
        None => zone(),
    };
    let stretch = Stretch::new(fetch, &zone, settings.now_ms())?;
    let mut wanted = Wanted::new(fetch, totals.clone())?;
    let chosen = chosen_format(fetch, settings)?;
    let options = options(fetch, chosen)?;
    wanted.include_metadata = options.include_metadata;
    if chosen == OutputFormat::Gpx {
        return Err(CliError::usage("samples have no places: GPX is for routes")
            .with_hint("run `healthsync fetch routes --format gpx`"));
    }
    if chosen.standard().is_some() && (fetch.limit.is_some() || fetch.offset.is_some()) {
        return Err(
            CliError::usage("--limit and --offset count samples, not observations")
                .with_hint("choose a range of time, or another format"),
        );
    }
    if !wanted.unknown.is_empty() && !is_paired(settings)? {
        return Err(unknown_type(&wanted.unknown, None));
    }
    if fetch.dry_run {
        return wanted.request(fetch, stretch).show(settings);
    }
    if let Some(totals) = &totals {
        let (asked, written) = ((fetch, stretch), (chosen, &options));
        return totals::run(totals, &mut wanted, asked, written, settings).await;
    }
    let output = opened(fetch, chosen, settings)?;
    let is_file = matches!(output, Output::File { .. });
    let mut sink = Sink::new(chosen, &options, output, settings.now_ms())?;

    let mut link = None;
    if chosen.standard().is_some() && wanted.has_pressures() {
        collection::pressures(&mut link, fetch, stretch, settings, &mut sink).await?;
    }
    let asking = async |link: &mut Link| wanted.ask(link, fetch, stretch).await;
    let (answer, link) = ask(link, fetch, settings, asking).await?;
    let progress = Printer::counter("samples");
    let slow = async {
        tokio::time::sleep(QUICK).await;
        // On a terminal the samples themselves show how far it is.
        if is_file || !printer.out_terminal {
            printer.show(&progress);
        }
        std::future::pending().await
    };
    let outcome = tokio::select! {
        outcome = receive(answer, &link, sink, &progress) => outcome,
        never = slow => never,
    };
    progress.finish_and_clear();
    let (end, left_out) = outcome.map_err(|error| incomplete(error, is_file))?;

    if end.count == 0 {
        printer.note(&format!("No samples {}.", described(fetch, stretch)));
    }
    tell_left_out(&left_out, chosen, settings);
    let count = samples(end.count);
    tell_end(&end, &count, fetch, is_file, settings)
}

/// Where it goes, if the format may go there.
fn opened(fetch: &Fetch, chosen: OutputFormat, settings: &Settings) -> Result<Output, CliError> {
    let output = Output::open(fetch.output.as_deref(), fetch.force)?;
    let is_file = matches!(output, Output::File { .. });
    if chosen == OutputFormat::Sqlite && !is_file {
        return Err(needs_a_file());
    }
    if chosen.is_binary() && !is_file && settings.printer.out_terminal {
        return Err(CliError::usage(format!(
            "{} is binary and would garble the terminal",
            chosen.name()
        ))
        .with_hint("write it to a file with `--output FILE`, or pipe it on"));
    }
    Ok(output)
}

/// What was printed before an answer broke off is not all.
fn incomplete(error: CliError, is_file: bool) -> CliError {
    if is_file || error.code() != Code::AnswerDamaged.as_str() {
        return error;
    }
    error.with_hint("run the command again; what was printed is not complete")
}

/// What the format has no word for: never left out in silence.
fn tell_left_out(left_out: &LeftOut, chosen: OutputFormat, settings: &Settings) {
    if left_out.is_empty() {
        return;
    }
    let sum = left_out.iter().map(|(_, count)| count).sum();
    let types = left_out
        .iter()
        .map(|(name, count)| format!("{name} ({})", grouped(*count)))
        .collect::<Vec<_>>()
        .join(", ");
    settings.printer.note(&format!(
        "Left out {}, for which {} has no word: {}",
        samples(sum),
        chosen.name(),
        inert(&types)
    ));
}

/// Whether a limit cut the answer, and where it went.
fn tell_end(
    end: &End,
    count: &str,
    fetch: &Fetch,
    is_file: bool,
    settings: &Settings,
) -> Result<(), CliError> {
    let printer = settings.printer;
    if end.has_more {
        printer.note(&format!(
            "There is more: --limit cut the answer after {count}."
        ));
    }
    let Some(path) = fetch.output.as_deref().filter(|_| is_file) else {
        return Ok(());
    };
    if printer.json {
        return printer.object(&json!({
            "event": "saved",
            "path": path,
            "count": end.count,
            "hasMore": end.has_more,
        }));
    }
    printer.note(&format!("Saved {count} to {}", path.display()));
    Ok(())
}

fn is_paired(settings: &Settings) -> Result<bool, CliError> {
    let config = ConfigFile::new(&settings.config).load()?;
    Ok(!config.servers.is_empty())
}

/// Connects, unless there is a connection, and asks, again and again with `--wait`.
async fn ask(
    mut open: Option<Link>,
    fetch: &Fetch,
    settings: &Settings,
    mut asking: impl AsyncFnMut(&mut Link) -> Result<Answer, CliError>,
) -> Result<(Answer, Link), CliError> {
    let mut wait = Wait::new(fetch.wait);
    // Kept between the tries: opening a key store may ask a person.
    loop {
        let failure = match open.take() {
            None => match Link::open(settings).await {
                Ok(link) => {
                    open = Some(link);
                    continue;
                }
                Err(error) => error,
            },
            Some(mut link) => match asking(&mut link).await {
                Ok(answer) => return Ok((answer, link)),
                Err(error) => {
                    open = Some(link);
                    error
                }
            },
        };
        wait.after(failure, settings.printer).await?;
    }
}

/// What the head of an answer says of its end.
fn end_of(answer: &Answer) -> End {
    let next_cursor = answer
        .headers()
        .get(api::NEXT_CURSOR)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    End {
        count: 0,
        has_more: next_cursor.is_some(),
        next_cursor,
    }
}

/// Takes the answer in and hands it on, never more than a few pieces ahead of what was written.
async fn receive(
    answer: Answer,
    link: &Link,
    sink: Sink,
    progress: &ProgressBar,
) -> Result<(End, LeftOut), CliError> {
    let address = answer.address;
    let end = end_of(&answer);
    let (sender, receiver) = mpsc::channel(AHEAD);
    let (writer, _unless_left) = Writer::new(sink, end, progress.clone());
    let writing = tokio::task::spawn_blocking(move || writer.run(receiver));
    // Beside the connection, in the thread that drives it: no change of threads for a piece.
    let receiving = tokio::spawn(hand_on(answer, sender));
    let failed = |why: &'static str| {
        move |error: JoinError| CliError::new(Code::Internal, why).because(error)
    };
    let written = writing.await.map_err(failed("the writer failed"))?;
    match receiving.await.map_err(failed("the receiver failed"))? {
        Err(broken) => Err(link.broken(broken, address).await),
        Ok(()) => written,
    }
}

/// Hands pieces on until the end; a writer that gave up says itself why.
async fn hand_on(mut answer: Answer, pieces: mpsc::Sender<Piece>) -> Result<(), Broken> {
    loop {
        let chunk = tokio::select! {
            biased;
            () = pieces.closed() => return Ok(()),
            chunk = answer.chunk() => chunk?,
        };
        let Some(bytes) = chunk else {
            break;
        };
        if pieces.send(Piece::Bytes(bytes)).await.is_err() {
            return Ok(());
        }
    }
    drop(pieces.send(Piece::End).await);
    Ok(())
}

/// What was asked for, for the one who got nothing.
fn described(fetch: &Fetch, stretch: Stretch) -> String {
    let mut said = Vec::new();
    let groups = fetch.category.iter().map(|name| name.group().as_str());
    let types: Vec<&str> = fetch
        .types
        .iter()
        .map(String::as_str)
        .chain(groups)
        .collect();
    let types = types.join(", ");
    if !types.is_empty() && !types.eq_ignore_ascii_case("all") {
        said.push(format!("of {types}"));
    }
    if !fetch.origin.is_empty() {
        said.push(format!("with origin {}", inert(&fetch.origin.join(", "))));
    }
    said.push(stretch.describe());
    said.join(" ")
}

#[cfg(test)]
mod tests;
