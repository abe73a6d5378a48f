//! Parameters as tensors of a safetensors file, in PyTorch's names and layout.

use std::collections::HashSet;

use ndarray::{Array1, Array2, ArrayView2};
use safetensors::SafeTensors;

use super::layers::{Layer, Parameters, layer_name};
use crate::Scalar;
use crate::storage::StoredTensor;

impl<F: Scalar> Parameters<F> {
    /// The tensors of a file that has these parameters, each name with this prefix.
    pub fn stored(&self, prefix: &str) -> impl Iterator<Item = StoredTensor> {
        // Reversed axes: [inputs, outputs] in memory is [outputs, inputs] in the file.
        self.tensors().map(move |(name, values)| StoredTensor::new(format!("{prefix}{name}"), values.t()))
    }

    /// The parameters whose names have this prefix, all of which are known.
    pub(crate) fn read(tensors: &SafeTensors<'_>, prefix: &str) -> Result<Self, String> {
        let mut unknown: HashSet<&str> =
            tensors.names().into_iter().filter_map(|name| name.strip_prefix(prefix)).collect();
        let hidden = (0..).take_while(|&layer| unknown.contains(format!("layer{}.weight", layer + 1).as_str())).count();
        let mut layers = Vec::with_capacity(hidden + 1);
        for layer in 0..=hidden {
            let name = layer_name(layer, hidden + 1);
            let [weight_name, bias_name] = [format!("{name}.weight"), format!("{name}.bias")];
            let (shape, values) = read_tensor(tensors, &format!("{prefix}{weight_name}"))?;
            let [outputs, inputs] = shape[..] else {
                return Err(format!(
                    "{weight_name} has shape {shape:?}; a weight has two dimensions, [outputs, inputs]"
                ));
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
        Self::from_layers(layers).map_err(|error| format!("the layers do not chain: {error}"))
    }
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
