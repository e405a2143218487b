//! The real binary, without a server: what it refuses, how it says so, and with which exit code.

#![expect(clippy::expect_used, reason = "a panic is how a test fails")]

mod binary;
mod config;
mod refusals;
