//! JSON texts that are passed on as they stand.

use serde_json::value::RawValue;

/// A JSON text, digits and order as they are, but on one line: line feeds are between its parts,
/// never in a string.
pub(crate) fn on_one_line(text: String) -> Result<Box<RawValue>, serde_json::Error> {
    let text = if text.contains(['\n', '\r']) {
        text.replace(['\n', '\r'], " ")
    } else {
        text
    };
    RawValue::from_string(text)
}
