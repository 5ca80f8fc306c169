//! `Histogram`: latencies to three significant digits.

use crate::argument::{Integer, lock};
use execactor_core::histogram;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::Mutex;

/// A histogram of nanoseconds with three significant digits.
#[pyclass(frozen, module = "execactor._core")]
pub struct Histogram(Mutex<histogram::Histogram>);

#[pymethods]
impl Histogram {
    #[new]
    fn new() -> Self {
        Self(Mutex::new(histogram::Histogram::new()))
    }

    /// Count one value.
    fn record(&self, nanoseconds: Integer) -> PyResult<()> {
        let value = nanoseconds.to("nanoseconds", "from 0 to 2**64 - 1 (subtract the earlier time from the later)")?;
        lock(&self.0)?.record(value);
        Ok(())
    }

    /// The value that `q` percent of the recorded values do not exceed.
    fn percentile(&self, q: f64) -> PyResult<u64> {
        if !(0.0..=100.0).contains(&q) {
            return Err(PyValueError::new_err(format!("q must be a percentage from 0 to 100, got {q}")));
        }
        Ok(lock(&self.0)?.percentile(q))
    }

    /// Number of values.
    #[getter]
    fn count(&self) -> PyResult<u64> {
        Ok(lock(&self.0)?.count())
    }

    /// Largest value.
    #[getter]
    fn max(&self) -> PyResult<u64> {
        Ok(lock(&self.0)?.max())
    }

    /// Mean of the values.
    #[getter]
    fn mean(&self) -> PyResult<f64> {
        Ok(lock(&self.0)?.mean())
    }

    /// Forget every value.
    fn reset(&self) -> PyResult<()> {
        lock(&self.0)?.reset();
        Ok(())
    }

    /// Add all of another histogram's values.
    fn merge(&self, other: &Self) -> PyResult<()> {
        // A copy, so that two locks are never held at once, not even when `other` is `self`.
        let other = lock(&other.0)?.clone();
        lock(&self.0)?.merge(&other);
        Ok(())
    }
}
