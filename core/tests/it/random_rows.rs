//! Rows of anything that a store can hold, as CSV.

use proptest::prelude::*;

/// A field as RFC 4180 wants it, always quoted; shares no code with the writer.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn any_text() -> impl Strategy<Value = String> {
    proptest::collection::vec(
        prop_oneof![
            4 => any::<char>(),
            1 => Just('"'), 1 => Just(','), 1 => Just('\n'), 1 => Just('\r'), 1 => Just('\t'),
            1 => Just('\u{a0}'), 1 => Just('\u{202f}'), 1 => Just('\\'), 1 => Just('\''),
            1 => Just('\u{0}'), 1 => Just('\u{feff}'), 1 => Just('='), 1 => Just(';'),
        ],
        0..12,
    )
    .prop_map(String::from_iter)
}

fn any_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |number| number.is_finite()),
        Just(0.0),
        Just(-0.0),
        Just(5e-324),
        Just(f64::MAX),
        Just(f64::MIN_POSITIVE),
        Just(0.1 + 0.2),
        Just(9_007_199_254_740_993.0),
        (-1000_i32..1000).prop_map(f64::from),
    ]
}

/// The cells behind the id: type, value, unit, dates in ms, texts.
#[derive(Clone, Debug)]
pub(crate) struct Random {
    kind: (&'static str, &'static str),
    pub(crate) number: Option<f64>,
    category: String,
    start_ms: i64,
    length_ms: i64,
    pub(crate) source: String,
    origin: &'static str,
    pub(crate) device: String,
    created_ms: Option<i64>,
    metadata: Vec<(String, Vec<String>)>,
}

impl Random {
    /// A JSON object, written by a library.
    pub(crate) fn metadata(&self) -> String {
        let members = self.metadata.iter().map(|(key, values)| {
            let value = match values.as_slice() {
                [one] => serde_json::json!(one),
                several => serde_json::json!(several),
            };
            format!("{}:{value}", serde_json::json!(key))
        });
        let members: Vec<_> = members.collect();
        if members.is_empty() {
            String::new()
        } else {
            format!("{{{}}}", members.join(","))
        }
    }

    pub(crate) fn row(&self) -> String {
        let date = healthsync_core::time::rfc3339;
        let number = self.number.map(|number| format!("{number:e}"));
        [
            String::new(),
            self.kind.0.to_owned(),
            number.clone().unwrap_or_default(),
            self.kind.1.to_owned(),
            date(self.start_ms),
            date(self.start_ms + self.length_ms),
            self.source.clone(),
            if number.is_some() {
                String::new()
            } else {
                self.category.clone()
            },
            self.origin.to_owned(),
            self.device.clone(),
            self.created_ms.map(date).unwrap_or_default(),
            self.metadata(),
        ]
        .map(|field| quoted(&field))
        .join(",")
            + "\r\n"
    }
}

fn any_instant() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(1_700_000_000_000),
        1_600_000_000_000_i64..1_600_000_003_000,
        -62_135_596_800_000_i64..253_402_300_000_000,
    ]
}

pub(crate) fn any_row() -> impl Strategy<Value = Random> {
    let kind = prop_oneof![
        Just(("steps", "count")),
        Just(("weight", "kg")),
        Just(("heartRateVariability", "ms")),
        Just(("ofTheFuture", "furlong")),
        Just(("sleepAnalysis", "")),
    ];
    let metadata = proptest::collection::btree_map(
        any_text(),
        prop_oneof![
            any_text().prop_map(|text| vec![text]),
            proptest::collection::vec(any_text(), 2..4),
        ],
        0..4,
    );
    let texts = (
        any_text(),
        any_text(),
        prop_oneof![Just("default"), Just("ana")],
    );
    let device = prop_oneof![
        any_text(),
        Just("name:Apple Watch, hardware:Watch7,2, software:11.6.1".to_owned()),
    ];
    (
        (
            kind,
            proptest::option::of(any_number()),
            any_instant(),
            0..10_i64,
        ),
        texts,
        device,
        proptest::option::of(any_instant()),
        metadata,
    )
        .prop_map(
            |(
                (kind, number, start_ms, length_ms),
                (category, source, origin),
                device,
                created_ms,
                metadata,
            )| {
                Random {
                    kind,
                    number,
                    category,
                    start_ms,
                    length_ms,
                    source,
                    origin,
                    device,
                    created_ms,
                    metadata: metadata.into_iter().collect(),
                }
            },
        )
}
