//! Parameters as tensors of a safetensors file, in PyTorch's names and layout.

use std::collections::BTreeSet;

use ndarray::{Array, Array1, ArrayD, Dimension, IxDyn};
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
        let names = tensors.names().into_iter().filter_map(|name| name.strip_prefix(prefix)).collect();
        // Reversed axes: [outputs, inputs] in the file is [inputs, outputs] in memory.
        Self::from_named(&names, |name| Ok(read_tensor(tensors, &format!("{prefix}{name}"))?.reversed_axes()))
    }

    /// The layers that these names make: `layer1`, `layer2`, …, `output_layer`, each with a `weight` and a `bias`. `read`
    /// gives each tensor, weights as `[inputs, outputs]`.
    ///
    /// # Errors
    ///
    /// Which tensor is missing, unknown, or of a shape that fits neither its name nor the layer before; what `read` reports.
    pub fn from_named(
        names: &BTreeSet<&str>,
        mut read: impl FnMut(&str) -> Result<ArrayD<F>, String>,
    ) -> Result<Self, String> {
        let hidden = (1..).take_while(|layer| names.contains(format!("layer{layer}.weight").as_str())).count();
        let mut unknown = names.clone();
        let mut layers = Vec::with_capacity(hidden + 1);
        for layer in 0..=hidden {
            let [weight_name, bias_name] =
                ["weight", "bias"].map(|part| format!("{}.{part}", layer_name(layer, hidden + 1)));
            for name in [&weight_name, &bias_name] {
                if !unknown.remove(name.as_str()) {
                    let names: Vec<&str> = names.iter().copied().collect();
                    return Err(format!("tensor '{name}' is missing; there are {}", names.join(", ")));
                }
            }
            let weight = read(&weight_name)?;
            let shape = file_shape(&weight);
            let weight = weight.into_dimensionality().map_err(|_| {
                format!("{weight_name} has shape {shape:?}; a weight has two dimensions, [outputs, inputs]")
            })?;
            let bias = read(&bias_name)?;
            let (shape, outputs) = (file_shape(&bias), weight.ncols());
            let bias: Option<Array1<F>> =
                bias.into_dimensionality().ok().filter(|bias: &Array1<F>| bias.len() == outputs);
            let bias =
                bias.ok_or_else(|| format!("{bias_name} has shape {shape:?}; {weight_name} needs [{outputs}]"))?;
            layers.push(Layer { weight: standard(weight), bias: standard(bias) });
        }
        if let Some(name) = unknown.first() {
            return Err(format!("unknown tensor '{name}'; expected layer1, layer2, …, output_layer, without a gap"));
        }
        Self::from_layers(layers).map_err(|error| format!("the layers do not chain: {error}"))
    }
}

/// The shape of a tensor in a file, where its axes are reversed.
fn file_shape<F>(tensor: &ArrayD<F>) -> Vec<usize> {
    tensor.shape().iter().rev().copied().collect()
}

/// The same array, row by row in memory.
fn standard<F: Scalar, D: Dimension>(array: Array<F, D>) -> Array<F, D> {
    if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
}

fn read_tensor<F: Scalar>(tensors: &SafeTensors<'_>, name: &str) -> Result<ArrayD<F>, String> {
    let tensor = tensors.tensor(name).map_err(|error| format!("{name}: {error}"))?;
    if tensor.dtype() != F::DTYPE {
        return Err(format!("{name} is {:?}; expected {:?}, so convert it before saving", tensor.dtype(), F::DTYPE));
    }
    let values = F::from_le_bytes(tensor.data());
    ArrayD::from_shape_vec(IxDyn(tensor.shape()), values).map_err(|error| format!("{name}: {error}"))
}
