//! The shape of the network.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::activation::Activation;
use crate::{Error, Result};

/// The shape of the network: 784 → 500 → 250 → 100 → 10 with ReLU, say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedMlp")]
pub struct MlpConfig {
    inputs: usize,
    hidden: Vec<usize>,
    classes: usize,
    activation: Activation,
}

impl MlpConfig {
    /// More weights than this are refused: with gradients and moments they would take 32 GB.
    pub const MOST_WEIGHTS: usize = 1 << 31;

    /// The widths of the report's hidden layers.
    pub const REPORT_HIDDEN: [usize; 3] = [500, 250, 100];

    /// A network with `hidden` layers of these widths; none makes a linear classifier.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if a width is 0, there are fewer than two classes, or the weights are
    /// too many to keep.
    pub fn new(inputs: usize, hidden: &[usize], classes: usize, activation: Activation) -> Result<Self> {
        if inputs == 0 {
            return Err(Error::configuration("inputs", "the network needs at least one input"));
        }
        if let Some(layer) = hidden.iter().position(|&width| width == 0) {
            let reason = format!("layer {} has width 0; every hidden layer needs at least one unit", layer + 1);
            return Err(Error::configuration("hidden", reason));
        }
        if classes < 2 {
            return Err(Error::configuration("classes", "a classifier needs at least two classes"));
        }
        let config = Self { inputs, hidden: hidden.to_vec(), classes, activation };
        let sizes = config.sizes();
        let weights = sizes.iter().zip(&sizes[1..]).try_fold(0_usize, |sum, (&inputs, &outputs)| {
            sum.checked_add(inputs.checked_mul(outputs)?).filter(|&sum| sum <= Self::MOST_WEIGHTS)
        });
        if weights.is_none() {
            let reason = format!("{config} has more than {} weights", Self::MOST_WEIGHTS);
            return Err(Error::configuration("hidden", reason));
        }
        Ok(config)
    }

    /// Values of one image.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Widths of the hidden layers.
    pub fn hidden(&self) -> &[usize] {
        &self.hidden
    }

    /// Width of the output layer.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The function of the hidden layers.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Inputs, hidden widths and classes in one row: `[784, 500, 250, 100, 10]`.
    pub fn sizes(&self) -> Vec<usize> {
        let mut sizes = vec![self.inputs];
        sizes.extend(&self.hidden);
        sizes.push(self.classes);
        sizes
    }
}

/// As it stands in a file.
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

    fn rejected<T: fmt::Debug>(result: Result<T>) -> &'static str {
        match result {
            Err(Error::Configuration { option, .. }) => option,
            other => panic!("not a configuration error: {other:?}"),
        }
    }

    #[test]
    fn a_network_needs_units_in_every_layer() {
        let relu = Activation::Relu;
        assert_eq!(rejected(MlpConfig::new(0, &[], 10, relu)), "inputs");
        assert_eq!(rejected(MlpConfig::new(784, &[5, 0], 10, relu)), "hidden");
        assert_eq!(rejected(MlpConfig::new(784, &[], 1, relu)), "classes");
        assert_eq!(rejected(MlpConfig::new(784, &[1 << 40], 10, relu)), "hidden");
        assert_eq!(rejected(MlpConfig::new(784, &[usize::MAX, usize::MAX], 10, relu)), "hidden");
        let linear = MlpConfig::new(4, &[], 2, relu).unwrap();
        assert_eq!(linear.sizes(), [4, 2]);
        let deep = MlpConfig::new(4, &[5, 6], 2, relu).unwrap();
        assert_eq!((deep.inputs(), deep.hidden(), deep.classes()), (4, &[5, 6][..], 2));
    }
}
