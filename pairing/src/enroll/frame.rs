//! The frames F1..F7 and Abort, bytes in and out; no I/O.
