//! The update of a single parameter by each optimizer. The documentation of [`Optimizer`] gives the formulas.

use mlp_parity::{Optimizer, Scalar};

/// Update formula of an optimizer. It determines which moments are stored for each parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UpdateFormula {
    /// Gradient descent, without moments.
    Sgd,
    /// Gradient descent with momentum: one moment, the velocity v.
    Momentum {
        /// True for Nesterov momentum.
        nesterov: bool,
    },
    /// Adam and AdamW: two moments, m and v.
    Adam,
}

/// One step of an optimizer: its coefficients, computed in double precision and then rounded to `F` once.
///
/// Adam and AdamW share one formula. For Adam `shrink` is 1, for AdamW `coupled_decay` is 0.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OptimizerStep<F> {
    formula: UpdateFormula,
    /// Learning rate η of the step.
    learning_rate: F,
    /// Coefficient λ of weight decay that is added to the gradient (L2 regularization); 0 for AdamW.
    coupled_decay: F,
    /// Factor 1 − ηλ by which AdamW's weight decay shrinks the parameter itself; 1 for the other optimizers.
    shrink: F,
    /// Coefficient µ of momentum, or decay rate β₁ of Adam's first moment; 0 for SGD.
    beta1: F,
    /// Factor 1 − β₁ of the gradient in Adam's first moment.
    one_minus_beta1: F,
    /// Decay rate β₂ of Adam's second moment; 0 for other optimizers.
    beta2: F,
    /// Factor 1 − β₂ of the squared gradient in Adam's second moment.
    one_minus_beta2: F,
    /// Learning rate with the bias correction of Adam's first moment m: η / (1 − β₁ᵗ) in step t.
    corrected_rate: F,
    /// Bias correction of the square root of Adam's second moment v: 1 / √(1 − β₂ᵗ) in step t.
    inverse_root_of_correction2: F,
    /// Constant ε that Adam adds to its denominator √v̂; 0 for other optimizers.
    epsilon: F,
}

impl<F: Scalar> OptimizerStep<F> {
    /// Computes the coefficients of step number `step_number`, counted from 1, with the given learning rate.
    pub(crate) fn new(optimizer: &Optimizer, step_number: i32, learning_rate: f64) -> Self {
        let (beta1, beta2, epsilon) = match *optimizer {
            Optimizer::Sgd { .. } => (0.0, 0.0, 0.0),
            Optimizer::Momentum { momentum, .. } => (momentum, 0.0, 0.0),
            Optimizer::Adam { beta1, beta2, epsilon, .. } | Optimizer::AdamW { beta1, beta2, epsilon, .. } => {
                (beta1, beta2, epsilon)
            }
        };
        let (coupled_decay, shrink) = match *optimizer {
            Optimizer::AdamW { weight_decay, .. } => (0.0, 1.0 - learning_rate * weight_decay),
            _ => (optimizer.weight_decay(), 1.0),
        };
        let formula = match *optimizer {
            Optimizer::Sgd { .. } => UpdateFormula::Sgd,
            Optimizer::Momentum { nesterov, .. } => UpdateFormula::Momentum { nesterov },
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => UpdateFormula::Adam,
        };
        Self {
            formula,
            learning_rate: F::from_f64(learning_rate),
            coupled_decay: F::from_f64(coupled_decay),
            shrink: F::from_f64(shrink),
            beta1: F::from_f64(beta1),
            // Computed in f64: in f32, 1 − 0.999 would lose three digits to cancellation.
            one_minus_beta1: F::from_f64(1.0 - beta1),
            beta2: F::from_f64(beta2),
            one_minus_beta2: F::from_f64(1.0 - beta2),
            corrected_rate: F::from_f64(learning_rate / (1.0 - beta1.powi(step_number))),
            inverse_root_of_correction2: F::from_f64((1.0 - beta2.powi(step_number)).sqrt().recip()),
            epsilon: F::from_f64(epsilon),
        }
    }

    /// Returns the update formula, for callers that select a loop once instead of a formula for each parameter.
    pub(crate) fn formula(&self) -> UpdateFormula {
        self.formula
    }

    /// Returns true if a parameter with gradient 0 does not change, as with SGD without weight decay. Momentum and Adam
    /// may still change it, because of earlier gradients.
    pub(crate) fn keeps_parameters_without_gradient(&self) -> bool {
        self.formula == UpdateFormula::Sgd && self.coupled_decay == F::zero()
    }

    /// Updates one parameter by gradient descent.
    #[inline(always)]
    pub(crate) fn sgd(&self, parameter: &mut F, gradient: F) {
        *parameter -= self.learning_rate * (gradient + self.coupled_decay * *parameter);
    }

    /// Updates one parameter and its velocity by gradient descent with momentum.
    #[inline(always)]
    pub(crate) fn momentum(&self, parameter: &mut F, gradient: F, velocity: &mut F, nesterov: bool) {
        let gradient = gradient + self.coupled_decay * *parameter;
        *velocity = self.beta1 * *velocity + gradient;
        let direction = if nesterov { gradient + self.beta1 * *velocity } else { *velocity };
        *parameter -= self.learning_rate * direction;
    }

    /// Updates one parameter and its moments m and v by Adam or AdamW.
    #[inline(always)]
    pub(crate) fn adam(&self, parameter: &mut F, gradient: F, m: &mut F, v: &mut F) {
        let gradient = gradient + self.coupled_decay * *parameter;
        *m = self.beta1 * *m + self.one_minus_beta1 * gradient;
        *v = self.beta2 * *v + self.one_minus_beta2 * gradient * gradient;
        let denominator = v.sqrt() * self.inverse_root_of_correction2 + self.epsilon;
        *parameter = *parameter * self.shrink - self.corrected_rate * *m / denominator;
    }
}
