//! Our own Parquet, as `fetch --format parquet --include-metadata` writes it.

use crate::exports;

/// A file is read to its end, or refused. A decoder that panics is one way to refuse: the importer
/// catches it, so it is no fault here, and is not told.
pub fn run(data: &[u8]) -> bool {
    static QUIET: std::sync::Once = std::sync::Once::new();
    QUIET.call_once(|| {
        // libFuzzer's ends the program.
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            let file = info.location().map_or("", |location| location.file());
            if !["/parquet-", "/arrow-"]
                .iter()
                .any(|name| file.contains(name))
            {
                usual(info);
            }
        }));
    });
    exports::read("healthsync Parquet", data)
}

/// Files of ours, and damage.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let whole = exports::written("parquet", true);
    let length = whole.len();
    let damaged = |from: usize| {
        let mut bytes = whole.clone();
        bytes[from..from + 16].fill(0xa5);
        bytes
    };
    let footer = |declared: u32| {
        let mut bytes = whole.clone();
        bytes[length - 8..length - 4].copy_from_slice(&declared.to_le_bytes());
        bytes
    };
    vec![
        ("whole", whole.clone()),
        ("without-metadata", exports::written("parquet", false)),
        ("cut", whole[..length / 2].to_vec()),
        ("page", damaged(40)),
        ("middle", damaged(length / 3)),
        ("footer", damaged(length - 600)),
        ("no-footer", footer(0)),
        ("huge-footer", footer(u32::MAX)),
        ("short", b"PAR1PAR1PAR1".to_vec()),
        ("encrypted", [&whole[..length - 4], b"PARE"].concat()),
    ]
}
