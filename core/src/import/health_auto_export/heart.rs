//! Heart rate notifications.

use serde_json::Value as Json;

use super::{
    events::{self, Kept},
    names,
    tree::{self, Tree},
};
use crate::{
    import::provenance::Writers,
    kind::Kind,
    sample::{Metadata, Value},
};

const HIGH: &str = "highHeartRateEvent";
const LOW: &str = "lowHeartRateEvent";
const IRREGULAR: &str = "irregularHeartRhythmEvent";
const UNKNOWN: &str = "heartRateNotification";

/// A notification. The format does not say of which kind: the name says it where there is one, else
/// the rates do, which are all above or all below the threshold. Only these two have one.
pub(super) fn read(tree: &Tree, writers: &mut Writers) -> Result<Kept, &'static str> {
    let threshold = ["threshold", "threshhold"]
        .iter()
        .find_map(|name| Some((*name, rate(tree.fields.get(*name)?)?)));
    let kind = ["name", "type", "kind", "heartNotification"]
        .iter()
        .find_map(|name| named(tree.text(name)?))
        .or_else(|| side(tree, threshold?.1))
        .unwrap_or(UNKNOWN);
    let span = tree.span()?;
    let known = threshold.map(|(name, _)| name);
    let mut metadata = Metadata {
        entries: tree.metadata(known.as_slice(), Some(span)),
        beats: Vec::new(),
    };
    if let Some((_, rate)) = threshold {
        let key = "HKHeartRateEventThreshold".to_owned();
        metadata.entries.push((key, format!("{rate} count/min")));
    }
    let remark = (kind == UNKNOWN)
        .then(|| format!("heart rate notifications that do not say which, kept as `{UNKNOWN}`"));
    let value = Value::Category("notApplicable".into());
    let measured = (Kind::stored(kind), "".into(), value);
    let item = events::sample(measured, span, tree, metadata, writers);
    Ok(Kept { item, remark })
}

/// A rate: `120`, `"120"`, or `{"qty": 120, "units": "bpm"}`.
fn rate(printed: &Json) -> Option<f64> {
    let Some(fields) = printed.as_object() else {
        return tree::number(printed);
    };
    let is_rate = |unit: &Json| {
        unit.as_str()
            .is_some_and(|it| it == "bpm" || it == "count/min")
    };
    let is_plain = fields
        .iter()
        .all(|(name, value)| name == "qty" || (name == "units" && is_rate(value)));
    fields
        .get("qty")
        .filter(|_| is_plain)
        .and_then(tree::number)
}

/// The kind that bears this name, in English, in HealthKit's spelling or another one.
fn named(text: &str) -> Option<&'static str> {
    let own = names::camel(text).to_ascii_lowercase();
    let own = own.strip_prefix("hkcategorytypeidentifier").unwrap_or(&own);
    let own = ["event", "notification"]
        .iter()
        .find_map(|word| own.strip_suffix(word))
        .unwrap_or(own);
    Some(match own {
        "high" | "highheartrate" => HIGH,
        "low" | "lowheartrate" => LOW,
        "irregular" | "irregularrhythm" | "irregularheartrhythm" => IRREGULAR,
        _ => return None,
    })
}

/// The kind of a notification whose rates are all on one side of the threshold.
fn side(tree: &Tree, threshold: f64) -> Option<&'static str> {
    let rates = tree.fields.get("heartRate")?.as_array()?;
    let rates: Option<Vec<f64>> = rates
        .iter()
        .map(|rate| rate.get("hr").or_else(|| rate.get("qty"))?.as_f64())
        .collect();
    let rates = rates.filter(|rates| !rates.is_empty())?;
    if rates.iter().all(|rate| *rate >= threshold) {
        Some(HIGH)
    } else if rates.iter().all(|rate| *rate <= threshold) {
        Some(LOW)
    } else {
        None
    }
}
