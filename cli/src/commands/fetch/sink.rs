//! Where samples go as they come: bytes of a format, or rows of a database.

use healthsync_core::{
    api::Code,
    batch::SampleBatch,
    format::{self as formats, Encoder, End, FormatError, Options},
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
    /// A database in the file of the output.
    Rows { database: Database, output: Output },
}

impl Sink {
    /// Begins to write.
    pub(super) fn new(
        format: OutputFormat,
        options: &Options,
        output: Output,
    ) -> Result<Self, CliError> {
        if format == OutputFormat::Sqlite {
            let path = output.file_path().ok_or_else(needs_a_file)?;
            let database = Database::create(path, options.include_metadata).map_err(not_kept)?;
            return Ok(Self::Rows { database, output });
        }
        let format = formats::by_name(format.name())
            .ok_or_else(|| CliError::usage(format!("there is no format {}", format.name())))?;
        let mut encoder = (format.encoder)(options);
        let mut full = Vec::with_capacity(FULL + (FULL >> 2));
        encoder.start(&mut full).map_err(told)?;
        Ok(Self::Bytes {
            encoder,
            full,
            output,
        })
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
                if full.len() >= FULL {
                    output.write(full)?;
                    full.clear();
                }
                Ok(())
            }
            Self::Rows { database, .. } => database.add(batch).map_err(not_kept),
        }
    }

    /// Writes the end and makes the file appear.
    pub(super) fn finish(self, end: &End) -> Result<(), CliError> {
        match self {
            Self::Bytes {
                mut encoder,
                mut full,
                mut output,
            } => {
                encoder.finish(end, &mut full).map_err(told)?;
                output.write(&full)?;
                output.commit()
            }
            Self::Rows { database, output } => {
                database.finish().map_err(not_kept)?;
                output.commit()
            }
        }
    }
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
