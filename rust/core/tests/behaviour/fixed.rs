//! Decimal text to ticks and lots, and back.

use crate::random::Random;
use execactor_core::fixed::DecimalError::{Malformed, Overflow, Precision};
use execactor_core::fixed::Scale;

fn scale(unit: &str) -> Scale {
    Scale::new(unit).unwrap()
}

#[test]
fn units_are_read_exactly_or_refused() {
    let cases = [
        ("0.10", "61796.70", Ok(617_967)),
        ("0.1", "61796.7000000000000000000000", Ok(617_967)),
        ("0.1", "61796", Ok(617_960)),
        ("0.1", "61796.75", Err(Precision)),
        ("0.001", "0.000", Ok(0)),
        ("0.00000001", "92233720368.54775807", Ok(i64::MAX)),
        ("0.00000001", "92233720368.54775808", Err(Overflow)),
        ("1", "9223372036854775807", Ok(i64::MAX)),
        ("1", "99999999999999999999999999", Err(Overflow)),
        ("1", "431.00000000", Ok(431)),
        ("1", "431.5", Err(Precision)),
        ("0.25", "100.75", Ok(403)),
        ("0.25", "100.80", Err(Precision)),
        ("5", "35", Ok(7)),
        ("5", "36", Err(Precision)),
        ("100", "61800", Ok(618)),
        ("0.1", "", Err(Malformed)),
        ("0.1", ".5", Err(Malformed)),
        ("0.1", "5.", Err(Malformed)),
        ("0.1", "-5", Err(Malformed)),
        ("0.1", "+5", Err(Malformed)),
        ("0.1", "1e3", Err(Malformed)),
        ("0.1", "1.2.3", Err(Malformed)),
        ("0.1", " 1", Err(Malformed)),
        ("0.1", "1 ", Err(Malformed)),
        ("0.1", "nan", Err(Malformed)),
    ];
    for (unit, text, expected) in cases {
        assert_eq!(scale(unit).parse(text.as_bytes()), expected, "{text} in units of {unit}");
    }
}

#[test]
fn a_unit_that_is_no_positive_decimal_is_refused() {
    for unit in ["", "0", "0.000", "-1", "1e-8", ".1", "1.", "x", "0x1"] {
        assert_eq!(Scale::new(unit), Err(Malformed), "{unit:?}");
    }
    assert_eq!(Scale::new("0.0000000000000000001"), Err(Overflow));
    assert_eq!(Scale::new("99999999999999999999"), Err(Overflow));
    assert!(Scale::new("0.000000000000000001").is_ok());
    assert_eq!(Scale::new("0.10"), Scale::new("0.1"));
    assert_eq!(Scale::new("10"), Scale::new("10.000"));
}

#[test]
fn formatting_drops_trailing_zeros_and_keeps_every_digit() {
    let cases = [
        ("0.10", 617_967, "61796.7"),
        ("0.10", 617_960, "61796"),
        ("0.001", 5, "0.005"),
        ("0.001", -1500, "-1.5"),
        ("0.001", -5, "-0.005"),
        ("0.25", 403, "100.75"),
        ("5", 7, "35"),
        ("1", 0, "0"),
        ("1", i64::MIN, "-9223372036854775808"),
        ("0.00000001", i64::MAX, "92233720368.54775807"),
    ];
    for (unit, units, text) in cases {
        assert_eq!(scale(unit).format(units), text);
    }
}

#[test]
fn what_was_formatted_reads_back() {
    let mut random = Random::new(1);
    for unit in ["0.1", "0.10", "0.001", "0.00000001", "0.25", "0.5", "1", "5", "10", "0.000000000000000001"] {
        for _ in 0..2000 {
            let shift = random.below(63);
            let units = i64::try_from(random.next() >> shift).unwrap();
            let text = scale(unit).format(units);
            match scale(unit).parse(text.as_bytes()) {
                Ok(read) => assert_eq!(read, units, "{text} in units of {unit}"),
                Err(error) => assert_eq!((error, text.len() > 18), (Overflow, true), "{text} in units of {unit}"),
            }
        }
    }
}
