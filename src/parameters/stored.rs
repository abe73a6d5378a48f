//! Conversion between parameters and the tensors of a safetensors file, with PyTorch's names and layout.

use std::collections::BTreeSet;

use ndarray::{Array, Array1, ArrayD, Dimension, IxDyn};
use safetensors::SafeTensors;

use super::layers::{Layer, Parameters, layer_name};
use crate::storage::StoredTensor;
use crate::{Scalar, list_names};

impl<F: Scalar> Parameters<F> {
    /// Converts the parameters to the tensors of a file. `prefix` is prepended to every tensor name; weights are
    /// `[outputs, inputs]`, as in PyTorch.
    pub fn stored_tensors(&self, prefix: &str) -> impl Iterator<Item = StoredTensor> {
        // Reversed axes: [inputs, outputs] in memory is [outputs, inputs] in the file.
        self.tensors().map(move |(name, values)| StoredTensor::new(format!("{prefix}{name}"), values.t()))
    }

    /// Reads the parameters whose tensor names start with `prefix`. Other tensors are ignored; an unknown name with the
    /// prefix is an error.
    pub(crate) fn read(tensors: &SafeTensors<'_>, prefix: &str) -> Result<Self, String> {
        let names = tensors.names().into_iter().filter_map(|name| name.strip_prefix(prefix)).collect();
        // Reversed axes: [outputs, inputs] in the file is [inputs, outputs] in memory.
        Self::from_named_tensors(&names, |name| Ok(read_tensor(tensors, &format!("{prefix}{name}"))?.reversed_axes()))
    }

    /// Builds parameters from named tensors. `names` must be exactly the tensor names of a network: `layer1`, `layer2`,
    /// …, `output_layer`, each with `.weight` and `.bias`. `read` is called with each name and returns the tensor,
    /// weights as `[inputs, outputs]`.
    ///
    /// # Errors
    ///
    /// A message that names the tensor that is missing, unknown, or of a shape that does not fit its name or the
    /// preceding layer; any error that `read` returns.
    pub fn from_named_tensors(
        names: &BTreeSet<&str>,
        mut read: impl FnMut(&str) -> Result<ArrayD<F>, String>,
    ) -> Result<Self, String> {
        let hidden = (1..).take_while(|layer| names.contains(format!("layer{layer}.weight").as_str())).count();
        // Names that no layer has used yet; the remaining ones are unknown.
        let mut unknown = names.clone();
        let mut layers = Vec::with_capacity(hidden + 1);
        for layer in 0..=hidden {
            let [weight_name, bias_name] =
                ["weight", "bias"].map(|part| format!("{}.{part}", layer_name(layer, hidden + 1)));
            for name in [&weight_name, &bias_name] {
                if !unknown.remove(name.as_str()) {
                    return Err(format!("tensor '{name}' is missing; found {}", list_names(names.iter().copied())));
                }
            }
            let weight = read(&weight_name)?;
            let shape = file_shape(&weight);
            let weight = weight.into_dimensionality().map_err(|_| {
                format!("{weight_name} has shape {shape:?}; a weight must have two dimensions, [outputs, inputs]")
            })?;
            let bias = read(&bias_name)?;
            let (shape, outputs) = (file_shape(&bias), weight.ncols());
            let bias: Option<Array1<F>> =
                bias.into_dimensionality().ok().filter(|bias: &Array1<F>| bias.len() == outputs);
            let bias =
                bias.ok_or_else(|| format!("{bias_name} has shape {shape:?}, but {weight_name} requires [{outputs}]"))?;
            layers.push(Layer { weight: standard(weight), bias: standard(bias) });
        }
        if let Some(name) = unknown.first() {
            return Err(format!(
                "unknown tensor '{name}'; expected the weight and bias of layer1, layer2, …, output_layer, without gaps"
            ));
        }
        Self::from_layers(layers).map_err(|error| format!("the layers do not fit together: {error}"))
    }
}

/// Returns the shape that a tensor has in a file, where its axes are in reverse order.
fn file_shape<F>(tensor: &ArrayD<F>) -> Vec<usize> {
    tensor.shape().iter().rev().copied().collect()
}

/// Returns the array in row-major memory order, copying it only if necessary.
fn standard<F: Scalar, D: Dimension>(array: Array<F, D>) -> Array<F, D> {
    if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() }
}

/// Reads one tensor of a file, with its axes in the order of the file.
fn read_tensor<F: Scalar>(tensors: &SafeTensors<'_>, name: &str) -> Result<ArrayD<F>, String> {
    let tensor = tensors.tensor(name).map_err(|error| format!("{name}: {error}"))?;
    if tensor.dtype() != F::DTYPE {
        return Err(format!("{name} has type {:?}, expected {:?}; convert it before saving", tensor.dtype(), F::DTYPE));
    }
    let values = F::from_le_bytes(tensor.data());
    ArrayD::from_shape_vec(IxDyn(tensor.shape()), values).map_err(|error| format!("{name}: {error}"))
}
