//! JSON files, which programs in C or JavaScript can print. Numbers go directly into the tensors, so that a file takes
//! little more memory than its length.

use std::fmt;

use ndarray::{ArrayD, IxDyn};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Contents, Entry, StoredArray};
use crate::input::ParseResult;

/// Largest length of a JSON file in bytes.
const MAX_LENGTH: usize = 128 << 20;

/// Largest length of a metadata value in bytes.
const MAX_TEXT: usize = 1 << 20;

/// Largest number of dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// Bytes before and after the place of an error that are searched for NaN.
const SURROUNDINGS: usize = 12;

pub(super) fn parse(bytes: &[u8], entry: fn(&str) -> Entry) -> ParseResult<Contents> {
    if bytes.len() > MAX_LENGTH {
        let length = bytes.len();
        return Err(format!(
            "the JSON file has {length} bytes; at most {MAX_LENGTH} are allowed: use safetensors or npz"
        ));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let contents =
        deserializer.deserialize_map(Entries { entry }).and_then(|contents| deserializer.end().map(|()| contents));
    contents.map_err(|error| match error.classify() {
        serde_json::error::Category::Data => error.to_string(),
        _ => format!("not a JSON object: {error}{}", cure(bytes, &error)),
    })
}

/// Returns advice if the place of a syntax error contains NaN or infinity.
fn cure(bytes: &[u8], error: &serde_json::Error) -> &'static str {
    let line = bytes.split(|&byte| byte == b'\n').nth(error.line().saturating_sub(1)).unwrap_or_default();
    let place = error.column().min(line.len());
    let end = (place + SURROUNDINGS).min(line.len());
    let text = String::from_utf8_lossy(&line[place.saturating_sub(SURROUNDINGS)..end]).to_lowercase();
    if text.contains("nan") || text.contains("inf") {
        "; JSON has no such numbers: write them as the strings \"NaN\", \"Infinity\" and \"-Infinity\""
    } else {
        ""
    }
}

/// The entries of the file, with the meaning of their names.
struct Entries {
    entry: fn(&str) -> Entry,
}

impl<'de> Visitor<'de> for Entries {
    type Value = Contents;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with tensors and metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Contents, A::Error> {
        let mut contents = Contents::default();
        while let Some(name) = map.next_key::<String>()? {
            let is_duplicate = contents.metadata.contains_key(&name) || contents.tensors.contains_key(&name);
            if is_duplicate {
                return Err(A::Error::custom(format_args!("'{name}' occurs twice")));
            }
            match (self.entry)(&name) {
                Entry::Tensor => {
                    let mut array = FlatArray::default();
                    map.next_value_seed(Elements { name: &name, array: &mut array, depth: 0 })?;
                    let shape: Vec<usize> = array.shape.iter().map(|length| length.unwrap_or(0)).collect();
                    let values = ArrayD::from_shape_vec(IxDyn(&shape), array.values).map_err(A::Error::custom)?;
                    contents.tensors.insert(name, StoredArray { values, precision: None });
                }
                Entry::Metadata => {
                    let mut text = String::new();
                    map.next_value_seed(Text { key: &name, text: &mut text, is_element: false })?;
                    contents.metadata.insert(name, text);
                }
                Entry::Unread => {
                    map.next_value::<IgnoredAny>()?;
                    contents.metadata.insert(name, String::new());
                }
            }
        }
        Ok(contents)
    }
}

/// Appends a metadata value to `text`. A list becomes a list separated by commas.
struct Text<'a> {
    key: &'a str,
    text: &'a mut String,
    is_element: bool,
}

impl Text<'_> {
    fn append<E: Error>(self, value: impl fmt::Display) -> Result<(), E> {
        let value = value.to_string();
        if self.text.len() + value.len() > MAX_TEXT {
            return Err(E::custom(format_args!("metadata entry '{}' is longer than {MAX_TEXT} bytes", self.key)));
        }
        self.text.push_str(&value);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Text<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Text<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "a string, number or boolean, or a list of them, as metadata entry '{}'", self.key)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.append(value)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.append(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.append(value)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.append(value)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.append(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        let Self { key, text, is_element } = self;
        if is_element {
            return Err(A::Error::custom(format_args!("metadata entry '{key}' is a list of lists")));
        }
        let mut text_length = text.len();
        while values.next_element_seed(Text { key, text: &mut *text, is_element: true })?.is_some() {
            text_length = text.len();
            text.push(',');
        }
        text.truncate(text_length);
        Ok(())
    }
}

/// A nested array in row-major order.
#[derive(Default)]
struct FlatArray {
    /// The number of elements in each dimension; `None` where the first list has not ended.
    shape: Vec<Option<usize>>,
    values: Vec<f64>,
}

/// Appends the elements of a value that is nested `depth` lists deep.
struct Elements<'a> {
    name: &'a str,
    array: &'a mut FlatArray,
    depth: usize,
}

