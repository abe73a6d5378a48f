//! Numbers in JSON, which has no NaN and no infinity: they are written as strings.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// JSON has no NaN and no infinity; they are written as strings.
pub(crate) fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    if value.is_finite() {
        serializer.serialize_f64(*value)
    } else if value.is_nan() {
        serializer.serialize_str("NaN")
    } else {
        serializer.serialize_str(if *value > 0.0 { "Infinity" } else { "-Infinity" })
    }
}

/// Serializes an interval as [`number`] does its ends.
pub(crate) fn numbers<S: Serializer>(values: &[f64; 2], serializer: S) -> Result<S::Ok, S::Error> {
    #[derive(Serialize)]
    struct Number(#[serde(serialize_with = "number")] f64);
    values.map(Number).serialize(serializer)
}

pub(crate) fn optional_number<S: Serializer>(value: &Option<f64>, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        Some(value) => number(value, serializer),
        None => serializer.serialize_none(),
    }
}

/// Deserializes what [`number`] has written.
pub(crate) fn any_number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Number {
        Finite(f64),
        Other(Other),
    }
    #[derive(Deserialize)]
    enum Other {
        NaN,
        Infinity,
        #[serde(rename = "-Infinity")]
        NegativeInfinity,
    }
    Ok(match Number::deserialize(deserializer)? {
        Number::Finite(value) => value,
        Number::Other(Other::NaN) => f64::NAN,
        Number::Other(Other::Infinity) => f64::INFINITY,
        Number::Other(Other::NegativeInfinity) => f64::NEG_INFINITY,
    })
}
