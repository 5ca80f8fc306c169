//! Price-time priority matching of one instrument, for the simulated venue.
//!
//! Levels are ordered maps of queues; orders lie in a slab and are linked within their level, so that cancelling
//! one never searches. Fills are at the resting order's price, best price first, oldest first.

#![allow(
    clippy::cast_possible_truncation,
    reason = "slots are numbered by u32: 4 billion resting orders do not fit in memory"
)]

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::fmt;

pub use crate::book::Side;

/// Largest price and size of one order; sums over a level are 128 bits wide.
pub const LIMIT: i64 = 1 << 53;

/// No neighbour.
const NONE: u32 = u32::MAX;

/// How long an order lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeInForce {
    /// Good till cancelled: what is not filled at once rests.
    Gtc,
    /// Immediate or cancel: what is not filled at once is gone.
    Ioc,
    /// Fill or kill: all at once, or rejected untouched.
    Fok,
    /// Post only: rejected when any of it would fill at once.
    PostOnly,
}

/// A new limit order.
#[derive(Clone, Copy, Debug)]
pub struct NewOrder {
    /// Unique among resting orders.
    pub id: u64,
    /// Whose it is; only reported back in fills.
    pub owner: u32,
    /// Buy or sell.
    pub side: Side,
    /// Limit price.
    pub ticks: i64,
    /// Size.
    pub lots: i64,
}

/// One trade with a resting order, at its price.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fill {
    /// The resting order.
    pub maker_id: u64,
    /// Its owner.
    pub maker_owner: u32,
    /// Its price.
    pub ticks: i64,
    /// Size of the trade.
    pub lots: i64,
}

/// What became of an order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Trades in the order they happened.
    pub fills: Vec<Fill>,
    /// Lots now resting in the book.
    pub resting: i64,
    /// Neither filled nor resting by its own terms: post-only would take, or fill-or-kill cannot fill.
    pub rejected: bool,
}

/// A resting order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resting {
    /// Buy or sell.
    pub side: Side,
    /// Limit price.
    pub ticks: i64,
    /// Size left.
    pub lots: i64,
}

/// Why an instruction was not carried out; the book is as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchingError {
    /// An order with this id rests already.
    DuplicateOrder(u64),
    /// No order with this id rests.
    UnknownOrder(u64),
    /// Price outside 1..=[`LIMIT`].
    Ticks(i64),
    /// Worst price of a market order outside 1..=[`LIMIT`].
    LimitTicks(i64),
    /// Size outside 1..=[`LIMIT`].
    Lots(i64),
}

impl fmt::Display for MatchingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::DuplicateOrder(id) => write!(f, "order_id {id} already rests in the book; use a new id or amend it"),
            Self::UnknownOrder(id) => {
                write!(f, "order_id {id} does not rest in the book; it was filled, cancelled or never placed")
            }
            Self::Ticks(ticks) => {
                write!(f, "ticks must be from 1 to {LIMIT}, got {ticks}; divide the price by the tick size")
            }
            Self::LimitTicks(ticks) => {
                write!(f, "limit_ticks must be from 1 to {LIMIT}, got {ticks}; leave it out to take at any price")
            }
            Self::Lots(lots) => {
                write!(f, "lots must be from 1 to {LIMIT}, got {lots}; divide the quantity by the step size")
            }
        }
    }
}

impl Error for MatchingError {}

#[derive(Clone, Copy, Debug)]
struct Slot {
    id: u64,
    owner: u32,
    side: Side,
    ticks: i64,
    lots: i64,
    older: u32,
    newer: u32,
}

#[derive(Clone, Copy, Debug)]
struct Queue {
    oldest: u32,
    newest: u32,
    lots: i128,
}

impl Queue {
    /// The level's size for the public interface, which has 64 bits.
    fn shown(&self) -> i64 {
        i64::try_from(self.lots).unwrap_or(i64::MAX)
    }
}

/// All resting orders of one instrument.
#[derive(Clone, Debug, Default)]
pub struct MatchingBook {
    bids: BTreeMap<i64, Queue>,
    asks: BTreeMap<i64, Queue>,
    slots: Vec<Slot>,
    free: Vec<u32>,
    places: HashMap<u64, u32>,
}

