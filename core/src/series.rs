//! Long rows of numbers in few bytes: the points of a route, the voltages of an ECG.
//!
//! A series has a fixed list of columns and is cut into chunks of [`CHUNK`] points. A chunk holds
//! one column after another, each of them:
//!
//! ```text
//! form: 1 byte
//!   0         no value: every point lacks it
//!   1         raw: one IEEE 754 binary64 a point, little-endian; NaN where it is missing
//!   2 + d     decimal: numbers of d digits behind the point (d = 0..=9). Each number times 10^d is
//!             a whole number; the first one and the differences to the one before follow as
//!             zigzag LEB128 (the low 7 bits first, the highest bit says that more follow)
//! ```
//!
//! What a phone prints has few digits, so most columns are decimal and take a byte or three a
//! point. A column is decimal only if every number comes back equal to the bit; else it is raw.

use sha2::{Digest, Sha256};

use crate::varint::{push_varint, take_varint, unzigzag, zigzag};

/// Points of a full chunk.
pub const CHUNK: usize = 4096;

/// Most digits behind the point of a decimal column.
const DIGITS: u8 = 9;
const ABSENT: u8 = 0;
const RAW: u8 = 1;
const DECIMAL: u8 = 2;

/// A series on its way into the store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Series {
    /// Its chunks, in order.
    pub chunks: Vec<Chunk>,
}

/// Some points, encoded as the module says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// How many points.
    pub points: usize,
    /// Their columns.
    pub data: Vec<u8>,
}

impl Series {
    /// How many points there are.
    pub fn points(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.points).sum()
    }

    /// Bytes at rest.
    pub fn size(&self) -> usize {
        self.chunks.iter().map(|chunk| chunk.data.len()).sum()
    }

    /// SHA-256 of all chunks; equal series have equal ones.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        for chunk in &self.chunks {
            let points = u64::try_from(chunk.points).unwrap_or(u64::MAX);
            hash.update(points.to_be_bytes());
            hash.update(&chunk.data);
        }
        hash.finalize().into()
    }
}

/// Takes points one by one and encodes them chunk by chunk.
#[derive(Debug)]
pub struct SeriesBuilder {
    columns: Vec<Vec<f64>>,
    series: Series,
}

impl SeriesBuilder {
    /// For points of so many numbers.
    pub fn new(columns: usize) -> Self {
        Self {
            columns: vec![Vec::new(); columns],
            series: Series::default(),
        }
    }

    /// Adds a point: a number a column, NaN for one that is missing.
    pub fn push(&mut self, point: &[f64]) {
        for (index, column) in self.columns.iter_mut().enumerate() {
            column.push(point.get(index).copied().unwrap_or(f64::NAN));
        }
        if self.waiting() >= CHUNK {
            self.flush();
        }
    }

    /// Bytes of what was encoded so far.
    pub fn size(&self) -> usize {
        self.series.size()
    }

    /// The whole series.
    pub fn finish(mut self) -> Series {
        self.flush();
        self.series
    }

    fn waiting(&self) -> usize {
        self.columns.first().map_or(0, Vec::len)
    }

    fn flush(&mut self) {
        let points = self.waiting();
        if points == 0 {
            return;
        }
        let mut data = Vec::new();
        for column in &mut self.columns {
            encode(column, &mut data);
            column.clear();
        }
        self.series.chunks.push(Chunk { points, data });
    }
}

/// The bytes of a chunk cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a series is damaged")]
pub struct DamagedSeries;

/// The columns of a chunk of `points` points; missing numbers are NaN.
pub fn decode(points: usize, columns: usize, data: &[u8]) -> Result<Vec<Vec<f64>>, DamagedSeries> {
    if points > CHUNK {
        return Err(DamagedSeries);
    }
    let mut rest = data;
    let decoded = (0..columns)
        .map(|_| decode_column(points, &mut rest))
        .collect::<Option<Vec<_>>>()
        .ok_or(DamagedSeries)?;
    if rest.is_empty() {
        Ok(decoded)
    } else {
        Err(DamagedSeries)
    }
}

