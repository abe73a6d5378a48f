//! Parameters as safetensors, in PyTorch's names and layout.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::Parameters;
use super::container::{deserialize, read_layers, serialize, tensors};
use crate::file::write_atomically;
use crate::{Activation, Error, MlpConfig, Result, Scalar};

/// The version of the files written here.
pub const FORMAT: &str = "mlp-parity-parameters/1";

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
        let metadata = |activation| {
            let metadata = Metadata { format: FORMAT.to_owned(), sizes: self.parameters.sizes(), activation };
            serde_json::to_string(&metadata).map_err(|error| Error::parameters("parameters", error.to_string()))
        };
        serialize::<F>(&tensors(&self.parameters, ""), self.activation.map(metadata).transpose()?)
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
        let (tensors, metadata) = deserialize(bytes).map_err(refused)?;
        let parameters = read_layers(&tensors, "").map_err(refused)?;
        if let Some((name, index, value)) = parameters.first_non_finite() {
            return Err(refused(format!("{name} at {index:?} is {value}; parameters must be finite")));
        }
        let activation = match metadata {
            Some(text) => Some(read_metadata(&text, &parameters.sizes()).map_err(refused)?),
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
        serde_json::from_str(text).map_err(|error| format!("metadata 'mlp_parity' cannot be read: {error}"))?;
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
