//! Answering queries.

use std::ops::ControlFlow;

use crate::{
    batch::SampleBatch,
    query::{Cursor, Query},
    store::{Scanned, Store, StoreError, TypeSummary},
};

impl Store {
    /// What the store holds, by type name. Fast: no scan of all rows.
    pub fn types(&self) -> Result<Vec<TypeSummary>, StoreError> {
        todo!()
    }

    /// How many samples there are.
    pub fn count(&self) -> Result<u64, StoreError> {
        todo!()
    }

    /// Position behind which a query with a limit goes on, or `None` when the limit cuts nothing.
    pub fn next_cursor(&self, _query: &Query) -> Result<Option<Cursor>, StoreError> {
        todo!()
    }

    /// Hands the samples of `query` to `sink`, batch by batch (a few thousand rows each), in one
    /// read transaction. `Break` ends the scan early.
    pub fn scan(
        &self,
        _query: &Query,
        _sink: &mut dyn FnMut(SampleBatch) -> ControlFlow<()>,
    ) -> Result<Scanned, StoreError> {
        todo!()
    }
}
