//! Exact scaling between decimal text and `i64` units of a tick or a step.

use std::error::Error;
use std::fmt;

/// Most decimals a [`Scale`] may have; `10^18` is the largest power of ten in an `i64`.
pub const MAX_DECIMALS: u32 = 18;

/// Most decimals and integer digits the eight-bytes-at-once path takes; longer text goes the slow way.
const FAST_DECIMALS: u32 = 8;

const POWERS_OF_TEN: [i64; 19] = powers_of_ten();

const fn powers_of_ten() -> [i64; 19] {
    let mut powers = [1; 19];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
}

/// Why a decimal text is not a number of ticks or lots.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecimalError {
    /// Not plain decimal text: digits, optionally a point and more digits; no sign, exponent or space.
    Malformed,
    /// A number, but not a whole multiple of the unit. Never rounded: the venue changed its tick or step.
    Precision,
    /// A whole multiple that does not fit an `i64`.
    Overflow,
}

impl fmt::Display for DecimalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "not a plain decimal number",
            Self::Precision => "not a whole multiple of the unit",
            Self::Overflow => "too large for 64 bits",
        })
    }
}

impl Error for DecimalError {}

/// One tick or one step: `multiple * 10^-decimals`, with `multiple` not divisible by ten unless `decimals` is 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scale {
    multiple: i64,
    decimals: u32,
}

impl Scale {
    /// Reads a unit such as `0.10`, `0.001`, `1` or `25`.
    ///
    /// # Errors
    /// `Malformed` when the text is not a plain decimal or is zero, `Overflow` when it has more than 18 decimals or
    /// does not fit.
    pub fn new(unit: &str) -> Result<Self, DecimalError> {
        let (whole, fraction) = unit.split_once('.').unwrap_or((unit, ""));
        let fraction = fraction.trim_end_matches('0');
        let decimals = u32::try_from(fraction.len()).map_err(|_| DecimalError::Overflow)?;
        if decimals > MAX_DECIMALS {
            return Err(DecimalError::Overflow);
        }
        let multiple = Self {
            multiple: 1,
            decimals,
        }
        .parse(unit.as_bytes())?;
        if whole.is_empty() || multiple == 0 {
            return Err(DecimalError::Malformed);
        }
        Ok(Self { multiple, decimals })
    }

    /// The text, all of it, in units of this scale.
    ///
    /// # Errors
    /// See [`DecimalError`].
    pub fn parse(&self, text: &[u8]) -> Result<i64, DecimalError> {
        match self.scan(text)? {
            (units, length) if length == text.len() => Ok(units),
            _ => Err(DecimalError::Malformed),
        }
    }

    /// The decimal number at the start of `text` in units of this scale, and its length in bytes.
    ///
    /// # Errors
    /// See [`DecimalError`].
    #[inline]
    pub fn scan(&self, text: &[u8]) -> Result<(i64, usize), DecimalError> {
        let Some(Short {
            units,
            length,
            exact,
        }) = self.scan_short(text)
        else {
            return self.scan_any(text);
        };
        if !exact {
            return Err(DecimalError::Precision);
        }
        if self.multiple == 1 {
            return Ok((units, length));
        }
        self.divide(units).map(|units| (units, length))
    }

    /// Plain decimal text of a number of units, without trailing zeros.
    #[must_use]
    pub fn format(&self, units: i64) -> String {
        let scaled = i128::from(units) * i128::from(self.multiple);
        let one = i128::from(POWERS_OF_TEN[self.decimals as usize]);
        let sign = if scaled < 0 { "-" } else { "" };
        let (whole, fraction) = ((scaled / one).abs(), (scaled % one).abs());
        if fraction == 0 {
            return format!("{sign}{whole}");
        }
        let fraction = format!("{fraction:0width$}", width = self.decimals as usize);
        format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }

