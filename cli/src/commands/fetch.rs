//! `healthsync fetch`: samples from the server to stdout or a file.
//!
//! ```text
//! network ──► bytes ──► bounded channel ──► ArrowStream ──► Encoder ──► Output
//!          async                          a thread of its own
//! ```
//!
//! What travels is the Arrow stream whatever is written in the end: one wire format, whose end
//! shows that nothing was cut off, and which one thread reads while another decrypts.

use std::{path::Path, time::Duration};

use healthsync_core::{
    api::{self, Code, Types},
    format::{self, ArrowStream, End, Format, FormatError, Options},
    kind::Kind,
    report::{Hint as _, inert},
    time,
};
use indicatif::ProgressBar;
use reqwest::Method;
use serde_json::json;
use tokio::sync::mpsc;

use crate::{
    args::{Fetch, OTHER_DATA, OutputFormat},
    client::{Answer, Link},
    config::ConfigFile,
    error::CliError,
    output::Output,
    printer::samples,
    range::Stretch,
    settings::{Settings, zone},
};

/// How many pieces of the answer may wait for the thread that reads them.
const AHEAD: usize = 32;

/// Written at once: large enough to be fast, small enough to appear soon.
const FULL: usize = 256 << 10;

/// How often the count on the terminal moves.
const TICK: Duration = Duration::from_millis(120);

/// Fetches.
pub(crate) async fn run(fetch: &Fetch, settings: &Settings) -> Result<(), CliError> {
    let printer = settings.printer;
    // Whatever can be refused here is refused before anybody is called.
    let stretch = Stretch::new(fetch, &zone(), settings.now_ms())?;
    let (types, unknown) = split_types(&fetch.types)?;
    let chosen = chosen_format(fetch, settings)?;
    let options = options(fetch, chosen)?;
    let format = format::by_name(chosen.name())
        .ok_or_else(|| CliError::usage(format!("there is no format {}", chosen.name())))?;
    if !unknown.is_empty() && !is_paired(settings)? {
        return Err(unknown_type(&unknown, None));
    }
    let output = Output::open(fetch.output.as_deref(), fetch.force)?;
    let is_file = matches!(output, Output::File { .. });
    if chosen == OutputFormat::Arrow && !is_file && printer.out_terminal {
        return Err(
            CliError::usage("Arrow is binary and would garble the terminal")
                .with_hint("write it to a file with `--output FILE`, or pipe it on"),
        );
    }

    let mut link = Link::open(settings).await?;
    let answer = ask(&mut link, fetch, stretch, types, &unknown).await?;
    // On a terminal the samples themselves show how far it is.
    let progress = if is_file || !printer.out_terminal {
        printer.counter("samples")
    } else {
        ProgressBar::hidden()
    };
    progress.enable_steady_tick(TICK);
    let outcome = receive(answer, &link, format, &options, output, &progress).await;
    progress.finish_and_clear();
    let end = outcome.map_err(|error| {
        if is_file || error.code() != Code::AnswerDamaged.as_str() {
            return error;
        }
        error.with_hint("run the command again; what was printed is not complete")
    })?;

    if end.count == 0 {
        printer.note(&format!("No samples {}.", described(fetch, stretch)));
    }
    if end.has_more {
        printer.note(&format!(
            "There is more: --limit cut the answer after {}.",
            samples(end.count)
        ));
    }
    if let Some(path) = fetch.output.as_deref().filter(|_| is_file) {
        if printer.json {
            printer.object(&json!({
                "event": "saved",
                "path": path,
                "count": end.count,
                "hasMore": end.has_more,
            }))?;
        } else {
            printer.note(&format!(
                "Saved {} to {}",
                samples(end.count),
                path.display()
            ));
        }
    }
    Ok(())
}

fn is_paired(settings: &Settings) -> Result<bool, CliError> {
    let config = ConfigFile::new(&settings.config).load()?;
    Ok(!config.servers.is_empty())
}

