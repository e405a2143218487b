//! Choosing a format by the header `Accept` (RFC 9110, section 12.5.1).

use super::{FORMATS, Format, by_name};

/// What a client gets that accepts anything.
const DEFAULT: &str = "json";

/// The best format for an `Accept` header (RFC 9110, with q values); JSON for `*/*` and none.
/// `None`: nothing acceptable (406).
///
/// The most specific range that matches a format gives its weight. Of equal weights the earlier
/// range wins, within a range JSON, then the order of [`FORMATS`]. Ranges that are not well-formed
/// are passed over; parameters other than `q` (`charset`, `header`) do not matter.
pub fn by_accept(header: Option<&str>) -> Option<&'static Format> {
    let header = header.map(str::trim).unwrap_or_default();
    if header.is_empty() {
        return by_name(DEFAULT);
    }
    let ranges: Vec<Range<'_>> = header.split(',').filter_map(Range::parse).collect();
    let default_first = by_name(DEFAULT).into_iter().chain(FORMATS);
    let mut best: Option<(u16, usize, &'static Format)> = None;
    for format in default_first {
        let Some((position, range)) = ranges
            .iter()
            .enumerate()
            .filter(|(_, range)| range.matches(format.media_type))
            // The first of the most specific ones.
            .rev()
            .max_by_key(|(_, range)| range.specificity())
        else {
            continue;
        };
        let better = best.is_none_or(|(weight, at, _)| {
            range.weight > weight || (range.weight == weight && position < at)
        });
        if range.weight > 0 && better {
            best = Some((range.weight, position, format));
        }
    }
    best.map(|(_, _, format)| format)
}

impl Format {
    /// Whether a header `Accept` takes this format.
    pub fn is_accepted(&self, header: &str) -> bool {
        let ranges = header.split(',').filter_map(Range::parse);
        let matching = ranges.filter(|range| range.matches(self.media_type));
        let most_specific = matching.max_by_key(Range::specificity);
        most_specific.is_some_and(|range| range.weight > 0)
    }
}

/// One element of the header.
struct Range<'a> {
    kind: &'a str,
    subtype: &'a str,
    /// Thousandths.
    weight: u16,
}

impl<'a> Range<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.split(';').map(str::trim);
        let (kind, subtype) = parts.next()?.split_once('/')?;
        let well_formed =
            !kind.is_empty() && !subtype.is_empty() && (kind != "*" || subtype == "*");
        if !well_formed {
            return None;
        }
        let mut weight = 1000;
        for part in parts {
            if let Some((name, value)) = part.split_once('=')
                && name.trim().eq_ignore_ascii_case("q")
            {
                weight = parse_weight(value.trim())?;
            }
        }
        Some(Self {
            kind,
            subtype,
            weight,
        })
    }

    fn matches(&self, media_type: &str) -> bool {
        let (kind, subtype) = media_type.split_once('/').unwrap_or_default();
        (self.kind == "*" || self.kind.eq_ignore_ascii_case(kind))
            && (self.subtype == "*" || self.subtype.eq_ignore_ascii_case(subtype))
    }

    fn specificity(&self) -> u8 {
        u8::from(self.kind != "*") + u8::from(self.subtype != "*")
    }
}

/// `0`, `1`, or one with up to three digits behind the point, in thousandths.
fn parse_weight(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let thousandths: u16 = format!("{fraction:0<3}").parse().ok()?;
    match whole {
        "0" => Some(thousandths),
        "1" if thousandths == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accept_headers_choose_a_format() {
        let cases = [
            (None, "json"),
            (Some(""), "json"),
            (Some("*/*"), "json"),
            (Some("text/html, */*;q=0.1"), "json"),
            (Some("text/csv"), "csv"),
            (Some("TEXT/CSV; header=present; charset=utf-8"), "csv"),
            (Some("text/*"), "csv"),
            (Some("text/tab-separated-values"), "tsv"),
            (Some("application/json"), "json"),
            (Some("application/x-ndjson"), "ndjson"),
            (Some("application/vnd.apache.arrow.stream"), "arrow"),
            (Some("application/*"), "json"),
            // Weights.
            (Some("text/csv;q=0.5, application/json;q=0.9"), "json"),
            (Some("text/csv ; Q=0.9 , application/json ; q=0.85"), "csv"),
            (
                Some("application/json;q=0.999, application/x-ndjson"),
                "ndjson",
            ),
            (Some("text/csv, application/json"), "csv"),
            (Some("application/json, text/csv"), "json"),
            // The specific range overrules the general one, wherever it stands.
            (Some("*/*, application/json;q=0"), "csv"),
            (
                Some("application/json;q=0.1, */*;q=0.5, text/*;q=0"),
                "ndjson",
            ),
            (
                Some("text/csv;q=0.1, text/*;q=0.3, application/json;q=0.2"),
                "tsv",
            ),
            // Nothing acceptable.
            (Some("text/html"), ""),
            (Some("*/*;q=0"), ""),
            (Some("text/csv;q=0.000"), ""),
            // Not well-formed.
            (Some("json"), ""),
            (Some("*/json"), ""),
            (Some("text/csv;q=2"), ""),
            (Some("text/csv;q=0.1234"), ""),
            (Some("text/csv;q=-1, ,;, application/json;q=0.1"), "json"),
            (Some("text/csv;q=é"), ""),
        ];
        for (header, expected) in cases {
            let found = by_accept(header).map_or("", |format| format.name);
            assert_eq!(found, expected, "{header:?}");
        }
    }
}
