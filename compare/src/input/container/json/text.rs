//! Metadata values in JSON.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

/// Largest length of a metadata value in bytes.
pub(super) const MAX_TEXT: usize = 1 << 20;

/// Appends a metadata value to `text`. A list becomes a list separated by commas.
pub(super) struct Text<'a> {
    pub(super) key: &'a str,
    pub(super) text: &'a mut String,
    pub(super) is_element: bool,
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

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
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
