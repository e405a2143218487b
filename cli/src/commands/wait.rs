//! `--wait`: trying again while the server is paused, busy or away, ever more seldom.

use std::time::Duration;

use healthsync_core::{api::Code, report::Hint as _};
use tokio::time::{Instant, sleep_until};

use crate::{error::CliError, printer::Printer};

/// The first pause between two tries; each later one is twice as long.
const FIRST: Duration = Duration::from_secs(1);

/// No pause is longer, unless the server asks for one.
pub(super) const LONGEST: Duration = Duration::from_secs(30);

/// What is left of the time that a person is willing to wait.
#[derive(Debug)]
pub(super) struct Wait {
    end: Instant,
    pause: Duration,
}

impl Wait {
    /// From now on; `None` waits for nothing.
    pub(super) fn new(seconds: Option<u64>) -> Self {
        Self {
            end: Instant::now() + Duration::from_secs(seconds.unwrap_or(0)),
            pause: FIRST,
        }
    }

    /// Waits if this failure may pass by itself and time is left; the failure comes back otherwise.
    pub(super) async fn after(
        &mut self,
        error: CliError,
        printer: Printer,
    ) -> Result<(), CliError> {
        let now = Instant::now();
        let left = self.end.saturating_duration_since(now);
        let asked = error.retry_after().map(Duration::from_secs);
        // Sooner than the server asks for is in vain.
        if !may_pass(&error) || left.is_zero() || asked.is_some_and(|asked| asked > left) {
            return Err(error);
        }
        let pause = self.pause.max(asked.unwrap_or_default()).min(left);
        self.pause = (self.pause * 2).min(LONGEST);
        printer.note(&format!(
            "{error} [{}]; trying again in {} s, {} s are left",
            error.code(),
            pause.as_secs().max(1),
            left.as_secs()
        ));
        sleep_until(now + pause).await;
        Ok(())
    }
}

/// Whether time alone may mend it.
pub(super) fn may_pass(error: &CliError) -> bool {
    error.exit() == 4
        || [
            Code::Locked,
            Code::RateLimited,
            Code::RequestTimeout,
            Code::StoreUnavailable,
        ]
        .iter()
        .any(|code| code.as_str() == error.code())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Env, Settings};

    fn printer() -> Printer {
        use clap::Parser as _;
        let cli = crate::args::Cli::try_parse_from(["healthsync", "--quiet", "version"]).unwrap();
        let env = Env {
            default_home: Some("/nonexistent".into()),
            ..Env::default()
        };
        Settings::new(&cli.global, &env).unwrap().printer
    }

    /// At which seconds it tried, with a failure of this kind each time.
    async fn tries(wait: Option<u64>, failure: impl Fn() -> CliError) -> Vec<u64> {
        let (begun, printer) = (Instant::now(), printer());
        let mut wait = Wait::new(wait);
        let mut tries = vec![0];
        while wait.after(failure(), printer).await.is_ok() {
            tries.push(begun.elapsed().as_secs());
        }
        tries
    }

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_and_end_with_a_last_try() {
        let locked = || CliError::new(Code::Locked, "paused");
        assert_eq!(tries(None, locked).await, [0]);
        assert_eq!(tries(Some(10), locked).await, [0, 1, 3, 7, 10]);
        assert_eq!(
            tries(Some(100), locked).await,
            [0, 1, 3, 7, 15, 31, 61, 91, 100]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_server_says_how_long() {
        let limited =
            |after| move || CliError::new(Code::RateLimited, "many").retrying_after(after);
        assert_eq!(tries(Some(10), limited(5)).await, [0, 5, 10]);
        assert_eq!(tries(Some(10), limited(11)).await, [0]);
        assert_eq!(tries(Some(3), limited(0)).await, [0, 1, 3]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_pass_is_told_at_once() {
        for code in [Code::CertRevoked, Code::NotPaired, Code::TypeNotAllowed] {
            assert_eq!(tries(Some(10), || CliError::new(code, "no")).await, [0]);
        }
        for code in [Code::Econnrefused, Code::Etimedout, Code::StoreUnavailable] {
            assert_eq!(tries(Some(1), || CliError::new(code, "away")).await, [0, 1]);
        }
    }
}
