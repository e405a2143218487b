//! The one door to the terminal: data on stdout, all else on stderr.

use std::{
    borrow::Cow,
    io::{self, Write},
    sync::mpsc::{self, RecvTimeoutError, Sender},
    thread::{self, JoinHandle},
    time::Duration,
};

use healthsync_core::report::{self, Hint as _};
use healthsync_pairing::defence::{Defence, holds};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use crate::error::CliError;

/// What takes longer is shown to be under way.
pub(crate) const QUICK: Duration = Duration::from_secs(1);

/// How often a moving line moves.
const TICK: Duration = Duration::from_millis(120);

/// How to print.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is one independent answer of the command line or the terminal"
)]
pub(crate) struct Printer {
    /// JSON lines on stdout.
    pub(crate) json: bool,
    /// Data and errors only.
    pub(crate) quiet: bool,
    /// More details.
    pub(crate) verbose: bool,
    /// Colours on stdout.
    pub(crate) colour_out: bool,
    /// Colours on stderr.
    pub(crate) colour_err: bool,
    /// stdout is a terminal.
    pub(crate) out_terminal: bool,
    /// Columns of the terminal at stdout; `None`: no terminal, so no limit.
    pub(crate) width: Option<usize>,
    /// A moving line may be shown on stderr.
    pub(crate) progress: bool,
}

/// A word of a server or a file, for a line or a table: harmless and short.
pub(crate) fn foreign(text: &str) -> Cow<'_, str> {
    if holds(Defence::InertWords) {
        report::short(text)
    } else {
        Cow::Borrowed(text)
    }
}

/// How a word looks.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Look {
    /// Emphasis.
    Bold,
    /// Good.
    Green,
    /// Needs attention.
    Yellow,
    /// Bad.
    Red,
}

impl Look {
    const fn code(self) -> &'static str {
        match self {
            Self::Bold => "1",
            Self::Green => "32",
            Self::Yellow => "33",
            Self::Red => "1;31",
        }
    }
}

impl Printer {
    /// A line of data.
    #[expect(
        clippy::unused_self,
        reason = "whoever prints must have been given the printer"
    )]
    pub(crate) fn line(self, text: &str) -> Result<(), CliError> {
        let mut out = io::stdout().lock();
        writeln!(out, "{text}")
            .and_then(|()| out.flush())
            .map_err(CliError::stdout)
    }

    /// One JSON object on a line of its own.
    pub(crate) fn object(self, value: &impl Serialize) -> Result<(), CliError> {
        let text = serde_json::to_string(value)
            .map_err(|error| CliError::stdout(io::Error::other(error)))?;
        self.line(&text)
    }

    /// Something worth knowing; not with `--quiet`.
    pub(crate) fn note(self, text: &str) {
        if !self.quiet {
            self.say(text);
        }
    }

    /// A detail for `--verbose`.
    pub(crate) fn detail(self, text: &str) {
        if self.verbose {
            self.say(text);
        }
    }

    /// Something that may bite later.
    pub(crate) fn warn(self, text: &str) {
        let label = self.paint_err("warning:", Look::Yellow);
        self.say(&format!("{label} {text}"));
    }

    /// What a person must see. A closed stderr is nobody's to tell.
    #[expect(
        clippy::unused_self,
        reason = "whoever prints must have been given the printer"
    )]
    pub(crate) fn say(self, text: &str) {
        drop(writeln!(io::stderr().lock(), "{text}"));
    }

    /// The last words of a failed command.
    pub(crate) fn error(self, error: &CliError) {
        let hint = error.hint();
        if self.json {
            drop(self.line(&report::json_about(
                error,
                error.code(),
                error.subject(),
                hint.as_deref(),
            )));
            return;
        }
        let text = report::render(error, error.code(), hint.as_deref());
        let text = if self.colour_err {
            text.replacen("error:", &self.paint_err("error:", Look::Red), 1)
                .replacen(
                    "\nhint:",
                    &format!("\n{}", self.paint_err("hint:", Look::Bold)),
                    1,
                )
        } else {
            text
        };
        self.say(&text);
    }

    /// A word for stdout.
    pub(crate) fn paint(self, text: &str, look: Look) -> String {
        paint(text, look, self.colour_out)
    }

    /// A word for stderr.
    pub(crate) fn paint_err(self, text: &str, look: Look) -> String {
        paint(text, look, self.colour_err)
    }

    /// A moving line with a count, which [`Self::show`] shows.
    pub(crate) fn counter(unit: &str) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        let template =
            format!("{{spinner}} {{human_pos}} {unit}  {{per_sec}}  {{elapsed}}  {{msg}}");
        if let Ok(style) = ProgressStyle::with_template(&template) {
            bar.set_style(style);
        }
        bar
    }

    /// A moving line that says what is waited for, once that takes more than a moment. Whatever else is
    /// shown comes after this was dropped. In a thread of its own, as some waits block theirs.
    pub(crate) fn waiting(self, what: impl FnOnce() -> String) -> Waiting {
        // The lines of `--verbose` show well enough what is under way, and would come between.
        if !self.progress || self.verbose {
            return Waiting(None);
        }
        let (done, ended) = mpsc::channel::<()>();
        let what = what();
        let shows = move || {
            if ended.recv_timeout(QUICK) == Err(RecvTimeoutError::Disconnected) {
                return;
            }
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden())
                .with_elapsed(QUICK);
            if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {elapsed}") {
                bar.set_style(style);
            }
            bar.set_message(what);
            self.show(&bar);
            // Until `done` is dropped.
            let _ = ended.recv();
            bar.finish_and_clear();
        };
        // Without a thread nothing moves, which is no reason to fail.
        let thread = thread::Builder::new()
            .name("waiting".to_owned())
            .spawn(shows);
        Waiting(thread.ok().map(|thread| (done, thread)))
    }

    /// Shows a moving line, unless no terminal would.
    pub(crate) fn show(self, bar: &ProgressBar) {
        if self.progress {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(TICK);
        }
    }
}

/// A moving line that may come; dropped, it is gone.
#[derive(Debug)]
pub(crate) struct Waiting(Option<(Sender<()>, JoinHandle<()>)>);

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some((done, thread)) = self.0.take() {
            drop(done);
            // A line that could not be drawn leaves nothing to clear.
            drop(thread.join());
        }
    }
}

fn paint(text: &str, look: Look, colours: bool) -> String {
    if colours {
        format!("\u{1b}[{}m{text}\u{1b}[0m", look.code())
    } else {
        text.to_owned()
    }
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 sample`, `1,234 samples`.
pub(crate) fn samples(count: u64) -> String {
    let unit = if count == 1 { "sample" } else { "samples" };
    format!("{} {unit}", grouped(count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_grouped() {
        for (number, expected) in [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (1_234_567, "1,234,567"),
            (12_345_678, "12,345,678"),
        ] {
            assert_eq!(grouped(number), expected);
        }
    }

    #[test]
    fn one_sample_is_one() {
        assert_eq!(samples(1), "1 sample");
        assert_eq!(samples(2000), "2,000 samples");
    }

    #[test]
    fn no_escape_without_colours() {
        assert_eq!(paint("x", Look::Red, false), "x");
        assert_eq!(paint("x", Look::Red, true), "\u{1b}[1;31mx\u{1b}[0m");
    }
}
