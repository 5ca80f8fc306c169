//! Exact scaling between decimal text and `i64` units of a tick or a step.

use std::error::Error;
use std::fmt;

/// Most decimals a [`Scale`] may have; `10^18` is the largest power of ten in an `i64`.
pub const MAX_DECIMALS: u32 = 18;

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
        let multiple = Self { multiple: 1, decimals }.parse(unit.as_bytes())?;
        if whole.is_empty() || multiple == 0 {
            return Err(DecimalError::Malformed);
        }
        Ok(Self { multiple, decimals })
    }

    /// Decimals of a unit that is a power of ten, such as 3 for 0.001.
    pub(crate) fn power_of_ten(&self) -> Option<u32> {
        (self.multiple == 1).then_some(self.decimals)
    }

    /// `10^decimals`.
    fn one(&self) -> i64 {
        POWERS_OF_TEN[self.decimals as usize]
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
    pub fn scan(&self, text: &[u8]) -> Result<(i64, usize), DecimalError> {
        let whole = count_digits(text);
        let point = usize::from(text.get(whole) == Some(&b'.'));
        let tail = &text[whole + point..];
        let fraction = if point == 1 { count_digits(tail) } else { 0 };
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
        let units = self.whole_units(scaled).ok_or(DecimalError::Precision)?;
        Ok((units, whole + point + fraction))
    }

    /// Plain decimal text of a number of units, without trailing zeros.
    #[must_use]
    pub fn format(&self, units: i64) -> String {
        let scaled = i128::from(units) * i128::from(self.multiple);
        let one = i128::from(self.one());
        let sign = if scaled < 0 { "-" } else { "" };
        let (whole, fraction) = ((scaled / one).abs(), (scaled % one).abs());
        if fraction == 0 {
            return format!("{sign}{whole}");
        }
        let fraction = format!("{fraction:0width$}", width = self.decimals as usize);
        format!("{sign}{whole}.{}", fraction.trim_end_matches('0'))
    }

    fn whole_units(&self, scaled: i64) -> Option<i64> {
        match self.multiple {
            1 => Some(scaled),
            multiple => (scaled % multiple == 0).then(|| scaled / multiple),
        }
    }
}

fn count_digits(text: &[u8]) -> usize {
    text.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn push_digit(number: i64, digit: u8) -> Result<i64, DecimalError> {
    number.checked_mul(10).and_then(|number| number.checked_add(i64::from(digit - b'0'))).ok_or(DecimalError::Overflow)
}
