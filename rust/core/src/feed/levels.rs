//! Lists of `["price","size"]`, nearly all of every depth message.

use super::json::{Cursor, FeedError};
use crate::fixed::Scale;
use crate::ladder::{Change, KEY_LIMIT};
use crate::quoted::{Reader, WINDOW};

/// Reads lists of levels into ticks and lots.
#[derive(Clone, Debug)]
pub(super) struct LevelReader {
    tick: Scale,
    step: Scale,
    quick: Option<Quick>,
}

/// Readers of price and size for text as Binance writes it.
#[derive(Clone, Copy, Debug)]
struct Quick {
    price: Reader,
    size: Reader,
}

/// How far a run of levels went.
#[derive(Clone, Copy)]
struct Run {
    /// Bytes read.
    length: usize,
    /// The last level read was not followed by a comma; else one more level must follow.
    complete: bool,
}

impl LevelReader {
    pub(super) fn new(tick: Scale, step: Scale) -> Self {
        let quick = match (Reader::new(tick), Reader::new(step)) {
            (Some(price), Some(size)) => Some(Quick { price, size }),
            _ => None,
        };
        Self { tick, step, quick }
    }

    /// A list of levels, each as a key of `SIGN` times its ticks. Elements after the size, as old spot snapshots have, are
    /// stepped over.
    pub(super) fn read<'a, const SIGN: i64>(
        &mut self,
        mut cursor: Cursor<'a>,
        levels: &mut Vec<Change>,
    ) -> Result<Cursor<'a>, FeedError> {
        let mut more = cursor.open(b'[', b']')?;
        while more {
            let run = self.read_plain::<SIGN>(cursor.rest(), levels);
            cursor.advance(run.length);
            if !run.complete {
                levels.push(self.read_any::<SIGN>(&mut cursor)?);
            }
            more = cursor.more(b']')?;
        }
        Ok(cursor)
    }

    /// Levels for as long as they are written without spaces and in numbers of ordinary length.
    fn read_plain<const SIGN: i64>(&mut self, text: &[u8], levels: &mut Vec<Change>) -> Run {
        let Some(quick) = &mut self.quick else {
            return Run { length: 0, complete: false };
        };
        let run = quick.read::<SIGN>(text, levels);
        let rest = &text[run.length..];
        if run.complete || rest.len() >= WINDOW {
            return run;
        }
        // The last one or two levels of a message have no whole window of text before them.
        let mut padded = [0; 2 * WINDOW];
        padded[..rest.len()].copy_from_slice(rest);
        let end = quick.read::<SIGN>(&padded, levels);
        Run { length: run.length + end.length, complete: end.complete }
    }

    /// One level however it is written.
    fn read_any<const SIGN: i64>(&self, cursor: &mut Cursor) -> Result<Change, FeedError> {
        cursor.expect(b'[')?;
        let ticks = read_number(cursor, &self.tick)?;
        if ticks == 0 || ticks >= KEY_LIMIT {
            return Err(cursor.error());
        }
        cursor.expect(b',')?;
        let lots = read_number(cursor, &self.step)?;
        while cursor.more(b']')? {
            cursor.skip_value()?;
        }
        Ok(Change { key: SIGN * ticks, lots })
    }
}

impl Quick {
    /// Levels while there is a whole window of text.
    fn read<const SIGN: i64>(&mut self, text: &[u8], levels: &mut Vec<Change>) -> Run {
        // Copies, not references: only values can stay in registers.
        let Self { mut price, mut size } = *self;
        let mut run = Run { length: 0, complete: false };
        while let Some(window) = text[run.length..].first_chunk() {
            let Some((ticks, lots, length)) = read_level(window, &mut price, &mut size) else {
                break;
            };
            levels.push(Change { key: SIGN * ticks, lots });
            run.length += length;
            if window[length] != b',' {
                run.complete = true;
                break;
            }
            run.length += 1;
        }
        *self = Self { price, size };
        run
    }
}

/// Ticks, lots and length of the level at the start of the window.
#[inline(always)]
#[allow(clippy::inline_always, reason = "called out of line, a depth message takes half as long again")]
fn read_level(window: &[u8; WINDOW], price: &mut Reader, size: &mut Reader) -> Option<(i64, i64, usize)> {
    let (ticks, comma) = price.read(window, 2)?;
    let (lots, close) = size.read(window, comma + 2)?;
    let brackets = window.starts_with(b"[\"") && window[comma..].starts_with(b",\"") && window[close] == b']';
    (brackets && ticks > 0).then_some((ticks, lots, close + 1))
}

fn read_number(cursor: &mut Cursor, scale: &Scale) -> Result<i64, FeedError> {
    let text = cursor.string()?;
    scale.parse(text).map_err(|error| FeedError::Number(cursor.at(), error))
}
