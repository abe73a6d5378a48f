//! Parsers of numbers in option values, with messages that say what is expected.

use std::fmt;
use std::str::FromStr;

use mlp_parity_compare::statistics::{Seeds, SequentialPlan};

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

/// Value of `--seeds`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SeedCount {
    Fixed(u16),
    /// Seeds are added until the comparison is decided.
    Auto,
}

impl SeedCount {
    /// Parses `auto` or a number from 1.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text.eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let count = whole_from_to(1, u16::MAX)(text);
        count.map(Self::Fixed).map_err(|expected| format!("{expected}, or 'auto'"))
    }

    /// Returns the number of seeds that `--seeds` and `--max-seeds` select.
    pub(crate) fn seeds(self, plan: Option<SequentialPlan>) -> crate::error::Result<Seeds> {
        match (self, plan) {
            (Self::Fixed(seeds), None) => Ok(Seeds::Fixed(seeds.into())),
            (Self::Fixed(_), Some(_)) => {
                Err(crate::error::Error::Usage("--max-seeds: only '--seeds auto' adds seeds".to_owned()))
            }
            (Self::Auto, plan) => Ok(Seeds::Auto(plan.unwrap_or_default())),
        }
    }
}

/// Parses the largest number of seeds.
pub(super) fn plan(text: &str) -> Result<SequentialPlan, String> {
    let most = text.parse::<u16>().ok().and_then(|most| SequentialPlan::new(most.into()));
    most.ok_or_else(|| {
        let fewest = SequentialPlan::FEWEST;
        format!("expected a whole number from {fewest}, the fewest that can decide, to {}", u16::MAX)
    })
}

impl fmt::Display for SeedCount {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(count) => count.fmt(formatter),
            Self::Auto => formatter.write_str("auto"),
        }
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
