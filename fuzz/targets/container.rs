//! A custom mutator for safetensors files. It repairs the header after a mutation, because a file with wrong lengths or
//! offsets would be rejected before the code under test sees its contents.

use libfuzzer_sys::fuzzer_mutate;
use safetensors::tensor::TensorInfo;
use serde_json::{Map, Value, json};

/// Mutates the first `size` bytes of `bytes` in place and returns the new size, at most `max_size`. Even seeds mutate
/// the header and repair it; odd seeds, and files without a valid header, use libFuzzer's default mutation of the whole
/// file.
pub(crate) fn mutate(bytes: &mut [u8], size: usize, max_size: usize, seed: u32) -> usize {
    let mutated = if seed.is_multiple_of(2) { mutate_header(&bytes[..size], max_size) } else { None };
    match mutated {
        Some(mutated) => {
            bytes[..mutated.len()].copy_from_slice(&mutated);
            mutated.len()
        }
        None => fuzzer_mutate(bytes, size, max_size),
    }
}

/// Returns the file with a mutated header, consistent offsets, and data of the matching length. Returns `None` if the
/// header is invalid before or after the mutation, or the file would be longer than `max_size`.
fn mutate_header(bytes: &[u8], max_size: usize) -> Option<Vec<u8>> {
    let (&length, rest) = bytes.split_first_chunk()?;
    let (header, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(length)).ok()?)?;
    let mut mutated = header.to_vec();
    mutated.resize(max_size.max(header.len()), 0);
    let length = fuzzer_mutate(&mut mutated, header.len(), max_size);
    let mut header: Map<String, Value> = serde_json::from_slice(&mutated[..length]).ok()?;
    // Place the tensors one after another, as the format requires.
    let mut end = 0_usize;
    for (_, tensor) in header.iter_mut().filter(|(name, _)| *name != "__metadata__") {
        let TensorInfo { dtype, shape, .. } = serde_json::from_value(tensor.clone()).ok()?;
        let length = shape.iter().try_fold(dtype.bitsize() / 8, |product, &length| product.checked_mul(length))?;
        tensor["data_offsets"] = json!([end, end.checked_add(length)?]);
        end += length;
    }
    let header = serde_json::to_vec(&header).ok()?;
    if size_of::<u64>().checked_add(header.len())?.checked_add(end)? > max_size {
        return None;
    }
    let mut data = data.to_vec();
    data.resize(end, 0);
    Some([(header.len() as u64).to_le_bytes().as_slice(), &header, &data].concat())
}
