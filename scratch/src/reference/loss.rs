//! Loss functions and their gradients with respect to the sums of the output layer: equations (3) and (4) of the [crate
//! documentation](crate) and their variants.

use super::number::Number;

/// Loss function of a batch: the loss of each image, and how the losses are combined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Loss {
    /// The loss of one image.
    pub function: LossFunction,
    /// The combination of the losses of the images.
    pub reduction: Reduction,
}

/// Loss of one image as a function of its targets t, which are 1 for its class and 0 for the other classes, and of the
/// sums z of the output layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LossFunction {
    /// Cross-entropy of the probabilities p = softmax(z): −Σₖ tₖ ln pₖ.
    CrossEntropy {
        /// Protection of the logarithm against p = 0.
        guard: LogarithmGuard,
        /// Label smoothing α in [0, 1): the targets become (1 − α) t + α / classes.
        label_smoothing: f64,
    },
    /// Squared error of the outputs a: factor · Σₖ (aₖ − tₖ)².
    SquaredError {
        /// The function that computes the outputs a from z.
        output: OutputFunction,
        /// Factor of the sum: 1, or ½ as in most textbooks.
        factor: f64,
    },
    /// Binary cross-entropy of the outputs a = 1 / (1 + exp(−z)): −Σₖ (tₖ ln aₖ + (1 − tₖ) ln(1 − aₖ)).
    BinaryCrossEntropy {
        /// Protection of the logarithms against 0.
        guard: LogarithmGuard,
    },
}

/// Function that computes the outputs of the network from the sums z of the output layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OutputFunction {
    /// The outputs are z itself.
    Linear,
    /// 1 / (1 + exp(−z)) for each output.
    Sigmoid,
    /// tanh z for each output.
    Tanh,
    /// exp(zⱼ) / Σₖ exp(zₖ).
    Softmax,
    /// softmax(softmax(z)).
    SoftmaxTwice,
}

/// Protection of the argument x of a logarithm against 0. It changes the reported loss. The gradient is that of the
/// unprotected loss, as in programs that compute δ = a − t, unless `in_gradient` is set.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum LogarithmGuard {
    /// ln x.
    None,
    /// ln(x + ε).
    Added {
        /// ε, above 0.
        epsilon: f64,
        /// True if the gradient is that of the protected loss, as by automatic differentiation.
        in_gradient: bool,
    },
    /// ln(min(max(x, ε), 1 − ε)).
    Clipped {
        /// ε, above 0 and below ½.
        epsilon: f64,
        /// True if the gradient is that of the protected loss: 0 for a clipped x.
        in_gradient: bool,
    },
}

/// Combination of the losses of the images of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduction {
    /// The mean over the images.
    Mean,
    /// The sum over the images.
    Sum,
    /// The mean over images and outputs, as in PyTorch's `MSELoss` and `BCELoss`.
    MeanOverOutputs,
}

impl Loss {
    /// The mean cross-entropy of softmax, without label smoothing: the loss of the trained implementations.
    pub const MEAN_CROSS_ENTROPY: Self = Self {
        function: LossFunction::CrossEntropy { guard: LogarithmGuard::None, label_smoothing: 0.0 },
        reduction: Reduction::Mean,
    };
}

impl Reduction {
    /// Returns the factor of the sum of all losses, for a batch of `images` and a network with `outputs`.
    pub fn factor(self, images: usize, outputs: usize) -> f64 {
        match self {
            Self::Mean => 1.0 / images as f64,
            Self::Sum => 1.0,
            Self::MeanOverOutputs => 1.0 / (images as f64 * outputs as f64),
        }
    }
}

impl LossFunction {
    /// Returns the function that computes the outputs.
    pub fn output(self) -> OutputFunction {
        match self {
            Self::CrossEntropy { .. } => OutputFunction::Softmax,
            Self::SquaredError { output, .. } => output,
            Self::BinaryCrossEntropy { .. } => OutputFunction::Sigmoid,
        }
    }

    /// Returns the targets of one image with label smoothing, with which the loss compares the outputs.
    pub fn smoothed(self, targets: impl ExactSizeIterator<Item = f64>) -> Vec<f64> {
        let outputs = targets.len() as f64;
        let smoothed = |target| match self {
            Self::CrossEntropy { label_smoothing, .. } => (1.0 - label_smoothing) * target + label_smoothing / outputs,
            Self::SquaredError { .. } | Self::BinaryCrossEntropy { .. } => target,
        };
        targets.map(smoothed).collect()
    }

