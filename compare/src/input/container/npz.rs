//! `.npz` files, ZIP archives of NumPy arrays.

use std::io::{Cursor, Read};

use half::f16;
use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use npyz::{DType, NpyFile, Order, TypeChar};
use zip::ZipArchive;

use super::{Contents, Entry, Precision, StoredArray};
use crate::input::ParseResult;
use crate::input::identify::foreign_archive;
use crate::input::npy::open_npy;

/// Memory in bytes that all arrays together may take in double precision, unless the file itself is large.
const MAX_MEMORY: u64 = 256 << 20;

/// Memory that the arrays may take as a multiple of the length of the file. Floating-point numbers compress to no less than a
/// tenth.
const MAX_EXPANSION: u64 = 20;

/// Largest length of a text in bytes; NumPy stores four per character.
const MAX_TEXT: u64 = 1 << 23;

/// Number of bytes in which the name of the first member of an archive is searched for.
const START: usize = 200;

/// Name of the pickle in a file by `torch.save`.
const PICKLE_NAME: &[u8] = b"data.pkl";

pub(super) fn parse(bytes: &[u8], entry: fn(&str) -> Entry) -> ParseResult<Contents> {
    // The first member of a file by torch.save is a pickle.
    let start = &bytes[..bytes.len().min(START)];
    let program = if start.windows(PICKLE_NAME.len()).any(|name| name == PICKLE_NAME) { "torch.save" } else { "NumPy" };
    let damaged =
        |error: &dyn std::fmt::Display| format!("not a complete file of {program}: {error}; copy or download it again");
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(|error| damaged(&error))?;
    let members: Vec<_> = archive.file_names().flatten().collect();
    if members.iter().any(|name| !name.ends_with(".npy")) {
        return Err(foreign_archive(&members));
    }
    let mut contents = Contents::default();
    let limit = MAX_MEMORY.max(MAX_EXPANSION.saturating_mul(bytes.len() as u64));
    let mut remaining = limit;
    for index in 0..archive.len() {
        let member = archive.by_index(index).map_err(|error| damaged(&error))?;
        let path = member.name().map_err(|error| damaged(&error))?.into_owned();
        let Some(name) = npyz::npz::array_name_from_file_name(&path).map(str::to_owned) else {
            return Err(foreign_archive(&[path.into()]));
        };
        let length = member.size();
        let file = open_npy(member.take(length)).map_err(|error| format!("{name}: {error}"))?;
        let memory = file.len().saturating_mul(size_of::<f64>() as u64).max(length);
        remaining = remaining.checked_sub(memory).ok_or_else(|| {
            format!("the arrays would take more than {limit} bytes; a file of this length may have at most {limit}")
        })?;
        match entry(&name) {
            Entry::Tensor | Entry::Tensors(_) => {
                contents.tensors.insert(name.clone(), array(&name, file, length)?);
            }
            Entry::Metadata => {
                let value = text(&name, file)?;
                contents.metadata.insert(name, value);
            }
            Entry::Unread | Entry::Group => {
                contents.metadata.insert(name, String::new());
            }
        }
    }
    Ok(contents)
}

/// Returns true if the archive has a pickle, as `torch.save` writes.
#[cfg(feature = "pytorch")]
pub(super) fn has_pickle(bytes: &[u8]) -> bool {
    let archive = ZipArchive::new(Cursor::new(bytes));
    archive.is_ok_and(|archive| archive.file_names().flatten().any(|name| name.ends_with("data.pkl")))
}

/// Returns the type of the elements of an array: its kind, and its size in bytes, or in characters of a string.
fn element_type<R: Read>(name: &str, file: &NpyFile<R>) -> ParseResult<(TypeChar, u64)> {
    match file.dtype() {
        DType::Plain(plain) if !plain.uses_pickled_array() => Ok((plain.type_char(), plain.size_field())),
        _ => Err(format!(
            "{name} has Python objects, such as a list of arrays, or records; expected numbers: save each array under its own \
             name, such as W1, b1, W2, b2"
        )),
    }
}

/// Reads an array of numbers. `length` is the length of its file, which bounds the number of its elements.
fn array<R: Read>(name: &str, file: NpyFile<R>, length: u64) -> ParseResult<StoredArray> {
    let element = element_type(name, &file)?;
    let shape: Vec<usize> = file.shape().iter().map(|&length| usize::try_from(length).unwrap_or(usize::MAX)).collect();
    // The header may claim more elements than there are.
    if file.len().saturating_mul(element.1.max(1)) > length {
        return Err(format!("{name} is truncated: its header claims {} elements", file.len()));
    }
    let is_column_major = file.order() == Order::Fortran;
    let (values, precision) = values(name, file, element)?;
    let shape = IxDyn(&shape).set_f(is_column_major);
    let values = ArrayD::from_shape_vec(shape, values).map_err(|error| format!("{name}: {error}"))?;
    Ok(StoredArray { values: values.as_standard_layout().into_owned(), precision })
}

