//! What the seeds of several targets are made from: a clock that stands, bytes that only look random.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use healthsync_pairing::environment::{Clock, Entropy, EntropyUnavailable, Environment};

/// 2027-01-15T08:00:00Z: the certificates of the corpus are valid then.
pub const NOW: i64 = 1_800_000_000;

/// A clock that stands.
#[derive(Debug)]
pub struct Standing;

impl Clock for Standing {
    fn now(&self) -> i64 {
        NOW
    }
}

/// The same bytes in each run.
#[derive(Debug, Default)]
pub struct Counting(AtomicU64);

impl Entropy for Counting {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), EntropyUnavailable> {
        for chunk in bytes.chunks_mut(8) {
            let number = self.0.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
            let mixed = (number ^ (number >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            for (to, from) in chunk.iter_mut().zip(mixed.to_be_bytes()) {
                *to = from;
            }
        }
        Ok(())
    }
}

/// Both.
pub fn environment() -> Environment {
    Environment {
        clock: Arc::new(Standing),
        entropy: Arc::new(Counting::default()),
    }
}
