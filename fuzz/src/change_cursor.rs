//! The cursor of `GET /api/v1/changes`: its text, and what a store makes of it. `TOKEN` and `SCOPE` in the
//! input stand for those of the last place.

use std::cell::OnceCell;

use healthsync_core::{
    change::{Position, ScopeDigest},
    store::{Changes, ChangesError, ChangesQuery, Store},
};

use crate::exports;

thread_local! { static STORE: OnceCell<(Store, String)> = const { OnceCell::new() }; }

/// What is read is printed the same; the store goes on from there, or says that it does not know the place.
pub fn run(data: &[u8]) -> bool {
    STORE.with(|store| {
        let (store, last) = store.get_or_init(|| {
            let store = exports::store();
            let last = page(&store, None).expect("a page").next.to_string();
            (store, last)
        });
        let Ok(text) = std::str::from_utf8(data) else {
            return false;
        };
        let text = text
            .replace("TOKEN", &last[18..50])
            .replace("SCOPE", &last[50..]);
        let Ok(position) = text.parse::<Position>() else {
            return false;
        };
        assert_eq!(position.to_string(), text);
        match page(store, Some(position)) {
            Ok(page) => {
                assert!(page.next.seq >= position.seq, "the pages go back");
                assert!(
                    !page.has_more || page.next.seq > position.seq || page.next.blocks > 0,
                    "the pages stand still"
                );
                true
            }
            Err(ChangesError::Gone | ChangesError::ScopeChanged) => false,
            Err(ChangesError::Store(error)) => panic!("a fault of the store: {error}"),
        }
    })
}

fn page(store: &Store, after: Option<Position>) -> Result<Changes, ChangesError> {
    store.changes(&ChangesQuery {
        after,
        types: Vec::new(),
        origins: Vec::new(),
        scope: ScopeDigest::of(None, None),
        limit: 3,
        series: true,
    })
}

/// Places of this store, of none, and texts that are no cursors.
pub fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let place = |seq: &str| format!("02{seq}TOKENSCOPE").into_bytes();
    vec![
        ("begin", place("0000000000000000")),
        ("middle", place("0000000000000003")),
        ("later", place("00000000000000ff")),
        ("last", place("7fffffffffffffff")),
        ("negative", place("ffffffffffffffff")),
        (
            "in-series",
            b"03000000000000000300000001TOKENSCOPE".to_vec(),
        ),
        (
            "no-blocks",
            b"03000000000000000300000000TOKENSCOPE".to_vec(),
        ),
        ("other-version", b"040000000000000003TOKENSCOPE".to_vec()),
        (
            "other-token",
            format!("020000000000000003{}SCOPE", "ab".repeat(16)).into(),
        ),
        (
            "other-scope",
            b"020000000000000003TOKEN0102030405060708".to_vec(),
        ),
        (
            "upper-case",
            format!("020000000000000003{}SCOPE", "AB".repeat(16)).into(),
        ),
        ("longer", b"020000000000000003TOKENSCOPE00".to_vec()),
        ("odd", b"020".to_vec()),
        ("not-ascii", "0\u{662}".into()),
        ("nothing", vec![]),
    ]
}