/// The words to ask for; none means all. Words that are near to a known name are typing errors;
/// others may be names that only the server knows, and are asked for there.
fn split_types(words: &[String]) -> Result<(Vec<String>, Vec<String>), CliError> {
    let mut types: Vec<String> = Vec::new();
    let mut unknown = Vec::new();
    for word in words.iter().map(|word| word.trim()) {
        if word.is_empty() {
            return Err(CliError::usage("--types has an empty name in it")
                .with_hint("name types, separated by commas, or leave `--types` out to get all; `healthsync types` lists the names"));
        }
        if word.eq_ignore_ascii_case("all") {
            return Ok((Vec::new(), Vec::new()));
        }
        match Kind::parse(word) {
            Ok(_) => types.push(word.to_owned()),
            Err(error) if error.nearest.is_some() => {
                return Err(unknown_type(&[word.to_owned()], error.nearest.as_deref()));
            }
            Err(_) => unknown.push(word.to_owned()),
        }
    }
    Ok((types, unknown))
}

fn unknown_type(words: &[String], nearest: Option<&str>) -> CliError {
    let error = CliError::new(
        Code::UnknownType,
        format!("unknown type {}", words.join(", ")),
    );
    match nearest {
        Some(nearest) => error.with_hint(format!(
            "did you mean {nearest}? `healthsync types` lists the names"
        )),
        None => error,
    }
}

/// `--format`, else what the ending of `--output` says, else CSV, or NDJSON with `--json`.
fn chosen_format(fetch: &Fetch, settings: &Settings) -> Result<OutputFormat, CliError> {
    let to_file = fetch
        .output
        .as_deref()
        .is_some_and(|path| path != Path::new("-"));
    let json = settings.printer.json;
    if let Some(format) = fetch.format {
        let lines = matches!(format, OutputFormat::Json | OutputFormat::Ndjson);
        if json && !to_file && !lines {
            return Err(CliError::usage(format!(
                "--json writes NDJSON to stdout, --format {} does not fit",
                format.name()
            ))
            .with_hint("leave one of them out, or name a file with `--output`"));
        }
        return Ok(format);
    }
    let ending = fetch
        .output
        .as_deref()
        .and_then(Path::extension)
        .and_then(|ending| ending.to_str())
        .map(str::to_ascii_lowercase);
    Ok(match ending.as_deref() {
        Some("csv") => OutputFormat::Csv,
        Some("tsv") => OutputFormat::Tsv,
        Some("json") => OutputFormat::Json,
        Some("ndjson" | "jsonl") => OutputFormat::Ndjson,
        Some("arrow" | "arrows") => OutputFormat::Arrow,
        Some(ending) if OTHER_DATA.contains(&ending) => {
            return Err(CliError::usage(format!("there is no format for .{ending}"))
                .with_hint("choose one with `--format csv`, `tsv`, `json`, `ndjson` or `arrow`"));
        }
        _ if json => OutputFormat::Ndjson,
        _ => OutputFormat::Csv,
    })
}

fn options(fetch: &Fetch, format: OutputFormat) -> Result<Options, CliError> {
    let mut options = Options {
        include_metadata: fetch.include_metadata,
        ..Options::default()
    };
    if let Some(text) = fetch.delimiter.as_deref() {
        if format != OutputFormat::Csv {
            return Err(CliError::usage(format!(
                "--delimiter is for CSV, not for {}",
                format.name()
            )));
        }
        let text = if text.eq_ignore_ascii_case("tab") {
            "\t"
        } else {
            text
        };
        options.delimiter = Options::parse_delimiter(text).ok_or_else(|| {
            CliError::usage("this character cannot separate fields")
                .with_hint("use one like , ; | or `tab`, no letter, digit, quote, sign or point")
        })?;
    }
    Ok(options)
}

/// Sends the request; names that only the server may know are compared with its list first.
async fn ask(
    link: &mut Link,
    fetch: &Fetch,
    stretch: Stretch,
    mut types: Vec<String>,
    unknown: &[String],
) -> Result<Answer, CliError> {
    if !unknown.is_empty() {
        let (held, _): (Types, _) = link.get(api::TYPES).await?;
        for word in unknown {
            let names = held.enabled_types.iter().map(String::as_str);
            let selector = Kind::parse_among(word, names).map_err(|error| {
                unknown_type(std::slice::from_ref(word), error.nearest.as_deref())
            })?;
            types.push(selector.kind.as_str().to_owned());
        }
    }
    let types = types.join(",");
    let origins = fetch.origin.join(",");
    let start = stretch.start_ms.map(time::rfc3339);
    let end = stretch.end_ms.map(time::rfc3339);
    let limit = fetch.limit.map(|limit| limit.to_string());
    let mut query: Vec<(&str, &str)> = Vec::new();
    if !types.is_empty() {
        query.push(("types", &types));
    }
    if !origins.is_empty() {
        query.push(("origin", &origins));
    }
    for (name, value) in [("start", &start), ("end", &end), ("limit", &limit)] {
        if let Some(value) = value {
            query.push((name, value));
        }
    }
    if fetch.include_metadata {
        query.push(("metadata", "true"));
    }
    let accept = format::by_name("arrow").map(|format| format.media_type);
    link.send(Method::GET, api::SAMPLES, &query, accept).await
}

