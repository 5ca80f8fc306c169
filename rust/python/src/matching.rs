//! `MatchingBook`: price-time priority matching for the simulated venue.

use crate::argument::{Integer, lock};
use execactor_core::matching::{self, Fill, MatchingError, NewOrder, Outcome, Side, TimeInForce};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use std::sync::Mutex;

/// `(maker_id, maker_owner, ticks, lots)`
type PyFill = (u64, u32, i64, i64);

/// Price-time priority matching of one instrument, in integer ticks and lots.
#[pyclass(frozen, module = "execactor._core")]
pub struct MatchingBook(Mutex<matching::MatchingBook>);

#[pymethods]
impl MatchingBook {
    #[new]
    fn new() -> Self {
        Self(Mutex::new(matching::MatchingBook::new()))
    }

    /// Place a limit order; returns (fills, resting lots, rejected).
    #[pyo3(signature = (order_id, owner, side, ticks, lots, time_in_force = "GTC", post_only = false))]
    #[allow(clippy::too_many_arguments, reason = "the Python signature is a contract")]
    fn limit(
        &self,
        order_id: Integer,
        owner: Integer,
        side: Integer,
        ticks: Integer,
        lots: Integer,
        time_in_force: &str,
        post_only: bool,
    ) -> PyResult<(Vec<PyFill>, i64, bool)> {
        let order = NewOrder {
            id: to_order_id(order_id)?,
            owner: to_owner(owner)?,
            side: side.side()?,
            ticks: to_i64("ticks", ticks)?,
            lots: to_i64("lots", lots)?,
        };
        let outcome = lock(&self.0)?.limit(order, to_time_in_force(time_in_force, post_only)?);
        let Outcome { fills, resting, rejected } = outcome.map_err(refuse)?;
        Ok((to_python(&fills), resting, rejected))
    }

    /// Take what is there, at no worse than `limit_ticks` when given; returns (fills, unfilled lots).
    #[pyo3(signature = (order_id, owner, side, lots, limit_ticks = None))]
    fn market(
        &self,
        order_id: Integer,
        owner: Integer,
        side: Integer,
        lots: Integer,
        limit_ticks: Option<Integer>,
    ) -> PyResult<(Vec<PyFill>, i64)> {
        to_order_id(order_id)?;
        to_owner(owner)?;
        let limit = limit_ticks.map(|ticks| to_i64("limit_ticks", ticks)).transpose()?;
        let outcome = lock(&self.0)?.market(side.side()?, to_i64("lots", lots)?, limit);
        let (fills, unfilled) = outcome.map_err(refuse)?;
        Ok((to_python(&fills), unfilled))
    }

    /// Remove an order; returns the lots it had left, or None when it does not rest.
    fn cancel(&self, order_id: Integer) -> PyResult<Option<i64>> {
        let id = to_order_id(order_id)?;
        Ok(lock(&self.0)?.cancel(id))
    }

    /// Give a resting order a new price and size left; returns (fills, resting lots).
    fn amend(&self, order_id: Integer, ticks: Integer, lots: Integer) -> PyResult<(Vec<PyFill>, i64)> {
        let (id, ticks, lots) = (to_order_id(order_id)?, to_i64("ticks", ticks)?, to_i64("lots", lots)?);
        let outcome = lock(&self.0)?.amend(id, ticks, lots).map_err(refuse)?;
        Ok((to_python(&outcome.fills), outcome.resting))
    }

    /// Best bid and best ask in ticks.
    fn best(&self) -> PyResult<(Option<i64>, Option<i64>)> {
        Ok(lock(&self.0)?.best())
    }

    /// Levels of one side as `(ticks, lots)`, best first; a limit of 0 is all of them.
    fn depth(&self, side: Integer, limit: Integer) -> PyResult<Vec<(i64, i64)>> {
        let (side, limit) = (side.side()?, limit.limit()?);
        Ok(lock(&self.0)?.depth(side, limit))
    }

    /// A resting order as `(side, ticks, lots left)`.
    fn order(&self, order_id: Integer) -> PyResult<Option<(i8, i64, i64)>> {
        let id = to_order_id(order_id)?;
        let order = lock(&self.0)?.order(id);
        Ok(order.map(|order| {
            let side = match order.side {
                Side::Buy => 1,
                Side::Sell => -1,
            };
            (side, order.ticks, order.lots)
        }))
    }
}

fn to_order_id(order_id: Integer) -> PyResult<u64> {
    order_id.to("order_id", "from 0 to 2**64 - 1")
}

fn to_owner(owner: Integer) -> PyResult<u32> {
    owner.to("owner", "from 0 to 2**32 - 1")
}

fn to_i64(name: &str, value: Integer) -> PyResult<i64> {
    value.to(name, &format!("from 1 to {}", matching::LIMIT))
}

fn to_time_in_force(name: &str, post_only: bool) -> PyResult<TimeInForce> {
    match (name, post_only) {
        ("GTC", false) => Ok(TimeInForce::Gtc),
        ("GTC", true) => Ok(TimeInForce::PostOnly),
        ("IOC", false) => Ok(TimeInForce::Ioc),
        ("FOK", false) => Ok(TimeInForce::Fok),
        ("IOC" | "FOK", true) => {
            Err(PyValueError::new_err(format!("post_only needs time_in_force \"GTC\", got {name:?}")))
        }
        _ => Err(PyValueError::new_err(format!("time_in_force must be \"GTC\", \"IOC\" or \"FOK\", got {name:?}"))),
    }
}

fn refuse(error: MatchingError) -> PyErr {
    PyValueError::new_err(error.to_string())
}

fn to_python(fills: &[Fill]) -> Vec<PyFill> {
    fills.iter().map(|fill| (fill.maker_id, fill.maker_owner, fill.ticks, fill.lots)).collect()
}
