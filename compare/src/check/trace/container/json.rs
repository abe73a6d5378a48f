//! Traces in JSON files, which programs in C or JavaScript can print.

use ndarray::{ArrayD, IxDyn};
use serde_json::Value;

use super::{Contents, StoredArray};
use crate::check::trace::metadata::{ParseResult, is_key};
use crate::check::trace::model::Precision;

/// Largest length of a JSON file in bytes. Parsing takes up to 50 times as much memory.
const MAX_LENGTH: usize = 8 << 20;

/// Largest number of dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

pub(super) fn parse(bytes: &[u8]) -> ParseResult<Contents> {
    if bytes.len() > MAX_LENGTH {
        let length = bytes.len();
        return Err(format!(
            "the JSON file has {length} bytes; at most {MAX_LENGTH} are allowed: use safetensors or npz"
        ));
    }
    let entries: serde_json::Map<String, Value> =
        serde_json::from_slice(bytes).map_err(|error| format!("not a JSON object: {error}"))?;
    let mut contents = Contents::default();
    for (name, value) in entries {
        if is_key(&name) {
            contents.metadata.insert(name.clone(), text(&name, &value)?);
        } else {
            let mut array = FlatArray::default();
            array.append(&name, &value, 0)?;
            let values = ArrayD::from_shape_vec(IxDyn(&array.shape), array.values)
                .map_err(|error| format!("{name}: {error}"))?;
            contents.tensors.insert(name, StoredArray { values, precision: Some(Precision::Double) });
        }
    }
    Ok(contents)
}

/// Returns a metadata value as text. A list of numbers or strings becomes a list separated by commas.
fn text(key: &str, value: &Value) -> ParseResult<String> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Array(values) if values.iter().all(|value| !value.is_array()) => {
            Ok(values.iter().map(|value| text(key, value)).collect::<ParseResult<Vec<_>>>()?.join(","))
        }
        _ => Err(format!("metadata entry '{key}' is neither a string, a number nor a boolean")),
    }
}

/// A nested array in row-major order.
#[derive(Default)]
struct FlatArray {
    shape: Vec<usize>,
    values: Vec<f64>,
}

impl FlatArray {
    /// Appends the elements of a value that is nested `depth` arrays deep.
    fn append(&mut self, name: &str, value: &Value, depth: usize) -> ParseResult<()> {
        let Value::Array(rows) = value else {
            if depth != self.shape.len() {
                return Err(format!("{name} is a number where other elements are arrays"));
            }
            self.values.push(number(name, value)?);
            return Ok(());
        };
        match self.shape.get(depth) {
            Some(&length) if length != rows.len() => {
                return Err(format!("{name} has rows of {length} and of {} elements", rows.len()));
            }
            Some(_) => {}
            None if self.values.is_empty() && depth == self.shape.len() && depth < MAX_DIMENSIONS => {
                self.shape.push(rows.len());
            }
            None => return Err(format!("{name} has arrays where other elements are numbers, or too many dimensions")),
        }
        rows.iter().try_for_each(|row| self.append(name, row, depth + 1))
    }
}

fn number(name: &str, value: &Value) -> ParseResult<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::Bool(flag) => Some(f64::from(u8::from(*flag))),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    };
    number.ok_or_else(|| {
        let shown: String = value.to_string().chars().take(40).collect();
        format!("{name} contains {shown}; expected numbers, \"NaN\", \"Infinity\" or \"-Infinity\"")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> String {
        parse(text.as_bytes()).err().unwrap()
    }

    #[test]
    fn json_reader_rejects_arrays_that_are_no_tensors() {
        assert!(message(r#"{"loss": [1, [2]]}"#).contains("arrays where other elements are numbers"));
        assert!(message(r#"{"loss": [[1], 2]}"#).contains("a number where other elements are arrays"));
        assert!(message(r#"{"loss": [[1], [2, 3]]}"#).contains("rows of 1 and of 2 elements"));
        assert!(message(r#"{"loss": "high"}"#).contains("loss contains \"high\"; expected numbers"));
        assert!(message(r#"{"optimizer": {"name": "sgd"}}"#).contains("'optimizer' is neither a string"));
        assert!(message("{1}").contains("not a JSON object"));
        let nested = format!(r#"{{"loss": {}1{}}}"#, "[".repeat(9), "]".repeat(9));
        assert!(message(&nested).contains("too many dimensions"));
        assert!(message(&" ".repeat(MAX_LENGTH + 1)).contains("at most 8388608 are allowed: use safetensors or npz"));
    }

    #[test]
    fn json_reader_accepts_special_numbers_and_lists() {
        let contents = parse(br#"{"loss": ["NaN", "-Infinity", true], "learning_rate": [0.1, 0.2]}"#).unwrap();
        let values: Vec<f64> = contents.tensors["loss"].values.iter().copied().collect();
        assert!(values[0].is_nan() && values[1..] == [f64::NEG_INFINITY, 1.0]);
        assert_eq!(contents.metadata["learning_rate"], "0.1,0.2");
    }
}
