//! Electrocardiograms: a csv file each, translated down to the names of its rows.
//!
//! ```text
//! Name,..            1  dropped, unless asked for
//! Date of Birth,..   2  dropped, unless asked for
//! Recorded Date,..   3  2020-09-24 19:53:36 +0200
//! Classification,..  4
//! Symptoms,..        5
//! Software Version,. 6
//! Device,"Watch5,4"  7
//! Sample Rate,..     8  512.844 hertz
//!
//! Lead,Lead I        9
//! Unit,µV           10
//!
//! -265.868              one voltage a line; 30 s are 15,360
//! ```
//!
//! So a row is known by its position alone.

use std::io::{BufRead, BufReader, Read};

use super::{beside::Failed, date, limits, number};
use crate::{
    document::{Document, Noun},
    series::{SeriesBuilder, whole_ms},
};

/// Rows before the voltages.
const ROWS: usize = 10;

/// Bytes of a line.
const LINE: u64 = 4096;

/// What a file holds.
pub(super) struct Ecg {
    pub(super) document: Document,
    /// Lines among the voltages that are none.
    pub(super) strange: u64,
    /// Voltages that were too many.
    pub(super) beyond: u64,
    /// Its unit is not known, and the numbers are kept as printed.
    pub(super) is_foreign_unit: bool,
}

/// Whether these first bytes are those of an electrocardiogram, in any language.
pub(super) fn is_ecg(head: &[u8]) -> bool {
    let text = String::from_utf8_lossy(head);
    let rows: Vec<_> = text.lines().filter_map(row).take(ROWS).collect();
    let is_unit = |value: &str| value.ends_with('V');
    let value = |at: usize| rows.get(at).map(String::as_str);
    rows.len() == ROWS
        && value(2).and_then(date::parse).is_some()
        && value(7).and_then(number::leading).is_some()
        && value(9).is_some_and(is_unit)
}

/// Reads a whole file.
pub(super) fn read(reader: &mut dyn Read) -> Result<Ecg, Failed> {
    let mut lines = Lines {
        reader: BufReader::new(reader),
        buffer: Vec::new(),
    };
    let mut rows = Vec::new();
    while rows.len() < ROWS {
        let line = lines
            .next()?
            .ok_or(Failed::Damaged("it ends in its head"))?;
        if let Some(row) = row(line) {
            rows.push(row);
        } else if !line.trim().is_empty() {
            return Err(Failed::Damaged("its head has other rows"));
        }
    }
    let value = |at: usize| rows.get(at).map_or("", String::as_str);
    let start_ms = date::parse(value(2)).ok_or(Failed::Damaged("it has no date"))?;
    let rate = number::leading(value(7))
        .filter(|rate| *rate > 0.0)
        .ok_or(Failed::Damaged("it has no sample rate"))?;
    let (factor, is_foreign_unit) = match value(9) {
        "µV" | "\u{3bc}V" | "uV" | "mcV" => (1.0, false),
        "mV" => (1000.0, false),
        "V" => (1_000_000.0, false),
        _ => (1.0, true),
    };
    let mut builder = SeriesBuilder::new(Noun::Ecg.columns().len());
    let (mut count, mut strange, mut beyond) = (0_u32, 0, 0);
    while let Some(line) = lines.next()? {
        // A hostile number may have no end in microvolts.
        let voltage = number::lenient(line).map(|number| number * factor);
        match voltage.filter(|voltage| voltage.is_finite()) {
            Some(_) if builder.size() >= limits::SERIES => beyond += 1,
            Some(voltage) => {
                count = count.saturating_add(1);
                builder.push(&[voltage]);
            }
            None if line.trim().is_empty() => {}
            None => strange += 1,
        }
    }
    let length_ms = f64::from(count) / rate * 1000.0;
    let mut document = Document::new(Noun::Ecg, start_ms, start_ms + rounded(length_ms));
    let body = &mut document.body;
    for (at, name) in [(0, "name"), (1, "dateOfBirth")] {
        if !value(at).is_empty() {
            body.set_identity(name, value(at));
        }
    }
    for (at, name) in [(3, "classification"), (4, "symptoms"), (8, "lead")] {
        if !value(at).is_empty() {
            body.set_printed(name, limits::name(value(at)));
        }
    }
    for (at, name) in [(5, "softwareVersion"), (6, "device")] {
        if !value(at).is_empty() {
            body.set(name, limits::name(value(at)));
        }
    }
    body.set("sampleRate", rate);
    body.set(
        "unit",
        if is_foreign_unit {
            limits::name(value(9))
        } else {
            "µV"
        },
    );
    document.series = Some(builder.finish());
    Ok(Ecg {
        document,
        strange,
        beyond,
        is_foreign_unit,
    })
}

