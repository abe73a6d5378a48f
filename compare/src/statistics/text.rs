//! Text forms of values: numbers in JSON documents, and lists in sentences.
//!
//! JSON has no NaN and no infinity, and `serde_json` writes them as `null`, which loses the distinction. Records and
//! JSON documents instead contain the strings `"NaN"`, `"Infinity"` and `"-Infinity"`.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Serializes a finite value as a number, any other value as the string `NaN`, `Infinity` or `-Infinity`.
pub(crate) fn serialize_number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f64(*value)
    } else if value.is_nan() {
        serializer.serialize_str("NaN")
    } else {
        serializer.serialize_str(if *value > 0.0 { "Infinity" } else { "-Infinity" })
    }
}

/// Serializes both ends of an interval with [`serialize_number`].
pub(crate) fn serialize_interval<S: Serializer>(values: &[f64; 2], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Number(#[serde(serialize_with = "serialize_number")] f64);
    values.map(Number).serialize(serializer)
}

/// Serializes `Some` with [`serialize_number`], and `None` as null.
pub(crate) fn serialize_optional_number<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => serialize_number(value, serializer),
        None => serializer.serialize_none(),
    }
}

/// Deserializes a value that was written by [`serialize_number`].
pub(crate) fn deserialize_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Finite(f64),
        NonFinite(NonFinite),
    }
    #[derive(Deserialize)]
    enum NonFinite {
        NaN,
        Infinity,
        #[serde(rename = "-Infinity")]
        NegativeInfinity,
    }
    Ok(match Number::deserialize(deserializer)? {
        Number::Finite(value) => value,
        Number::NonFinite(NonFinite::NaN) => f64::NAN,
        Number::NonFinite(NonFinite::Infinity) => f64::INFINITY,
        Number::NonFinite(NonFinite::NegativeInfinity) => f64::NEG_INFINITY,
    })
}

/// Joins the items of a list as in a sentence: `a, b and c`.
pub fn enumerate(items: &[String]) -> String {
    match items.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => items.concat(),
    }
}

/// Formats a number with the given number of significant digits: as a decimal fraction from 0.001 to 10^`digits`, and
/// otherwise with a power of ten. Zero and what is not finite have no digits.
pub fn significant(value: f64, digits: usize) -> String {
    let digits = digits.max(1);
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let scientific = format!("{value:.*e}", digits - 1);
    // The exponent after rounding: 9.9996 with four digits is 10.00.
    let exponent = scientific.split_once('e').and_then(|(_, exponent)| exponent.parse::<i32>().ok());
    match exponent.map(|exponent| (exponent, digits as i32 - 1 - exponent)) {
        Some((exponent, decimals)) if exponent >= -3 && decimals >= 0 => format!("{value:.*}", decimals as usize),
        _ => scientific,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enumerate_separates_items_with_commas_and_and() {
        let joined = |items: &[&str]| enumerate(&items.iter().map(|&item| item.to_owned()).collect::<Vec<_>>());
        assert_eq!([joined(&[]), joined(&["a"]), joined(&["a", "b"])], ["", "a", "a and b"]);
        assert_eq!(joined(&["a", "b", "c"]), "a, b and c");
    }

    #[test]
    fn significant_digits_are_those_of_the_rounded_number() {
        for (value, text) in [
            (2.301_410_8, "2.301"),
            (-0.076_737_4, "-0.07674"),
            (0.000_999_96, "0.001000"),
            (0.000_999_94, "9.999e-4"),
            (9.999_6, "10.00"),
            (9999.4, "9999"),
            (9999.6, "1.000e4"),
            (0.0, "0"),
            (f64::NEG_INFINITY, "-inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(significant(value, 4), text);
        }
        assert_eq!(significant(3.1e-7, 2), "3.1e-7");
    }
}
