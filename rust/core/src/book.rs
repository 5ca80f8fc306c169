//! The L2 book of one instrument: two ladders and the state that says whether they may be believed.

use crate::flags::{APPLIED, BBO_CHANGED, BUFFERED, CROSSED, GAP, IGNORED, MALFORMED, SYNCED};
use crate::ladder::{Change, Ladder};
use crate::sequence::{Ids, Pending, Rule, Verdict, Weight};

/// Level changes kept while waiting for a snapshot: minutes of the busiest recorded feed, 4 MiB.
const PENDING_CHANGES: usize = 1 << 18;

/// Whether the book is the venue's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Nothing was received.
    Empty,
    /// Messages wait for the first snapshot.
    Buffering,
    /// Snapshot and every message since are in the book.
    Live,
    /// A message is missing or was unreadable: messages wait for a fresh snapshot.
    Stale,
}

impl State {
    /// Name in the public interface.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Buffering => "buffering",
            Self::Live => "live",
            Self::Stale => "stale",
        }
    }
}

/// Which side of the market an order is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Buys; takes from the asks.
    Buy,
    /// Sells; takes from the bids.
    Sell,
}

/// Changed levels of both sides, as ladder keys: bids by price, asks by minus price.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Levels {
    /// Bids, absolute sizes.
    pub bids: Vec<Change>,
    /// Asks, absolute sizes.
    pub asks: Vec<Change>,
}

impl Levels {
    /// Empties both sides and keeps their memory.
    pub fn clear(&mut self) {
        self.bids.clear();
        self.asks.clear();
    }
}

impl Weight for Levels {
    fn weight(&self) -> usize {
        1 + self.bids.len() + self.asks.len()
    }
}

/// Best level of each side in ticks and lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bbo {
    /// Best bid price.
    pub bid_ticks: i64,
    /// Size at the best bid.
    pub bid_lots: i64,
    /// Best ask price.
    pub ask_ticks: i64,
    /// Size at the best ask.
    pub ask_lots: i64,
}

/// What a market order of some size would meet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vwap {
    /// Lots the book covers, at most the size asked for.
    pub filled_lots: i64,
    /// Sum of ticks * lots over the filled lots.
    pub notional: i128,
    /// Price of the last level touched; 0 when nothing is filled.
    pub worst_ticks: i64,
}

/// Running totals since the book was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counters {
    /// Level changes applied, those of snapshots not counted.
    pub deltas: u64,
    /// Depth messages and snapshots received, whatever became of them.
    pub messages: u64,
    /// Times a missing message was noticed.
    pub gaps: u64,
    /// Times a ladder's window moved.
    pub recentres: u64,
    /// Levels written outside a ladder's window.
    pub cold_ops: u64,
    /// Messages that could not be read.
    pub parse_errors: u64,
    /// Messages ignored as old or duplicate.
    pub duplicates: u64,
}

/// The L2 book of one instrument.
#[derive(Clone, Debug)]
pub struct Book {
    rule: Rule,
    bids: Ladder,
    asks: Ladder,
    state: State,
    last_update_id: u64,
    /// Live, but no message was applied since the snapshot.
    fresh: bool,
    bbo: Option<Bbo>,
    pending: Pending<Levels>,
    counters: Counters,
}

impl Book {
    /// An empty book; `None` when the window is not a power of two within [`crate::ladder::WINDOW_RANGE`].
    #[must_use]
    pub fn new(rule: Rule, window: usize) -> Option<Self> {
        Some(Self {
            rule,
            bids: Ladder::new(window)?,
            asks: Ladder::new(window)?,
            state: State::Empty,
            last_update_id: 0,
            fresh: false,
            bbo: None,
            pending: Pending::new(rule, PENDING_CHANGES),
            counters: Counters::default(),
        })
    }

    /// Takes one depth message and returns its [`crate::flags`].
    pub fn apply(&mut self, ids: Ids, levels: &Levels) -> u32 {
        self.counters.messages += 1;
        if self.state != State::Live {
            return self.buffer(ids, levels);
        }
        match self.rule.judge(ids, self.last_update_id, self.fresh) {
            Verdict::Apply => self.write(ids, levels) | APPLIED,
            Verdict::Ignore => {
                self.counters.duplicates += 1;
                IGNORED | self.crossed_flag()
            }
            Verdict::Gap => {
                self.counters.gaps += 1;
                self.state = State::Stale;
                GAP | self.buffer(ids, levels)
            }
        }
    }

