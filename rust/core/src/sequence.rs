//! Update ids: which depth message may follow which, and what waits for a snapshot.
//!
//! Rules as documented by Binance ("How to manage a local order book correctly") and checked on recorded captures:
//!
//! | | futures | spot |
//! | --- | --- | --- |
//! | drop before a snapshot with id `L` | `u < L` | `u <= L` |
//! | first after the snapshot | `U <= L <= u` | `U <= L + 1 <= u` |
//! | from then on | `pu == ` previous `u` | `U == ` previous `u + 1` |
//!
//! Futures ids are shared by all symbols, so `L` may fall between two messages of a quiet symbol; then the first one
//! has `pu <= L < U` and misses nothing. It is accepted too: by the letter of the rule such a book would never sync.

use std::collections::VecDeque;

/// Whose ids these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// USD-M and COIN-M futures: `U`, `u` and `pu`.
    Futures,
    /// Spot: `U` and `u`.
    Spot,
}

/// Update ids of one depth message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Ids {
    /// First update id in the message (`U`).
    pub first: u64,
    /// Last update id in the message (`u`).
    pub last: u64,
    /// Last update id of the previous message (`pu`); unused by [`Rule::Spot`].
    pub previous: u64,
}

/// What to do with a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is the next one.
    Apply,
    /// All of it is in the book already.
    Ignore,
    /// At least one message before it is missing.
    Gap,
}

impl Rule {
    /// Judges a message against the book's last id; `fresh` while nothing was applied since the snapshot.
    #[must_use]
    pub fn judge(self, ids: Ids, last: u64, fresh: bool) -> Verdict {
        let old = match self {
            Self::Futures if fresh => ids.last < last,
            _ => ids.last <= last,
        };
        let next = match self {
            _ if fresh => self.reaches(ids, last),
            Self::Futures => ids.previous == last,
            Self::Spot => Some(ids.first) == last.checked_add(1),
        };
        match (old, next) {
            (true, _) => Verdict::Ignore,
            (false, true) => Verdict::Apply,
            (false, false) => Verdict::Gap,
        }
    }

    /// Whether nothing lies between a snapshot with id `snapshot` and this message.
    #[must_use]
    pub fn reaches(self, ids: Ids, snapshot: u64) -> bool {
        match self {
            Self::Futures => ids.previous <= snapshot || ids.first <= snapshot,
            Self::Spot => ids.first <= snapshot.saturating_add(1),
        }
    }
}

/// Messages that wait for a snapshot: always one unbroken chain, so that replaying it never meets a gap.
#[derive(Clone, Debug)]
pub struct Pending<T> {
    rule: Rule,
    chain: VecDeque<(Ids, T)>,
    /// Most items of `T` in the chain, counted by the caller's `weight`.
    capacity: usize,
    weight: usize,
}

/// How much of the bound one waiting message uses.
pub trait Weight {
    /// At least 1.
    fn weight(&self) -> usize;
}

impl<T: Weight> Pending<T> {
    /// An empty chain that holds messages up to a total weight of `capacity`.
    #[must_use]
    pub fn new(rule: Rule, capacity: usize) -> Self {
        Self { rule, chain: VecDeque::new(), capacity, weight: 0 }
    }

    /// Keeps a message, or returns false for one that the chain already covers.
    ///
    /// A message that does not continue the chain starts a new one: no snapshot could bridge the hole. When the chain
    /// is full the oldest messages go; a snapshot newer than they are is then needed.
    pub fn push(&mut self, ids: Ids, message: T) -> bool {
        if let (Some((front, _)), Some((back, _))) = (self.chain.front(), self.chain.back()) {
            if (front.first..=back.last).contains(&ids.last) {
                return false;
            }
            if self.rule.judge(ids, back.last, false) != Verdict::Apply {
                self.clear();
            }
        }
        self.weight += message.weight();
        self.chain.push_back((ids, message));
        while self.weight > self.capacity {
            self.pop();
        }
        true
    }

    /// Removes the oldest message.
    pub fn pop(&mut self) -> Option<(Ids, T)> {
        let (ids, message) = self.chain.pop_front()?;
        self.weight -= message.weight();
        Some((ids, message))
    }

    /// Ids of the oldest and of the newest message.
    #[must_use]
    pub fn span(&self) -> Option<(Ids, Ids)> {
        Some((self.chain.front()?.0, self.chain.back()?.0))
    }

    /// Forgets every message.
    pub fn clear(&mut self) {
        self.chain.clear();
        self.weight = 0;
    }
}
