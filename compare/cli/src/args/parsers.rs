//! Parsers of numbers in option values, with messages that say what is expected.

use std::fmt;
use std::str::FromStr;

/// Parses a number.
pub(super) fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "expected a number".to_owned())
}

/// Parses a whole number that is not negative.
pub(super) fn whole<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| "expected a whole number that is not negative".to_owned())
}

/// Returns a parser of whole numbers from `first` to `last`.
pub(super) fn whole_from_to<T>(first: T, last: T) -> impl Fn(&str) -> Result<T, String> + Clone
where
    T: FromStr + PartialOrd + fmt::Display + Copy,
{
    move |text| {
        let value = text.parse().ok().filter(|value| (first..=last).contains(value));
        value.ok_or_else(|| format!("expected a whole number from {first} to {last}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn number_parsers_state_expected_values() {
        assert_eq!((number("1e-3"), whole("7"), whole_from_to(1_u16, 9)("9")), (Ok(0.001), Ok(7_usize), Ok(9)));
        assert_eq!(number("fast"), Err("expected a number".to_owned()));
        for text in ["-1", "1.5", "many"] {
            assert_eq!(whole::<u64>(text), Err("expected a whole number that is not negative".to_owned()));
        }
        for text in ["0", "10", "-1", "many"] {
            assert_eq!(whole_from_to(1_u16, 9)(text), Err("expected a whole number from 1 to 9".to_owned()));
        }
    }
}
