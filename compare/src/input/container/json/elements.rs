//! Tensors in JSON: nested lists of numbers.

use std::fmt;

use ndarray::{ArrayD, IxDyn, ShapeError};
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};

use crate::input::container::StoredArray;

/// Largest number of dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;

/// Largest number of tensors in a list.
const MAX_TENSORS: usize = 1000;

/// A nested array in row-major order.
#[derive(Default)]
pub(super) struct FlatArray {
    /// The number of elements in each dimension; `None` where the first list has not ended.
    shape: Vec<Option<usize>>,
    values: Vec<f64>,
}

impl FlatArray {
    /// Returns the array. Numbers in JSON have no precision.
    pub(super) fn into_stored(self) -> Result<StoredArray, ShapeError> {
        let shape: Vec<usize> = self.shape.iter().map(|length| length.unwrap_or(0)).collect();
        Ok(StoredArray { values: ArrayD::from_shape_vec(IxDyn(&shape), self.values)?, precision: None })
    }
}

/// The elements of a list, which are the rows of one tensor, or a tensor each.
pub(super) struct TensorList<'a> {
    name: &'a str,
    /// The values of all elements.
    values: Vec<f64>,
    /// The shapes of the elements, with the number of elements in succession that have this shape.
    shapes: Vec<(Vec<usize>, usize)>,
}

impl<'a> TensorList<'a> {
    /// Reads a list. `name` is its name.
    pub(super) fn read<'de, A: SeqAccess<'de>>(name: &'a str, mut list: A) -> Result<Self, A::Error> {
        let mut shapes: Vec<(Vec<usize>, usize)> = Vec::new();
        let mut values = Vec::new();
        let mut element = FlatArray::default();
        while list.next_element_seed(Elements { name, array: &mut element, depth: 0 })?.is_some() {
            values.append(&mut element.values);
            let shape: Vec<usize> = element.shape.drain(..).map(|length| length.unwrap_or(0)).collect();
            if let Some((_, count)) = shapes.last_mut().filter(|(last, _)| *last == shape) {
                *count += 1;
                continue;
            }
            if shapes.len() == MAX_TENSORS {
                return Err(A::Error::custom(format_args!("{name} has elements of more than {MAX_TENSORS} shapes")));
            }
            shapes.push((shape, 1));
        }
        Ok(Self { name, values, shapes })
    }

    /// Returns the tensors with their names. `dimensions` is the number of dimensions of one tensor.
    ///
    /// # Errors
    ///
    /// A message if the elements are rows of different lengths, or too many tensors.
    pub(super) fn named(self, dimensions: usize) -> Result<Vec<(String, StoredArray)>, String> {
        let Self { name, mut values, shapes } = self;
        let stored = |shape: &[usize], values: Vec<f64>| -> Result<StoredArray, String> {
            let array = ArrayD::from_shape_vec(IxDyn(shape), values).map_err(|error| format!("{name}: {error}"))?;
            Ok(StoredArray { values: array, precision: None })
        };
        let count: usize = shapes.iter().map(|(_, count)| count).sum();
        // A vector may be a column.
        let is_row = |shape: &[usize]| shape.len() < dimensions || dimensions == 1 && shape == [1];
        if shapes.iter().all(|(shape, _)| is_row(shape)) {
            if let [(one, _), (other, _), ..] = &shapes[..] {
                let lengths = [one, other].map(|shape| shape.first().copied().unwrap_or(1));
                return Err(format!("{name} has rows of {} and of {} elements", lengths[0], lengths[1]));
            }
            let row = shapes.first().map_or(&[][..], |(shape, _)| shape);
            return Ok(vec![(name.to_owned(), stored(&[&[count], row].concat(), values)?)]);
        }
        if count > MAX_TENSORS {
            return Err(format!("{name} has {count} tensors; at most {MAX_TENSORS} are allowed"));
        }
        let (parent, leaf) = name.rfind('.').map_or(("", name), |point| name.split_at(point + 1));
        let shapes = shapes.iter().flat_map(|(shape, count)| std::iter::repeat_n(shape, *count)).enumerate();
        let tensor = |(index, shape): (usize, &Vec<usize>)| {
            // The list of a single tensor is that tensor.
            let name =
                if count == 1 { name.to_owned() } else { format!("{parent}{index}.{}", leaf.trim_end_matches('_')) };
            let rest = values.split_off(shape.iter().product::<usize>().min(values.len()));
            Ok((name, stored(shape, std::mem::replace(&mut values, rest))?))
        };
        shapes.map(tensor).collect()
    }
}

/// Appends the elements of a value that is nested `depth` lists deep.
pub(super) struct Elements<'a> {
    pub(super) name: &'a str,
    pub(super) array: &'a mut FlatArray,
    pub(super) depth: usize,
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
