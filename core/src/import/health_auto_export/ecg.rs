//! Electrocardiograms: the same document as of Apple's own files, and the voltages as they pass.

use serde::de::{MapAccess, SeqAccess};
use serde_json::Value;

use super::{
    json::{Array, Elements, Fields, Members},
    tree::Tree,
};
use crate::{
    document::{Document, Noun},
    import::{limits, provenance::Writers},
    series::{SeriesBuilder, whole_ms},
};

/// An electrocardiogram while it is read.
pub(super) struct EcgReader {
    tree: Tree,
    voltages: Voltages,
}

/// Voltages in µV, equally spaced.
struct Voltages {
    builder: SeriesBuilder,
    count: u32,
    /// A unit that is none of voltage.
    foreign: Option<String>,
    odd: u64,
    beyond: u64,
}

impl Default for EcgReader {
    fn default() -> Self {
        Self {
            tree: Tree::default(),
            voltages: Voltages {
                builder: SeriesBuilder::new(Noun::Ecg.columns().len()),
                count: 0,
                foreign: None,
                odd: 0,
                beyond: 0,
            },
        }
    }
}

impl Members for EcgReader {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "voltageMeasurements" {
            return map.next_value_seed(Array(&mut self.voltages));
        }
        self.tree.member(key, map)
    }
}

impl Elements for Voltages {
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let Some(point) = list.next_element::<Fields>()? else {
            return Ok(false);
        };
        let factor = match point.text("units").map(str::trim) {
            // HealthKit's own unit of microvolts is `mcV`.
            None | Some("" | "µV" | "\u{3bc}V" | "uV" | "mcV") => 1.0,
            Some("mV") => 1000.0,
            Some("V") => 1_000_000.0,
            Some(other) => {
                if self.foreign.is_none() {
                    self.foreign = Some(limits::name(other).to_owned());
                }
                1.0
            }
        };
        let voltage = point.number("voltage").or_else(|| point.number("qty"));
        match voltage
            .map(|number| number * factor)
            .filter(|it| it.is_finite())
        {
            Some(_) if self.builder.size() >= limits::SERIES => self.beyond += 1,
            Some(voltage) => {
                self.count = self.count.saturating_add(1);
                self.builder.push(&[voltage]);
            }
            None => self.odd += 1,
        }
        Ok(true)
    }
}

/// What is said in other words, or not at all.
const KNOWN: &[&str] = &[
    "start",
    "end",
    "date",
    "source",
    "classification",
    "severity",
    "samplingFrequency",
];

/// An electrocardiogram, and what of it was not kept: how much, and why.
type Finished = (Document, Vec<(u64, &'static str)>);

impl EcgReader {
    pub(super) fn finish(self, writers: &mut Writers) -> Result<Finished, &'static str> {
        let Self { tree, voltages } = self;
        let (start_ms, printed_end) = tree.span()?;
        let rate = tree.fields.get("samplingFrequency").and_then(Value::as_f64);
        let rate = rate.filter(|rate| *rate > 0.0);
        if rate.is_none() && voltages.count > 0 {
            return Err("electrocardiograms without a sample rate");
        }
        // As of Apple's own files: the end is where the voltages end.
        let length = rate.map(|rate| f64::from(voltages.count) / rate * 1000.0);
        let length = length.filter(|ms| *ms > 0.0 && *ms < 86_400_000.0);
        let end_ms = length.map_or(printed_end, |ms| start_ms + whole_ms(ms));
        let mut document = Document::new(Noun::Ecg, start_ms, end_ms);
        let source = tree.text("source").unwrap_or("Health Auto Export");
        document.provenance = Some(writers.find(source, None, None));
        let body = &mut document.body;
        for name in ["classification", "severity"] {
            if let Some(text) = tree.text(name) {
                body.set_printed(name, text);
            }
        }
        for (name, value) in &tree.fields {
            if !KNOWN.contains(&name.as_str()) {
                body.set(name, value.clone());
            }
        }
        if let Some(rate) = rate {
            body.set("sampleRate", rate);
        }
        body.set("unit", voltages.foreign.as_deref().unwrap_or("µV"));
        if voltages.count > 0 {
            document.series = Some(voltages.builder.finish());
        }
        let mut tell = vec![
            (
                voltages.odd,
                "voltages of an electrocardiogram that are no numbers",
            ),
            (
                voltages.beyond,
                "voltages of electrocardiograms beyond the limit",
            ),
            (
                voltages.foreign.is_some().into(),
                "electrocardiograms in an unknown unit (kept as printed)",
            ),
        ];
        tell.extend(tree.tell());
        Ok((document, tell))
    }
}
