//! Arguments from Python: a value that is out of range is a `ValueError` that names the argument and says what fits.

use execactor_core::book::Side;
use execactor_core::fixed::Scale;
use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use std::sync::{Mutex, MutexGuard};

/// A Python integer of any size; beyond 128 bits only its sign is kept, which no range check needs more of.
#[derive(Clone, Copy)]
pub struct Integer(i128);

impl<'a, 'py> FromPyObject<'a, 'py> for Integer {
    type Error = PyErr;

    fn extract(value: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let error = match value.extract::<i64>() {
            Ok(small) => return Ok(Self(small.into())),
            Err(error) => error,
        };
        if !error.is_instance_of::<PyOverflowError>(value.py()) {
            return Err(error);
        }
        if let Ok(large) = value.extract::<u64>() {
            return Ok(Self(large.into()));
        }
        Ok(Self(if value.lt(0)? { i128::MIN } else { i128::MAX }))
    }
}

impl From<i64> for Integer {
    fn from(value: i64) -> Self {
        Self(value.into())
    }
}

impl Integer {
    /// The value as a `T`, or an error that says which integers `name` may be.
    pub fn to<T: TryFrom<i128>>(self, name: &str, range: &str) -> PyResult<T> {
        T::try_from(self.0).map_err(|_| {
            let got = match self.0 {
                i128::MIN => "a very negative number".into(),
                i128::MAX => "a number beyond 64 bits".into(),
                value => value.to_string(),
            };
            PyValueError::new_err(format!("{name} must be {range}, got {got}"))
        })
    }

    /// +1 to buy, -1 to sell.
    pub fn side(self) -> PyResult<Side> {
        match self.0 {
            1 => Ok(Side::Buy),
            -1 => Ok(Side::Sell),
            _ => Err(PyValueError::new_err(format!("side must be +1 (buy) or -1 (sell), got {}", self.0))),
        }
    }

    /// How many items to return; 0 is all of them.
    pub fn limit(self) -> PyResult<usize> {
        match self.to("limit", "0 (all) or a positive count")? {
            0 => Ok(usize::MAX),
            limit => Ok(limit),
        }
    }
}

/// A tick or step size from its decimal text.
pub fn scale(name: &str, unit: &str) -> PyResult<Scale> {
    Scale::new(unit).map_err(|error| {
        let fix = "pass a positive decimal such as \"0.10\", as the venue's exchange information writes it";
        PyValueError::new_err(format!("{name} {unit:?} is {error}; {fix}"))
    })
}

/// Calls `read` with the bytes of `data`: without a copy for `bytes` and `str`, with one for other buffers.
pub fn with_text<R>(data: &Bound<'_, PyAny>, read: impl FnOnce(&[u8]) -> PyResult<R>) -> PyResult<R> {
    if let Ok(bytes) = data.cast::<PyBytes>() {
        return read(bytes.as_bytes());
    }
    if let Ok(text) = data.cast::<PyString>() {
        return read(text.to_str()?.as_bytes());
    }
    let Ok(buffer) = PyBuffer::<u8>::get(data) else {
        let kind = data.get_type().name()?;
        let fix = "pass the message as it was received";
        return Err(PyTypeError::new_err(format!(
            "data must be bytes, bytearray, memoryview or str, got {kind}; {fix}"
        )));
    };
    read(&buffer.to_vec(data.py())?)
}

/// The object inside; an object that panicked in mid-change is not trusted again.
pub fn lock<T>(inner: &Mutex<T>) -> PyResult<MutexGuard<'_, T>> {
    inner.lock().map_err(|_| PyRuntimeError::new_err("this object failed inside an earlier call; make a new one"))
}