/// What goes to the thread that writes. A channel that closes without an end was broken off.
enum Piece {
    Bytes(bytes::Bytes),
    End,
}

/// Takes the answer in and hands it on, never more than a few pieces ahead of what was written.
async fn receive(
    answer: Answer,
    link: &Link,
    format: &'static Format,
    options: &Options,
    output: Output,
    progress: &ProgressBar,
) -> Result<End, CliError> {
    let Answer {
        mut response,
        address,
    } = answer;
    let next_cursor = response
        .headers()
        .get(api::NEXT_CURSOR)
        .and_then(|value| value.to_str().ok())
        .map(str::to_owned);
    let end = End {
        count: 0,
        has_more: next_cursor.is_some(),
        next_cursor,
    };
    let (sender, receiver) = mpsc::channel(AHEAD);
    let writer = Writer {
        encoder: (format.encoder)(options),
        output,
        full: Vec::with_capacity(FULL + (FULL >> 2)),
        end,
        progress: progress.clone(),
    };
    let writing = tokio::task::spawn_blocking(move || writer.run(receiver));

    let broken = loop {
        match response.chunk().await {
            Ok(Some(bytes)) => {
                if sender.send(Piece::Bytes(bytes)).await.is_err() {
                    // The writer gave up and says why.
                    break None;
                }
            }
            Ok(None) => {
                drop(sender.send(Piece::End).await);
                break None;
            }
            Err(error) => break Some(error),
        }
    };
    drop(sender);
    let written = writing
        .await
        .map_err(|error| CliError::new(Code::Internal, "the writer failed").because(error))?;
    match broken {
        Some(error) => Err(link.broken(&error, address).await),
        None => written,
    }
}

/// Reads batches and writes them; owns the output, which is gone unless the end was seen.
struct Writer {
    encoder: Box<dyn format::Encoder>,
    output: Output,
    full: Vec<u8>,
    end: End,
    progress: ProgressBar,
}

impl Writer {
    fn run(mut self, mut pieces: mpsc::Receiver<Piece>) -> Result<End, CliError> {
        let mut stream = ArrowStream::default();
        self.encoder.start(&mut self.full).map_err(told)?;
        loop {
            match pieces.blocking_recv() {
                None => {
                    return Err(CliError::new(Code::AnswerDamaged, "the answer was cut off"));
                }
                Some(Piece::Bytes(bytes)) => self.take(&mut stream, &bytes)?,
                Some(Piece::End) => break,
            }
        }
        stream.finish().map_err(told)?;
        self.encoder
            .finish(&self.end, &mut self.full)
            .map_err(told)?;
        self.write()?;
        self.output.commit()?;
        Ok(self.end)
    }

    fn take(&mut self, stream: &mut ArrowStream, bytes: &[u8]) -> Result<(), CliError> {
        for batch in stream.push(bytes).map_err(told)? {
            self.encoder.batch(&batch, &mut self.full).map_err(told)?;
            let count = u64::try_from(batch.len()).unwrap_or(u64::MAX);
            self.end.count = self.end.count.saturating_add(count);
            if self.full.len() >= FULL {
                self.write()?;
            }
        }
        self.progress.set_position(self.end.count);
        Ok(())
    }

    fn write(&mut self) -> Result<(), CliError> {
        self.output.write(&self.full)?;
        self.full.clear();
        Ok(())
    }
}

fn told(error: FormatError) -> CliError {
    let code = error.code().parse().unwrap_or(Code::AnswerDamaged);
    CliError::new(code, "the answer is damaged or was cut off").because(error)
}

/// What was asked for, for the one who got nothing.
fn described(fetch: &Fetch, stretch: Stretch) -> String {
    let mut said = Vec::new();
    let types = fetch.types.join(", ");
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
