//! A cursor over JSON text: enough of the grammar to find the fields that matter and to step over the rest.

use crate::fixed::DecimalError;
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

    /// Takes exactly these bytes, or nothing.
    #[inline]
    pub(super) fn take(&mut self, expected: &[u8]) -> bool {
        let found = self.rest().starts_with(expected);
        if found {
            self.at += expected.len();
        }
        found
    }

    /// The next byte that is not white space, which stays unread.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        while let Some(byte) = self.text.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(*byte);
            }
            self.at += 1;
        }
        None
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
    pub(super) fn string(&mut self) -> Result<&'a [u8], FeedError> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => self.at += 2,
                Some(byte) if *byte >= b' ' => self.at += 1,
                _ => return Err(self.error()),
            }
        }
        let content = self.text.get(start..self.at).ok_or(self.error())?;
        self.at += 1;
        Ok(content)
    }

    /// An object's next key and its colon.
    pub(super) fn key(&mut self) -> Result<&'a [u8], FeedError> {
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }

    /// A non-negative integer of at most 64 bits.
    pub(super) fn unsigned(&mut self) -> Result<u64, FeedError> {
        self.peek();
        let start = self.at;
        let mut number: u64 = 0;
        while let Some(digit @ b'0'..=b'9') = self.text.get(self.at) {
            number = number
                .checked_mul(10)
                .and_then(|number| number.checked_add(u64::from(digit - b'0')))
                .ok_or(self.error())?;
            self.at += 1;
        }
        let ended = matches!(
            self.text.get(self.at),
            Some(b',' | b'}' | b']' | b' ' | b'\t' | b'\n' | b'\r')
        );
        if self.at == start || !ended {
            Err(self.error())
        } else {
            Ok(number)
        }
    }

    /// Steps over one value of any kind.
    pub(super) fn skip_value(&mut self) -> Result<(), FeedError> {
        self.skip_nested(MAX_DEPTH)
    }

    fn skip_nested(&mut self, depth: u32) -> Result<(), FeedError> {
        let depth = depth.checked_sub(1).ok_or(self.error())?;
        match self.peek() {
            Some(b'"') => self.string().map(|_| ()),
            Some(b'{') => {
                let mut more = self.open(b'{', b'}')?;
                while more {
                    self.key()?;
                    self.skip_nested(depth)?;
                    more = self.more(b'}')?;
                }
                Ok(())
            }
            Some(b'[') => {
                let mut more = self.open(b'[', b']')?;
                while more {
                    self.skip_nested(depth)?;
                    more = self.more(b']')?;
                }
                Ok(())
            }
            _ => self.skip_scalar(),
        }
    }

    /// A number, `true`, `false` or `null`; only its letters are checked.
    fn skip_scalar(&mut self) -> Result<(), FeedError> {
        let start = self.at;
        while self
            .text
            .get(self.at)
            .is_some_and(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'))
        {
            self.at += 1;
        }
        if self.at == start {
            Err(self.error())
        } else {
            Ok(())
        }
    }

    /// Nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<(), FeedError> {
        if self.peek().is_none() {
            Ok(())
        } else {
            Err(self.error())
        }
    }
}
