//! What became of one message: bits of the number that [`crate::book::Book`] returns.

/// The best bid or ask, or its size, is no longer what it was.
pub const BBO_CHANGED: u32 = 1;
/// The message's levels are in the book.
pub const APPLIED: u32 = 1 << 1;
/// Old, duplicate or not a depth message: the book is as it was.
pub const IGNORED: u32 = 1 << 2;
/// Kept until a snapshot comes.
pub const BUFFERED: u32 = 1 << 3;
/// A message is missing: the book is stale and needs a fresh snapshot.
pub const GAP: u32 = 1 << 4;
/// The best bid is not below the best ask: not tradable.
pub const CROSSED: u32 = 1 << 5;
/// The message could not be read: the book is stale and needs a fresh snapshot.
pub const MALFORMED: u32 = 1 << 6;
/// A snapshot, with what was buffered, took the book live.
pub const SYNCED: u32 = 1 << 7;
