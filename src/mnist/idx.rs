//! The IDX format: a magic number (`00 00 08 dd`: unsigned bytes in `dd` dimensions), the big-endian lengths of the
//! dimensions, the bytes. Read strictly: not a byte less, not a byte more.

use std::io::Read;

use flate2::bufread::GzDecoder;

use crate::{Error, Result};

/// What one kind of IDX file must be.
#[derive(Clone, Copy)]
enum Kind {
    Images,
    Labels,
}

impl Kind {
    const fn dimensions(self) -> usize {
        match self {
            Self::Images => 3,
            Self::Labels => 1,
        }
    }

    const fn header_length(self) -> usize {
        4 + 4 * self.dimensions()
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    /// The lengths of the dimensions and of the whole file, header included.
    fn read_header(self, bytes: &[u8], origin: &str) -> Result<(Vec<usize>, usize)> {
        let refused = |reason: String| Err(Error::data(origin, reason));
        let magic = 0x0800 + self.dimensions() as u32;
        if let Some((&found, _)) = bytes.split_first_chunk()
            && u32::from_be_bytes(found) != magic
        {
            let (found, name) = (u32::from_be_bytes(found), self.name());
            return refused(format!("magic number is {found:#010x}; IDX {name} of bytes start with {magic:#010x}"));
        }
        let Some(header) = bytes.get(..self.header_length()) else {
            return refused(format!(
                "is truncated: it has {} bytes, and the header of IDX {} alone has {}",
                bytes.len(),
                self.name(),
                self.header_length()
            ));
        };
        let (words, _) = header.as_chunks::<4>();
        let lengths: Vec<usize> = words[1..].iter().map(|&length| u32::from_be_bytes(length) as usize).collect();
        let total = lengths
            .iter()
            .try_fold(1_usize, |product, &length| product.checked_mul(length))
            .and_then(|product| product.checked_add(self.header_length()));
        match total {
            Some(_) if lengths.contains(&0) => refused(format!("has dimensions {lengths:?}: there is nothing in it")),
            Some(total) => Ok((lengths, total)),
            None => refused(format!("has dimensions {lengths:?}, more than this machine can address")),
        }
    }

    /// The dimensions and the bytes after the header.
    fn read(self, mut bytes: Vec<u8>, origin: &str) -> Result<(Vec<usize>, Vec<u8>)> {
        let (lengths, total) = self.read_header(&bytes, origin)?;
        let found = bytes.len();
        if found < total {
            let reason = format!("is truncated: its header promises {total} bytes, but it has {found}");
            return Err(Error::data(origin, reason));
        }
        if found > total {
            let reason = format!("has {} bytes after its end; its header promises {total} in all", found - total);
            return Err(Error::data(origin, reason));
        }
        bytes.drain(..self.header_length());
        Ok((lengths, bytes))
    }
}

/// Images: their pixels, and their number, rows and columns.
///
/// # Errors
///
/// [`Error::Data`] if the file is not exactly an IDX file of images; `origin` names it there.
pub fn images(bytes: Vec<u8>, origin: &str) -> Result<(Vec<u8>, [usize; 3])> {
    let (lengths, pixels) = Kind::Images.read(bytes, origin)?;
    let [count, rows, columns] = lengths[..] else {
        return Err(Error::data(origin, "does not have three dimensions"));
    };
    Ok((pixels, [count, rows, columns]))
}

/// Labels.
///
/// # Errors
///
/// [`Error::Data`] if the file is not exactly an IDX file of labels; `origin` names it there.
pub fn labels(bytes: Vec<u8>, origin: &str) -> Result<Vec<u8>> {
    Ok(Kind::Labels.read(bytes, origin)?.1)
}

/// The IDX file inside `bytes`, which are gzip or the file itself. What it unpacks to is never longer than its own
/// header promises.
///
/// # Errors
///
/// [`Error::Data`] if the gzip stream is broken, or its content is no IDX file of this kind; `origin` names it there.
pub fn unpack(bytes: Vec<u8>, is_images: bool, origin: &str) -> Result<Vec<u8>> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes);
    }
    let kind = if is_images { Kind::Images } else { Kind::Labels };
    let broken = |error| Error::data(origin, format!("the gzip stream is broken ({error}); is the file truncated?"));
    let mut rest = bytes.as_slice();
    let mut decoder = GzDecoder::new(&mut rest);
    let mut unpacked = Vec::new();
    let header_length = kind.header_length();
    decoder.by_ref().take(header_length as u64).read_to_end(&mut unpacked).map_err(broken)?;
    let (_, total) = kind.read_header(&unpacked, origin)?;
    // One byte more than promised, so that the stream's end and checksum are reached, or trailing bytes found.
    decoder.by_ref().take((total - header_length) as u64 + 1).read_to_end(&mut unpacked).map_err(broken)?;
    if unpacked.len() <= total && !rest.is_empty() {
        return Err(Error::data(origin, format!("has {} bytes after the end of its gzip stream", rest.len())));
    }
    Ok(unpacked)
}
