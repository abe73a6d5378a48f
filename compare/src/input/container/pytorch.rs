//! Files written by `torch.save`. The code in their pickles is never run.

use std::path::Path;

use half::{bf16, f16};
use ndarray::{ArrayD, IxDyn};
use pytorch_reader::{DType, PytorchReader, Tensor};

use super::{Contents, Precision, StoredArray};
use crate::input::ParseResult;
use crate::input::identify::PICKLE;

/// Largest length of all tensors together as a multiple of the length of the file. A tensor may be a view that repeats its
/// elements, and parameters that are shared are stored once.
const MAX_EXPANSION: u64 = 4;

/// Advice on converting an estimator of scikit-learn.
const SCIKIT_LEARN: &str = "the file is a pickled estimator of scikit-learn; in Python: numpy.savez('network.npz', \
     *[array for layer in zip(model.coefs_, model.intercepts_) for array in layer])";

/// Reads all tensors of a file, named by their path through the saved dictionaries.
///
/// # Errors
///
/// A message if the file is damaged, or contains other tensors than PyTorch's plain ones.
pub(super) fn read(path: &Path, length: u64) -> ParseResult<Contents> {
    let damaged = |error: &dyn std::fmt::Display| {
        if error.to_string().contains("sklearn.") {
            return SCIKIT_LEARN.to_owned();
        }
        format!(
            "the file is damaged, or does not contain a dictionary of tensors that torch.save wrote ({error}); if it is \
             complete, {PICKLE}"
        )
    };
    let tensors = PytorchReader::new(path).map_err(|error| damaged(&error))?.into_tensors();
    if tensors.is_empty() {
        return Err(format!("the file is a pickle that contains no PyTorch tensors; {PICKLE}"));
    }
    let total = tensors.values().fold(0_u64, |sum, tensor| sum.saturating_add(tensor.byte_len() as u64));
    if total > length.saturating_mul(MAX_EXPANSION) {
        return Err(format!(
            "its tensors would take {total} bytes, more than {MAX_EXPANSION} times the length of the file"
        ));
    }
    let mut contents = Contents::default();
    for (name, tensor) in tensors {
        let bytes = tensor.read().map_err(|error| damaged(&error))?;
        let array = array(&tensor, &bytes).map_err(|error| format!("{name}: {error}"))?;
        contents.tensors.insert(name, array);
    }
    Ok(contents)
}

/// Converts the bytes of a tensor, which are in the byte order of this machine.
fn array(tensor: &Tensor, bytes: &[u8]) -> Result<StoredArray, ndarray::ShapeError> {
    macro_rules! elements {
        ($number:ty, $convert:expr, $precision:expr) => {
            (bytes.as_chunks().0.iter().map(|&value| $convert(<$number>::from_ne_bytes(value))).collect(), $precision)
        };
    }
    let (values, precision): (Vec<f64>, _) = match tensor.dtype() {
        DType::F64 => elements!(f64, |value| value, Some(Precision::Double)),
        DType::F32 => elements!(f32, f64::from, Some(Precision::Single)),
        DType::F16 => elements!(f16, f64::from, Some(Precision::Half)),
        DType::BF16 => elements!(bf16, f64::from, Some(Precision::Bfloat16)),
        DType::I64 => elements!(i64, |value| value as f64, None),
        DType::U64 => elements!(u64, |value| value as f64, None),
        DType::I32 => elements!(i32, f64::from, None),
        DType::U32 => elements!(u32, f64::from, None),
        DType::I16 => elements!(i16, f64::from, None),
        DType::U16 => elements!(u16, f64::from, None),
        DType::I8 => elements!(i8, f64::from, None),
        DType::U8 | DType::Bool => elements!(u8, f64::from, None),
    };
    Ok(StoredArray { values: ArrayD::from_shape_vec(IxDyn(tensor.shape()), values)?, precision })
}
