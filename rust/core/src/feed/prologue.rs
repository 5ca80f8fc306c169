//! What stands before the levels of a Binance depth event, read at once when it is written as Binance writes it.
//!
//! Reading these 150 bytes key by key would take as long as ten levels do.

use crate::swar::{leading_digits, leading_number, leading_plain};

/// Fields before the levels.
pub(super) struct Prologue<'a> {
    pub(super) first: u64,
    pub(super) last: u64,
    /// `pu`, which spot does not have.
    pub(super) previous: Option<u64>,
    /// Whether the event lies in the combined-stream wrapper.
    pub(super) wrapped: bool,
    /// The message from its next key on.
    pub(super) rest: &'a [u8],
}

/// The prologue of a message; `None` when its keys come in any other order or form.
pub(super) fn read(message: &[u8]) -> Option<Prologue<'_>> {
    let (wrapped, text) = match message.strip_prefix(b"{\"stream\":\"") {
        Some(text) => (true, after_string(text)?.strip_prefix(b",\"data\":")?),
        None => (false, message),
    };
    let text = after_number(text.strip_prefix(b"{\"e\":\"depthUpdate\",\"E\":")?)?;
    let text = match text.strip_prefix(b",\"T\":") {
        Some(text) => after_number(text)?,
        None => text,
    };
    let text = after_string(text.strip_prefix(b",\"s\":\"")?)?;
    let text = match text.strip_prefix(b",\"ps\":\"") {
        Some(text) => after_string(text)?,
        None => text,
    };
    let (first, text) = leading_number(text.strip_prefix(b",\"U\":")?)?;
    let (last, text) = leading_number(text.strip_prefix(b",\"u\":")?)?;
    let (previous, text) = match text.strip_prefix(b",\"pu\":") {
        Some(text) => leading_number(text).map(|(previous, text)| (Some(previous), text))?,
        None => (None, text),
    };
    let rest = text.strip_prefix(b",")?;
    Some(Prologue { first, last, previous, wrapped, rest })
}

/// The text after a string whose opening quote is read already.
#[inline]
fn after_string(text: &[u8]) -> Option<&[u8]> {
    text.get(leading_plain(text)..)?.strip_prefix(b"\"")
}

#[inline]
fn after_number(text: &[u8]) -> Option<&[u8]> {
    match leading_digits(text) {
        0 => None,
        digits => text.get(digits..),
    }
}
