//! Electrocardiograms: the same document as of Apple's own files, and the voltages as they pass.

use serde::de::{MapAccess, SeqAccess};

use super::{
    events::APP,
    json::{Array, Elements, Fields, Members},
    lenient::Lenient,
    tree::{DATES, Tree},
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
    /// Not all are in one unit, and one of the units is none of voltage.
    is_mixed: bool,
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
                is_mixed: false,
                odd: 0,
                beyond: 0,
            },
        }
    }
}

impl Members for EcgReader {
    fn member<'de, A: MapAccess<'de>>(&mut self, key: &str, map: &mut A) -> Result<(), A::Error> {
        if key == "voltageMeasurements" {
            let is_list = map.next_value_seed(Lenient(Array(&mut self.voltages)))?;
            self.voltages.odd += u64::from(!is_list);
            return Ok(());
        }
        self.tree.member(key, map)
    }
}

impl Elements for Voltages {
    fn element<'de, A: SeqAccess<'de>>(&mut self, list: &mut A) -> Result<bool, A::Error> {
        let Some(point) = list.next_element::<Fields>()? else {
            return Ok(false);
        };
        let voltage = point.number("voltage").or_else(|| point.number("qty"));
        let Some(voltage) = voltage.filter(|number| number.is_finite()) else {
            self.odd += 1;
            return Ok(true);
        };
        let unit = point.text("units").map(str::trim).unwrap_or_default();
        let factor = factor(unit);
        let foreign = factor.is_none().then(|| limits::name(unit));
        if self.count == 0 {
            self.foreign = foreign.map(str::to_owned);
        }
        // Those of before were converted, or were not.
        self.is_mixed |= self.foreign.as_deref() != foreign;
        let voltage = voltage * factor.unwrap_or(1.0);
        if !voltage.is_finite() {
            self.odd += 1;
        } else if self.builder.size() >= limits::SERIES {
            self.beyond += 1;
        } else {
            self.count = self.count.saturating_add(1);
            self.builder.push(&[voltage]);
        }
        Ok(true)
    }
}

/// How many µV one of a unit is; a unit that is not printed is the app's own.
fn factor(unit: &str) -> Option<f64> {
    match unit {
        // HealthKit's own unit of microvolts is `mcV`.
        "" | "µV" | "\u{3bc}V" | "uV" | "mcV" => Some(1.0),
        "mV" => Some(1000.0),
        "V" => Some(1_000_000.0),
        _ => None,
    }
}

/// An electrocardiogram, and what of it was not kept: how much, and why.
type Finished = (Document, Vec<(u64, &'static str)>);

impl EcgReader {
    pub(super) fn finish(self, writers: &mut Writers) -> Result<Finished, &'static str> {
        let Self { tree, voltages } = self;
        let (start_ms, printed_end) = tree.span()?;
        // Numbers on several scales are no curve.
        let points = if voltages.is_mixed { 0 } else { voltages.count };
        let rate = tree.number("samplingFrequency").filter(|rate| *rate > 0.0);
        if rate.is_none() && points > 0 {
            return Err("electrocardiograms without a sample rate");
        }
        // As of Apple's own files: the end is where the voltages end.
        let length = rate.map(|rate| f64::from(points) / rate * 1000.0);
        let length = length.filter(|ms| *ms > 0.0 && *ms < 86_400_000.0);
        let end_ms = length.map_or(printed_end, |ms| start_ms + whole_ms(ms));
        let mut document = Document::new(Noun::Ecg, start_ms, end_ms);
        let source = tree.source().unwrap_or(APP);
        document.provenance = Some(writers.find(source, None, None));
        let body = &mut document.body;
        let mut known = DATES.to_vec();
        for name in ["classification", "severity"] {
            if let Some(text) = tree.text(name) {
                body.set_printed(name, text);
                known.push(name);
            }
        }
        known.extend(rate.map(|_| "samplingFrequency"));
        for (name, value) in tree.rest(&known, None) {
            body.set(name, value);
        }
        if let Some(rate) = rate {
            body.set("sampleRate", rate);
        }
        let foreign = voltages.foreign.filter(|_| points > 0);
        body.set("unit", foreign.as_deref().unwrap_or("µV"));
        if points > 0 {
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
                foreign.is_some().into(),
                "electrocardiograms in an unknown unit (kept as printed)",
            ),
            (
                voltages.is_mixed.into(),
                "electrocardiograms in several units, of which some are unknown (kept without voltages)",
            ),
        ];
        tell.extend(tree.tell());
        Ok((document, tell))
    }
}
