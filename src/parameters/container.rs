//! Tensors and metadata in a safetensors file, in PyTorch's names and layout.

use std::collections::{HashMap, HashSet};

use ndarray::{Array1, Array2, ArrayView2, ArrayViewD};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;

use super::{Layer, Parameters, layer_name};
use crate::{Error, Result, Scalar};

/// All metadata stand under one key: the container keeps its metadata in a hash map, and with two keys the same
/// parameters would not give the same bytes twice.
const METADATA_KEY: &str = "mlp_parity";

/// A tensor of a file: its name, its shape, its bytes.
pub(crate) type NamedTensor = (String, Vec<usize>, Vec<u8>);

/// The tensors of a file that has these parameters, each name with this prefix.
pub(crate) fn tensors<F: Scalar>(parameters: &Parameters<F>, prefix: &str) -> Vec<NamedTensor> {
    let tensor = |(name, values): (String, ArrayViewD<'_, F>)| {
        let mut bytes = Vec::with_capacity(values.len() * size_of::<F>());
        // Reversed axes, row by row: [inputs, outputs] in memory is [outputs, inputs] in the file.
        values.t().iter().for_each(|value| value.extend_le_bytes(&mut bytes));
        (format!("{prefix}{name}"), values.t().shape().to_vec(), bytes)
    };
    parameters.tensors().map(tensor).collect()
}

/// The bytes of a file with these tensors of numbers of type `F`, and metadata under the one key.
pub(crate) fn serialize<F: Scalar>(tensors: &[NamedTensor], metadata: Option<String>) -> Result<Vec<u8>> {
    let refused = |error: &dyn std::fmt::Display| Error::parameters("parameters", error.to_string());
    let mut views = Vec::with_capacity(tensors.len());
    for (name, shape, bytes) in tensors {
        let view = TensorView::new(F::DTYPE, shape.clone(), bytes).map_err(|error| refused(&error))?;
        views.push((name.as_str(), view));
    }
    let metadata = metadata.map(|metadata| HashMap::from([(METADATA_KEY.to_owned(), metadata)]));
    safetensors::serialize(views, metadata).map_err(|error| refused(&error))
}

/// The tensors of a file, and what stands under the one key of its metadata.
pub(crate) fn deserialize(bytes: &[u8]) -> Result<(SafeTensors<'_>, Option<String>), String> {
    let broken = |error| format!("not a whole safetensors file ({error}); is it truncated?");
    let tensors = SafeTensors::deserialize(bytes).map_err(broken)?;
    let (_, header) = SafeTensors::read_metadata(bytes).map_err(broken)?;
    let metadata = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY));
    Ok((tensors, metadata.cloned()))
}

/// The parameters whose names have this prefix, all of which are known.
pub(crate) fn read_layers<F: Scalar>(tensors: &SafeTensors<'_>, prefix: &str) -> Result<Parameters<F>, String> {
    let mut unknown: HashSet<&str> = tensors.names().into_iter().filter_map(|name| name.strip_prefix(prefix)).collect();
    let hidden = (0..).take_while(|&layer| unknown.contains(format!("layer{}.weight", layer + 1).as_str())).count();
    let mut layers = Vec::with_capacity(hidden + 1);
    for layer in 0..=hidden {
        let name = layer_name(layer, hidden + 1);
        let [weight_name, bias_name] = [format!("{name}.weight"), format!("{name}.bias")];
        let (shape, values) = read_tensor(tensors, &format!("{prefix}{weight_name}"))?;
        let [outputs, inputs] = shape[..] else {
            return Err(format!("{weight_name} has shape {shape:?}; a weight has two dimensions, [outputs, inputs]"));
        };
        let weight = ArrayView2::from_shape([outputs, inputs], &values).map_err(|error| error.to_string())?;
        let (shape, bias) = read_tensor(tensors, &format!("{prefix}{bias_name}"))?;
        if shape != [outputs] {
            return Err(format!("{bias_name} has shape {shape:?}; {weight_name} needs [{outputs}]"));
        }
        let mut columns: Array2<F> = Array2::zeros([inputs, outputs]);
        columns.assign(&weight.t());
        layers.push(Layer { weight: columns, bias: Array1::from_vec(bias) });
        unknown.remove(weight_name.as_str());
        unknown.remove(bias_name.as_str());
    }
    if let Some(name) = unknown.into_iter().min() {
        return Err(format!("unknown tensor '{name}'; expected layer1, layer2, …, output_layer, without a gap"));
    }
    Parameters::from_layers(layers).map_err(|error| format!("the layers do not chain: {error}"))
}

fn read_tensor<F: Scalar>(tensors: &SafeTensors<'_>, name: &str) -> Result<(Vec<usize>, Vec<F>), String> {
    let tensor = tensors.tensor(name).map_err(|_| {
        let mut names = tensors.names();
        names.sort_unstable();
        format!("tensor '{name}' is missing; the file has {}", names.join(", "))
    })?;
    if tensor.dtype() != F::DTYPE {
        return Err(format!("{name} is {:?}; expected {:?}, so convert it before saving", tensor.dtype(), F::DTYPE));
    }
    Ok((tensor.shape().to_vec(), F::from_le_bytes(tensor.data())))
}
