//! One side of an L2 book: a ring of lots around the best price, a bitmap of occupied ticks, and a map for the rest.
//!
//! Keys are prices in ticks, oriented so that **the highest key is the best**: a bid's key is its price, an ask's key is
//! minus its price. The window is a run of `window` keys that starts at a multiple of 64, so each bitmap word
//! covers 64 neighbouring keys and never wraps. Levels below the window are in the cold map; a level above it moves
//! the window, so once settled no level is ever above.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "ring slots are keys modulo a power of two; KEY_LIMIT and WINDOW_RANGE keep every sum in range"
)]

use std::collections::BTreeMap;

/// Smallest and largest window in ticks.
pub const WINDOW_RANGE: std::ops::RangeInclusive<usize> = 64..=(1 << 24);

/// Keys must lie strictly between minus this and this, so that window arithmetic never overflows.
pub const KEY_LIMIT: i64 = 1 << 62;

const WORD: i64 = 64;
/// No key: worse than every other.
const NONE: i64 = i64::MIN;

/// Absolute size of one level; zero lots removes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Price as a ladder key.
    pub key: i64,
    /// New size, `>= 0`.
    pub lots: i64,
}

/// What a marketable quantity would get from one side.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Walk {
    /// Lots that the levels cover, at most the quantity asked for.
    pub filled: i64,
    /// Sum of key * lots over what is filled.
    pub notional: i128,
    /// Key of the last level touched; 0 when nothing is filled.
    pub worst: i64,
}

/// One side of the book. Call [`Ladder::settle`] after each message's [`Ladder::set`]s and before any read.
#[derive(Clone, Debug)]
pub struct Ladder {
    window: usize,
    /// Lots per key of the window at `key mod window`; empty until the first level, so that an unused book costs nothing.
    ring: Vec<i64>,
    /// One bit per ring slot, set when its lots are above zero.
    occupied: Vec<u64>,
    /// First key of the window, a multiple of 64.
    base: i64,
    /// Best key once settled, or [`NONE`]; between settlings an upper bound of the best.
    top: i64,
    /// Levels below the window.
    cold: BTreeMap<i64, i64>,
    cold_ops: u64,
    recentres: u64,
}

impl Ladder {
    /// An empty side with a window of `window` ticks: a power of two within [`WINDOW_RANGE`].
    ///
    /// Returns `None` for any other window.
    #[must_use]
    pub fn new(window: usize) -> Option<Self> {
        (window.is_power_of_two() && WINDOW_RANGE.contains(&window)).then(|| Self {
            window,
            ring: Vec::new(),
            occupied: Vec::new(),
            base: 0,
            top: NONE,
            cold: BTreeMap::new(),
            cold_ops: 0,
            recentres: 0,
        })
    }

    /// Stores one level. Removing an unknown level is normal and does nothing.
    #[inline]
    pub fn set(&mut self, change: Change) {
        let Change { key, lots } = change;
        if !self.in_window(key) {
            return self.set_outside(key, lots);
        }
        self.store(key, lots);
        self.top = self.top.max(if lots > 0 { key } else { NONE });
    }

    /// Finds the best level again after a message and moves the window when the best has drifted out of its middle.
    pub fn settle(&mut self) {
        if self.top == NONE {
            return;
        }
        self.top = self.occupied_from(self.top);
        if self.top == NONE {
            if let Some(key) = self.cold.last_key_value().map(|(key, _)| *key) {
                self.recentre(key);
                self.top = key;
            }
        } else if self.top - self.base < self.width() / 4 && !self.cold.is_empty() {
            self.recentre(self.top);
        }
    }

    /// Key and lots of the best level.
    #[inline]
    #[must_use]
    pub fn best(&self) -> Option<(i64, i64)> {
        (self.top != NONE).then(|| (self.top, self.ring[self.slot(self.top)]))
    }

