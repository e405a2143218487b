//! Our own Arrow stream, as `fetch --format arrow --include-metadata` writes it.

use crate::exports;

/// A file is read to its end, or refused.
pub fn run(data: &[u8]) -> bool {
    exports::read("healthsync Arrow", data)
}

/// Streams of ours, and damage.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let whole = exports::written("arrow", true);
    let damaged = |from: usize| {
        let mut bytes = whole.clone();
        bytes[from..from + 16].fill(0xa5);
        bytes
    };
    vec![
        ("whole", whole.clone()),
        ("without-metadata", exports::written("arrow", false)),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("without-end", whole[..whole.len() - 8].to_vec()),
        ("twice", [&whole[..], &whole].concat()),
        ("schema", damaged(200)),
        ("batch", damaged(whole.len() / 2)),
        ("body", damaged(whole.len() - 400)),
        ("huge-length", [0xff; 64].to_vec()),
        ("magic", b"\xff\xff\xff\xff\0\0\0\0".to_vec()),
    ]
}
