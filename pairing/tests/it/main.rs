//! Integration tests of the trust layer: one binary, one module a subject.

mod vectors;