    /// Levels from best to worst.
    pub fn levels(&self) -> impl Iterator<Item = (i64, i64)> + '_ {
        let mut next = self.top;
        let hot = std::iter::from_fn(move || {
            let key = self.occupied_from(next);
            next = key.saturating_sub(1);
            (key != NONE).then(|| (key, self.ring[self.slot(key)]))
        });
        hot.chain(self.cold.iter().rev().map(|(key, lots)| (*key, *lots)))
    }

    /// Takes `lots` from the best level down, without changing the book.
    #[must_use]
    pub fn walk(&self, lots: i64) -> Walk {
        let mut walk = Walk::default();
        for (key, available) in self.levels() {
            let taken = available.min(lots - walk.filled);
            if taken <= 0 {
                break;
            }
            walk.filled += taken;
            walk.notional += i128::from(key) * i128::from(taken);
            walk.worst = key;
        }
        walk
    }

    /// Number of levels.
    #[must_use]
    pub fn len(&self) -> usize {
        let hot: u32 = self.occupied.iter().map(|word| word.count_ones()).sum();
        hot as usize + self.cold.len()
    }

    /// Whether there is no level.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.top == NONE
    }

    /// Removes every level; counters stay.
    pub fn clear(&mut self) {
        for (index, word) in self.occupied.iter_mut().enumerate() {
            while *word != 0 {
                self.ring[index * 64 + word.trailing_zeros() as usize] = 0;
                *word &= *word - 1;
            }
        }
        self.cold.clear();
        self.top = NONE;
    }

    /// Levels that were set in the cold map so far.
    #[must_use]
    pub fn cold_ops(&self) -> u64 {
        self.cold_ops
    }

    /// Times the window moved so far.
    #[must_use]
    pub fn recentres(&self) -> u64 {
        self.recentres
    }

    fn width(&self) -> i64 {
        self.window as i64
    }

    #[inline]
    fn in_window(&self, key: i64) -> bool {
        // The ring's length, not the window: before the first level nothing is in the window.
        (key.wrapping_sub(self.base) as u64) < self.ring.len() as u64
    }

    #[inline]
    fn slot(&self, key: i64) -> usize {
        key as usize & (self.ring.len().wrapping_sub(1))
    }

    #[inline]
    fn store(&mut self, key: i64, lots: i64) {
        let slot = self.slot(key);
        self.ring[slot] = lots;
        let word = &mut self.occupied[slot / 64];
        let bit = slot % 64;
        *word = *word & !(1 << bit) | u64::from(lots > 0) << bit;
    }

    /// The first occupied key of the window at or below `key`, which must not be above the window; else [`NONE`].
    fn occupied_from(&self, key: i64) -> i64 {
        if !self.in_window(key) {
            return NONE;
        }
        let mut first = key & !(WORD - 1);
        let mut word = self.occupied[self.slot(key) / 64] & (u64::MAX >> (63 - (key - first)));
        loop {
            if word != 0 {
                return first + 63 - i64::from(word.leading_zeros());
            }
            first -= WORD;
            if first < self.base {
                return NONE;
            }
            word = self.occupied[self.slot(first) / 64];
        }
    }

    #[cold]
    fn set_outside(&mut self, key: i64, lots: i64) {
        debug_assert!(-KEY_LIMIT < key && key < KEY_LIMIT);
        if lots == 0 {
            self.cold_ops += u64::from(self.cold.remove(&key).is_some());
        } else if self.ring.is_empty() || key >= self.base + self.width() {
            self.recentre(key);
            self.store(key, lots);
            self.top = key;
        } else {
            self.cold_ops += 1;
            self.cold.insert(key, lots);
            // A side whose ring has emptied within this message: any level may turn out to be the best.
            self.top = self.top.max(key);
        }
    }

    /// Moves the window so that `key` lies about a quarter below its upper end.
    #[cold]
    fn recentre(&mut self, key: i64) {
        let base = (key & !(WORD - 1)) - ((self.width() / 4 * 3) & !(WORD - 1));
        if self.ring.is_empty() {
            self.ring = vec![0; self.window];
            self.occupied = vec![0; self.window / 64];
        } else if base == self.base {
            return;
        } else {
            self.recentres += 1;
            // Moving down happens only when everything above `key` is empty, so levels leave at the lower end alone.
            self.move_to_cold(self.base..base.min(self.base + self.width()));
        }
        self.base = base;
        self.take_from_cold();
    }

    fn move_to_cold(&mut self, keys: std::ops::Range<i64>) {
        let mut first = keys.start;
        while first < keys.end {
            let slot = self.slot(first);
            let mut word = std::mem::take(&mut self.occupied[slot / 64]);
            while word != 0 {
                let bit = word.trailing_zeros();
                let lots = std::mem::take(&mut self.ring[slot + bit as usize]);
                self.cold.insert(first + i64::from(bit), lots);
                word &= word - 1;
            }
            first += WORD;
        }
    }

    fn take_from_cold(&mut self) {
        let reached = self.cold.split_off(&self.base);
        debug_assert!(reached.keys().all(|key| self.in_window(*key)));
        for (key, lots) in reached {
            self.store(key, lots);
        }
    }
}
