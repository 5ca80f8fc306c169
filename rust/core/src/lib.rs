#![forbid(unsafe_code)]
//! Order book, matching and fixed-point arithmetic of execactor.
