//! What the targets of importers have in common.

use std::io::Cursor;

use healthsync_core::import::{IMPORTERS, Item};

/// Reads a file with the importer of this name; whether it was one and was read to its end.
pub fn read(name: &str, data: &[u8]) -> bool {
    let importer = IMPORTERS
        .iter()
        .find(|importer| importer.name() == name)
        .expect("an importer of this name");
    let mut source = Cursor::new(data);
    if !matches!(importer.recognize(&mut source), Ok(true)) {
        return false;
    }
    let mut samples = 0_u64;
    let outcome = importer.read(&mut source, &mut |item| {
        if let Item::Sample(sample) = item {
            assert!(sample.end_ms >= sample.start_ms, "an end before its start");
            samples += 1;
        }
        Ok(())
    });
    match outcome {
        Ok(()) => samples > 0,
        Err(error) => {
            let _ = error.to_string();
            false
        }
    }
}
