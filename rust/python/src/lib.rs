//! The PyO3 face of `execactor-core`.
use pyo3::prelude::*;

/// Native arithmetic of execactor.
#[pymodule]
mod _core {}
