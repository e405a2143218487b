//! The Arrow stream that `fetch --format arrow --include-metadata` writes.
//!
//! It says itself where it ends, so that one that was cut off is noticed at every byte.

use std::io::{Read, SeekFrom};

use super::{
    Importer, ReadError, Sink, Source,
    guard::guarded,
    head,
    own::{NO_METADATA, Rows},
};
use crate::{batch::SampleBatch, format::ArrowStream};

/// Knows what our own writer of Arrow wrote.
#[derive(Clone, Copy, Debug)]
pub(super) struct OwnArrow;

/// Bytes read at once; the schema, which tells whose stream it is, stands in the first of them.
const PIECE: u64 = 64 << 10;

impl Importer for OwnArrow {
    fn name(&self) -> &'static str {
        "healthsync Arrow"
    }

    fn id(&self) -> &'static str {
        "arrow"
    }

    fn recognize(&self, source: &mut dyn Source) -> Result<bool, ReadError> {
        let head = head(source, PIECE)?;
        Ok(head.starts_with(&[0xff; 4])
            && guarded(|| ArrowStream::<SampleBatch>::default().push(&head)).is_ok())
    }

    fn read(&self, source: &mut dyn Source, sink: &mut Sink<'_>) -> Result<(), ReadError> {
        source.seek(SeekFrom::Start(0)).map_err(ReadError::Read)?;
        let mut stream = ArrowStream::<SampleBatch>::default();
        let mut rows = Rows::new();
        let mut line = 1;
        loop {
            let piece = piece(source)?;
            if piece.is_empty() {
                break;
            }
            for batch in guarded(|| stream.push(&piece))? {
                if !batch.has_metadata() {
                    return Err(ReadError::Malformed {
                        line,
                        reason: NO_METADATA.into(),
                    });
                }
                rows.batch(&batch, line, sink)?;
                line += u64::try_from(batch.len()).unwrap_or_default();
            }
        }
        stream.finish().map_err(|_| ReadError::Truncated { line })
    }
}

/// The next bytes; empty behind the last.
fn piece(source: &mut dyn Source) -> Result<Vec<u8>, ReadError> {
    let mut piece = Vec::new();
    Read::take(source, PIECE)
        .read_to_end(&mut piece)
        .map_err(ReadError::Read)?;
    Ok(piece)
}
