//! The [`Specification`] of a network and its training: the choice of every operation.

use mlp_parity::{MlpConfig, Optimizer};

use super::activation::ActivationFunction;
use super::clipping::Clipping;
use super::deviation::{Deviations, ReportedLoss};
use super::loss::Loss;
use super::optimizer::UpdateRule;
use super::precision::ProductPrecision;

/// The operations that a network and its training are composed of.
///
/// [`ReferenceMlp`](super::ReferenceMlp) computes them. The data that go with them, such as the learning rate of a step or
/// the masks of dropout, are arguments of its methods.
#[derive(Clone, Debug, PartialEq)]
pub struct Specification {
    /// Activation function of each hidden layer.
    pub activations: Vec<ActivationFunction>,
    /// For each layer, true if it has biases. If not, they are zero and never change.
    pub biases: Vec<bool>,
    /// The loss function, with the function that computes the outputs.
    pub loss: Loss,
    /// Weight decay.
    pub weight_decay: WeightDecay,
    /// Gradient clipping; `None` if gradients are not clipped.
    pub clipping: Option<Clipping>,
    /// The update rule of the optimizer.
    pub update_rule: UpdateRule,
    /// Precision to which the factors of matrix products are rounded.
    pub products: ProductPrecision,
    /// Departures from the equations; none in a right computation.
    pub deviations: Deviations,
}

/// Weight decay with the coefficient λ, which multiplies the parameter θ in the gradient.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WeightDecay {
    /// Coefficient λ; 0 if there is no weight decay.
    pub coefficient: f64,
    /// True if the update applies it directly, θ ← θ − ηλθ, as in AdamW (Loshchilov and Hutter 2019). False if λθ is added to
    /// the gradient.
    pub decoupled: bool,
    /// True if biases do not decay.
    pub weights_only: bool,
    /// True if λ is divided by the number of images in the batch.
    pub per_image: bool,
    /// True if the loss contains the penalty ½ λ Σ θ². Coupled weight decay is then clipped with the rest of the gradient.
    pub in_loss: bool,
}

impl From<&Optimizer> for WeightDecay {
    fn from(optimizer: &Optimizer) -> Self {
        let decoupled = matches!(optimizer, Optimizer::AdamW { .. });
        Self { coefficient: optimizer.weight_decay(), decoupled, ..Self::NONE }
    }
}

impl WeightDecay {
    /// No weight decay.
    pub const NONE: Self =
        Self { coefficient: 0.0, decoupled: false, weights_only: false, per_image: false, in_loss: false };

    /// Returns the coefficient for a batch of this many images.
    pub fn for_batch(&self, images: usize) -> f64 {
        if self.per_image { self.coefficient / images as f64 } else { self.coefficient }
    }
}

impl Specification {
    /// Returns the loss that is reported.
    pub fn reported_loss(&self) -> ReportedLoss {
        self.deviations.reported_loss.unwrap_or(ReportedLoss { loss: self.loss, factor: 1.0 })
    }

    /// Returns for each parameter tensor, in the order of [`Parameters::tensors`](mlp_parity::Parameters::tensors), true if the
    /// network has it. Weights are always there.
    pub fn has_tensors(&self) -> impl Iterator<Item = bool> + '_ {
        self.biases.iter().flat_map(|&has_biases| [true, has_biases])
    }

    /// Returns the specification of a network and an optimizer of the contract.
    pub fn new(config: &MlpConfig, optimizer: &Optimizer) -> Self {
        Self {
            activations: vec![config.activation().into(); config.hidden().len()],
            biases: vec![true; config.hidden().len() + 1],
            loss: Loss::MEAN_CROSS_ENTROPY,
            weight_decay: optimizer.into(),
            clipping: None,
            update_rule: optimizer.into(),
            products: ProductPrecision::Full,
            deviations: Deviations::default(),
        }
    }
}
