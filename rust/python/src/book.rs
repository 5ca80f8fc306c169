//! `Book`: an L2 book fed with a venue's depth messages.

use crate::argument::{Integer, lock, scale, with_text};
use execactor_core::book;
use execactor_core::feed::binance::Feed;
use execactor_core::ladder::WINDOW_RANGE;
use execactor_core::sequence::Rule;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use std::sync::Mutex;

/// The L2 order book of one instrument, in integer ticks and lots.
#[pyclass(frozen, module = "execactor._core")]
pub struct Book(Mutex<Inner>);

struct Inner {
    feed: Feed,
    book: book::Book,
}

#[pymethods]
impl Book {
    #[new]
    #[pyo3(signature = (tick_size, step_size, rule = "futures", window = Integer::from(32768)),
           text_signature = "(tick_size, step_size, rule='futures', window=32768)")]
    fn new(tick_size: &str, step_size: &str, rule: &str, window: Integer) -> PyResult<Self> {
        let (tick, step) = (scale("tick_size", tick_size)?, scale("step_size", step_size)?);
        let rule = match rule {
            "futures" => Rule::Futures,
            "spot" => Rule::Spot,
            _ => {
                return Err(PyValueError::new_err(format!("rule must be \"futures\" or \"spot\", got {rule:?}")));
            }
        };
        let range = format!("a power of two from {} to {}", WINDOW_RANGE.start(), WINDOW_RANGE.end());
        let ticks: usize = window.to("window", &range)?;
        let book = book::Book::new(rule, ticks)
            .ok_or_else(|| PyValueError::new_err(format!("window must be {range}, got {ticks}")))?;
        Ok(Self(Mutex::new(Inner { feed: Feed::new(rule, tick, step), book })))
    }

    /// Apply one depth message; returns flags.
    fn apply_json(&self, data: &Bound<'_, PyAny>) -> PyResult<u32> {
        with_text(data, |text| {
            let inner = &mut *lock(&self.0)?;
            Ok(inner.feed.apply(text, &mut inner.book))
        })
    }

    /// Apply one REST depth snapshot; returns flags.
    fn apply_snapshot_json(&self, data: &Bound<'_, PyAny>) -> PyResult<u32> {
        with_text(data, |text| {
            let inner = &mut *lock(&self.0)?;
            Ok(inner.feed.apply_snapshot(text, &mut inner.book))
        })
    }

    /// "empty", "buffering", "live" or "stale".
    #[getter]
    fn state(&self) -> PyResult<&'static str> {
        Ok(lock(&self.0)?.book.state().name())
    }

    /// Live, both sides present and not crossed.
    #[getter]
    fn tradable(&self) -> PyResult<bool> {
        Ok(lock(&self.0)?.book.tradable())
    }

    /// Best bid at or above best ask.
    #[getter]
    fn crossed(&self) -> PyResult<bool> {
        Ok(lock(&self.0)?.book.crossed())
    }

    /// Update id of the last message in the book.
    #[getter]
    fn last_update_id(&self) -> PyResult<u64> {
        Ok(lock(&self.0)?.book.last_update_id())
    }

    /// Best bid and ask as `(bid_ticks, bid_lots, ask_ticks, ask_lots)`.
    fn bbo(&self) -> PyResult<Option<(i64, i64, i64, i64)>> {
        let bbo = lock(&self.0)?.book.bbo();
        Ok(bbo.map(|bbo| (bbo.bid_ticks, bbo.bid_lots, bbo.ask_ticks, bbo.ask_lots)))
    }

    /// What an order of `lots` would meet, as `(filled_lots, notional in tick * lots, worst_tick)`.
    fn vwap(&self, side: Integer, lots: Integer) -> PyResult<(i64, i128, i64)> {
        let (side, wanted) = (side.side()?, lots.to::<i64>("lots", "a positive number of lots")?);
        if wanted <= 0 {
            return Err(PyValueError::new_err(format!("lots must be a positive number of lots, got {wanted}")));
        }
        let vwap = lock(&self.0)?.book.vwap(side, wanted);
        Ok((vwap.filled_lots, vwap.notional, vwap.worst_ticks))
    }

    /// Bids as `(ticks, lots)`, best first.
    #[pyo3(signature = (limit = Integer::from(0)), text_signature = "($self, limit=0)")]
    fn bids(&self, limit: Integer) -> PyResult<Vec<(i64, i64)>> {
        let limit = limit.limit()?;
        Ok(lock(&self.0)?.book.bids().take(limit).collect())
    }

    /// Asks as `(ticks, lots)`, best first.
    #[pyo3(signature = (limit = Integer::from(0)), text_signature = "($self, limit=0)")]
    fn asks(&self, limit: Integer) -> PyResult<Vec<(i64, i64)>> {
        let limit = limit.limit()?;
        Ok(lock(&self.0)?.book.asks().take(limit).collect())
    }

    /// Running totals since the book was made.
    fn counters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let counters = lock(&self.0)?.book.counters();
        let totals = PyDict::new(py);
        totals.set_item("deltas", counters.deltas)?;
        totals.set_item("messages", counters.messages)?;
        totals.set_item("gaps", counters.gaps)?;
        totals.set_item("recentres", counters.recentres)?;
        totals.set_item("cold_ops", counters.cold_ops)?;
        totals.set_item("parse_errors", counters.parse_errors)?;
        totals.set_item("duplicates", counters.duplicates)?;
        Ok(totals)
    }

    /// Forget levels, ids and buffered messages, as after a reconnect; counters stay.
    fn reset(&self) -> PyResult<()> {
        lock(&self.0)?.book.reset();
        Ok(())
    }
}
