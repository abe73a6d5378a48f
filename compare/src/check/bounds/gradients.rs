//! Errors of the gradients that an update rule gets: after coupled weight decay, equation (14) of the [error
//! model](crate::check#error-model), and after clipping.
//!
//! Clipping by a norm multiplies all gradients g of a tensor, or of the network, by one factor c/(‖g‖ + ε). Its error is
//! the same in all elements, and therefore systematic. By the Cauchy–Schwarz inequality,
//!
//! ```text
//! |δ‖g‖| ≤ ‖δg‖ ≤ λ √(Σ E²(g)) + √(Σ S(g)²),   plus λ u √n ‖g‖ for the rounding of the sum of n squares
//! ```

use mlp_parity::{Arithmetic, Parameters};
use mlp_parity_scratch::reference::{Clipping, Specification};
use ndarray::{Array2, ArrayD, IxDyn};

use super::bounded_matrix::ErrorEstimate;
use super::confidence::LAMBDA;
use super::expected::Expected;
use super::uncertain::Rounding;
use super::update::Gradient;

/// The gradients of one batch, with their errors.
pub(in crate::check) struct Gradients<'a> {
    pub(in crate::check) values: &'a Parameters<f64>,
    /// The error estimates in the order of the tensors; `None` for gradients that are given to the candidate.
    pub(in crate::check) errors: Vec<Option<&'a ErrorEstimate>>,
}

impl<'a> Gradients<'a> {
    /// Returns gradients that are given to candidate and reference, and so have no error.
    pub(in crate::check) fn exact(values: &'a Parameters<f64>) -> Self {
        let errors = values.tensors().map(|_| None).collect();
        Self { values, errors }
    }

    /// Returns the expected gradients of a batch, with their error estimates, for a step in which the candidate
    /// computes the gradients itself.
    pub(in crate::check) fn computed(expected: &'a Expected) -> Self {
        let errors = expected.gradients.iter().map(|(_, gradient)| gradient.error.as_ref()).collect();
        Self { values: &expected.reference_gradients, errors }
    }
}

/// Returns the gradients of every tensor with their errors.
pub(in crate::check) fn with_errors(gradients: &Gradients<'_>) -> Vec<Vec<Gradient>> {
    let mut tensors = Vec::new();
    for ((_, values), error) in gradients.values.tensors().zip(&gradients.errors) {
        let rounding_bound = error.map(ErrorEstimate::rounding_bound);
        let undecided = error.and_then(|error| error.undecided.as_ref());
        let elements = values.iter().enumerate().map(|(index, &value)| {
            let at = |matrix: &Array2<f64>| matrix.as_slice().map_or(f64::NAN, |values| values[index]);
            // The variance that corresponds to the bound. It is smaller than E² if the worst case limits the bound,
            // and larger if there are correlated errors.
            let variance = rounding_bound.as_ref().map_or(0.0, |bound| (at(bound) / LAMBDA).powi(2));
            Gradient { value, variance, systematic: undecided.map_or(0.0, at) }
        });
        tensors.push(elements.collect());
    }
    tensors
}

/// Adds the gradients of two steps, whose errors are independent.
pub(in crate::check) fn sum(
    tensors: &[Vec<Gradient>],
    others: &[Vec<Gradient>],
    rounding: &Rounding,
) -> Vec<Vec<Gradient>> {
    let sum = |gradient: &Gradient, other: &Gradient| {
        let value = gradient.value + other.value;
        Gradient {
            value,
            variance: gradient.variance + other.variance + (rounding.roundoff * value).powi(2),
            systematic: gradient.systematic + other.systematic,
        }
    };
    let pairs = tensors.iter().zip(others);
    pairs
        .map(|(tensor, other)| tensor.iter().zip(other).map(|(gradient, other)| sum(gradient, other)).collect())
        .collect()
}

/// Returns the gradients of every tensor after coupled weight decay and clipping, with their errors. `before` are the
/// parameters and `images` is the size of the batch.
pub(in crate::check) fn processed(
    specification: &Specification,
    before: &Parameters<f64>,
    mut processed: Vec<Vec<Gradient>>,
    images: usize,
    rounding: &Rounding,
) -> Vec<Vec<Gradient>> {
    let in_loss = specification.weight_decay.in_loss;
    if in_loss {
        add_weight_decay(specification, before, &mut processed, images, rounding);
    }
    if let Some(clipping) = specification.clipping {
        clip(clipping, &mut processed, rounding);
    }
    if !in_loss {
        add_weight_decay(specification, before, &mut processed, images, rounding);
    }
    processed
}

/// Adds coupled weight decay to the gradients of every tensor.
fn add_weight_decay(
    specification: &Specification,
    before: &Parameters<f64>,
    gradients: &mut [Vec<Gradient>],
    images: usize,
    rounding: &Rounding,
) {
    let decay = specification.weight_decay;
    if decay.coefficient == 0.0 || decay.decoupled {
        return;
    }
    let coefficient = decay.for_batch(images);
    for ((name, before), gradients) in before.tensors().zip(gradients) {
        if !(decay.weights_only && name.ends_with(".bias")) {
            let pairs = before.iter().zip(gradients);
            pairs.for_each(|(before, gradient)| *gradient = gradient.with_decay(coefficient * before, rounding));
        }
    }
}