impl MatchingBook {
    /// An empty book.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Places a limit order.
    ///
    /// # Errors
    /// `DuplicateOrder`, `Ticks`, `Lots`.
    pub fn limit(&mut self, order: NewOrder, time_in_force: TimeInForce) -> Result<Outcome, MatchingError> {
        check_ticks(order.ticks)?;
        check_lots(order.lots)?;
        if self.places.contains_key(&order.id) {
            return Err(MatchingError::DuplicateOrder(order.id));
        }
        let rejected = match time_in_force {
            TimeInForce::PostOnly => self.marketable(order.side, order.ticks, 1) > 0,
            TimeInForce::Fok => self.marketable(order.side, order.ticks, order.lots) < i128::from(order.lots),
            TimeInForce::Gtc | TimeInForce::Ioc => false,
        };
        if rejected {
            return Ok(Outcome { rejected, ..Outcome::default() });
        }
        let (fills, left) = self.take(order.side, order.lots, Some(order.ticks));
        let rests = left > 0 && time_in_force != TimeInForce::Ioc;
        if rests {
            self.rest(NewOrder { lots: left, ..order });
        }
        Ok(Outcome { fills, resting: if rests { left } else { 0 }, rejected })
    }

    /// Takes up to `lots` at any price, or at no worse than `limit`; returns the fills and the lots left over.
    ///
    /// # Errors
    /// `Ticks`, `Lots`.
    pub fn market(&mut self, side: Side, lots: i64, limit: Option<i64>) -> Result<(Vec<Fill>, i64), MatchingError> {
        check_lots(lots)?;
        limit.map_or(Ok(()), |ticks| check_ticks(ticks).map_err(|_| MatchingError::LimitTicks(ticks)))?;
        Ok(self.take(side, lots, limit))
    }

    /// Removes an order and returns the lots it had left; `None` when it does not rest.
    pub fn cancel(&mut self, id: u64) -> Option<i64> {
        let place = self.places.remove(&id)?;
        Some(self.unlink(place).lots)
    }

    /// Gives a resting order a new price and a new size left. It keeps its place in the queue only when the price
    /// stays and the size does not grow; else it goes to the back, and takes what its new price reaches.
    ///
    /// # Errors
    /// `UnknownOrder`, `Ticks`, `Lots`.
    pub fn amend(&mut self, id: u64, ticks: i64, lots: i64) -> Result<Outcome, MatchingError> {
        check_ticks(ticks)?;
        check_lots(lots)?;
        let place = *self.places.get(&id).ok_or(MatchingError::UnknownOrder(id))?;
        let slot = &mut self.slots[place as usize];
        let Slot { owner, side, .. } = *slot;
        if slot.ticks == ticks && lots <= slot.lots {
            let shrunk = slot.lots - lots;
            slot.lots = lots;
            if let Some(queue) = self.side_mut(side).get_mut(&ticks) {
                queue.lots -= i128::from(shrunk);
            }
            return Ok(Outcome { resting: lots, ..Outcome::default() });
        }
        self.cancel(id);
        self.limit(NewOrder { id, owner, side, ticks, lots }, TimeInForce::Gtc)
    }

    /// Best bid and best ask in ticks.
    #[must_use]
    pub fn best(&self) -> (Option<i64>, Option<i64>) {
        (self.bids.last_key_value().map(|(ticks, _)| *ticks), self.asks.first_key_value().map(|(ticks, _)| *ticks))
    }

    /// Up to `limit` levels of the orders of one side as (ticks, lots), best first.
    #[must_use]
    pub fn depth(&self, side: Side, limit: usize) -> Vec<(i64, i64)> {
        match side {
            Side::Buy => self.bids.iter().rev().take(limit).map(|(ticks, queue)| (*ticks, queue.shown())).collect(),
            Side::Sell => self.asks.iter().take(limit).map(|(ticks, queue)| (*ticks, queue.shown())).collect(),
        }
    }

    /// A resting order.
    #[must_use]
    pub fn order(&self, id: u64) -> Option<Resting> {
        let slot = self.slots[*self.places.get(&id)? as usize];
        Some(Resting { side: slot.side, ticks: slot.ticks, lots: slot.lots })
    }

