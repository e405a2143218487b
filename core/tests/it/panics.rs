//! A fault of the program is told as one of the file, wherever it happens, and the store is unharmed.

use std::io::{Cursor, Read, Seek, SeekFrom};

use healthsync_core::{report::Hint as _, store::ImportOptions};

use crate::fixtures::{import, read, store};

/// Reads well for a while; then it is as if the program stumbled.
struct Stumbling(Cursor<Vec<u8>>, u64);

impl Read for Stumbling {
    fn read(&mut self, target: &mut [u8]) -> std::io::Result<usize> {
        if self.0.position() >= self.1 {
            std::panic::resume_unwind(Box::new("a test"));
        }
        let length = target.len().min(100);
        self.0.read(&mut target[..length])
    }
}

impl Seek for Stumbling {
    fn seek(&mut self, target: SeekFrom) -> std::io::Result<u64> {
        self.0.seek(target)
    }
}

#[test]
fn wherever_it_happens() {
    let files = [
        read("hae/irvinlim_marshal_test_05.json"),
        read("apple/ios10_6s3_sample.xml"),
    ];
    for file in files {
        let mut store = store();
        for at in [0, 100, 400] {
            let mut source = Stumbling(Cursor::new(file.clone()), at);
            let options = ImportOptions::default();
            let error = store
                .import("default", &mut source, None, &options, &mut |_| {})
                .expect_err("an error");
            assert_eq!(error.code(), "IMPORT_PANICKED", "{at}: {error}");
            assert_eq!(store.count().expect("a count"), 0);
        }
        assert!(import(&mut store, &file).expect("an import").new > 0);
    }
}
