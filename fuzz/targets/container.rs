//! Mutations of a safetensors file that mostly leave it one: lengths and offsets that no longer fit would be refused
//! before the readers saw anything.

use libfuzzer_sys::fuzzer_mutate;
use safetensors::tensor::TensorInfo;
use serde_json::{Map, Value, json};

/// Every other mutation is libFuzzer's own, of the whole file; the others are of the header.
pub(crate) fn mutate(bytes: &mut [u8], size: usize, most: usize, seed: u32) -> usize {
    let mutated = if seed.is_multiple_of(2) { mutate_header(&bytes[..size], most) } else { None };
    match mutated {
        Some(mutated) => {
            bytes[..mutated.len()].copy_from_slice(&mutated);
            mutated.len()
        }
        None => fuzzer_mutate(bytes, size, most),
    }
}

/// The file with another header and data of the length that it says, or `None` if there is no such file.
fn mutate_header(bytes: &[u8], most: usize) -> Option<Vec<u8>> {
    let (&length, rest) = bytes.split_first_chunk()?;
    let (header, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(length)).ok()?)?;
    let mut mutated = header.to_vec();
    mutated.resize(most.max(header.len()), 0);
    let length = fuzzer_mutate(&mut mutated, header.len(), most);
    let mut header: Map<String, Value> = serde_json::from_slice(&mutated[..length]).ok()?;
    let mut end = 0_usize;
    for (_, tensor) in header.iter_mut().filter(|(name, _)| *name != "__metadata__") {
        let TensorInfo { dtype, shape, .. } = serde_json::from_value(tensor.clone()).ok()?;
        let length = shape.iter().try_fold(dtype.bitsize() / 8, |product, &length| product.checked_mul(length))?;
        tensor["data_offsets"] = json!([end, end.checked_add(length)?]);
        end += length;
    }
    let header = serde_json::to_vec(&header).ok()?;
    if size_of::<u64>().checked_add(header.len())?.checked_add(end)? > most {
        return None;
    }
    let mut data = data.to_vec();
    data.resize(end, 0);
    Some([(header.len() as u64).to_le_bytes().as_slice(), &header, &data].concat())
}
