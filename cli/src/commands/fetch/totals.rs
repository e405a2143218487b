//! `fetch --aggregate`: totals to stdout or a file.

use healthsync_core::{
    aggregate::{TotalsBatch, totals_schema, zone},
    api::{self, Code},
    format::{ArrowStream, Options, TableEncoder, by_name},
};
use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::{sink::told, wanted::Wanted};
use crate::{
    args::{DayName, Fetch, OutputFormat, PeriodName},
    client::{Answer, Link},
    commands::request::Request,
    error::CliError,
    output::Output,
    printer::grouped,
    range::Stretch,
    settings::{Settings, zone_name},
};

/// What is asked for besides types and range.
#[derive(Clone, Debug)]
pub(super) struct Totals {
    period: &'static str,
    timezone: String,
    week_start: Option<&'static str>,
}

impl Totals {
    /// `None`: samples are asked for.
    pub(super) fn new(fetch: &Fetch) -> Result<Option<Self>, CliError> {
        let asked = &fetch.totals;
        let Some(period) = asked.aggregate else {
            return Ok(None);
        };
        Ok(Some(Self {
            period: period.name(),
            timezone: zone_name(asked.timezone.as_deref())?,
            week_start: asked.week_start.map(DayName::name),
        }))
    }

    /// Whose dates the range means.
    pub(super) fn zone(&self) -> Result<TimeZone, CliError> {
        zone(&self.timezone).map_err(|error| CliError::new(Code::InvalidPeriod, error.to_string()))
    }

    /// The request of totals, with what a request of samples has in common with it.
    pub(super) fn request(&self, request: Request) -> Request {
        request
            .at(api::AGGREGATES)
            .with("period", Some(self.period.to_owned()))
            .with("timezone", Some(self.timezone.clone()))
            .with("weekStart", self.week_start.map(str::to_owned))
    }

    /// A writer of the chosen format.
    pub(super) fn encoder(
        chosen: OutputFormat,
        options: &Options,
    ) -> Result<TableEncoder, CliError> {
        let encoder = by_name(chosen.name())
            .and_then(|format| TableEncoder::new(format, options, totals_schema(), "aggregations"));
        encoder.ok_or_else(|| {
            CliError::usage(format!("totals are not written as {}", chosen.name()))
                .with_hint("choose one with `--format csv`, `tsv`, `json`, `ndjson` or `arrow`")
        })
    }

    /// Writes the answer.
    pub(super) async fn receive(
        &self,
        mut answer: Answer,
        link: &Link,
        mut encoder: TableEncoder,
        mut output: Output,
    ) -> Result<u64, CliError> {
        const FULL: usize = 64 << 10;
        let address = answer.address;
        let mut stream = ArrowStream::<TotalsBatch>::default();
        let mut out = Vec::new();
        encoder.start(&mut out).map_err(told)?;
        loop {
            match answer.chunk().await {
                Ok(Some(bytes)) => {
                    for batch in stream.push(&bytes).map_err(told)? {
                        encoder.batch(batch.columns(), &mut out).map_err(told)?;
                    }
                    if out.len() >= FULL {
                        output.write(&out)?;
                        out.clear();
                    }
                }
                Ok(None) => break,
                Err(broken) => return Err(link.broken(broken, address).await),
            }
        }
        stream.finish().map_err(told)?;
        let tail = Map::from_iter([
            ("period".to_owned(), Value::from(self.period)),
            ("timezone".to_owned(), Value::from(self.timezone.as_str())),
        ]);
        encoder.finish(tail, &mut out).map_err(told)?;
        output.write(&out)?;
        output.commit()?;
        Ok(encoder.count())
    }
}

/// `fetch sleep`: the daily totals of sleep, which belong to the day of waking.
pub(super) fn nights(fetch: &Fetch) -> Result<Fetch, CliError> {
    let refused = [
        ("--types", !fetch.types.is_empty()),
        ("--category", !fetch.category.is_empty()),
        ("--limit", fetch.limit.is_some()),
        ("--offset", fetch.offset.is_some()),
        ("--include-metadata", fetch.include_metadata),
    ];
    if let Some((option, _)) = refused.iter().find(|(_, given)| *given) {
        return Err(
            CliError::usage(format!("{option} says nothing about nights")).with_hint(
                "leave it out; single stages are samples: `healthsync fetch --types sleepAnalysis`",
            ),
        );
    }
    let mut nights = fetch.clone();
    nights.what = None;
    nights.types = vec!["sleepAnalysis".to_owned()];
    nights.totals.aggregate = Some(PeriodName::Daily);
    Ok(nights)
}

/// Fetches totals.
pub(super) async fn run(
    totals: &Totals,
    wanted: &mut Wanted,
    (fetch, stretch): (&Fetch, Stretch),
    (chosen, options): (OutputFormat, &Options),
    settings: &Settings,
) -> Result<(), CliError> {
    let printer = settings.printer;
    let encoder = Totals::encoder(chosen, options)?;
    let output = super::opened(fetch, chosen, settings)?;
    let is_file = matches!(output, Output::File { .. });
    let asking = async |link: &mut Link| wanted.ask(link, fetch, stretch).await;
    let (answer, link) = super::ask(None, fetch, settings, asking).await?;
    let outcome = totals.receive(answer, &link, encoder, output).await;
    let count = outcome.map_err(|error| super::incomplete(error, is_file))?;
    if count == 0 {
        printer.note(&format!("No totals {}.", super::described(fetch, stretch)));
    }
    let Some(path) = fetch.output.as_deref().filter(|_| is_file) else {
        return Ok(());
    };
    if printer.json {
        return printer.object(&json!({
            "event": "saved",
            "path": path,
            "count": count,
            "hasMore": false,
        }));
    }
    printer.note(&format!(
        "Saved {} totals to {}",
        grouped(count),
        path.display()
    ));
    Ok(())
}
