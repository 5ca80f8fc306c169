//! Binance depth: `depthUpdate` events, bare or in the combined-stream wrapper, and REST snapshots.
//!
//! Text goes straight to ticks and lots in one pass. Key order is free and unknown keys are stepped over; every message
//! is read whole before any of it reaches the book.

use super::json::{Cursor, FeedError};
use crate::book::{Book, Levels};
use crate::fixed::{DecimalError, Scale};
use crate::flags::IGNORED;
use crate::ladder::{Change, KEY_LIMIT};
use crate::sequence::{Ids, Rule};

/// Reads one instrument's Binance messages into its book.
#[derive(Clone, Debug)]
pub struct Feed {
    tick: Scale,
    step: Scale,
    rule: Rule,
    /// Levels of the message being read, kept for its memory.
    levels: Levels,
}

/// Fields of a `depthUpdate` beside its levels.
#[derive(Clone, Copy, Debug, Default)]
struct Event {
    first: Option<u64>,
    last: Option<u64>,
    previous: Option<u64>,
    bids: Shape,
    asks: Shape,
    name: Name,
}

/// What `b` or `a` held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Shape {
    #[default]
    Missing,
    List,
    Other,
}

/// What `e` said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Name {
    #[default]
    Missing,
    DepthUpdate,
    Other,
}

impl Feed {
    /// A reader for prices in multiples of `tick` and sizes in multiples of `step`.
    #[must_use]
    pub fn new(rule: Rule, tick: Scale, step: Scale) -> Self {
        Self {
            tick,
            step,
            rule,
            levels: Levels::default(),
        }
    }

    /// Applies one stream message and returns its [`crate::flags`]. An event with another name is ignored.
    pub fn apply(&mut self, text: &[u8], book: &mut Book) -> u32 {
        match self.read_update(text) {
            Ok(Some(ids)) => book.apply(ids, &self.levels),
            Ok(None) => IGNORED,
            Err(_) => book.lose_message(),
        }
    }

    /// Applies one REST snapshot and returns its [`crate::flags`].
    pub fn apply_snapshot(&mut self, text: &[u8], book: &mut Book) -> u32 {
        match self.read_snapshot(text) {
            Ok(id) => book.apply_snapshot(id, &self.levels),
            Err(_) => book.lose_message(),
        }
    }

    /// Levels of the message read last.
    #[must_use]
    pub fn levels(&self) -> &Levels {
        &self.levels
    }

