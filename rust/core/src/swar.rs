//! Text eight bytes at a time: a `u64` whose lowest byte is the first one ("SIMD within a register").

#![allow(clippy::inline_always, reason = "called out of line, a depth message takes half as long again")]

/// Subtracting or xor-ing this turns digits into their values.
pub(crate) const ZEROS: u64 = 0x3030_3030_3030_3030;
const HIGH_BITS: u64 = 0x8080_8080_8080_8080;
const ONES: u64 = 0x0101_0101_0101_0101;
/// The bit that is set in every digit and clear in the point and in the quote.
const DIGIT_BIT: u64 = 0x1010_1010_1010_1010;

/// The high bit of bytes that are not a digit's value, 0 to 9, and maybe of others after the first such byte.
#[inline(always)]
pub(crate) fn flaws(values: u64) -> u64 {
    // 0x76 lifts ten into the high bit. Only a byte with its own high bit set could carry into the next.
    (values.wrapping_add(0x7676_7676_7676_7676) | values) & HIGH_BITS
}

/// The number written by eight digit values, the lowest byte first: pairs, then fours, then eight.
#[inline(always)]
#[allow(clippy::cast_possible_wrap, reason = "eight digits fit in 32 bits")]
pub(crate) fn eight_digits(values: u64) -> i64 {
    let pairs = (values.wrapping_mul(10) + (values >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs.wrapping_mul(100) + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    ((fours.wrapping_mul(10_000) + (fours >> 32)) & 0xffff_ffff) as i64
}

/// Digits in a word before the first point or quote, at most seven; other bytes may count as digits.
#[inline(always)]
pub(crate) fn digits_before_point(word: u64) -> u32 {
    ((!word & DIGIT_BIT) | (1 << 63)).trailing_zeros() / 8
}

/// How many bytes at the start of the text are digits.
#[inline(always)]
pub(crate) fn leading_digits(text: &[u8]) -> usize {
    leading(text, |word| flaws(word ^ ZEROS), |byte| byte.is_ascii_digit())
}

/// The number that the text starts with, of 1 to 19 digits, and the text after it.
#[inline]
pub(crate) fn leading_number(text: &[u8]) -> Option<(u64, &[u8])> {
    let digits = leading_digits(text);
    // Nineteen digits always fit 64 bits; Binance's ids have 13.
    if !(1..=19).contains(&digits) {
        return None;
    }
    let (number, rest) = text.split_at_checked(digits)?;
    let (head, tail) = match number.split_first_chunk() {
        Some((eight, tail)) => (eight_digits(u64::from_le_bytes(*eight) ^ ZEROS).unsigned_abs(), tail),
        None => (0, number),
    };
    let value = tail.iter().fold(head, |value, digit| value * 10 + u64::from(digit - b'0'));
    Some((value, rest))
}

/// How many bytes at the start of the text can stand in a JSON string as they are: no quote, backslash or control.
#[inline(always)]
pub(crate) fn leading_plain(text: &[u8]) -> usize {
    leading(
        text,
        |word| (zeros(word ^ (ONES * 0x22)) | zeros(word ^ (ONES * 0x5c)) | below(word, 0x20)) & HIGH_BITS,
        |byte| byte >= 0x20 && byte != b'"' && byte != b'\\',
    )
}

/// The first byte that `stops` marks with its high bit, in words, or that is not `plain`, in the last few bytes.
#[inline(always)]
fn leading(text: &[u8], stops: impl Fn(u64) -> u64, plain: impl Fn(u8) -> bool) -> usize {
    let mut at = 0;
    while let Some(bytes) = text[at..].first_chunk() {
        let stop = stops(u64::from_le_bytes(*bytes));
        if stop != 0 {
            return at + stop.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + text[at..].iter().take_while(|byte| plain(**byte)).count()
}

/// The high bit of bytes that are zero, and maybe of others after the first such byte.
#[inline(always)]
fn zeros(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word
}

/// The high bit of bytes below `bound`, at most 0x80, and maybe of others after the first such byte.
#[inline(always)]
fn below(word: u64, bound: u64) -> u64 {
    word.wrapping_sub(ONES * bound) & !word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_end_where_the_byte_by_byte_reading_ends() {
        for length in 0..20 {
            for at in 0..=length {
                for byte in 0..=u8::MAX {
                    let mut text = vec![b'7'; length];
                    if let Some(place) = text.get_mut(at) {
                        *place = byte;
                    }
                    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
                    assert_eq!(leading_digits(&text), digits, "{text:?}");
                    let plain = text.iter().take_while(|byte| **byte >= 32 && !b"\"\\".contains(byte)).count();
                    assert_eq!(leading_plain(&text), plain, "{text:?}");
                }
            }
        }
    }

    #[test]
    fn eight_digits_read_as_written() {
        for (text, number) in [(b"00000000", 0), (b"12345678", 12_345_678), (b"99999999", 99_999_999)] {
            assert_eq!(eight_digits(u64::from_le_bytes(*text) ^ ZEROS), number);
        }
    }
}