fn encode(column: &[f64], target: &mut Vec<u8>) {
    if column.iter().all(|number| number.is_nan()) {
        target.push(ABSENT);
    } else if let Some((digits, whole)) = decimal(column) {
        target.push(DECIMAL + digits);
        let mut before = 0_i64;
        for number in whole {
            push_varint(target, zigzag(number - before));
            before = number;
        }
    } else {
        target.push(RAW);
        for number in column {
            let canonical = if number.is_nan() { f64::NAN } else { *number };
            target.extend_from_slice(&canonical.to_le_bytes());
        }
    }
}

/// The numbers times a power of ten, if that and the way back are exact.
fn decimal(column: &[f64]) -> Option<(u8, Vec<i64>)> {
    let mut digits = 0;
    for number in column {
        while whole(*number, digits).is_none() {
            digits += 1;
            if digits > DIGITS {
                return None;
            }
        }
    }
    let whole: Option<Vec<i64>> = column.iter().map(|number| whole(*number, digits)).collect();
    Some((digits, whole?))
}

fn whole(number: f64, digits: u8) -> Option<i64> {
    /// Whole numbers below it are exact in a binary64, and so is their difference in an i64.
    const MOST: f64 = 9_007_199_254_740_992.0;

    let scaled = (number * power(digits)).round();
    if scaled.is_nan() || scaled.abs() >= MOST {
        return None;
    }
    let whole = integer(scaled);
    // Also refuses a zero with a sign.
    let back = float(whole)? / power(digits);
    (back.to_bits() == number.to_bits()).then_some(whole)
}

/// A whole number below 2^53 as an integer: its bits are those of the mantissa.
fn integer(number: f64) -> i64 {
    let bits = number.to_bits();
    let exponent = bits >> 52 & 0x7ff;
    // 1023 is the exponent of 1, 1075 that of 2^52.
    let magnitude = if exponent < 1023 {
        0
    } else {
        (bits & ((1 << 52) - 1) | 1 << 52) >> 1075_u64.saturating_sub(exponent)
    };
    let magnitude = magnitude.cast_signed();
    if number.is_sign_negative() {
        -magnitude
    } else {
        magnitude
    }
}

fn power(digits: u8) -> f64 {
    10_f64.powi(i32::from(digits))
}

fn decode_column(points: usize, data: &mut &[u8]) -> Option<Vec<f64>> {
    let (form, rest) = data.split_first()?;
    *data = rest;
    match *form {
        ABSENT => Some(vec![f64::NAN; points]),
        RAW => (0..points)
            .map(|_| {
                let (bytes, rest) = data.split_first_chunk::<8>()?;
                *data = rest;
                Some(f64::from_le_bytes(*bytes))
            })
            .collect(),
        form if form <= DECIMAL + DIGITS => {
            let scale = power(form - DECIMAL);
            let mut number = 0_i64;
            (0..points)
                .map(|_| {
                    number = number.checked_add(unzigzag(take_varint(data)?))?;
                    Some(float(number)? / scale)
                })
                .collect()
        }
        _ => None,
    }
}

/// Exact for what [`whole`] lets through.
fn float(number: i64) -> Option<f64> {
    let magnitude = number.unsigned_abs();
    let high = u32::try_from(magnitude >> 32).ok()?;
    let low = u32::try_from(magnitude & 0xffff_ffff).ok()?;
    let float = f64::from(high) * 4_294_967_296.0 + f64::from(low);
    Some(if number < 0 { -float } else { float })
}

