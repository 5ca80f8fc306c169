//! Binance depth: `depthUpdate` events, bare or in the combined-stream wrapper, and REST snapshots.
//!
//! Text goes straight to ticks and lots in one pass. Key order is free and unknown keys are stepped over; every message
//! is read whole before any of it reaches the book.

use super::json::{Cursor, FeedError};
use super::levels::LevelReader;
use super::prologue;
use crate::book::{Book, Levels};
use crate::fixed::Scale;
use crate::flags::IGNORED;
use crate::sequence::{Ids, Rule};

/// Reads one instrument's Binance messages into its book.
#[derive(Clone, Debug)]
pub struct Feed {
    rule: Rule,
    reader: LevelReader,
    /// Levels of the message being read, kept for its memory.
    levels: Levels,
}

/// Fields of a `depthUpdate` beside its levels.
#[derive(Clone, Copy, Debug, Default)]
struct Event {
    first: Option<u64>,
    last: Option<u64>,
    previous: Option<u64>,
    bids: Held,
    asks: Held,
    name: Name,
}

/// What `b` or `a` held.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Held {
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
        Self { rule, reader: LevelReader::new(tick, step), levels: Levels::default() }
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
        let mut event = Event::default();
        let mut cursor = self.read_message(text, &mut event)?;
        let foreign = event.bids == Held::Other || event.asks == Held::Other;
        // Spot's `bookTicker` carries no event name, only a price where a depth message has a list.
        if event.name == Name::Other || (foreign && event.name == Name::Missing) {
            return Ok(None);
        }
        cursor.end()?;
        let (Some(first), Some(last), Held::List, Held::List) = (event.first, event.last, event.bids, event.asks)
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
        Ok(Some(Ids { first, last, previous }))
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
                    cursor = self.read_bids(cursor)?;
                }
                b"asks" if !asks => {
                    asks = true;
                    cursor = self.read_asks(cursor)?;
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

    fn read_message<'a>(&mut self, text: &'a [u8], event: &mut Event) -> Result<Cursor<'a>, FeedError> {
        let Some(prologue) = prologue::read(text) else {
            return self.read_event(Cursor::new(text), event, true);
        };
        event.name = Name::DepthUpdate;
        event.first = Some(prologue.first);
        event.last = Some(prologue.last);
        event.previous = prologue.previous;
        let cursor = Cursor::resume(text, prologue.rest);
        if !prologue.wrapped {
            return self.read_fields(cursor, event, true, true);
        }
        let mut cursor = self.read_fields(cursor, event, true, false)?;
        let more = cursor.more(b'}')?;
        self.read_fields(cursor, event, more, true)
    }

    /// One event object; at the outermost level its fields may also lie under `data`.
    fn read_event<'a>(
        &mut self,
        mut cursor: Cursor<'a>,
        event: &mut Event,
        outermost: bool,
    ) -> Result<Cursor<'a>, FeedError> {
        let more = cursor.open(b'{', b'}')?;
        self.read_fields(cursor, event, more, outermost)
    }

    /// The fields of an object from the next key on, if there are `more`, to its closing brace.
    fn read_fields<'a>(
        &mut self,
        mut cursor: Cursor<'a>,
        event: &mut Event,
        mut more: bool,
        outermost: bool,
    ) -> Result<Cursor<'a>, FeedError> {
        while more {
            match cursor.key()? {
                b"b" => cursor = self.read_side(cursor, &mut event.bids, Side::Bids)?,
                b"a" => cursor = self.read_side(cursor, &mut event.asks, Side::Asks)?,
                b"U" => once(&mut event.first, cursor.unsigned()?)?,
                b"u" => once(&mut event.last, cursor.unsigned()?)?,
                b"pu" => once(&mut event.previous, cursor.unsigned()?)?,
                b"e" if cursor.string()? == b"depthUpdate" => event.name = Name::DepthUpdate,
                b"e" => event.name = Name::Other,
                b"data" if outermost && cursor.peek() == Some(b'{') => {
                    cursor = self.read_event(cursor, event, false)?;
                }
                _ => cursor.skip_value()?,
            }
            if event.name == Name::Other {
                break;
            }
            more = cursor.more(b'}')?;
        }
        Ok(cursor)
    }

    fn read_side<'a>(&mut self, mut cursor: Cursor<'a>, held: &mut Held, side: Side) -> Result<Cursor<'a>, FeedError> {
        if *held != Held::Missing {
            return Err(FeedError::Fields);
        }
        if cursor.peek() != Some(b'[') {
            *held = Held::Other;
            cursor.skip_value()?;
            return Ok(cursor);
        }
        *held = Held::List;
        match side {
            Side::Bids => self.read_bids(cursor),
            Side::Asks => self.read_asks(cursor),
        }
    }

    fn read_bids<'a>(&mut self, cursor: Cursor<'a>) -> Result<Cursor<'a>, FeedError> {
        self.reader.read::<1>(cursor, &mut self.levels.bids)
    }

    fn read_asks<'a>(&mut self, cursor: Cursor<'a>) -> Result<Cursor<'a>, FeedError> {
        self.reader.read::<-1>(cursor, &mut self.levels.asks)
    }
}

#[derive(Clone, Copy)]
enum Side {
    Bids,
    Asks,
}

fn once(field: &mut Option<u64>, value: u64) -> Result<(), FeedError> {
    if field.replace(value).is_some() { Err(FeedError::Fields) } else { Ok(()) }
}
