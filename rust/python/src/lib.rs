//! The Python face of `execactor-core`: converts arguments, holds no rule.

mod argument;
mod book;
mod histogram;
mod matching;

use pyo3::prelude::*;

/// Native arithmetic of execactor: order book, matching and histograms on integer ticks and lots.
#[pymodule(gil_used = false)]
mod _core {
    #[pymodule_export]
    use crate::book::Book;
    #[pymodule_export]
    use crate::histogram::Histogram;
    #[pymodule_export]
    use crate::matching::MatchingBook;
    use execactor_core::flags;
    use pyo3::prelude::*;
    use std::collections::HashMap;

    #[pymodule_export]
    const BBO_CHANGED: u32 = flags::BBO_CHANGED;
    #[pymodule_export]
    const APPLIED: u32 = flags::APPLIED;
    #[pymodule_export]
    const IGNORED: u32 = flags::IGNORED;
    #[pymodule_export]
    const BUFFERED: u32 = flags::BUFFERED;
    #[pymodule_export]
    const GAP: u32 = flags::GAP;
    #[pymodule_export]
    const CROSSED: u32 = flags::CROSSED;
    #[pymodule_export]
    const MALFORMED: u32 = flags::MALFORMED;
    #[pymodule_export]
    const SYNCED: u32 = flags::SYNCED;

    /// How this extension was built.
    #[pyfunction]
    fn build_info() -> HashMap<&'static str, &'static str> {
        HashMap::from([
            ("version", env!("CARGO_PKG_VERSION")),
            ("profile", env!("EXECACTOR_PROFILE")),
            ("target", env!("EXECACTOR_TARGET")),
            ("rustc", env!("EXECACTOR_RUSTC")),
        ])
    }
}