/// The name, the values and the error bounds of a tensor.
pub(in crate::check) type BoundedTensor = (String, ArrayD<f64>, ArrayD<f64>);

/// Returns the name, the values and the error bounds of every gradient after coupled weight decay and clipping.
pub(in crate::check) fn processed_tensors(
    specification: &Specification,
    before: &Parameters<f64>,
    gradients: &Gradients<'_>,
    images: usize,
    arithmetic: &Arithmetic,
) -> Vec<BoundedTensor> {
    let processed = processed(specification, before, with_errors(gradients), images, &Rounding::new(arithmetic));
    let array = |shape: &[usize], values: Vec<f64>| {
        ArrayD::from_shape_vec(IxDyn(shape), values).unwrap_or_else(|_| ArrayD::from_elem(IxDyn(shape), f64::NAN))
    };
    let tensors = before.tensors().zip(processed).map(|((name, values), gradients)| {
        let expected = gradients.iter().map(|gradient| gradient.value).collect();
        let bound = gradients.iter().map(Gradient::radius).collect();
        (name, array(values.shape(), expected), array(values.shape(), bound))
    });
    tensors.collect()
}

impl Gradient {
    /// Adds weight decay, equation (14). The coefficient itself is rounded, which is systematic.
    fn with_decay(self, decay: f64, rounding: &Rounding) -> Self {
        let value = self.value + decay;
        let own = rounding.roundoff.powi(2) * (decay * decay + value * value);
        let systematic = self.systematic + rounding.roundoff * decay.abs();
        Self { value, variance: self.variance + own, systematic }
    }

    /// Multiplies by a factor with a relative error.
    fn scaled(self, factor: f64, relative_error: f64, rounding: &Rounding) -> Self {
        let value = factor * self.value;
        Self {
            value,
            variance: factor * factor * self.variance + (rounding.roundoff * value).powi(2),
            systematic: factor * self.systematic + relative_error * value.abs(),
        }
    }

    /// Returns a bound on the whole error.
    fn radius(&self) -> f64 {
        LAMBDA * self.variance.sqrt() + self.systematic
    }
}

/// Clips the gradients of all tensors.
fn clip(clipping: Clipping, tensors: &mut [Vec<Gradient>], rounding: &Rounding) {
    match clipping {
        Clipping::GlobalNorm { limit, epsilon } => {
            let norm = Norm::new(tensors.iter().flatten());
            tensors.iter_mut().for_each(|tensor| norm.clip(limit, epsilon, tensor, rounding));
        }
        Clipping::TensorNorm { limit, epsilon } => {
            tensors.iter_mut().for_each(|tensor| Norm::new(tensor.iter()).clip(limit, epsilon, tensor, rounding));
        }
        Clipping::Value { limit } => {
            for gradient in tensors.iter_mut().flatten() {
                // The limit itself is rounded.
                let systematic = rounding.roundoff * limit;
                let clipped = Gradient { value: gradient.value.clamp(-limit, limit), variance: 0.0, systematic };
                // Within its error of the limit, a gradient keeps its error: clipping moves no two numbers apart.
                if gradient.value.abs() - gradient.radius() > limit {
                    *gradient = clipped;
                } else {
                    gradient.value = clipped.value;
                    gradient.systematic += systematic;
                }
            }
        }
    }
}

/// The Euclidean norm of gradients, with a bound on its error.
struct Norm {
    value: f64,
    error: f64,
    count: f64,
}

impl Norm {
    fn new<'a>(gradients: impl Iterator<Item = &'a Gradient>) -> Self {
        let [mut squares, mut variances, mut systematic, mut count] = [0.0; 4];
        for gradient in gradients {
            squares += gradient.value.powi(2);
            variances += gradient.variance;
            systematic += gradient.systematic.powi(2);
            count += 1.0;
        }
        Self { value: f64::sqrt(squares), error: LAMBDA * f64::sqrt(variances) + f64::sqrt(systematic), count }
    }

    /// Multiplies the gradients by min(1, limit / (norm + ε)), with the error of that factor.
    fn clip(&self, limit: f64, epsilon: f64, tensor: &mut [Gradient], rounding: &Rounding) {
        let norm_error = self.error + LAMBDA * rounding.roundoff * self.count.sqrt() * self.value;
        let divisor = self.value + epsilon;
        if divisor + norm_error < limit {
            return;
        }
        let factor = if divisor > limit { limit / divisor } else { 1.0 };
        // The limit, the sum with ε and the division are rounded.
        let relative_error = norm_error / divisor + 4.0 * rounding.roundoff;
        tensor.iter_mut().for_each(|gradient| *gradient = gradient.scaled(factor, relative_error, rounding));
    }
}
