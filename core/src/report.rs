//! How an error is told: what, why (the chain), the stable code, the command to run next.

use std::error::Error;

/// What an error type adds to its message.
pub trait Hint: Error {
    /// Stable word, SCREAMING_SNAKE.
    fn code(&self) -> &'static str;
    /// What to do next, usually a command.
    fn hint(&self) -> Option<String> {
        None
    }
}

/// The text for people:
/// `error: <message>  [CODE]` / `  caused by: ..` for each source / empty line / `hint: ..`.
pub fn render(_error: &dyn Error, _code: &str, _hint: Option<&str>) -> String {
    todo!()
}

/// The one-line JSON object `{"event":"error","code":..,"message":..,"hint":..}`.
pub fn json(_error: &dyn Error, _code: &str, _hint: Option<&str>) -> String {
    todo!()
}
