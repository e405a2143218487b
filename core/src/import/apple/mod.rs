//! Apple Health.
mod date;
