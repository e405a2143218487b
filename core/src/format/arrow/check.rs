//! A look at each message of an Arrow stream before it is decoded.
//!
//! The decoder believes offsets and lengths, allocates what a compressed buffer declares, and lets
//! dictionaries grow without end. So every number of a message is checked here first.

use arrow_ipc::{Message, MessageHeader, RecordBatch, convert::try_fb_to_schema};
use arrow_schema::DataType;

use super::Columnar;
use crate::{batch, format::FormatError};

/// Continuation marker and length.
pub(super) const PREFIX: usize = 8;

/// No schema and no description of a batch of ours is near it.
const LONGEST_DESCRIPTION: usize = 1 << 20;
/// Of a message, and of what it unpacks to. Our batches have about a megabyte, with much metadata
/// several.
const LARGEST_BODY: usize = 64 << 20;
/// Of a batch.
const MOST_ROWS: i64 = 1 << 20;

/// What stands at the front of the bytes.
#[derive(Debug)]
pub(super) enum Next {
    /// The beginning of a message: look again when so many bytes are there.
    More(usize),
    /// The end-of-stream marker, so many bytes.
    End(usize),
    /// A whole message of so many bytes, fit to be decoded.
    Message {
        len: usize,
        /// Whether these are rows.
        is_batch: bool,
    },
}

/// Looks at the front of `bytes`, at least [`PREFIX`] of them. The first message must be the
/// schema of such batches, the others must not be a schema.
pub(super) fn next<B: Columnar>(bytes: &[u8], started: bool) -> Result<Next, FormatError> {
    let Some((&[255, 255, 255, 255, a, b, c, d], rest)) = bytes.split_first_chunk::<PREFIX>()
    else {
        return Err(FormatError::decode("not an Arrow stream"));
    };
    let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    if length == 0 {
        return Ok(Next::End(PREFIX));
    }
    if length > LONGEST_DESCRIPTION {
        return Err(impossible());
    }
    let Some((description, rest)) = rest.split_at_checked(length) else {
        return Ok(Next::More(PREFIX + length));
    };
    let message = arrow_ipc::root_as_message(description)
        .map_err(|error| FormatError::decode(error.to_string()))?;
    let body = within(message.bodyLength(), LARGEST_BODY)?;
    let whole = PREFIX + length + body;
    let Some(body) = rest.get(..body) else {
        return Ok(Next::More(whole));
    };
    check::<B>(&message, body, started)?;
    Ok(Next::Message {
        len: whole,
        is_batch: message.header_type() == MessageHeader::RecordBatch,
    })
}

fn check<B: Columnar>(
    message: &Message<'_>,
    body: &[u8],
    started: bool,
) -> Result<(), FormatError> {
    let kind = message.header_type();
    if (kind == MessageHeader::Schema) == started {
        return Err(FormatError::decode("the schema is not the first message"));
    }
    if let Some(schema) = message.header_as_schema() {
        let schema = try_fb_to_schema(schema).map_err(FormatError::decode)?;
        let expected = B::schema_of(schema.fields().len());
        return batch::check_fields(&schema, &expected).map_err(FormatError::decode);
    }
    let (columns, layout) = if let Some(batch) = message.header_as_record_batch() {
        let columns = batch.nodes().map_or(0, |nodes| nodes.len());
        let schema = B::schema_of(columns);
        let types = schema.fields().iter().map(|field| field.data_type());
        (
            Some(batch),
            types.flat_map(buffer_widths).copied().collect(),
        )
    } else if let Some(dictionary) = message.header_as_dictionary_batch() {
        // Additions to a dictionary could go on for ever; we always send it whole.
        let whole = (!dictionary.isDelta()).then(|| dictionary.data()).flatten();
        (whole, buffer_widths(&DataType::Utf8).to_vec())
    } else {
        (None, Vec::new())
    };
    let columns = columns.ok_or_else(|| FormatError::decode("a message of an unknown kind"))?;
    check_columns(&columns, &layout, body)
}

/// Width of the elements in each buffer of a column: validity, then offsets or keys or values,
/// then the bytes of texts. The decoder asserts that a buffer holds whole elements.
fn buffer_widths(data_type: &DataType) -> &'static [usize] {
    if *data_type == DataType::Utf8 {
        &[1, 4, 1]
    } else if matches!(data_type, DataType::Dictionary(..)) {
        &[1, 4]
    } else if *data_type == DataType::Boolean {
        // Both are bits.
        &[1, 1]
    } else {
        &[1, 8]
    }
}

fn check_columns(
    columns: &RecordBatch<'_>,
    widths: &[usize],
    body: &[u8],
) -> Result<(), FormatError> {
    let in_range = |rows| (0..=MOST_ROWS).contains(&rows);
    if !in_range(columns.length()) {
        return Err(impossible());
    }
    for node in columns.nodes().into_iter().flatten() {
        if !in_range(node.length()) || !(0..=node.length()).contains(&node.null_count()) {
            return Err(impossible());
        }
    }
    if columns.buffers().map_or(0, |buffers| buffers.len()) != widths.len() {
        return Err(impossible());
    }
    let mut unpacked = 0_usize;
    for (buffer, width) in columns.buffers().into_iter().flatten().zip(widths) {
        let offset = within(buffer.offset(), body.len())?;
        let length = within(buffer.length(), body.len())?;
        let bytes = offset
            .checked_add(length)
            .and_then(|end| body.get(offset..end));
        let bytes = bytes.ok_or_else(impossible)?;
        let length = if columns.compression().is_some() && !bytes.is_empty() {
            let (declared, rest) = bytes.split_first_chunk::<8>().ok_or_else(impossible)?;
            match i64::from_le_bytes(*declared) {
                // Not compressed after all.
                -1 => rest.len(),
                declared => within(declared, LARGEST_BODY)?,
            }
        } else {
            bytes.len()
        };
        unpacked += length;
        if length % width != 0 || unpacked > LARGEST_BODY {
            return Err(impossible());
        }
    }
    Ok(())
}

fn within(number: i64, limit: usize) -> Result<usize, FormatError> {
    usize::try_from(number)
        .ok()
        .filter(|number| *number <= limit)
        .ok_or_else(impossible)
}

fn impossible() -> FormatError {
    FormatError::decode("a message has an impossible size")
}
