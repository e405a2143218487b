//! Rows of totals on their way out, batch by batch.

use std::ops::ControlFlow;

use crate::{
    aggregate::{TotalsBatch, TotalsBuilder, TotalsRow},
    store::StoreError,
};

/// Rows of a full batch.
const BATCH_ROWS: usize = 4096;

/// Where the rows go.
pub(super) struct Out<'s> {
    builder: TotalsBuilder,
    pub(super) count: u64,
    sink: &'s mut dyn FnMut(TotalsBatch) -> ControlFlow<()>,
    stopped: bool,
    failed: Option<StoreError>,
}

impl<'s> Out<'s> {
    pub(super) fn new(sink: &'s mut dyn FnMut(TotalsBatch) -> ControlFlow<()>) -> Self {
        Self {
            builder: TotalsBuilder::default(),
            count: 0,
            sink,
            stopped: false,
            failed: None,
        }
    }

    /// Takes a row; why no more are wanted is told by [`Out::check`].
    pub(super) fn push(&mut self, row: &TotalsRow<'_>) -> ControlFlow<()> {
        if self.stopped || self.failed.is_some() {
            return ControlFlow::Break(());
        }
        self.builder.push(row);
        if self.builder.len() >= BATCH_ROWS {
            self.failed = self.flush().err();
            if self.stopped || self.failed.is_some() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(())
    }

    /// Whether to go on.
    pub(super) fn check(&mut self) -> Result<bool, StoreError> {
        match self.failed.take() {
            Some(error) => Err(error),
            None => Ok(!self.stopped),
        }
    }

    pub(super) fn flush(&mut self) -> Result<(), StoreError> {
        if self.builder.len() == 0 {
            return Ok(());
        }
        let batch = self.builder.take().map_err(|error| {
            StoreError::from(rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
        })?;
        self.count += u64::try_from(batch.len()).unwrap_or_default();
        self.stopped |= (self.sink)(batch).is_break();
        Ok(())
    }
}
