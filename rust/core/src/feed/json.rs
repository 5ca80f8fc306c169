//! A cursor over JSON text: enough of the grammar to find the fields that matter and to step over the rest.

use crate::fixed::DecimalError;
use crate::swar::{leading_digits, leading_number, leading_plain};
use std::error::Error;
use std::fmt;

/// Deepest nesting that is stepped over.
const MAX_DEPTH: u32 = 64;

/// Why a message could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedError {
    /// Not the JSON expected, at this byte.
    Syntax(usize),
    /// A field that is needed is missing or there twice.
    Fields,
    /// A price or size that the instrument's scale cannot hold, at this byte.
    Number(usize, DecimalError),
}

impl fmt::Display for FeedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(at) => write!(f, "unexpected text at byte {at}"),
            Self::Fields => f.write_str("a needed field is missing or repeated"),
            Self::Number(at, error) => write!(f, "number at byte {at}: {error}"),
        }
    }
}

impl Error for FeedError {}

/// A position in JSON text. Every method leaves the position after what it read.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// A cursor over `text` that has come to `rest`, its end.
    pub(super) fn resume(text: &'a [u8], rest: &'a [u8]) -> Self {
        Self { text, at: text.len() - rest.len() }
    }

    pub(super) fn error(&self) -> FeedError {
        FeedError::Syntax(self.at)
    }

    #[inline]
    pub(super) fn at(&self) -> usize {
        self.at
    }

    #[inline]
    pub(super) fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    #[inline]
    pub(super) fn advance(&mut self, bytes: usize) {
        self.at += bytes;
    }

    /// The next byte that is not white space, which stays unread.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        let byte = *self.text.get(self.at)?;
        if byte > b' ' {
            return Some(byte);
        }

        let spaces = self.rest().iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
        self.at += spaces.count();
        self.text.get(self.at).copied()
    }

    /// Takes one structural byte, after any white space.
    #[inline]
    pub(super) fn expect(&mut self, byte: u8) -> Result<(), FeedError> {
        if self.peek() != Some(byte) {
            return Err(self.error());
        }
        self.at += 1;
        Ok(())
    }

    /// In an object or array: true after a comma, false after the closing byte.
    #[inline]
    pub(super) fn more(&mut self, close: u8) -> Result<bool, FeedError> {
        match self.peek() {
            Some(b',') => self.at += 1,
            Some(byte) if byte == close => {
                self.at += 1;
                return Ok(false);
            }
            _ => return Err(self.error()),
        }
        Ok(true)
    }

    /// Opens an object or array: false when it is empty, and then closed too.
    pub(super) fn open(&mut self, open: u8, close: u8) -> Result<bool, FeedError> {
        self.expect(open)?;
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        Ok(true)
    }

    /// A string's text between its quotes, escapes left as they are.
    #[inline]
    pub(super) fn string(&mut self) -> Result<&'a [u8], FeedError> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            self.at += leading_plain(self.rest());
            match self.rest() {
                [b'"', ..] => break,
                [b'\\', _, ..] => self.at += 2,
                _ => return Err(self.error()),
            }
        }
        self.at += 1;
        Ok(&self.text[start..self.at - 1])
    }

    /// An object's next key and its colon.
    #[inline]
    pub(super) fn key(&mut self) -> Result<&'a [u8], FeedError> {
        // Most keys of an event are one letter.
        if let [b'"', key @ (b'A'..=b'Z' | b'a'..=b'z'), b'"', b':', ..] = self.rest() {
            self.at += 4;
            return Ok(std::slice::from_ref(key));
        }
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }

    /// A non-negative integer of at most 19 digits.
    #[inline]
    pub(super) fn unsigned(&mut self) -> Result<u64, FeedError> {
        self.peek();
        let (number, rest) = leading_number(self.rest()).ok_or(self.error())?;
        self.at = self.text.len() - rest.len();
        match rest.first() {
            Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r') => Ok(number),
            _ => Err(self.error()),
        }
    }

    /// Steps over one value of any kind.
    #[inline]
    pub(super) fn skip_value(&mut self) -> Result<(), FeedError> {
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{' | b'[') => {
                *self = self.skip_nested(MAX_DEPTH)?;
                Ok(())
            }
            _ => self.skip_scalar(),
        }
    }

    fn skip_nested(mut self, depth: u32) -> Result<Self, FeedError> {
        let depth = depth.checked_sub(1).ok_or(self.error())?;
        match self.peek() {
            Some(b'{') => {
                let mut more = self.open(b'{', b'}')?;
                while more {
                    self.key()?;
                    self = self.skip_nested(depth)?;
                    more = self.more(b'}')?;
                }
            }
            Some(b'[') => {
                let mut more = self.open(b'[', b']')?;
                while more {
                    self = self.skip_nested(depth)?;
                    more = self.more(b']')?;
                }
            }
            Some(b'"') => {
                self.string()?;
            }
            _ => self.skip_scalar()?,
        }
        Ok(self)
    }

    /// A number, `true`, `false` or `null`: anything up to the next comma, bracket or space.
    #[inline]
    fn skip_scalar(&mut self) -> Result<(), FeedError> {
        let plain = |byte: &&u8| !matches!(byte, b',' | b'}' | b']' | b'"' | b'{' | b'[' | b':' | ..=b' ');
        let digits = leading_digits(self.rest());
        let length = digits + self.rest()[digits..].iter().take_while(plain).count();
        self.at += length;
        if length > 0 { Ok(()) } else { Err(self.error()) }
    }

    /// Nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), FeedError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.error()) }
    }
}
