//! Numbers that compare exactly, as far as every reader agrees on them.
//!
//! Most readers turn a JSON number into a double, and 15 significant digits are what survives
//! that. A number beyond them, or with an exponent, is one number to Toolgate and another one to
//! the server behind it, so it is none here.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

use super::Number;

/// The digits that survive a double.
const MAX_DIGITS: usize = 15;

/// The longest fraction; with it, every number is a whole multiple of `10^-MAX_FRACTION`.
const MAX_FRACTION: usize = 20;

/// The number 1.
const ONE: i128 = 100_000_000_000_000_000_000;

/// An exact decimal number: a multiple of `10^-20`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decimal(i128);

/// Why a text is not a number that compares exactly.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum DecimalError {
    /// Not in JSON's grammar for numbers.
    #[error("write digits, with a point and a minus at most")]
    Grammar,
    /// With an exponent.
    #[error("write it without an exponent")]
    Exponent,
    /// More digits than a double keeps.
    #[error("more than {MAX_DIGITS} significant digits, or {MAX_FRACTION} after the point")]
    TooLong,
}

impl Decimal {
    /// The number one further up, if it compares exactly.
    pub(crate) fn next_up(self) -> Option<Self> {
        Self(self.0.checked_add(ONE)?).exact()
    }

    /// The number one further down, if it compares exactly.
    pub(crate) fn next_down(self) -> Option<Self> {
        Self(self.0.checked_sub(ONE)?).exact()
    }

    /// A number strictly between two others, with as few digits as there is one.
    pub(crate) fn between(low: Self, high: Self) -> Option<Self> {
        // Up to `MAX_DIGITS` digits before the point.
        let steps = (0..=35_u32).rev().map(|zeros| 10_i128.pow(zeros));
        let mut found = steps.map(|step| (low.0.div_euclid(step) + 1) * step);
        Self(found.find(|value| *value < high.0)?).exact()
    }

    /// The number, if it could have been written.
    fn exact(self) -> Option<Self> {
        self.to_string().parse().ok()
    }
}

impl FromStr for Decimal {
    type Err = DecimalError;

    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let (negative, digits) = match text.strip_prefix('-') {
            Some(digits) => (true, digits),
            None => (false, text),
        };
        if digits.contains(['e', 'E']) {
            return Err(DecimalError::Exponent);
        }
        let (whole, fraction) = match digits.split_once('.') {
            Some((_, "")) => return Err(DecimalError::Grammar),
            Some(parts) => parts,
            None => (digits, ""),
        };
        let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let leads_with_zero = whole.len() > 1 && whole.starts_with('0');
        if whole.is_empty() || leads_with_zero || !is_number(whole) || !is_number(fraction) {
            return Err(DecimalError::Grammar);
        }
        // Zeros at the end count: they are written, and a reader may cut them off or not.
        let significant = match whole.trim_start_matches('0') {
            "" => fraction.trim_start_matches('0').len(),
            whole => whole.len() + fraction.len(),
        };
        if significant > MAX_DIGITS || fraction.len() > MAX_FRACTION {
            return Err(DecimalError::TooLong);
        }
        let padding = std::iter::repeat_n(b'0', MAX_FRACTION - fraction.len());
        let scaled = whole
            .bytes()
            .chain(fraction.bytes())
            .chain(padding)
            .fold(0_i128, |value, digit| value * 10 + i128::from(digit - b'0'));
        Ok(Self(if negative { -scaled } else { scaled }))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!("{:0>width$}", self.0.unsigned_abs(), width = MAX_FRACTION + 1);
        let (whole, fraction) = digits.split_at(digits.len() - MAX_FRACTION);
        let sign = if self.0 < 0 { "-" } else { "" };
        match fraction.trim_end_matches('0') {
            "" => write!(f, "{sign}{whole}"),
            fraction => write!(f, "{sign}{whole}.{fraction}"),
        }
    }
}

impl Number<'_> {
    /// The value, if it compares exactly.
    #[must_use]
    pub fn as_decimal(self) -> Option<Decimal> {
        self.as_str().parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_number_is_what_every_reader_takes_it_for() {
        for (text, shown) in [
            ("0", "0"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("10", "10"),
            ("10.50", "10.5"),
            ("-10.25", "-10.25"),
            ("0.00000000000000000001", "0.00000000000000000001"),
            ("999999999999999", "999999999999999"),
            ("99999999999999.9", "99999999999999.9"),
        ] {
            assert_eq!(
                text.parse::<Decimal>().map(|value| value.to_string()).as_deref(),
                Ok(shown)
            );
        }
        for (text, error) in [
            ("", DecimalError::Grammar),
            ("-", DecimalError::Grammar),
            ("+1", DecimalError::Grammar),
            (".5", DecimalError::Grammar),
            ("5.", DecimalError::Grammar),
            ("01", DecimalError::Grammar),
            ("1_000", DecimalError::Grammar),
            ("0x10", DecimalError::Grammar),
            ("1.2.3", DecimalError::Grammar),
            ("١", DecimalError::Grammar),
            (".inf", DecimalError::Grammar),
            ("1e3", DecimalError::Exponent),
            ("1E0", DecimalError::Exponent),
            ("1000000000000000", DecimalError::TooLong),
            ("1.000000000000000", DecimalError::TooLong),
            ("9007199254740993", DecimalError::TooLong),
            ("0.000000000000000000001", DecimalError::TooLong),
        ] {
            assert_eq!(text.parse::<Decimal>(), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn order_is_that_of_the_numbers(a in -99_999_999_i64..99_999_999, b in -99_999_999_i64..99_999_999) {
            let decimal = |n: i64| {
                let sign = if n < 0 { "-" } else { "" };
                let n = n.unsigned_abs();
                format!("{sign}{}.{:04}", n / 10_000, n % 10_000).parse::<Decimal>().unwrap()
            };
            prop_assert_eq!(a.cmp(&b), decimal(a).cmp(&decimal(b)));
            prop_assert_eq!(decimal(a).to_string().parse(), Ok(decimal(a)));
        }
    }
}
