//! How often a device may ask: a token bucket for each pair, off unless `start --rate` sets it.
//!
//! A bucket holds as many requests as one unit of time allows and fills evenly, so a burst of that
//! size is answered and then the mean rate holds.

use std::{
    collections::HashMap,
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use healthsync_pairing::id::PairId;
use tokio::time::Instant;

use crate::refusal::ApiError;

/// So many requests in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    unit: Unit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unit {
    Second,
    Minute,
    Hour,
}

/// Not a rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write it as NUMBER/UNIT with a unit of s, min or h: `60/min`")]
pub struct InvalidRate;

/// Counts what each pair asks.
#[derive(Debug, Default)]
pub struct Limiter {
    rate: Option<Rate>,
    buckets: Mutex<HashMap<PairId, Bucket>>,
}

/// When the bucket would be full: the later, the emptier it is.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    full_at: Instant,
}

impl Limiter {
    /// One that counts by this rate; `None` counts nothing.
    pub fn new(rate: Option<Rate>) -> Self {
        Self {
            rate,
            buckets: Mutex::default(),
        }
    }

    /// Takes one request of this pair out of its bucket, or says how long to wait.
    pub fn take(&self, pair: PairId, now: Instant) -> Result<(), ApiError> {
        let Some(rate) = self.rate else {
            return Ok(());
        };
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        // A full bucket is as good as none: the map holds those who asked of late.
        buckets.retain(|_, bucket| bucket.full_at > now);
        let bucket = buckets.entry(pair).or_insert(Bucket { full_at: now });
        let after = bucket.full_at + rate.each();
        match after.checked_duration_since(now + rate.whole()) {
            Some(missing) if !missing.is_zero() => {
                let whole = missing.as_secs() + u64::from(missing.subsec_nanos() > 0);
                Err(ApiError::too_soon(
                    format!("this device may ask {rate}"),
                    u32::try_from(whole).unwrap_or(u32::MAX),
                ))
            }
            _ => {
                bucket.full_at = after;
                Ok(())
            }
        }
    }
}

impl Rate {
    /// The time in which a whole bucket fills.
    const fn whole(self) -> Duration {
        match self.unit {
            Unit::Second => Duration::from_secs(1),
            Unit::Minute => Duration::from_mins(1),
            Unit::Hour => Duration::from_hours(1),
        }
    }

    /// The time in which one request's worth fills; the count is never 0.
    fn each(self) -> Duration {
        self.whole()
            .checked_div(self.count)
            .unwrap_or_else(|| self.whole())
    }
}

impl FromStr for Rate {
    type Err = InvalidRate;

    fn from_str(text: &str) -> Result<Self, InvalidRate> {
        let (count, unit) = text.split_once('/').ok_or(InvalidRate)?;
        let is_number = !count.is_empty() && count.bytes().all(|byte| byte.is_ascii_digit());
        let count = count.parse().ok().filter(|count| is_number && *count > 0);
        Ok(Self {
            count: count.filter(|count| *count <= LARGEST).ok_or(InvalidRate)?,
            unit: match unit {
                "s" | "sec" | "second" => Unit::Second,
                "min" | "minute" => Unit::Minute,
                "h" | "hour" => Unit::Hour,
                _ => return Err(InvalidRate),
            },
        })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.unit {
            Unit::Second => "a second",
            Unit::Minute => "a minute",
            Unit::Hour => "an hour",
        };
        let times = if self.count == 1 { "time" } else { "times" };
        write!(f, "{} {times} {unit}", self.count)
    }
}

/// More is no limit.
const LARGEST: u32 = 1_000_000;

#[cfg(test)]
mod tests {
    use healthsync_core::api::Code;

    use super::*;

    #[test]
    fn rates_are_read() {
        for (text, expected) in [
            ("60/min", Some("60 times a minute")),
            ("1/s", Some("1 time a second")),
            ("1000000/hour", Some("1000000 times an hour")),
            ("1000001/h", None),
            ("0/min", None),
            ("-1/min", None),
            ("+1/min", None),
            ("60", None),
            ("60/", None),
            ("/min", None),
            ("60/day", None),
            ("60 / min", None),
            ("1.5/s", None),
            ("99999999999/s", None),
        ] {
            let got = text.parse::<Rate>().ok().map(|rate| rate.to_string());
            assert_eq!(got.as_deref(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_bucket_gives_a_burst_and_then_the_mean_rate() {
        let start = Instant::now();
        let (anna, ben) = (PairId([1; 16]), PairId([2; 16]));
        let limiter = Limiter::new("3/min".parse().ok());
        let at = |seconds| start + Duration::from_millis(seconds);
        let ask = |pair, time| {
            limiter.take(pair, at(time)).map_err(|error| {
                assert_eq!(error.code, Code::RateLimited);
                error.retry_after
            })
        };
        for _ in 0..3 {
            assert_eq!(ask(anna, 0), Ok(()));
        }
        assert_eq!(ask(anna, 0), Err(Some(20)));
        assert_eq!(ask(anna, 19_001), Err(Some(1)));
        // Asking too soon costs nothing, and nobody pays for another.
        assert_eq!(ask(ben, 19_999), Ok(()));
        assert_eq!(ask(anna, 20_000), Ok(()));
        assert_eq!(ask(anna, 20_000), Err(Some(20)));
        for _ in 0..3 {
            assert_eq!(ask(anna, 600_000), Ok(()));
        }
        assert_eq!(ask(anna, 600_000), Err(Some(20)));
        assert_eq!(
            limiter.buckets.lock().unwrap().len(),
            1,
            "ben's is full again"
        );
    }

    #[test]
    fn without_a_rate_nothing_is_counted() {
        let limiter = Limiter::default();
        for _ in 0..10_000 {
            assert!(limiter.take(PairId([1; 16]), Instant::now()).is_ok());
        }
        assert!(limiter.buckets.lock().unwrap().is_empty());
    }
}
