//! A JSON object a line and nothing else: no header, no end, so that files can be joined.

use super::{Encoder, End, Format, FormatError, json::Objects, rows::write_rows};
use crate::batch::SampleBatch;

pub(super) const NDJSON: Format = Format {
    name: "ndjson",
    media_type: "application/x-ndjson",
    encoder: |options| {
        Box::new(Ndjson {
            objects: Objects::new(b"}\n"),
            include_metadata: options.include_metadata,
        })
    },
};

struct Ndjson {
    objects: Objects,
    include_metadata: bool,
}

impl Encoder for Ndjson {
    fn start(&mut self, _out: &mut Vec<u8>) -> Result<(), FormatError> {
        Ok(())
    }

    fn batch(&mut self, batch: &SampleBatch, out: &mut Vec<u8>) -> Result<(), FormatError> {
        write_rows(&self.objects, batch, self.include_metadata, |_| {}, out)
    }

    fn finish(&mut self, _end: &End, _out: &mut Vec<u8>) -> Result<(), FormatError> {
        Ok(())
    }
}