    /// Number of resting orders.
    #[must_use]
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Whether no order rests.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }

    fn side_mut(&mut self, side: Side) -> &mut BTreeMap<i64, Queue> {
        match side {
            Side::Buy => &mut self.bids,
            Side::Sell => &mut self.asks,
        }
    }

    /// The best level that an order of `side` limited to `limit` would take from.
    fn opposite_best(&self, side: Side, limit: Option<i64>) -> Option<(i64, Queue)> {
        let (ticks, queue) = match side {
            Side::Buy => self.asks.first_key_value()?,
            Side::Sell => self.bids.last_key_value()?,
        };
        reaches(side, limit, *ticks).then_some((*ticks, *queue))
    }

    /// Lots that an order of `side` limited to `limit` could take at once, counted up to `enough`.
    fn marketable(&self, side: Side, limit: i64, enough: i64) -> i128 {
        let (mut lots, enough) = (0, i128::from(enough));
        let mut count = |(ticks, queue): (&i64, &Queue)| {
            let more = lots < enough && reaches(side, Some(limit), *ticks);
            lots += if more { queue.lots } else { 0 };
            more
        };
        match side {
            Side::Buy => self.asks.iter().all(&mut count),
            Side::Sell => self.bids.iter().rev().all(&mut count),
        };
        lots
    }

    fn take(&mut self, side: Side, lots: i64, limit: Option<i64>) -> (Vec<Fill>, i64) {
        let (mut fills, mut left) = (Vec::new(), lots);
        while left > 0 {
            let Some((ticks, queue)) = self.opposite_best(side, limit) else {
                break;
            };
            let maker = &mut self.slots[queue.oldest as usize];
            let lots = maker.lots.min(left);
            fills.push(Fill { maker_id: maker.id, maker_owner: maker.owner, ticks, lots });
            left -= lots;
            maker.lots -= lots;
            let (id, gone, maker_side) = (maker.id, maker.lots == 0, maker.side);
            if let Some(queue) = self.side_mut(maker_side).get_mut(&ticks) {
                queue.lots -= i128::from(lots);
            }
            if gone {
                self.cancel(id);
            }
        }
        (fills, left)
    }

    /// Appends an order to its level's queue.
    fn rest(&mut self, order: NewOrder) {
        let NewOrder { id, owner, side, ticks, lots } = order;
        let ahead = self.side_mut(side).get(&ticks).map_or(NONE, |queue| queue.newest);
        let slot = Slot { id, owner, side, ticks, lots, older: ahead, newer: NONE };
        let place = self.free.pop().unwrap_or(self.slots.len() as u32);
        match self.slots.get_mut(place as usize) {
            Some(free) => *free = slot,
            None => self.slots.push(slot),
        }
        if ahead != NONE {
            self.slots[ahead as usize].newer = place;
        }
        let queue = self.side_mut(side).entry(ticks).or_insert(Queue { oldest: place, newest: place, lots: 0 });
        queue.newest = place;
        queue.lots += i128::from(lots);
        self.places.insert(id, place);
    }

    /// Takes an order out of its level's queue and frees its slot.
    fn unlink(&mut self, place: u32) -> Slot {
        let slot = self.slots[place as usize];
        if slot.older != NONE {
            self.slots[slot.older as usize].newer = slot.newer;
        }
        if slot.newer != NONE {
            self.slots[slot.newer as usize].older = slot.older;
        }
        let levels = self.side_mut(slot.side);
        if let Some(queue) = levels.get_mut(&slot.ticks) {
            queue.lots -= i128::from(slot.lots);
            if queue.oldest == place {
                queue.oldest = slot.newer;
            }
            if queue.newest == place {
                queue.newest = slot.older;
            }
            if queue.oldest == NONE {
                levels.remove(&slot.ticks);
            }
        }
        self.free.push(place);
        slot
    }
}

/// Whether an order of `side` limited to `limit` may trade at `ticks`.
fn reaches(side: Side, limit: Option<i64>, ticks: i64) -> bool {
    limit.is_none_or(|limit| match side {
        Side::Buy => ticks <= limit,
        Side::Sell => ticks >= limit,
    })
}

fn check_ticks(ticks: i64) -> Result<(), MatchingError> {
    if (1..=LIMIT).contains(&ticks) { Ok(()) } else { Err(MatchingError::Ticks(ticks)) }
}

fn check_lots(lots: i64) -> Result<(), MatchingError> {
    if (1..=LIMIT).contains(&lots) { Ok(()) } else { Err(MatchingError::Lots(lots)) }
}