/// Whole milliseconds, which a series keeps as a number like any other.
pub(crate) fn whole_ms(value: f64) -> i64 {
    /// Beyond it a double has no milliseconds any more (285,616 years).
    const FAR: f64 = 9_007_199_254_740_991.0;
    let bounded = value.clamp(-FAR, FAR).round();
    // The text of a whole number below 2^53 is exact.
    format!("{bounded:.0}").parse().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(points: &[[f64; 3]]) -> Series {
        let mut builder = SeriesBuilder::new(3);
        for point in points {
            builder.push(point);
        }
        let series = builder.finish();
        let mut back = Vec::new();
        for chunk in &series.chunks {
            let columns = decode(chunk.points, 3, &chunk.data).unwrap();
            back.extend((0..chunk.points).map(|at| [0, 1, 2].map(|column| columns[column][at])));
        }
        let bits = |points: &[[f64; 3]]| -> Vec<[u64; 3]> {
            points.iter().map(|point| point.map(f64::to_bits)).collect()
        };
        assert_eq!(bits(&back), bits(points));
        assert_eq!(series.points(), points.len());
        series
    }

    #[test]
    fn numbers_come_back_to_the_bit() {
        let nan = f64::NAN;
        round_trip(&[]);
        round_trip(&[[nan, 1.0, -0.0], [nan, -2.5, 0.0]]);
        round_trip(&[
            [1e300, 37.781_672, 1_718_442_000_000.0],
            [nan, -122.396_397, 0.1],
        ]);
        round_trip(&[
            [9_007_199_254_740_993.0, 1.0 / 3.0, f64::MIN_POSITIVE],
            [-9_007_199_254_740_991.0, 2.0 / 3.0, f64::INFINITY],
            [0.0, 1e-9, -1e-10],
        ]);
    }

    #[test]
    fn a_route_takes_few_bytes_and_full_chunks() {
        let mut state = 7_u32;
        let mut step = |most: u32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            f64::from(state >> 8 & 0xffff) / 65_536.0 * f64::from(most)
        };
        let points: Vec<[f64; 3]> = (0..10_000_u32)
            .map(|n| {
                let latitude: f64 = format!("{:.6}", 40.0 + f64::from(n) * 1e-5 + step(30) * 1e-6)
                    .parse()
                    .unwrap();
                let speed: f64 = format!("{:.6}", step(4)).parse().unwrap();
                [1_718_442_000_000.0 + f64::from(n) * 1000.0, latitude, speed]
            })
            .collect();
        let series = round_trip(&points);
        let lengths: Vec<usize> = series.chunks.iter().map(|chunk| chunk.points).collect();
        assert_eq!(lengths, [CHUNK, CHUNK, 10_000 - 2 * CHUNK]);
        assert!(series.size() < points.len() * 8, "{}", series.size());
    }

    /// The bytes are at rest in files of users: never to be changed.
    #[test]
    fn the_bytes_are_frozen() {
        let series = round_trip(&[[1.5, f64::NAN, -1.0], [1.25, f64::NAN, f64::NAN]]);
        let mut expected = vec![4, 0xac, 0x02, 0x31, 0, 1];
        expected.extend_from_slice(&(-1.0_f64).to_le_bytes());
        expected.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0xf8, 0x7f]);
        assert_eq!(series.chunks[0].data, expected);
    }

    #[test]
    fn damaged_bytes_are_told() {
        let series = round_trip(&[[1.5, 2.0, -1.0], [1.25, 2.0, 1e300]]);
        let Chunk { points, data } = &series.chunks[0];
        for length in 0..data.len() {
            assert_eq!(decode(*points, 3, &data[..length]), Err(DamagedSeries));
        }
        let mut longer = data.clone();
        longer.push(0);
        assert_eq!(decode(*points, 3, &longer), Err(DamagedSeries));
        assert_eq!(
            decode(*points, 1, &[DECIMAL + DIGITS + 1]),
            Err(DamagedSeries)
        );
        assert_eq!(decode(CHUNK + 1, 1, &[ABSENT]), Err(DamagedSeries));
        assert_eq!(decode(1, 1, &[DECIMAL, 0xff, 0xff]), Err(DamagedSeries));
    }

    #[test]
    fn equal_series_have_equal_digests() {
        let one = round_trip(&[[1.0, 2.0, 3.0]]);
        assert_eq!(one.digest(), round_trip(&[[1.0, 2.0, 3.0]]).digest());
        assert_ne!(one.digest(), round_trip(&[[1.0, 2.0, 3.5]]).digest());
        assert_ne!(one.digest(), Series::default().digest());
    }
}
