//! Where samples go as they come: bytes of a format, or rows of a database.

use healthsync_core::{
    api::Code,
    batch::SampleBatch,
    format::{self as formats, Clinical, Encoder, End, FormatError, Options, Pressure},
    replica::{Database, ReplicaError},
    report::Hint as _,
};

use crate::{args::OutputFormat, error::CliError, output::Output};

/// Written at once: large enough to be fast, small enough to appear soon.
const FULL: usize = 256 << 10;

/// What is filled; owns the output, which is gone unless [`Sink::finish`] was called.
pub(super) enum Sink {
    /// A format, and bytes of it that wait.
    Bytes {
        encoder: Box<dyn Encoder>,
        full: Vec<u8>,
        output: Output,
    },
    /// A file of what travels. If its schema is ours to the bit, it is written as it came, and its
    /// batches are read and checked, and not made again. Any other schema may tell readers more than we
    /// check (extension types, another byte order), so then they are made again.
    Stream {
        encoder: Box<dyn Encoder>,
        /// Our schema, as the encoder writes it.
        ours: Vec<u8>,
        /// Whether the schema is ours; `None`: it has not come yet.
        is_ours: Option<bool>,
        include_metadata: bool,
        full: Vec<u8>,
        output: Output,
    },
    /// A database in the file of the output.
    Rows { database: Database, output: Output },
    /// Observations.
    Clinical {
        clinical: Clinical,
        full: Vec<u8>,
        output: Output,
    },
}

/// What a format has no word for: types, and how many samples of each.
pub(super) type LeftOut = Vec<(String, u64)>;

impl Sink {
    /// Begins to write.
    pub(super) fn new(
        format: OutputFormat,
        options: &Options,
        output: Output,
        now_ms: i64,
    ) -> Result<Self, CliError> {
        if let Some(standard) = format.standard() {
            let clinical = Clinical::new(standard, now_ms);
            let mut full = Vec::with_capacity(FULL + (FULL >> 2));
            clinical.start(&mut full);
            return Ok(Self::Clinical {
                clinical,
                full,
                output,
            });
        }
        if format == OutputFormat::Sqlite {
            let path = output.file_path().ok_or_else(needs_a_file)?;
            let database = Database::create(path, options.include_metadata).map_err(not_kept)?;
            return Ok(Self::Rows { database, output });
        }
        // To stdout only goes what was checked before; a file is there only when all of it was.
        let may_pass = format == OutputFormat::Arrow && output.file_path().is_some();
        let format = formats::by_name(format.name())
            .ok_or_else(|| CliError::usage(format!("there is no format {}", format.name())))?;
        let mut encoder = (format.encoder)(options);
        let mut full = Vec::with_capacity(FULL + (FULL >> 2));
        encoder.start(&mut full).map_err(told)?;
        if may_pass {
            return Ok(Self::Stream {
                encoder,
                ours: std::mem::take(&mut full),
                is_ours: None,
                include_metadata: options.include_metadata,
                full,
                output,
            });
        }
        Ok(Self::Bytes {
            encoder,
            full,
            output,
        })
    }

    /// Whether it wants the bytes that travel, too.
    pub(super) const fn takes_bytes(&self) -> bool {
        matches!(self, Self::Stream { .. })
    }

    /// Adds bytes of the stream; their samples are added next.
    pub(super) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        let Self::Stream {
            ours,
            is_ours,
            full,
            output,
            ..
        } = self
        else {
            return Ok(());
        };
        match is_ours {
            Some(true) => return output.write(bytes),
            Some(false) => return Ok(()),
            None => full.extend_from_slice(bytes),
        }
        if full.starts_with(ours) {
            *is_ours = Some(true);
            output.write(full)?;
            full.clear();
        } else if !ours.starts_with(full) {
            *is_ours = Some(false);
            full.clone_from(ours);
        }
        Ok(())
    }

    /// Adds samples.
    pub(super) fn add(&mut self, batch: &SampleBatch) -> Result<(), CliError> {
        match self {
            Self::Bytes {
                encoder,
                full,
                output,
            } => {
                encoder.batch(batch, full).map_err(told)?;
                write_full(full, output)
            }
            Self::Stream {
                encoder,
                is_ours,
                include_metadata,
                full,
                output,
                ..
            } => {
                if batch.has_metadata() != *include_metadata {
                    let why = "the answer has other columns than were asked for";
                    return Err(CliError::new(Code::AnswerDamaged, why));
                }
                if *is_ours == Some(true) {
                    return Ok(());
                }
                encoder.batch(batch, full).map_err(told)?;
                write_full(full, output)
            }
            Self::Rows { database, .. } => database.add(batch).map_err(not_kept),
            Self::Clinical {
                clinical,
                full,
                output,
            } => {
                clinical.batch(batch, full).map_err(told)?;
                write_full(full, output)
            }
        }
    }

    /// Adds a blood pressure; only observations have a word for it.
    pub(super) fn pressure(&mut self, pressure: &Pressure) -> Result<(), CliError> {
        if let Self::Clinical {
            clinical,
            full,
            output,
        } = self
        {
            clinical.pressure(pressure, full);
            return write_full(full, output);
        }
        Ok(())
    }

    /// Writes the end and makes the file appear.
    pub(super) fn finish(self, end: &End) -> Result<LeftOut, CliError> {
        match self {
            Self::Bytes {
                mut encoder,
                mut full,
                mut output,
            } => {
                encoder.finish(end, &mut full).map_err(told)?;
                output.write(&full)?;
                output.commit()?;
                Ok(LeftOut::new())
            }
            Self::Stream {
                mut encoder,
                is_ours,
                mut full,
                mut output,
                ..
            } => {
                if is_ours != Some(true) {
                    encoder.finish(end, &mut full).map_err(told)?;
                }
                output.write(&full)?;
                output.commit()?;
                Ok(LeftOut::new())
            }
            Self::Rows { database, output } => {
                database.finish().map_err(not_kept)?;
                output.commit()?;
                Ok(LeftOut::new())
            }
            Self::Clinical {
                clinical,
                mut full,
                mut output,
            } => {
                clinical.finish(&mut full);
                output.write(&full)?;
                output.commit()?;
                let left_out = clinical.left_out();
                Ok(left_out
                    .map(|(name, count)| (name.to_owned(), count))
                    .collect())
            }
        }
    }
}

/// Writes what waits, once it is much.
pub(super) fn write_full(full: &mut Vec<u8>, output: &mut Output) -> Result<(), CliError> {
    if full.len() >= FULL {
        output.write(full)?;
        full.clear();
    }
    Ok(())
}

/// A database has pages that are written again and again.
pub(super) fn needs_a_file() -> CliError {
    CliError::usage("a database cannot be written to stdout")
        .with_hint("name a file with `--output FILE`")
}

/// A format or a stream that could not be made or read.
pub(super) fn told(error: FormatError) -> CliError {
    let code = error.code().parse().unwrap_or(Code::AnswerDamaged);
    CliError::new(code, "the answer is damaged or was cut off").because(error)
}

fn not_kept(error: ReplicaError) -> CliError {
    let code = error.code().parse().unwrap_or(Code::OutputFailed);
    CliError::new(code, "could not write the samples").because(error)
}
