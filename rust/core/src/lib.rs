#![forbid(unsafe_code)]
//! Order book, matching and fixed-point arithmetic of execactor.
//!
//! Prices are `i64` ticks and sizes are `i64` lots throughout; [`fixed::Scale`] is the only place where decimal text
//! becomes one or the other. Nothing here knows Python, reads a clock or does I/O.

pub mod book;
pub mod feed;
pub mod fixed;
pub mod flags;
pub mod histogram;
pub mod ladder;
pub mod matching;
mod quoted;
pub mod sequence;
mod swar;
