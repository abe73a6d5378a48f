//! Network configuration: layer widths and activation.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::activation::Activation;
use crate::{Error, Result};

/// Network configuration: the number of inputs, the widths of the hidden layers, the number of classes, and the
/// activation function of the hidden layers. Displayed as `784-500-250-100-10, relu`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedMlp")]
pub struct MlpConfig {
    inputs: usize,
    hidden: Vec<usize>,
    classes: usize,
    activation: Activation,
}

impl MlpConfig {
    /// Largest number of weights that [`new`](Self::new) accepts. A network of this size needs 32 GiB for parameters,
    /// gradients and Adam's two moments in single precision.
    pub const MAX_WEIGHTS: usize = 1 << 31;

    /// Largest number of hidden layers that [`new`](Self::new) accepts. Every layer, however narrow, takes time and buffers
    /// of its own, so without this limit a small file could describe a network that fills the memory.
    pub const MAX_HIDDEN_LAYERS: usize = 100;

    /// Widths of the hidden layers in the report that this project reproduces.
    pub const REPORT_HIDDEN: [usize; 3] = [500, 250, 100];

    /// Creates the configuration of a network with hidden layers of the widths `hidden`, from input to output. Without
    /// hidden layers the network is a linear classifier.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if a width is 0, there are fewer than two classes, or the network has more than
    /// [`MAX_HIDDEN_LAYERS`](Self::MAX_HIDDEN_LAYERS) hidden layers or [`MAX_WEIGHTS`](Self::MAX_WEIGHTS) weights.
    pub fn new(inputs: usize, hidden: &[usize], classes: usize, activation: Activation) -> Result<Self> {
        if inputs == 0 {
            return Err(Error::configuration("inputs", "0 is too few; the network needs at least 1 input"));
        }
        if hidden.len() > Self::MAX_HIDDEN_LAYERS {
            let (layers, limit) = (hidden.len(), Self::MAX_HIDDEN_LAYERS);
            return Err(Error::configuration(
                "hidden",
                format!("{layers} layers are too many; at most {limit} are allowed"),
            ));
        }
        if let Some(layer) = hidden.iter().position(|&width| width == 0) {
            let reason = format!("layer {} has width 0; every hidden layer needs at least one unit", layer + 1);
            return Err(Error::configuration("hidden", reason));
        }
        if classes < 2 {
            let reason = format!("{classes} is too few; a classifier needs at least 2 classes");
            return Err(Error::configuration("classes", reason));
        }
        let config = Self { inputs, hidden: hidden.to_vec(), classes, activation };
        let sizes = config.sizes();
        // Checked arithmetic: widths from a file may overflow the product.
        let weights = sizes.iter().zip(&sizes[1..]).try_fold(0_usize, |sum, (&inputs, &outputs)| {
            sum.checked_add(inputs.checked_mul(outputs)?).filter(|&sum| sum <= Self::MAX_WEIGHTS)
        });
        if weights.is_none() {
            let reason = format!("{config} has too many weights; at most {} are allowed", Self::MAX_WEIGHTS);
            return Err(Error::configuration("hidden", reason));
        }
        Ok(config)
    }

    /// Returns the number of inputs, which is the number of pixels of an image.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Returns the widths of the hidden layers, from input to output.
    pub fn hidden(&self) -> &[usize] {
        &self.hidden
    }

    /// Returns the number of classes, which is the width of the output layer.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the activation function of the hidden layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Returns the widths of all layers: inputs, hidden layers, classes. For example `[784, 500, 250, 100, 10]`.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![self.inputs];
        sizes.extend(&self.hidden);
        sizes.push(self.classes);
        sizes
    }
}

/// Network configuration as read from a file, before [`MlpConfig::new`] validates it.
#[derive(Deserialize)]
struct UncheckedMlp {
    inputs: usize,
    hidden: Vec<usize>,
    classes: usize,
    activation: Activation,
}

impl TryFrom<UncheckedMlp> for MlpConfig {
    type Error = Error;

    fn try_from(UncheckedMlp { inputs, hidden, classes, activation }: UncheckedMlp) -> Result<Self> {
        Self::new(inputs, &hidden, classes, activation)
    }
}

impl fmt::Display for MlpConfig {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sizes: Vec<String> = self.sizes().iter().map(usize::to_string).collect();
        write!(formatter, "{}, {}", sizes.join("-"), self.activation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the option that a configuration error names.
    fn rejected_option<T: fmt::Debug>(result: Result<T>) -> &'static str {
        match result {
            Err(Error::Configuration { option, .. }) => option,
            other => panic!("not a configuration error: {other:?}"),
        }
    }

    #[test]
    fn mlp_config_rejects_empty_layers_and_too_many_weights() {
        let relu = Activation::Relu;
        assert_eq!(rejected_option(MlpConfig::new(0, &[], 10, relu)), "inputs");
        assert_eq!(rejected_option(MlpConfig::new(784, &[5, 0], 10, relu)), "hidden");
        assert_eq!(rejected_option(MlpConfig::new(784, &[], 1, relu)), "classes");
        assert_eq!(rejected_option(MlpConfig::new(784, &[1 << 40], 10, relu)), "hidden");
        assert_eq!(rejected_option(MlpConfig::new(784, &[usize::MAX, usize::MAX], 10, relu)), "hidden");
    }

    #[test]
    fn mlp_config_limits_number_of_hidden_layers() {
        let new = |layers| MlpConfig::new(784, &vec![1; layers], 10, Activation::Relu);
        assert!(new(MlpConfig::MAX_HIDDEN_LAYERS).is_ok());
        let message = new(100_000).unwrap_err().to_string();
        assert_eq!(message, "hidden: 100000 layers are too many; at most 100 are allowed");
    }

    #[test]
    fn mlp_config_returns_layer_widths() {
        let relu = Activation::Relu;
        let linear = MlpConfig::new(4, &[], 2, relu).unwrap();
        assert_eq!(linear.sizes(), [4, 2]);
        let deep = MlpConfig::new(4, &[5, 6], 2, relu).unwrap();
        assert_eq!((deep.inputs(), deep.hidden(), deep.classes()), (4, &[5, 6][..], 2));
    }
}
