//! Headers of IDX files.

use super::element::{Element, Kind, magic};
use super::foreign;
use crate::{Error, Result};

/// The header of an IDX file.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) element: Element,
    /// Length of each dimension.
    pub(super) dimensions: Vec<usize>,
    /// Length in bytes of the whole file, including the header, that follows from the dimensions.
    pub(super) total: usize,
}

impl Header {
    /// Returns the length of the header in bytes: the magic number and four bytes per dimension.
    pub(super) fn length(&self) -> usize {
        4 + 4 * self.dimensions.len()
    }

    /// Parses the header at the start of `bytes`. `expected` is the kind of file that a message asks for.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the bytes are not the header of an IDX file, a dimension is 0, or the length of the file exceeds the
    /// address space. Files in other formats are identified.
    pub(super) fn parse(bytes: &[u8], expected: Kind, origin: &str) -> Result<Self> {
        let invalid = |reason: String| Err(Error::data(origin, reason));
        let Some((element, count)) = magic(bytes) else {
            if bytes.starts_with(&foreign::GZIP) {
                return invalid(format!("the file is {}", foreign::TWICE));
            }
            if let Some(description) = foreign::identify(bytes) {
                return invalid(format!("the file is {description}"));
            }
            let (name, magic) = (expected.name(), expected.magic());
            let found = match bytes.first_chunk() {
                Some(&found) => format!("magic number is {:#010x}", u32::from_be_bytes(found)),
                None => format!("truncated file: {} bytes", bytes.len()),
            };
            return invalid(format!("{found}, but an IDX file of {name} starts with {magic:#010x}"));
        };
        let (words, _) = bytes.get(4..).unwrap_or_default().as_chunks::<4>();
        let dimensions: Vec<usize> =
            words.iter().take(count).map(|&length| u32::from_be_bytes(length) as usize).collect();
        if dimensions.len() < count {
            let length = 4 + 4 * count;
            return invalid(format!(
                "truncated file: {} bytes, but the header of an IDX file with {count} dimensions has {length} bytes",
                bytes.len()
            ));
        }
        if dimensions.contains(&0) {
            return invalid(format!("dimensions are {dimensions:?}; each must be at least 1"));
        }
        let total = dimensions
            .iter()
            .try_fold(element.size(), |product, &length| product.checked_mul(length))
            .and_then(|product| product.checked_add(4 + 4 * count));
        match total {
            Some(total) => Ok(Self { element, dimensions, total }),
            None => invalid(format!("dimensions {dimensions:?} exceed the address space of this machine")),
        }
    }
}
