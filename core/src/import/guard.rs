//! Decoders of others that panic over what no writer writes.

use std::{
    error::Error,
    panic::{AssertUnwindSafe, catch_unwind},
};

use super::ReadError;

/// Runs a step of a decoder; one that panics was given a damaged file. What it leaves behind is not
/// used any more.
pub(super) fn guarded<T, E>(step: impl FnOnce() -> Result<T, E>) -> Result<T, ReadError>
where
    E: Error + Send + Sync + 'static,
{
    match catch_unwind(AssertUnwindSafe(step)) {
        Ok(outcome) => outcome.map_err(|error| ReadError::Archive(Box::new(error))),
        Err(_) => Err(ReadError::Archive("it cannot be decoded".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decoder_that_panics_is_a_damaged_file() {
        let outcome = guarded(|| -> Result<(), std::fmt::Error> { panic!("a test") });
        assert!(matches!(outcome, Err(ReadError::Archive(_))), "{outcome:?}");
        let outcome = guarded(|| Err::<(), _>(std::fmt::Error));
        assert!(matches!(outcome, Err(ReadError::Archive(_))), "{outcome:?}");
        assert_eq!(guarded(|| Ok::<_, std::fmt::Error>(7)).unwrap(), 7);
    }
}