    /// Computes the term of the loss that one output `a` contributes, given its target.
    fn term<N: Number>(self, a: &N, target: f64) -> N {
        let constant = |value: f64| a.constant(value);
        match self {
            Self::CrossEntropy { guard, .. } if target != 0.0 => constant(-target) * guard.ln(a),
            Self::CrossEntropy { .. } => constant(0.0),
            Self::SquaredError { factor, .. } => constant(factor) * (a.clone() - constant(target)).squared(),
            Self::BinaryCrossEntropy { guard } => {
                let [mut of_target, mut of_rest] = [constant(0.0), constant(0.0)];
                if target != 0.0 {
                    of_target = constant(-target) * guard.ln(a);
                }
                if target != 1.0 {
                    of_rest = constant(target - 1.0) * guard.ln(&(constant(1.0) - a.clone()));
                }
                of_target + of_rest
            }
        }
    }

    /// Computes the derivative of [`term`](Self::term) with respect to the output `a`.
    fn derivative_of_term<N: Number>(self, a: &N, target: f64) -> N {
        let constant = |value: f64| a.constant(value);
        match self {
            Self::CrossEntropy { guard, .. } if target != 0.0 => constant(-target) * guard.derivative_of_ln(a),
            Self::CrossEntropy { .. } => constant(0.0),
            Self::SquaredError { factor, .. } => constant(2.0 * factor) * (a.clone() - constant(target)),
            Self::BinaryCrossEntropy { guard } => {
                constant(-target) * guard.derivative_of_ln(a)
                    + constant(1.0 - target) * guard.derivative_of_ln(&(constant(1.0) - a.clone()))
            }
        }
    }

    /// Computes the loss of one image from the sums z, where the logarithms of outputs are finite for every finite z; `None` if
    /// the loss has no such form. Targets are [smoothed](Self::smoothed).
    pub fn loss_by_sums<N: Number>(self, sums: &[N], targets: &[f64]) -> Option<N> {
        match self {
            Self::CrossEntropy { guard: LogarithmGuard::None, .. } => log_softmax_loss(sums, targets),
            Self::BinaryCrossEntropy { guard: LogarithmGuard::None } => logistic_loss(sums, targets),
            _ => None,
        }
    }

    /// Computes the loss of one image from the outputs a; `None` if there are no outputs. Targets are
    /// [smoothed](Self::smoothed).
    pub fn loss_by_outputs<N: Number>(self, outputs: &[N], targets: &[f64]) -> Option<N> {
        let terms = outputs.iter().zip(targets).map(|(a, &target)| self.term(a, target));
        terms.reduce(|sum, term| sum + term)
    }

    /// Computes the derivative of the loss of one image with respect to the sums z, given the outputs a. Targets are
    /// [smoothed](Self::smoothed).
    pub fn delta<N: Number>(self, outputs: &[N], targets: &[f64]) -> Vec<N> {
        if self.has_canonical_output() {
            let pairs = outputs.iter().zip(targets);
            return pairs.map(|(a, &target)| a.clone() - a.constant(target)).collect();
        }
        self.output().backward(outputs, &self.derivatives_by_outputs(outputs, targets))
    }

    /// Computes the derivatives of the loss of one image with respect to the outputs a. Targets are
    /// [smoothed](Self::smoothed).
    pub fn derivatives_by_outputs<N: Number>(self, outputs: &[N], targets: &[f64]) -> Vec<N> {
        outputs.iter().zip(targets).map(|(a, &target)| self.derivative_of_term(a, target)).collect()
    }

    /// Returns true if an output within `radius` of `output` may be clipped or not, so that the derivative may be 0 or not.
    pub fn is_at_limit(self, output: f64, radius: f64) -> bool {
        match self {
            Self::CrossEntropy { guard, .. } | Self::BinaryCrossEntropy { guard } => match guard {
                LogarithmGuard::Clipped { epsilon, in_gradient: true } => {
                    [epsilon, 1.0 - epsilon].iter().any(|limit| (output - limit).abs() <= radius)
                }
                _ => false,
            },
            Self::SquaredError { .. } => false,
        }
    }

    /// Returns true if the derivative with respect to z is a − t, because the derivative of the loss and that of the output
    /// function cancel. It is then computed in this way, without a division by a.
    fn has_canonical_output(self) -> bool {
        match self {
            Self::CrossEntropy { guard, .. } | Self::BinaryCrossEntropy { guard } => !guard.is_in_gradient(),
            Self::SquaredError { .. } => false,
        }
    }
}

impl LogarithmGuard {
    /// Returns true if the gradient is that of the protected loss.
    pub fn is_in_gradient(self) -> bool {
        match self {
            Self::None => false,
            Self::Added { in_gradient, .. } | Self::Clipped { in_gradient, .. } => in_gradient,
        }
    }

