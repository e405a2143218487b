//! Our own CSV and TSV, as `fetch --format csv --include-metadata` writes it.

use crate::exports;

/// A file is read to its end, or refused.
pub fn run(data: &[u8]) -> bool {
    exports::read("healthsync CSV", data)
}

/// Files of ours, and what spreadsheets and people do to them.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let whole = String::from_utf8(exports::written("csv", true)).expect("a text");
    vec![
        ("whole", whole.clone().into()),
        ("tabs", exports::written("tsv", true)),
        ("without-metadata", exports::written("csv", false)),
        ("mark", format!("\u{feff}{whole}").into()),
        ("cut", whole.as_bytes()[..whole.len() - 20].to_vec()),
        ("odd-quote", whole.replacen("\"\"B", "\"B", 1).into()),
        ("numbers", whole.replace(",34,", ",1e999,").into()),
        ("dates", whole.replace("2026-01-01", "9999-99-99").into()),
        ("semicolons", whole.replace(',', ";").into()),
        ("header", whole.lines().next().unwrap_or_default().into()),
        ("metadata", whole.replace("{", "{\"a\":{").into()),
        ("other", b"id,date,value\n1,2,3\n".to_vec()),
    ]
}