    /// Replaces the book by a snapshot with id `id`, replays what was buffered and returns the [`crate::flags`].
    ///
    /// A snapshot that would take the book back in time is ignored; one that the buffered messages do not reach is a
    /// gap and leaves the book stale, still buffering.
    pub fn apply_snapshot(&mut self, id: u64, levels: &Levels) -> u32 {
        self.counters.messages += 1;
        let span = self.pending.span();
        if span.is_some_and(|(oldest, _)| !self.rule.reaches(oldest, id)) {
            self.counters.gaps += 1;
            self.state = State::Stale;
            return GAP;
        }
        if span.map_or(id, |(_, newest)| newest.last.max(id)) < self.last_update_id {
            self.counters.duplicates += 1;
            return IGNORED | self.crossed_flag();
        }
        let before = self.bbo;
        self.bids.clear();
        self.asks.clear();
        self.last_update_id = id;
        self.fresh = true;
        self.state = State::Live;
        self.set_levels(levels);
        while let Some((ids, levels)) = self.pending.pop() {
            if self.rule.judge(ids, self.last_update_id, self.fresh) == Verdict::Apply {
                self.write(ids, &levels);
            }
        }
        let changed = if self.bbo == before { 0 } else { BBO_CHANGED };
        SYNCED | APPLIED | changed | self.crossed_flag()
    }

    /// Notes that a message could not be read: what it said is unknown, so the book is stale.
    pub fn lose_message(&mut self) -> u32 {
        self.counters.messages += 1;
        self.counters.parse_errors += 1;
        self.state = State::Stale;
        MALFORMED
    }

    /// Forgets levels, ids and buffered messages, as after a reconnect; counters stay.
    pub fn reset(&mut self) {
        self.bids.clear();
        self.asks.clear();
        self.pending.clear();
        self.bbo = None;
        self.fresh = false;
        self.last_update_id = 0;
        self.state = State::Empty;
    }

    /// Whether the book is the venue's.
    #[must_use]
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether both sides have levels and the best bid is not below the best ask.
    #[must_use]
    pub fn crossed(&self) -> bool {
        self.bbo.is_some_and(|bbo| bbo.bid_ticks >= bbo.ask_ticks)
    }

    /// Whether the prices may be traded on: live, both sides present, not crossed.
    #[must_use]
    pub fn tradable(&self) -> bool {
        self.state == State::Live && self.bbo.is_some() && !self.crossed()
    }

    /// Last update id in the book; 0 before the first snapshot.
    #[must_use]
    pub fn last_update_id(&self) -> u64 {
        self.last_update_id
    }

    /// Best bid and ask as last known, whatever the state; `None` when a side is empty.
    #[must_use]
    pub fn bbo(&self) -> Option<Bbo> {
        self.bbo
    }

    /// What an order of `lots` on `side` would meet in the book as last known.
    #[must_use]
    pub fn vwap(&self, side: Side, lots: i64) -> Vwap {
        let (ladder, sign) = match side {
            Side::Buy => (&self.asks, -1),
            Side::Sell => (&self.bids, 1),
        };
        let walk = ladder.walk(lots);
        Vwap { filled_lots: walk.filled, notional: walk.notional * i128::from(sign), worst_ticks: walk.worst * sign }
    }

    /// Bids as (ticks, lots), best first.
    pub fn bids(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.bids.levels()
    }

    /// Asks as (ticks, lots), best first.
    pub fn asks(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        self.asks.levels().map(|(key, lots)| (-key, lots))
    }

    /// Running totals.
    #[must_use]
    pub fn counters(&self) -> Counters {
        Counters {
            cold_ops: self.bids.cold_ops() + self.asks.cold_ops(),
            recentres: self.bids.recentres() + self.asks.recentres(),
            ..self.counters
        }
    }

    fn buffer(&mut self, ids: Ids, levels: &Levels) -> u32 {
        if self.state == State::Empty {
            self.state = State::Buffering;
        }
        if self.pending.push(ids, levels.clone()) {
            BUFFERED
        } else {
            self.counters.duplicates += 1;
            IGNORED
        }
    }

    fn write(&mut self, ids: Ids, levels: &Levels) -> u32 {
        let before = self.bbo;
        self.set_levels(levels);
        self.counters.deltas += (levels.bids.len() + levels.asks.len()) as u64;
        self.last_update_id = ids.last;
        self.fresh = false;
        let changed = if self.bbo == before { 0 } else { BBO_CHANGED };
        changed | self.crossed_flag()
    }

    /// Both sides first, then the best of each: crossing in mid-message is normal.
    fn set_levels(&mut self, levels: &Levels) {
        for change in &levels.bids {
            self.bids.set(*change);
        }
        for change in &levels.asks {
            self.asks.set(*change);
        }
        self.bids.settle();
        self.asks.settle();
        self.bbo = match (self.bids.best(), self.asks.best()) {
            (Some((bid, bid_lots)), Some((ask, ask_lots))) => {
                Some(Bbo { bid_ticks: bid, bid_lots, ask_ticks: -ask, ask_lots })
            }
            _ => None,
        };
    }

    fn crossed_flag(&self) -> u32 {
        if self.crossed() { CROSSED } else { 0 }
    }
}
