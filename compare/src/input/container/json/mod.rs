//! JSON files, which programs in C or JavaScript can print. Numbers go directly into the tensors, so that a file takes
//! little more memory than its length. The names of nested objects are joined by points: `layers.0.weights`.

mod elements;
mod text;

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use self::elements::{Elements, FlatArray, TensorList};
use self::text::Text;
use super::{Contents, Entry};
use crate::input::ParseResult;

/// Largest length of a JSON file in bytes.
const MAX_LENGTH: usize = 128 << 20;

/// Largest length of a name in bytes, with the names of the objects around it.
const MAX_NAME: usize = 4096;

/// The name of a file that is a list of objects.
const LIST: &str = "layers";

/// Bytes before and after the place of an error that are searched for NaN.
const SURROUNDINGS: usize = 12;

pub(super) fn parse(bytes: &[u8], entry: fn(&str) -> Entry) -> ParseResult<Contents> {
    if bytes.len() > MAX_LENGTH {
        let length = bytes.len();
        return Err(format!(
            "the JSON file has {length} bytes; at most {MAX_LENGTH} are allowed: use safetensors or npz"
        ));
    }
    let mut contents = Contents::default();
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let is_list = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let read = if is_list {
        let list = Value { name: LIST, dimensions: None, entry, contents: &mut contents };
        deserializer.deserialize_seq(list).map(|_| ())
    } else {
        deserializer.deserialize_map(Object { path: "", entry, contents: &mut contents })
    };
    read.and_then(|()| deserializer.end()).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => error.to_string(),
        _ => format!("not a JSON object: {error}{}", cure(bytes, &error)),
    })?;
    Ok(contents)
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

/// An object of the file, with the meaning of the names in it.
struct Object<'a> {
    /// The names of the objects around it, each followed by a point.
    path: &'a str,
    entry: fn(&str) -> Entry,
    contents: &'a mut Contents,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object with tensors and metadata")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { path, entry, contents } = self;
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            let name = format!("{path}{key}");
            if name.len() > MAX_NAME {
                return Err(A::Error::custom(format_args!("a name is longer than {MAX_NAME} bytes")));
            }
            if !keys.insert(key) || contents.tensors.contains_key(&name) {
                return Err(A::Error::custom(format_args!("'{name}' occurs twice")));
            }
            match entry(&name) {
                Entry::Tensor => {
                    let mut array = FlatArray::default();
                    map.next_value_seed(Elements { name: &name, array: &mut array, depth: 0 })?;
                    contents.tensors.insert(name, array.into_stored().map_err(A::Error::custom)?);
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
                meaning @ (Entry::Tensors(_) | Entry::Group) => {
                    let dimensions = if let Entry::Tensors(dimensions) = meaning { Some(dimensions) } else { None };
                    let is_read =
                        map.next_value_seed(Value { name: &name, dimensions, entry, contents: &mut *contents })?;
                    if !is_read {
                        contents.metadata.insert(name, String::new());
                    }
                }
            }
        }
        Ok(())
    }
}

/// A value that may have tensors in it. Returns true if it has objects or tensors.
struct Value<'a> {
    name: &'a str,
    /// The number of dimensions of a tensor if lists are tensors; `None` if only objects are read.
    dimensions: Option<usize>,
    entry: fn(&str) -> Entry,
    contents: &'a mut Contents,
}

impl<'de> DeserializeSeed<'de> for Value<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Value<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_unit<E: Error>(self) -> Result<bool, E> {
        Ok(false)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<bool, A::Error> {
        let Self { name, dimensions, entry, contents } = self;
        if let Some(dimensions) = dimensions {
            let tensors = TensorList::read(name, values)?.named(dimensions).map_err(A::Error::custom)?;
            contents.tensors.extend(tensors);
            return Ok(true);
        }
        let mut is_read = false;
        for index in 0.. {
            let name = format!("{name}.{index}");
            match values.next_element_seed(Value { name: &name, dimensions, entry, contents: &mut *contents })? {
                Some(found) => is_read |= found,
                None => break,
            }
        }
        Ok(is_read)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<bool, A::Error> {
        let Self { name, entry, contents, .. } = self;
        Object { path: &format!("{name}."), entry, contents }.visit_map(map)?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::text::MAX_TEXT;
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
