//! Parameters as safetensors, in PyTorch's names and layout.

use serde::{Deserialize, Serialize};

use super::layers::Parameters;
use crate::storage::{SafetensorsFile, deserialize, own_metadata, read_own_metadata, serialize};
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

impl<F: Scalar> SafetensorsFile for ParameterFile<F> {
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let sizes = self.parameters.sizes();
        let metadata = self.activation.map(|activation| Metadata { format: FORMAT.to_owned(), sizes, activation });
        let metadata = metadata.as_ref().map(own_metadata).transpose()?.unwrap_or_default();
        serialize(&self.parameters.stored("").collect::<Vec<_>>(), metadata)
    }

    /// Refused are bytes that are not a whole safetensors file, a tensor that is missing, unknown, of another type than
    /// `F` or of a shape that does not fit the layer before, a value that is NaN or infinite, and metadata that contradict
    /// the tensors.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let (tensors, metadata) = deserialize(bytes)?;
        let parameters = Parameters::read(&tensors, "")?;
        if let Some((name, index, value)) = parameters.first_non_finite() {
            return Err(format!("{name} at {index:?} is {value}; parameters must be finite"));
        }
        let metadata: Option<Metadata> = read_own_metadata(&metadata)?;
        let activation = metadata.map(|metadata| metadata.activation_of(&parameters.sizes())).transpose()?;
        Ok(Self { parameters, activation })
    }
}

impl<F: Scalar> ParameterFile<F> {
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

impl Metadata {
    /// The activation, if the rest is true of a network with these sizes.
    fn activation_of(self, sizes: &[usize]) -> Result<Activation, String> {
        let Self { format, sizes: own, activation } = self;
        if format != FORMAT {
            return Err(format!("format is '{format}'; this version reads '{FORMAT}'"));
        }
        if own != sizes {
            return Err(format!("the metadata say that the sizes are {own:?}, but the tensors' are {sizes:?}"));
        }
        Ok(activation)
    }
}