/// Reads the elements of an array of numbers, and returns the precision of floating-point ones.
fn values<R: Read>(
    name: &str,
    file: NpyFile<R>,
    element: (TypeChar, u64),
) -> ParseResult<(Vec<f64>, Option<Precision>)> {
    macro_rules! elements {
        ($number:ty, $convert:expr, $precision:expr) => {
            file.into_vec::<$number>().map(|values| (values.into_iter().map($convert).collect(), $precision))
        };
    }
    let read = match element {
        (TypeChar::Float, 8) => elements!(f64, |value| value, Some(Precision::Double)),
        (TypeChar::Float, 4) => elements!(f32, f64::from, Some(Precision::Single)),
        (TypeChar::Float, 2) => elements!(f16, f64::from, Some(Precision::Half)),
        (TypeChar::Int, 8) => elements!(i64, |value| value as f64, None),
        (TypeChar::Uint, 8) => elements!(u64, |value| value as f64, None),
        (TypeChar::Int, 4) => elements!(i32, f64::from, None),
        (TypeChar::Uint, 4) => elements!(u32, f64::from, None),
        (TypeChar::Int, 2) => elements!(i16, f64::from, None),
        (TypeChar::Uint, 2) => elements!(u16, f64::from, None),
        (TypeChar::Int, 1) => elements!(i8, f64::from, None),
        (TypeChar::Uint, 1) => elements!(u8, f64::from, None),
        (TypeChar::Bool, _) => elements!(bool, |value| f64::from(u8::from(value)), None),
        _ => return Err(format!("{name} has the NumPy type {}; expected numbers", file.dtype().descr())),
    };
    read.map_err(|error| format!("{name}: {error}"))
}

/// Reads a metadata value: a string, number or boolean, or a list of them, which becomes a list separated by commas.
fn text<R: Read>(key: &str, file: NpyFile<R>) -> ParseResult<String> {
    let (kind, size) = element_type(key, &file)?;
    if kind == TypeChar::UnicodeStr {
        if file.len().saturating_mul(size).saturating_mul(4) > MAX_TEXT {
            return Err(format!("metadata entry '{key}' is too long"));
        }
        let texts = file.into_vec::<String>().map_err(|error| format!("metadata entry '{key}': {error}"))?;
        return Ok(texts.join(","));
    }
    if file.len() > MAX_TEXT {
        return Err(format!("metadata entry '{key}' is too long"));
    }
    let is_bool = kind == TypeChar::Bool;
    let (numbers, _) = values(key, file, (kind, size))?;
    let text = |number: f64| if is_bool { (number != 0.0).to_string() } else { number.to_string() };
    Ok(numbers.into_iter().map(text).collect::<Vec<_>>().join(","))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    /// Returns an archive with one array, whose header has this text, and whose elements are bytes of zero.
    fn archive(name: &str, header: &str, elements: usize) -> Vec<u8> {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file(name, SimpleFileOptions::default()).unwrap();
        let header = format!("{header}\n");
        writer.write_all(b"\x93NUMPY\x01\x00").unwrap();
        writer.write_all(&(header.len() as u16).to_le_bytes()).unwrap();
        writer.write_all(header.as_bytes()).unwrap();
        let zeros = vec![0; 1 << 16];
        for chunk in (0..elements).step_by(zeros.len()) {
            writer.write_all(&zeros[..zeros.len().min(elements - chunk)]).unwrap();
        }
        writer.finish().unwrap().into_inner()
    }

    fn message(bytes: &[u8]) -> String {
        parse(bytes, |_| Entry::Tensor).err().unwrap()
    }

    #[test]
    fn npz_reader_rejects_archives_that_expand_too_much() {
        let header = "{'descr': '|u1', 'fortran_order': False, 'shape': (40000000,), }";
        let bytes = archive("loss.npy", header, 40_000_000);
        assert!(bytes.len() < 1 << 20);
        assert!(message(&bytes).contains("would take more than 268435456 bytes"));
    }

    /// A header of version 2 or 3 may claim up to 4 GB.
    #[test]
    fn npz_reader_rejects_headers_that_claim_too_much() {
        let mut writer = ZipWriter::new(Cursor::new(Vec::new()));
        writer.start_file("loss.npy", SimpleFileOptions::default()).unwrap();
        writer.write_all(b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{'descr': '<f8'").unwrap();
        let bytes = writer.finish().unwrap().into_inner();
        let expected = "loss: its header (version 2) claims 2147483647 bytes; at most 65536 are allowed";
        assert_eq!(message(&bytes), expected);
    }

    #[test]
    fn npz_reader_rejects_damaged_and_foreign_arrays() {
        let header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }";
        assert!(message(&archive("loss.npy", header, 40)).starts_with("loss: "));
        let longer = header.replace("(2, 3)", "(20, 3)");
        assert!(
            message(&archive("loss.npy", &longer, 48)).contains("loss is truncated: its header claims 60 elements")
        );
        assert!(message(&archive("readme.txt", header, 48)).contains("'readme.txt' is not a NumPy array"));
        let objects = "{'descr': '|O', 'fortran_order': False, 'shape': (2,), }";
        assert!(message(&archive("loss.npy", objects, 48)).contains("Python objects"));
        let complex = "{'descr': '<c16', 'fortran_order': False, 'shape': (2,), }";
        assert!(message(&archive("loss.npy", complex, 48)).contains("expected numbers"));
        let bytes = archive("loss.npy", header, 48);
        assert_eq!(parse(&bytes, |_| Entry::Tensor).unwrap().tensors["loss"].values.shape(), [2, 3]);
        assert!(message(&bytes[..bytes.len() - 30]).contains("not a complete file of NumPy"));
        let pickle = archive("network/data.pkl", header, 48);
        assert!(message(&pickle[..pickle.len() - 30]).contains("not a complete file of torch.save"));
    }
}