/// Whole milliseconds; a recording of a hostile length has none.
fn rounded(ms: f64) -> i64 {
    if (0.0..86_400_000.0).contains(&ms) {
        whole_ms(ms)
    } else {
        0
    }
}

/// Value of a row of the head (RFC 4180); what is no row has no comma behind a name.
fn row(line: &str) -> Option<String> {
    let line = line.trim_start_matches('\u{feff}').trim();
    let (key, value) = line.split_once(',')?;
    if number::lenient(line).is_some() || key.is_empty() {
        return None;
    }
    let value = value.trim();
    let quoted = value
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'));
    Some(quoted.map_or_else(|| value.to_owned(), |inner| inner.replace("\"\"", "\"")))
}

struct Lines<R> {
    reader: BufReader<R>,
    buffer: Vec<u8>,
}

impl<R: Read> Lines<R> {
    fn next(&mut self) -> Result<Option<&str>, Failed> {
        self.buffer.clear();
        let read = Read::take(&mut self.reader, LINE)
            .read_until(b'\n', &mut self.buffer)
            .map_err(Failed::reading)?;
        if read == 0 {
            return Ok(None);
        }
        if u64::try_from(read).is_ok_and(|read| read >= LINE) {
            return Err(Failed::Damaged("it has a line that is too long"));
        }
        let text =
            std::str::from_utf8(&self.buffer).map_err(|_| Failed::Damaged("it is not UTF-8"))?;
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::series::decode;

    fn voltages(ecg: &Ecg) -> Vec<f64> {
        let series = ecg.document.series.as_ref().unwrap();
        let chunks = series.chunks.iter();
        chunks
            .flat_map(|chunk| decode(chunk.points, 1, &chunk.data).unwrap().remove(0))
            .collect()
    }

    const JAPANESE: &str = "名前,山田\n生年月日,\"1985年6月15日\"\n記録日,2020-09-24 19:53:36 +0200\n\
        分類,洞調律\n症状,\nソフトウェアバージョン,1.90\nデバイス,\"Watch5,4\"\n\
        サンプルレート,512ヘルツ\n\n\n誘導,第I誘導\n単位,µV\n\n-265,868\n10.5\n\u{2212}1,25\n";

    #[test]
    fn any_language_and_a_decimal_comma_read() {
        assert!(is_ecg(JAPANESE.as_bytes()));
        let mut ecg = read(&mut JAPANESE.as_bytes()).unwrap();
        assert_eq!(voltages(&ecg), [-265.868, 10.5, -1.25]);
        assert_eq!(
            (ecg.strange, ecg.beyond, ecg.is_foreign_unit),
            (0, 0, false)
        );
        assert_eq!(ecg.document.start_ms, 1_600_970_016_000);
        assert_eq!(ecg.document.end_ms - ecg.document.start_ms, 6);
        assert!(ecg.document.body.drop_identity());
        assert_eq!(
            ecg.document.body.to_json(),
            "{\"device\":\"Watch5,4\",\"printed\":{\"classification\":\"洞調律\",\"lead\":\"第I誘導\"},\
             \"sampleRate\":512.0,\"softwareVersion\":\"1.90\",\"unit\":\"µV\"}"
        );
    }

    #[test]
    fn units_are_microvolts() {
        let of = |unit: &str| read(&mut JAPANESE.replace("µV", unit).as_bytes()).unwrap();
        assert_eq!(voltages(&of("mV"))[1..2], [10_500.0]);
        assert_eq!(voltages(&of("uV"))[1..2], [10.5]);
        assert!(of("furlongV").is_foreign_unit);
    }

    #[test]
    fn other_files_are_none() {
        for text in [
            "",
            "a,b\n1,2\n",
            "type,value\nsteps,1\n\n3\n",
            &JAPANESE.replace("2020-09-24", "yesterday"),
            &JAPANESE[..JAPANESE.find("512").unwrap()],
        ] {
            assert!(!is_ecg(text.as_bytes()), "{text}");
            assert!(read(&mut text.as_bytes()).is_err(), "{text}");
        }
        let long = JAPANESE.replace("10.5", &"1".repeat(5000));
        assert!(read(&mut long.as_bytes()).is_err());
        let strange = JAPANESE.replace("10.5", "ten");
        assert_eq!(read(&mut strange.as_bytes()).unwrap().strange, 1);
        // In microvolts it is more than a number can be.
        let endless = JAPANESE.replace("µV", "V").replace("10.5", "1e308");
        let endless = read(&mut endless.as_bytes()).unwrap();
        assert_eq!((endless.strange, voltages(&endless).len()), (1, 2));
    }
}
