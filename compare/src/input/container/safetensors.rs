//! Safetensors files.

use half::{bf16, f16};
use mlp_parity::Scalar;
use mlp_parity::storage::deserialize;
use ndarray::{ArrayD, IxDyn};
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::{Contents, Precision, StoredArray};
use crate::input::ParseResult;

pub(super) fn parse(bytes: &[u8]) -> ParseResult<Contents> {
    let (tensors, metadata) = deserialize(bytes)?;
    let mut contents = Contents { metadata: metadata.into_iter().collect(), ..Contents::default() };
    for (name, tensor) in tensors.tensors() {
        let (values, precision) = values(&name, &tensor)?;
        let values =
            ArrayD::from_shape_vec(IxDyn(tensor.shape()), values).map_err(|error| format!("{name}: {error}"))?;
        contents.tensors.insert(name, StoredArray { values, precision });
    }
    Ok(contents)
}

/// Returns the elements of a tensor, and the precision of floating-point numbers.
fn values(name: &str, tensor: &TensorView<'_>) -> ParseResult<(Vec<f64>, Option<Precision>)> {
    macro_rules! integers {
        ($integer:ty) => {{
            let (values, _) = tensor.data().as_chunks();
            (values.iter().map(|&value| <$integer>::from_le_bytes(value) as f64).collect(), None)
        }};
    }
    let halves =
        |convert: fn([u8; 2]) -> f64| tensor.data().as_chunks().0.iter().map(|&value| convert(value)).collect();
    Ok(match tensor.dtype() {
        Dtype::F64 => (<f64 as Scalar>::from_le_bytes(tensor.data()), Some(Precision::Double)),
        Dtype::F32 => {
            let values = <f32 as Scalar>::from_le_bytes(tensor.data());
            (values.into_iter().map(f64::from).collect(), Some(Precision::Single))
        }
        Dtype::F16 => (halves(|value| f16::from_le_bytes(value).to_f64()), Some(Precision::Half)),
        Dtype::BF16 => (halves(|value| bf16::from_le_bytes(value).to_f64()), Some(Precision::Bfloat16)),
        Dtype::BOOL | Dtype::U8 => integers!(u8),
        Dtype::I8 => integers!(i8),
        Dtype::I16 => integers!(i16),
        Dtype::U16 => integers!(u16),
        Dtype::I32 => integers!(i32),
        Dtype::U32 => integers!(u32),
        Dtype::I64 => integers!(i64),
        Dtype::U64 => integers!(u64),
        other => {
            return Err(format!(
                "{name} has type {other:?}; expected F64, F32, F16 or BF16, or an integer type for labels"
            ));
        }
    })
}