    /// Reads one stream message into [`Feed::levels`]; `None` for an event that is not a `depthUpdate`.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub fn read_update(&mut self, text: &[u8]) -> Result<Option<Ids>, FeedError> {
        self.levels.clear();
        let mut cursor = Cursor::new(text);
        let mut event = Event::default();
        self.read_event(&mut cursor, &mut event, true)?;
        let foreign = event.bids == Shape::Other || event.asks == Shape::Other;
        // Spot's `bookTicker` carries no event name, only a price where a depth message has a list.
        if event.name == Name::Other || (foreign && event.name == Name::Missing) {
            return Ok(None);
        }
        cursor.end()?;
        let (Some(first), Some(last), Shape::List, Shape::List) =
            (event.first, event.last, event.bids, event.asks)
        else {
            return Err(FeedError::Fields);
        };
        let previous = match self.rule {
            Rule::Futures => event.previous.ok_or(FeedError::Fields)?,
            Rule::Spot => 0,
        };
        if first > last {
            return Err(FeedError::Fields);
        }
        Ok(Some(Ids {
            first,
            last,
            previous,
        }))
    }

    /// Reads one REST snapshot into [`Feed::levels`] and returns its `lastUpdateId`.
    ///
    /// # Errors
    /// See [`FeedError`].
    pub fn read_snapshot(&mut self, text: &[u8]) -> Result<u64, FeedError> {
        self.levels.clear();
        let mut cursor = Cursor::new(text);
        let (mut id, mut bids, mut asks) = (None, false, false);
        let mut more = cursor.open(b'{', b'}')?;
        while more {
            match cursor.key()? {
                b"lastUpdateId" => once(&mut id, cursor.unsigned()?)?,
                b"bids" if !bids => {
                    bids = true;
                    self.read_bids(&mut cursor)?;
                }
                b"asks" if !asks => {
                    asks = true;
                    self.read_asks(&mut cursor)?;
                }
                b"bids" | b"asks" => return Err(FeedError::Fields),
                _ => cursor.skip_value()?,
            }
            more = cursor.more(b'}')?;
        }
        cursor.end()?;
        match (id, bids, asks) {
            (Some(id), true, true) => Ok(id),
            _ => Err(FeedError::Fields),
        }
    }

    /// One event object; at the outermost level its fields may also lie under `data`.
    fn read_event(
        &mut self,
        cursor: &mut Cursor,
        event: &mut Event,
        outermost: bool,
    ) -> Result<(), FeedError> {
        let mut more = cursor.open(b'{', b'}')?;
        while more {
            match cursor.key()? {
                b"b" => self.read_side(cursor, event, Side::Bids)?,
                b"a" => self.read_side(cursor, event, Side::Asks)?,
                b"U" => once(&mut event.first, cursor.unsigned()?)?,
                b"u" => once(&mut event.last, cursor.unsigned()?)?,
                b"pu" => once(&mut event.previous, cursor.unsigned()?)?,
                b"e" if cursor.string()? == b"depthUpdate" => event.name = Name::DepthUpdate,
                b"e" => {
                    event.name = Name::Other;
                    return Ok(());
                }
                b"data" if outermost && cursor.peek() == Some(b'{') => {
                    self.read_event(cursor, event, false)?;
                }
                _ => cursor.skip_value()?,
            }
            if event.name == Name::Other {
                return Ok(());
            }
            more = cursor.more(b'}')?;
        }
        Ok(())
    }

    fn read_side(
        &mut self,
        cursor: &mut Cursor,
        event: &mut Event,
        side: Side,
    ) -> Result<(), FeedError> {
        let seen = match side {
            Side::Bids => &mut event.bids,
            Side::Asks => &mut event.asks,
        };
        if *seen != Shape::Missing {
            return Err(FeedError::Fields);
        }
        if cursor.peek() != Some(b'[') {
            *seen = Shape::Other;
            return cursor.skip_value();
        }
        *seen = Shape::List;
        match side {
            Side::Bids => self.read_bids(cursor),
            Side::Asks => self.read_asks(cursor),
        }
    }

    fn read_bids(&mut self, cursor: &mut Cursor) -> Result<(), FeedError> {
        read_levels::<1>(cursor, &self.tick, &self.step, &mut self.levels.bids)
    }

    fn read_asks(&mut self, cursor: &mut Cursor) -> Result<(), FeedError> {
        read_levels::<-1>(cursor, &self.tick, &self.step, &mut self.levels.asks)
    }
}

#[derive(Clone, Copy)]
enum Side {
    Bids,
    Asks,
}

fn once(field: &mut Option<u64>, value: u64) -> Result<(), FeedError> {
    if field.replace(value).is_some() {
        Err(FeedError::Fields)
    } else {
        Ok(())
    }
}

/// `[["price","size"],...]`; elements after the size, as old spot snapshots have, are stepped over.
fn read_levels<const SIGN: i64>(
    cursor: &mut Cursor,
    tick: &Scale,
    step: &Scale,
    levels: &mut Vec<Change>,
) -> Result<(), FeedError> {
    let mut more = cursor.open(b'[', b']')?;
    while more {
        if !cursor.take(b"[\"") {
            cursor.expect(b'[')?;
            cursor.expect(b'"')?;
        }
        let ticks = read_number(cursor, tick)?;
        if !cursor.take(b",\"") {
            cursor.expect(b',')?;
            cursor.expect(b'"')?;
        }
        let at = cursor.at();
        let lots = read_number(cursor, step)?;
        if ticks == 0 || ticks >= KEY_LIMIT {
            return Err(FeedError::Number(at, DecimalError::Overflow));
        }
        levels.push(Change {
            key: SIGN * ticks,
            lots,
        });
        if !cursor.take(b"]") {
            while cursor.more(b']')? {
                cursor.skip_value()?;
            }
        }
        more = cursor.more(b']')?;
    }
    Ok(())
}

/// A decimal whose opening quote is read already, and its closing quote.
#[inline]
fn read_number(cursor: &mut Cursor, scale: &Scale) -> Result<i64, FeedError> {
    let (units, length) = scale
        .scan(cursor.rest())
        .map_err(|error| FeedError::Number(cursor.at(), error))?;
    cursor.advance(length);
    if cursor.take(b"\"") {
        Ok(units)
    } else {
        Err(cursor.error())
    }
}
