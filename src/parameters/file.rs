//! Parameter files: safetensors with PyTorch's tensor names and layout.

use serde::{Deserialize, Serialize};

use super::layers::Parameters;
use crate::storage::{SafetensorsFile, decode_metadata, deserialize, encode_metadata, serialize};
use crate::{Activation, Error, MlpConfig, Result, Scalar};

/// Name and version of the format of parameter files. The writer stores it in the metadata, and the reader rejects
/// metadata with any other value.
pub const FORMAT: &str = "mlp-parity-parameters/1";

/// This crate's metadata in a parameter file. It exists because the tensors alone do not determine the activation.
#[derive(Serialize, Deserialize)]
struct Metadata {
    format: String,
    sizes: Vec<usize>,
    activation: Activation,
}

/// The contents of a parameter file: the parameters of a network and, if the file states it, the activation.
///
/// In the file each layer has two tensors, `<name>.weight` with the shape `[outputs, inputs]` and `<name>.bias`, as in
/// the `state_dict` of a PyTorch module whose `torch.nn.Linear` layers are called `layer1`, `layer2`, …,
/// `output_layer`. A `state_dict` saved with `safetensors.torch.save_file` can be read without conversion, and PyTorch
/// can load the files written here.
#[derive(Clone, Debug, PartialEq)]
pub struct ParameterFile<F> {
    /// Weights and biases of all layers.
    pub parameters: Parameters<F>,
    /// Activation of the hidden layers; `None` if the file does not state it, as in files from other programs.
    pub activation: Option<Activation>,
}

impl<F: Scalar> SafetensorsFile for ParameterFile<F> {
    /// Rejects parameters that are NaN or infinite, because [`read`](Self::read) would reject the file.
    fn to_bytes(&self) -> Result<Vec<u8>> {
        check_finite(&self.parameters).map_err(|reason| Error::parameters("the parameters to save", reason))?;
        let sizes = self.parameters.sizes();
        let metadata = self.activation.map(|activation| Metadata { format: FORMAT.to_owned(), sizes, activation });
        let metadata = metadata.as_ref().map(encode_metadata).transpose()?.unwrap_or_default();
        serialize(&self.parameters.stored_tensors("").collect::<Vec<_>>(), metadata)
    }

    /// Parses a parameter file. Rejects incomplete safetensors files, tensors that are missing, unknown, of another
    /// type than `F` or of a shape that does not fit the preceding layer, values that are NaN or infinite, and metadata
    /// that contradicts the tensors.
    fn read(bytes: &[u8]) -> Result<Self, String> {
        let (tensors, metadata) = deserialize(bytes)?;
        let parameters = Parameters::read(&tensors, "")?;
        check_finite(&parameters)?;
        let metadata: Option<Metadata> = decode_metadata(&metadata)?;
        let activation = metadata.map(|metadata| metadata.activation_of(&parameters.sizes())).transpose()?;
        Ok(Self { parameters, activation })
    }
}

/// Checks that all parameters are finite; the message names the first value that is not.
fn check_finite<F: Scalar>(parameters: &Parameters<F>) -> Result<(), String> {
    parameters.first_non_finite().map_or(Ok(()), |(name, index, value)| {
        Err(format!("{name} at index {index:?} is {value}; parameters must be finite"))
    })
}

impl<F: Scalar> ParameterFile<F> {
    /// Returns the configuration of the network that the parameters belong to. `activation` is required if the file
    /// does not state one; otherwise it must be `None` or equal to the one in the file.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the activation is unknown, or `activation` contradicts the file;
    /// [`Error::Parameters`] if the layer sizes do not form a valid network.
    pub fn config(&self, activation: Option<Activation>) -> Result<MlpConfig> {
        let activation = match (self.activation, activation) {
            (Some(stored), Some(given)) if stored != given => {
                let reason = format!("the network in the file uses '{stored}', not '{given}'");
                return Err(Error::configuration("activation", reason));
            }
            (None, None) => {
                let reason = "not stated in the file; specify the one that the network was trained with";
                return Err(Error::configuration("activation", reason));
            }
            // At least one is given, so the default is never used.
            (stored, given) => stored.or(given).unwrap_or(Activation::Relu),
        };
        let sizes = self.parameters.sizes();
        match sizes.as_slice() {
            [inputs, hidden @ .., classes] => MlpConfig::new(*inputs, hidden, *classes, activation)
                .map_err(|error| Error::parameters("the network in the file", error.to_string())),
            _ => Err(Error::parameters("the network in the file", "no layers")),
        }
    }
}

impl Metadata {
    /// Returns the activation, after checking that the format is [`FORMAT`] and that the stored layer sizes equal those
    /// of the tensors, `sizes`.
    fn activation_of(self, sizes: &[usize]) -> Result<Activation, String> {
        let Self { format, sizes: stored, activation } = self;
        if format != FORMAT {
            return Err(format!("unknown format '{format}'; this version reads '{FORMAT}'"));
        }
        if stored != sizes {
            return Err(format!("the metadata declares layer sizes {stored:?}, but the tensors have {sizes:?}"));
        }
        Ok(activation)
    }
}
