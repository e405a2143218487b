//! Numbers in another unit of ten, without an error: the point moves in the text.

/// Appends `value` times ten to the power of `shift`, as the shortest decimal that `value` reads
/// back from says it. `value` is finite.
pub(super) fn push(value: f64, shift: usize, out: &mut Vec<u8>) {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    let text = text.strip_suffix(".0").unwrap_or(text);
    if shift == 0 {
        out.extend_from_slice(text.as_bytes());
        return;
    }
    if let Some((digits, exponent)) = text.split_once('e') {
        let exponent = exponent.parse::<i64>().unwrap_or_default();
        let moved = exponent.saturating_add(i64::try_from(shift).unwrap_or(i64::MAX));
        out.extend_from_slice(format!("{digits}e{moved:+}").as_bytes());
        return;
    }
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let (moved, rest) = fraction.split_at_checked(shift).unwrap_or((fraction, ""));
    let whole = format!("{whole}{moved:0<shift$}");
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    out.extend_from_slice(sign.as_bytes());
    out.extend_from_slice(whole.as_bytes());
    if !rest.is_empty() {
        out.push(b'.');
        out.extend_from_slice(rest.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_point_moves_and_no_digit_changes() {
        for (value, shift, expected) in [
            (72.0, 0, "72"),
            (0.97, 2, "97"),
            (0.07, 2, "7"),
            (0.975, 2, "97.5"),
            (1.83, 2, "183"),
            (1.1, 2, "110"),
            (1.0, 2, "100"),
            (0.0, 2, "0"),
            (0.001, 2, "0.1"),
            (0.3 + 0.6, 2, "89.99999999999999"),
            (-0.5, 2, "-50"),
            (12.0, 2, "1200"),
            (1e300, 2, "1e+302"),
            (5e-324, 2, "5e-322"),
            (1.5e-9, 2, "1.5e-7"),
        ] {
            let mut out = Vec::new();
            push(value, shift, &mut out);
            let text = str::from_utf8(&out).unwrap();
            assert_eq!(text, expected, "{value} {shift}");
            assert!(serde_json::from_str::<f64>(text).is_ok(), "{text}");
        }
    }
}