    fn ln<N: Number>(self, x: &N) -> N {
        self.protected(x).ln()
    }

    fn protected<N: Number>(self, x: &N) -> N {
        match self {
            Self::None => x.clone(),
            Self::Added { epsilon, .. } => x.clone() + x.constant(epsilon),
            Self::Clipped { epsilon, .. } if x.value() < epsilon => x.constant(epsilon),
            Self::Clipped { epsilon, .. } if x.value() > 1.0 - epsilon => x.constant(1.0 - epsilon),
            Self::Clipped { .. } => x.clone(),
        }
    }

    fn derivative_of_ln<N: Number>(self, x: &N) -> N {
        match self {
            Self::Clipped { epsilon, .. } if x.value() < epsilon || x.value() > 1.0 - epsilon => x.constant(0.0),
            _ => x.constant(1.0) / self.protected(x),
        }
    }
}

impl OutputFunction {
    /// Computes the outputs of one image from its sums z.
    pub fn outputs<N: Number>(self, sums: &[N]) -> Vec<N> {
        match self {
            Self::Linear => sums.to_vec(),
            Self::Sigmoid => sums.iter().map(N::logistic).collect(),
            Self::Tanh => sums.iter().map(N::tanh).collect(),
            Self::SoftmaxTwice => Self::Softmax.outputs(&Self::Softmax.outputs(sums)),
            Self::Softmax => {
                // Subtracting the largest sum keeps exp from overflowing. `f64::max` ignores NaN, but a NaN makes the
                // total below NaN.
                let largest = sums.iter().map(N::value).fold(f64::NEG_INFINITY, f64::max);
                let exponentials: Vec<N> = sums.iter().map(|z| (z.clone() - z.constant(largest)).exp()).collect();
                let total = exponentials.iter().cloned().reduce(|sum, value| sum + value);
                let divided = exponentials.iter().zip(total.iter().cycle());
                divided.map(|(value, total)| value.clone() / total.clone()).collect()
            }
        }
    }

    /// Computes the derivative of the loss with respect to the sums z, given the outputs `a` and the derivative with respect
    /// to the outputs.
    pub fn backward<N: Number>(self, outputs: &[N], derivatives: &[N]) -> Vec<N> {
        let pairs = outputs.iter().zip(derivatives);
        match self {
            Self::Linear => derivatives.to_vec(),
            Self::Sigmoid => {
                pairs.map(|(a, derivative)| derivative.clone() * a.clone() * (a.constant(1.0) - a.clone())).collect()
            }
            Self::Tanh => pairs.map(|(a, derivative)| derivative.clone() * (a.constant(1.0) - a.squared())).collect(),
            // The derivative of the outer function. That of the inner one needs its values.
            Self::Softmax | Self::SoftmaxTwice => {
                let products = pairs.clone().map(|(a, derivative)| a.clone() * derivative.clone());
                let Some(mean) = products.reduce(|sum, product| sum + product) else { return Vec::new() };
                pairs.map(|(a, derivative)| a.clone() * (derivative.clone() - mean.clone())).collect()
            }
        }
    }
}

/// Computes −Σₖ tₖ ln softmax(z)ₖ = Σₖ tₖ (ln Σⱼ exp(zⱼ − µ) + µ − zₖ), with the largest sum µ, equation (3); `None` if there
/// are no sums.
fn log_softmax_loss<N: Number>(sums: &[N], targets: &[f64]) -> Option<N> {
    let largest = sums.iter().map(N::value).fold(f64::NEG_INFINITY, f64::max);
    let total = sums.iter().map(|z| (z.clone() - z.constant(largest)).exp()).reduce(|sum, value| sum + value)?;
    let logarithm = total.ln();
    let terms = sums.iter().zip(targets).filter(|(_, target)| **target != 0.0);
    let loss = terms.map(|(z, &target)| z.constant(target) * (logarithm.clone() + (z.constant(largest) - z.clone())));
    loss.reduce(|sum, term| sum + term).or(Some(logarithm.constant(0.0)))
}

/// Computes −Σₖ (tₖ ln σ(zₖ) + (1 − tₖ) ln(1 − σ(zₖ))) = Σₖ (max(zₖ, 0) − tₖzₖ + ln(1 + exp(−|zₖ|))) for the logistic function σ;
/// `None` if there are no sums.
fn logistic_loss<N: Number>(sums: &[N], targets: &[f64]) -> Option<N> {
    let terms = sums.iter().zip(targets).map(|(z, &target)| {
        let zero = z.constant(0.0);
        z.max(&zero) - z.constant(target) * z.clone() + (z.constant(1.0) + (-z.abs()).exp()).ln()
    });
    terms.reduce(|sum, term| sum + term)
}