    /// Up to seven integer digits and eight decimals, eight bytes at a time; `None` sends the text the slow way.
    #[inline]
    fn scan_short(&self, text: &[u8]) -> Option<Short> {
        if self.decimals > FAST_DECIMALS {
            return None;
        }
        let (whole, whole_digits) = digits_of(text)?;
        if whole_digits == 0 || whole_digits == 8 {
            return None;
        }
        let units = right_aligned(whole, whole_digits) * POWERS_OF_TEN[self.decimals as usize];
        if *text.get(whole_digits as usize)? != b'.' {
            return Some(Short {
                units,
                length: whole_digits as usize,
                exact: true,
            });
        }
        let start = whole_digits as usize + 1;
        let (fraction, digits) = digits_of(text.get(start..)?)?;
        let length = start + digits as usize;
        if digits == 0 || text.get(length)?.is_ascii_digit() {
            return None;
        }
        let fraction = fraction & low_bytes(digits);
        let units = units + right_aligned(fraction, self.decimals);
        Some(Short {
            units,
            length,
            exact: fraction & !low_bytes(self.decimals) == 0,
        })
    }

    /// Any length, one byte at a time.
    #[inline(never)]
    fn scan_any(&self, text: &[u8]) -> Result<(i64, usize), DecimalError> {
        let whole = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let point = usize::from(text.get(whole) == Some(&b'.'));
        let tail = &text[whole + point..];
        let fraction = if point == 1 {
            tail.iter().take_while(|byte| byte.is_ascii_digit()).count()
        } else {
            0
        };
        if whole == 0 || (point == 1 && fraction == 0) {
            return Err(DecimalError::Malformed);
        }
        let kept = fraction.min(self.decimals as usize);
        let mut scaled: i64 = 0;
        for digit in text[..whole].iter().chain(&tail[..kept]) {
            scaled = push_digit(scaled, *digit)?;
        }
        for _ in kept..self.decimals as usize {
            scaled = push_digit(scaled, b'0')?;
        }
        if tail[kept..fraction].iter().any(|digit| *digit != b'0') {
            return Err(DecimalError::Precision);
        }
        Ok((self.divide(scaled)?, whole + point + fraction))
    }

    fn divide(&self, scaled: i64) -> Result<i64, DecimalError> {
        if scaled % self.multiple == 0 {
            Ok(scaled / self.multiple)
        } else {
            Err(DecimalError::Precision)
        }
    }
}

struct Short {
    units: i64,
    length: usize,
    exact: bool,
}

fn push_digit(number: i64, digit: u8) -> Result<i64, DecimalError> {
    number
        .checked_mul(10)
        .and_then(|number| number.checked_add(i64::from(digit - b'0')))
        .ok_or(DecimalError::Overflow)
}

/// The first eight bytes as digit values (first byte lowest) and how many of them, from the first, are digits.
#[inline]
fn digits_of(text: &[u8]) -> Option<(u64, u32)> {
    let bytes: [u8; 8] = *text.first_chunk()?;
    let values = u64::from_le_bytes(bytes) ^ 0x3030_3030_3030_3030;
    // A byte above 9 carries into its high bit; no carry leaves its byte because the high bits are masked off first.
    let above_nine = ((values & 0x7f7f_7f7f_7f7f_7f7f) + 0x7676_7676_7676_7676) | values;
    Some((
        values,
        (above_nine & 0x8080_8080_8080_8080).trailing_zeros() / 8,
    ))
}

/// Mask of the lowest `count` bytes, `count` from 0 to 8.
#[inline]
const fn low_bytes(count: u32) -> u64 {
    if count == 0 {
        0
    } else {
        u64::MAX >> (64 - 8 * count)
    }
}

/// The number written by the lowest `count` bytes of `values`, `count` from 0 to 8.
#[inline]
#[allow(clippy::cast_possible_wrap, reason = "eight digits fit in 32 bits")]
const fn right_aligned(values: u64, count: u32) -> i64 {
    if count == 0 {
        return 0;
    }
    // Pairs, then fours, then eights: three multiplications for eight digits.
    let digits = values << (64 - 8 * count);
    let pairs = (digits.wrapping_mul(10) + (digits >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    let eight = fours.wrapping_mul(10_000) + (fours >> 32);
    (eight & 0xffff_ffff) as i64
}