impl Elements<'_> {
    fn append<E: Error>(self, value: f64) -> Result<(), E> {
        if self.depth != self.array.shape.len() {
            return Err(E::custom(format_args!("{} has a number where other elements are lists", self.name)));
        }
        self.array.values.push(value);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "numbers, \"NaN\", \"Infinity\" or \"-Infinity\" in {}", self.name)
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.append(value)
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.append(value as f64)
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.append(value as f64)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.append(f64::from(u8::from(value)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        match text {
            "NaN" => self.append(f64::NAN),
            "Infinity" => self.append(f64::INFINITY),
            "-Infinity" => self.append(f64::NEG_INFINITY),
            _ => {
                let shown: String = text.chars().take(40).collect();
                let error = E::invalid_value(serde::de::Unexpected::Str(&shown), &self);
                if self.name == "loss" {
                    return Err(E::custom(format_args!("{error}; the metadata key is 'loss_function'")));
                }
                Err(error)
            }
        }
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut rows: A) -> Result<(), A::Error> {
        let Self { name, array, depth } = self;
        if depth == array.shape.len() {
            if !array.values.is_empty() || depth == MAX_DIMENSIONS {
                return Err(A::Error::custom(format_args!(
                    "{name} has lists where other elements are numbers, or more than {MAX_DIMENSIONS} dimensions"
                )));
            }
            array.shape.push(None);
        }
        let mut count = 0;
        while rows.next_element_seed(Elements { name, array: &mut *array, depth: depth + 1 })?.is_some() {
            count += 1;
        }
        match array.shape.get_mut(depth) {
            Some(length @ None) => *length = Some(count),
            Some(&mut Some(length)) if length != count => {
                return Err(A::Error::custom(format_args!("{name} has rows of {length} and of {count} elements")));
            }
            _ => {}
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(name: &str) -> Entry {
        match name {
            "learning_rate" | "optimizer" | "activation" | "nesterov" => Entry::Metadata,
            "other" => Entry::Unread,
            _ => Entry::Tensor,
        }
    }

    fn message(text: &str) -> String {
        parse(text.as_bytes(), entry).err().unwrap()
    }

    #[test]
    fn json_reader_rejects_arrays_that_are_no_tensors() {
        assert!(message(r#"{"loss": [1, [2]]}"#).contains("lists where other elements are numbers"));
        assert!(message(r#"{"loss": [[1], 2]}"#).contains("a number where other elements are lists"));
        assert!(message(r#"{"loss": [[], 2]}"#).contains("a number where other elements are lists"));
        assert!(message(r#"{"loss": [[1], [2, 3]]}"#).contains("rows of 1 and of 2 elements"));
        assert!(message(r#"{"loss": [[[1], [2]], [[1]]]}"#).contains("rows of 2 and of 1 elements"));
        assert!(message(r#"{"logits": "high"}"#).contains("\"high\", expected numbers, \"NaN\""));
        assert!(message(r#"{"loss": "mse"}"#).contains("the metadata key is 'loss_function'"));
        assert!(message(r#"{"loss": {"mean": 1}}"#).contains("expected numbers, \"NaN\", \"Infinity\""));
        let nested = format!(r#"{{"loss": {}1{}}}"#, "[".repeat(9), "]".repeat(9));
        assert!(message(&nested).contains("more than 8 dimensions"));
        assert!(message(&" ".repeat(MAX_LENGTH + 1)).contains("at most 134217728 are allowed: use safetensors or npz"));
    }

    #[test]
    fn json_reader_rejects_other_text() {
        assert!(message("{1}").contains("not a JSON object"));
        assert!(message(r#"{"loss": 1} epoch 1"#).contains("not a JSON object: trailing characters"));
        assert!(message(r#"{"loss": 1, "loss": 2}"#).contains("'loss' occurs twice"));
        for number in ["NaN", "-nan", "inf", "-Infinity"] {
            let text = format!("{{\"logits\":\n [[0.25, {number}]]}}");
            assert!(message(&text).contains("write them as the strings"), "{}", message(&text));
        }
        assert!(!message(r#"{"loss": [1, }"#).contains("strings"));
    }

    #[test]
    fn json_reader_rejects_metadata_that_are_no_values() {
        assert!(message(r#"{"optimizer": {"name": "sgd"}}"#).contains("as metadata entry 'optimizer'"));
        assert!(message(r#"{"learning_rate": [[0.1]]}"#).contains("'learning_rate' is a list of lists"));
        let long = format!(r#"{{"learning_rate": [{}1]}}"#, "1,".repeat(MAX_TEXT));
        assert!(message(&long).contains("'learning_rate' is longer than 1048576 bytes"));
    }

    #[test]
    fn json_reader_accepts_special_numbers_and_lists() {
        let text = br#"{"loss": ["NaN", "-Infinity", true], "learning_rate": [0.1, 0.2], "activation": ["relu"],
            "nesterov": true, "logits": [], "gradient.a.bias": [[[1, 2]], [[3.5, -4]]], "other": {"any": [null]}}"#;
        let contents = parse(text, entry).unwrap();
        let values = |name: &str| contents.tensors[name].values.iter().copied().collect::<Vec<f64>>();
        assert!(values("loss")[0].is_nan() && values("loss")[1..] == [f64::NEG_INFINITY, 1.0]);
        assert_eq!(contents.tensors["gradient.a.bias"].values.shape(), [2, 1, 2]);
        assert_eq!(values("gradient.a.bias"), [1.0, 2.0, 3.5, -4.0]);
        assert_eq!(contents.tensors["logits"].values.shape(), [0]);
        let entries = ["learning_rate", "activation", "nesterov", "other"].map(|key| contents.metadata[key].as_str());
        assert_eq!(entries, ["0.1,0.2", "relu", "true", ""]);
    }
}
