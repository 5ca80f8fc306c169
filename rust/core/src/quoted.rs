//! Quoted decimal numbers, eight bytes at a time: the inner loop of every depth message.

#![allow(clippy::inline_always, reason = "called out of line, a depth message takes half as long again")]
#![allow(clippy::cast_possible_wrap, reason = "digits are counted up to eight")]

use crate::fixed::Scale;
use crate::swar::{ZEROS, digits_before_point, eight_digits, flaws};

/// Bytes looked at around one level.
pub(crate) const WINDOW: usize = 64;

/// Reads the numbers of one list, expecting each to have as many digits before and after the point as the one before.
/// That spares a wait for the end of one number before the next can be found, which would take half of the time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reader {
    /// Decimals of one unit, 0 to 8.
    decimals: u32,
    /// Mask of the decimals that a whole number of units cannot have.
    beyond: u64,
    shape: Shape,
}

/// Where the parts of a number lie, counted from its first digit.
#[derive(Clone, Copy, Debug, Default)]
struct Shape {
    /// The point or, in a number without one, the quote: 1 to 7; 0 when no number was read yet.
    point: usize,
    /// The closing quote.
    quote: usize,
    /// What stands at `point`.
    stop: u8,
    /// Mask of as many bytes as there are digits before the point.
    whole: u64,
    /// Bits of a word that these digits leave free.
    spare: i32,
    /// Mask of as many bytes as there are digits after the point, 0 to 8.
    fraction: u64,
}

impl Reader {
    /// A reader in units of `scale`; `None` unless that is a power of ten with at most eight decimals.
    pub(crate) fn new(scale: Scale) -> Option<Self> {
        let decimals = scale.power_of_ten()?;
        let beyond = u64::MAX.checked_shl(8 * decimals).unwrap_or(0);
        (decimals <= 8).then_some(Self { decimals, beyond, shape: Shape::default() })
    }

    /// Units of the number that starts at `start`, and the index after its closing quote. `None` says only that the number
    /// must be read in another way. All of the number must lie in the window, and `start` in its first third.
    #[inline(always)]
    pub(crate) fn read(&mut self, window: &[u8; WINDOW], start: usize) -> Option<(i64, usize)> {
        if !self.shape.fits(window, start) {
            self.shape = Shape::of(window, start)?;
        }
        let shape = self.shape;
        let whole = (word_at(window, start) ^ ZEROS) & shape.whole;
        let fraction = (word_at(window, start + shape.point + 1) ^ ZEROS) & shape.fraction;
        let beyond = fraction & self.beyond;
        // For a scale without decimals the fraction is 0 here, whatever it is shifted by.
        let fraction = fraction.wrapping_shl(64 - 8 * self.decimals);
        let spare = shape.spare - 8 * self.decimals as i32;
        let units = if spare >= 0 {
            let values = whole.wrapping_shl(spare.unsigned_abs()) | fraction;
            if flaws(values) | beyond != 0 {
                return None;
            }
            eight_digits(values)
        } else {
            let whole = whole.wrapping_shl(shape.spare.unsigned_abs());
            if flaws(whole) | flaws(fraction) | beyond != 0 {
                return None;
            }
            eight_digits(whole) * 10_i64.pow(self.decimals) + eight_digits(fraction)
        };
        Some((units, start + shape.quote + 1))
    }
}

impl Shape {
    /// The shape of the number that starts at `start`.
    #[inline(never)]
    fn of(window: &[u8; WINDOW], start: usize) -> Option<Self> {
        let digits = digits_before_point(word_at(window, start));
        let point = digits as usize;
        let stop = byte_at(window, start + point);
        let decimals = match (stop, byte_at(window, start + point + 9)) {
            (b'"', _) => 0,
            (b'.', b'"') => 8,
            (b'.', _) => digits_before_point(word_at(window, start + point + 1)),
            _ => return None,
        };
        let shape = Self {
            point,
            quote: if stop == b'.' { point + 1 + decimals as usize } else { point },
            stop,
            whole: low_bytes(digits),
            spare: 64 - 8 * digits as i32,
            fraction: low_bytes(decimals),
        };
        let empty = point == 0 || (stop == b'.' && decimals == 0);
        (!empty && shape.fits(window, start)).then_some(shape)
    }

    /// Whether point and quote are where this shape has them.
    #[inline(always)]
    fn fits(&self, window: &[u8; WINDOW], start: usize) -> bool {
        byte_at(window, start + self.point) == self.stop && byte_at(window, start + self.quote) == b'"'
    }
}

/// Mask of the first `count` bytes of a word.
fn low_bytes(count: u32) -> u64 {
    u64::MAX.checked_shr(64 - 8 * count).unwrap_or(0)
}

/// The eight bytes at an index below half the window, first byte lowest.
#[inline(always)]
fn word_at(window: &[u8; WINDOW], at: usize) -> u64 {
    let at = at % (WINDOW / 2);
    window[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[inline(always)]
fn byte_at(window: &[u8; WINDOW], at: usize) -> u8 {
    window[at % WINDOW]
}
