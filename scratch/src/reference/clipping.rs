//! Gradient clipping.

use mlp_parity::{Layer, Parameters, Scalar};
use ndarray::Zip;

/// Added to the norm in a denominator by PyTorch's `clip_grad_norm_`.
const NORM_EPSILON: f64 = 1e-6;

/// Gradient clipping, after coupled weight decay and before the update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Clipping {
    /// All gradients are multiplied by min(1, c / (‖g‖ + ε)), where ‖g‖ is the Euclidean norm of all of them together.
    GlobalNorm {
        /// Largest norm c.
        limit: f64,
        /// ε: 10⁻⁶ in PyTorch, 0 in optax and Keras.
        epsilon: f64,
    },
    /// The same for each tensor on its own, as by `clipnorm` of Keras.
    TensorNorm {
        /// Largest norm c of a tensor.
        limit: f64,
        /// ε, as for the global norm.
        epsilon: f64,
    },
    /// Each element is clipped to [−c, c].
    Value {
        /// Largest magnitude c.
        limit: f64,
    },
}

impl Clipping {
    /// Clipping by the global norm as PyTorch defines it.
    pub const fn pytorch_norm(limit: f64) -> Self {
        Self::GlobalNorm { limit, epsilon: NORM_EPSILON }
    }

    /// Clips gradients.
    pub fn clip<F: Scalar>(self, gradients: &mut Parameters<F>) {
        match self {
            Self::GlobalNorm { limit, epsilon } => {
                let factor = norm_factor(
                    tensor_norms(gradients).iter().map(|norm| norm * norm).sum::<f64>().sqrt(),
                    limit,
                    epsilon,
                );
                scale(gradients, |_| factor);
            }
            Self::TensorNorm { limit, epsilon } => {
                let factors: Vec<f64> =
                    tensor_norms(gradients).iter().map(|&norm| norm_factor(norm, limit, epsilon)).collect();
                scale(gradients, |tensor| factors[tensor]);
            }
            Self::Value { limit } => {
                let limit = F::from_f64(limit);
                *gradients = gradients.map(|value| if value.abs() > limit { limit * value.signum() } else { value });
            }
        }
    }
}

/// Returns the factor by which a gradient with this norm is multiplied.
pub(super) fn norm_factor(norm: f64, limit: f64, epsilon: f64) -> f64 {
    if norm + epsilon > limit { limit / (norm + epsilon) } else { 1.0 }
}

/// Returns the Euclidean norm of each tensor, in the order of the tensors.
fn tensor_norms<F: Scalar>(gradients: &Parameters<F>) -> Vec<f64> {
    let norm = |values: &mut dyn Iterator<Item = &F>| values.map(|&value| value.into().powi(2)).sum::<f64>().sqrt();
    let layers = gradients.layers().iter();
    layers.flat_map(|layer| [norm(&mut layer.weight.iter()), norm(&mut layer.bias.iter())]).collect()
}

/// Multiplies each tensor by `factor`, a function of its number in the order of the tensors.
fn scale<F: Scalar>(gradients: &mut Parameters<F>, factor: impl Fn(usize) -> f64) {
    for (index, Layer { weight, bias }) in gradients.layers_mut().iter_mut().enumerate() {
        let [of_weight, of_bias] = [factor(2 * index), factor(2 * index + 1)].map(F::from_f64);
        Zip::from(weight).for_each(|value| *value *= of_weight);
        Zip::from(bias).for_each(|value| *value *= of_bias);
    }
}
