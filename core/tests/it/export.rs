//! Writing exports the way a phone with other settings would.

use std::{fmt::Write as _, io::Write as _};

/// How the phone prints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Style {
    /// Whole hours east of UTC on the day of the export.
    pub(crate) offset_hours: i64,
    pub(crate) imperial: bool,
    pub(crate) pointer: u64,
    pub(crate) reversed: bool,
    /// Typographic and translated names of sources.
    pub(crate) localized: bool,
    pub(crate) doctype: &'static str,
}

pub(crate) const PLAIN: Style = Style {
    offset_hours: -5,
    imperial: false,
    pointer: 0x2_a68e_2d80,
    reversed: false,
    localized: false,
    doctype: "<!DOCTYPE HealthData [\n<!ELEMENT HealthData (Record)*>\n]>\n",
};

/// A record as HealthKit holds it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) identifier: &'static str,
    pub(crate) quantity: Quantity,
    /// Seconds since 1970.
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) source: &'static str,
    pub(crate) hardware: Option<&'static str>,
    pub(crate) metadata: Vec<(&'static str, &'static str)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Quantity {
    Count(f64),
    Metres(f64),
    Kilograms(f64),
    Kilocalories(f64),
    Celsius(f64),
    MilligramsPerDecilitre(f64),
    Category(&'static str),
    Nothing,
}

pub(crate) fn steps(start: i64, count: f64) -> Record {
    Record {
        identifier: "HKQuantityTypeIdentifierStepCount",
        quantity: Quantity::Count(count),
        start,
        end: start + 300,
        source: "Ana's iPhone",
        hardware: Some("iPhone15,3"),
        metadata: Vec::new(),
    }
}

/// `export.xml` of these records.
pub(crate) fn xml(style: Style, records: &[Record]) -> String {
    document(style, &elements(style, records).concat())
}

/// A whole document around these elements.
pub(crate) fn document(style: Style, elements: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}<HealthData locale=\"en_US\">\n \
         <ExportDate value=\"{}\"/>\n{elements}</HealthData>\n",
        style.doctype,
        date(style, 1_768_000_000)
    )
}

fn elements(style: Style, records: &[Record]) -> Vec<String> {
    let mut lines: Vec<String> = records
        .iter()
        .map(|record| element(style, record))
        .collect();
    if style.reversed {
        lines.reverse();
    }
    lines
}

pub(crate) fn element(style: Style, record: &Record) -> String {
    let mut text = format!(" <Record type=\"{}\" sourceName=\"", record.identifier);
    text.push_str(&match (style.localized, record.source) {
        (true, "Health") => "Santé".to_owned(),
        (true, name) => name.replace('\'', "\u{2019}").replace(' ', "\u{a0}"),
        (false, name) => name.to_owned(),
    });
    text.push_str("\" sourceVersion=\"18.2\"");
    if let Some(hardware) = record.hardware {
        let pointer = style.pointer;
        let _ = write!(
            text,
            " device=\"&lt;&lt;HKDevice: {pointer:#x}&gt;, name:x, hardware:{hardware}, software:18.2&gt;\""
        );
    }
    if let Some((value, unit)) = printed(style, record.quantity) {
        if !unit.is_empty() {
            let _ = write!(text, " unit=\"{unit}\"");
        }
        let _ = write!(text, " value=\"{value}\"");
    }
    let _ = write!(
        text,
        " creationDate=\"{}\" startDate=\"{}\" endDate=\"{}\"",
        date(style, record.end + 60),
        date(style, record.start),
        date(style, record.end)
    );
    if record.metadata.is_empty() {
        text.push_str("/>\n");
    } else {
        text.push_str(">\n");
        for (key, value) in &record.metadata {
            let _ = writeln!(text, "  <MetadataEntry key=\"{key}\" value=\"{value}\"/>");
        }
        text.push_str(" </Record>\n");
    }
    text
}

fn printed(style: Style, quantity: Quantity) -> Option<(String, &'static str)> {
    let imperial = style.imperial;
    Some(match quantity {
        Quantity::Count(number) => (format!("{number}"), "count"),
        Quantity::Metres(m) if imperial => (format!("{:.5}", m / 1609.344), "mi"),
        Quantity::Metres(m) => (format!("{:.4}", m / 1000.0), "km"),
        Quantity::Kilograms(kg) if imperial => (format!("{:.1}", kg / 0.453_592_37), "lb"),
        Quantity::Kilograms(kg) => (format!("{kg:.2}"), "kg"),
        Quantity::Kilocalories(kcal) if imperial => (format!("{kcal:.3}"), "Cal"),
        Quantity::Kilocalories(kcal) => (format!("{:.2}", kcal * 4.184), "kJ"),
        Quantity::Celsius(c) if imperial => (format!("{:.1}", c * 1.8 + 32.0), "degF"),
        Quantity::Celsius(c) => (format!("{c:.1}"), "degC"),
        Quantity::MilligramsPerDecilitre(mg) if imperial => (format!("{mg:.0}"), "mg/dL"),
        Quantity::MilligramsPerDecilitre(mg) => (
            format!("{:.2}", mg / 18.015_588),
            "mmol&lt;180.1558800000541&gt;/L",
        ),
        Quantity::Category(name) => (name.to_owned(), ""),
        Quantity::Nothing => return None,
    })
}

pub(crate) fn date(style: Style, second: i64) -> String {
    let local = second + style.offset_hours * 3600;
    let time = jiff::Timestamp::from_second(local).expect("a date");
    let sign = if style.offset_hours < 0 { '-' } else { '+' };
    format!(
        "{} {sign}{:02}00",
        time.strftime("%Y-%m-%d %H:%M:%S"),
        style.offset_hours.abs()
    )
}

/// A zip with these entries.
pub(crate) fn zip(entries: &[(&str, &[u8])]) -> Vec<u8> {
    packed(zip::CompressionMethod::Deflated, entries)
}

/// A zip whose entries are not compressed.
pub(crate) fn stored(entries: &[(&str, &[u8])]) -> Vec<u8> {
    packed(zip::CompressionMethod::Stored, entries)
}

fn packed(method: zip::CompressionMethod, entries: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in entries {
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        writer.start_file(*name, options).expect("an entry");
        writer.write_all(bytes).expect("its bytes");
    }
    writer.finish().expect("a zip").into_inner()
}
