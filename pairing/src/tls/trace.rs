//! What happens on a connection, step by step, for whoever wants to watch it.
//!
//! A trace is switched on by the one who connects; switched off it costs nothing. It holds what goes
//! over the wire in the clear, what certificates say, and what was decided: never a key, a random
//! value, or anything that is encrypted afterwards.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::time::Instant;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Since the connection was begun.
    pub at: Duration,
    /// What happened, in kebab case: `client-hello`.
    pub name: &'static str,
    /// What is known about it, each name in camel case.
    pub facts: Vec<(&'static str, Fact)>,
}

/// The value of one thing that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Yes or no.
    Flag(bool),
    /// Several texts.
    List(Vec<String>),
    /// A count.
    Number(u64),
    /// A text.
    Text(String),
}

impl From<bool> for Fact {
    fn from(flag: bool) -> Self {
        Self::Flag(flag)
    }
}

impl From<Vec<String>> for Fact {
    fn from(list: Vec<String>) -> Self {
        Self::List(list)
    }
}

impl From<u64> for Fact {
    fn from(number: u64) -> Self {
        Self::Number(number)
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Fact {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Who watches.
pub trait Watch: fmt::Debug + Send + Sync {
    /// A step was taken.
    fn step(&self, step: &Step);
}

/// Where the steps of a connection are told. Copies tell the same one.
#[derive(Clone, Debug, Default)]
pub struct Trace(Option<Arc<Watched>>);

#[derive(Debug)]
struct Watched {
    watch: Arc<dyn Watch>,
    began: Mutex<Instant>,
}

impl Trace {
    /// Nobody watches.
    pub const fn off() -> Self {
        Self(None)
    }

    /// `watch` is told everything.
    pub fn new(watch: Arc<dyn Watch>) -> Self {
        Self(Some(Arc::new(Watched {
            watch,
            began: Mutex::new(Instant::now()),
        })))
    }

    /// Whether anybody watches.
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// A new connection: times count from here.
    pub fn begin(&self) {
        if let Some(watched) = &self.0 {
            *watched.began.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        }
    }

    /// Tells a step that another trace has told.
    pub fn pass_on(&self, step: &Step) {
        if let Some(watched) = &self.0 {
            watched.watch.step(step);
        }
    }

    /// Tells a step; the facts are only gathered if somebody watches.
    pub fn tell(&self, name: &'static str, facts: impl FnOnce() -> Vec<(&'static str, Fact)>) {
        let Some(watched) = &self.0 else { return };
        let began = *watched.began.lock().unwrap_or_else(PoisonError::into_inner);
        watched.watch.step(&Step {
            at: began.elapsed(),
            name,
            facts: facts(),
        });
    }
}
