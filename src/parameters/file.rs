//! Parameters as safetensors, in PyTorch's names and layout.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use ndarray::{Array1, Array2, ArrayView2};
use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde::{Deserialize, Serialize};

use super::{Layer, Parameters, layer_name};
use crate::file::write_atomically;
use crate::{Activation, Error, MlpConfig, Result, Scalar};

/// The version of the files written here.
pub const FORMAT: &str = "mlp-parity-parameters/1";

/// All metadata stand under one key: the container keeps its metadata in a hash map, and with two keys the same
/// parameters would not give the same bytes twice.
const METADATA_KEY: &str = "mlp_parity";

#[derive(Serialize, Deserialize)]
struct Metadata {
    format: String,
    sizes: Vec<usize>,
    activation: Activation,
}

/// The parameters of a network and what the file says of it.
///
/// In the file each layer is `<name>.weight`, `[outputs, inputs]`, and `<name>.bias`, as in a `state_dict` of
/// `torch.nn.Linear` modules called `layer1`, `layer2`, …, `output_layer`. A `state_dict` saved with
/// `safetensors.torch.save_file` loads as it is, and the other way round.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterFile<F> {
    /// The parameters.
    pub parameters: Parameters<F>,
    /// The activation between the layers; a file from elsewhere does not tell.
    pub activation: Option<Activation>,
}

impl<F: Scalar> ParameterFile<F> {
    /// Writes the file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        write_atomically(path, &self.to_bytes()?)
    }

    /// Reads a file.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if it cannot be read, [`Error::Parameters`] as [`from_bytes`](Self::from_bytes).
    pub fn load(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(Error::io("read", path))?;
        Self::from_bytes(&bytes, &path.display().to_string())
    }

    /// The file's bytes: the same for the same parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] if the container refuses them (more than 100 MB of names).
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let tensors: Vec<(String, Vec<usize>, Vec<u8>)> = self
            .parameters
            .tensors()
            .map(|(name, values)| {
                let mut bytes = Vec::with_capacity(values.len() * size_of::<F>());
                // Reversed axes, row by row: [inputs, outputs] in memory is [outputs, inputs] in the file.
                values.t().iter().for_each(|value| value.extend_le_bytes(&mut bytes));
                (name, values.t().shape().to_vec(), bytes)
            })
            .collect();
        let refused = |error: &dyn std::fmt::Display| Error::parameters("parameters", error.to_string());
        let mut views = Vec::with_capacity(tensors.len());
        for (name, shape, bytes) in &tensors {
            let view = TensorView::new(F::DTYPE, shape.clone(), bytes).map_err(|error| refused(&error))?;
            views.push((name.as_str(), view));
        }
        let metadata = match self.activation {
            Some(activation) => {
                let metadata = Metadata { format: FORMAT.to_owned(), sizes: self.parameters.sizes(), activation };
                let metadata = serde_json::to_string(&metadata).map_err(|error| refused(&error))?;
                Some(HashMap::from([(METADATA_KEY.to_owned(), metadata)]))
            }
            None => None,
        };
        safetensors::serialize(views, metadata).map_err(|error| refused(&error))
    }

    /// Reads a file's bytes; `origin` names them in errors.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] if they are not a whole safetensors file, a tensor is missing, unknown, of another type
    /// than `F` or of a shape that does not fit the layer before, a value is NaN or infinite, or the metadata
    /// contradict the tensors.
    pub fn from_bytes(bytes: &[u8], origin: &str) -> Result<Self> {
        let refused = |reason: String| Error::parameters(origin, reason);
        let not_safetensors = |error| refused(format!("not a whole safetensors file ({error}); is it truncated?"));
        let tensors = SafeTensors::deserialize(bytes).map_err(not_safetensors)?;
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(not_safetensors)?;
        let parameters = read_layers(&tensors).map_err(refused)?;
        if let Some((name, index, value)) = parameters.first_non_finite() {
            return Err(refused(format!("{name} at {index:?} is {value}; parameters must be finite")));
        }
        let metadata = header.metadata().as_ref().and_then(|metadata| metadata.get(METADATA_KEY));
        let activation = match metadata {
            Some(text) => Some(read_metadata(text, &parameters.sizes()).map_err(refused)?),
            None => None,
        };
        Ok(Self { parameters, activation })
    }

    /// The network that the parameters belong to. `activation` is needed where the file does not tell.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if neither tells the activation, or they contradict each other.
    pub fn config(&self, activation: Option<Activation>) -> Result<MlpConfig> {
        let activation = match (self.activation, activation) {
            (Some(own), Some(other)) if own != other => {
                let reason = format!("the file was trained with {own}, not with {other}");
                return Err(Error::configuration("activation", reason));
            }
            (None, None) => {
                let reason = "the file does not tell it; name the one that the network was trained with";
                return Err(Error::configuration("activation", reason));
            }
            (own, other) => own.or(other).unwrap_or(Activation::Relu),
        };
        let sizes = self.parameters.sizes();
        match sizes.as_slice() {
            [inputs, hidden @ .., classes] => MlpConfig::new(*inputs, hidden, *classes, activation)
                .map_err(|error| Error::parameters("the network of the file", error.to_string())),
            _ => Err(Error::parameters("the network", "has no layer")),
        }
    }
}

fn read_metadata(text: &str, sizes: &[usize]) -> Result<Activation, String> {
    let metadata: Metadata =
        serde_json::from_str(text).map_err(|error| format!("metadata '{METADATA_KEY}' cannot be read: {error}"))?;
    if metadata.format != FORMAT {
        return Err(format!("format is '{}'; this version reads '{FORMAT}'", metadata.format));
    }
    if metadata.sizes != sizes {
        return Err(format!(
            "the metadata say that the sizes are {:?}, but the tensors' are {sizes:?}",
            metadata.sizes
        ));
    }
    Ok(metadata.activation)
}

fn read_layers<F: Scalar>(tensors: &SafeTensors<'_>) -> Result<Parameters<F>, String> {
    let mut unknown: HashSet<&str> = tensors.names().into_iter().collect();
    let hidden = (0..).take_while(|&layer| unknown.contains(format!("layer{}.weight", layer + 1).as_str())).count();
    let mut layers = Vec::with_capacity(hidden + 1);
    for layer in 0..=hidden {
        let name = layer_name(layer, hidden + 1);
        let [weight_name, bias_name] = [format!("{name}.weight"), format!("{name}.bias")];
        let (shape, values) = read_tensor(tensors, &weight_name)?;
        let [outputs, inputs] = shape[..] else {
            return Err(format!("{weight_name} has shape {shape:?}; a weight has two dimensions, [outputs, inputs]"));
        };
        let weight = ArrayView2::from_shape([outputs, inputs], &values).map_err(|error| error.to_string())?;
        let (shape, bias) = read_tensor(tensors, &bias_name)?;
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
