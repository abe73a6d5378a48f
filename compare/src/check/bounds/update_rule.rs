//! One step of an optimizer for one parameter, and the error of the parameter after it: equations (14) to (17) of the
//! [error model](crate::check#error-model).
//!
//! The step starts from the parameter θ that the candidate had before it, which is known exactly. Errors are inherited
//! only from the gradient and from the optimizer's state, momentum's velocity v or Adam's moments m and v. Each
//! variance is split in two: that of the rounding errors in the state and in the step, which are independent between
//! parameters, and that of the errors of the gradients, which are not. The projection, equation (18), needs the two
//! parts separately.
//!
//! Errors that do not change sign from step to step or from element to element are *systematic* and are added linearly:
//! the rounding of hyper-parameters, and the effect of undecided ReLU units, whose input may have either sign after
//! rounding, on a gradient.
//!
//! Limits: Adam's quotient m̂/(√v̂ + ε) is linearized. If the error of √v̂ exceeds half of √v̂ + ε, the quotient is
//! *indeterminate*, and any step up to the largest that Adam can take is accepted.

use mlp_parity::{Arithmetic, Optimizer};

use super::bounded_matrix::squared_roundoff;
use super::confidence::LAMBDA;

/// The update rule of an optimizer, with the constants of one of its steps.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) struct UpdateRule {
    arithmetic: Arithmetic,
    /// u² and u, where u is the unit roundoff of the error model; see [`squared_roundoff`].
    roundoff: [f64; 2],
    /// η: the learning rate of the step.
    learning_rate: f64,
    /// The weight-decay coefficient that is added to the gradient; 0 for AdamW.
    coupled_decay: f64,
    algorithm: Algorithm,
}

/// The two families of update rules, with their constants.
#[derive(Clone, Copy, Debug)]
enum Algorithm {
    /// SGD with momentum; plain SGD is a momentum of 0.
    Momentum {
        /// µ: the factor by which the velocity decays in each step.
        momentum: f64,
        nesterov: bool,
    },
    /// Adam and AdamW.
    Adam {
        /// β₁ and β₂: the decay factors of the two moments.
        betas: [f64; 2],
        epsilon: f64,
        /// The bias corrections 1 − β₁ᵗ and 1 − β₂ᵗ.
        corrections: [f64; 2],
        /// The relative errors of the two corrections.
        corrections_error: [f64; 2],
        /// The factor 1 − η × weight decay by which AdamW multiplies the parameter; 1 for Adam.
        shrink: f64,
        /// The largest possible |m̂|/√v̂ in this step, where m̂ and v̂ are the bias-corrected moments.
        largest_ratio: f64,
    },
}

/// The optimizer state of one parameter with its errors: momentum's velocity, or Adam's two moments. The velocity is
/// stored in place of the first moment.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::check) struct Moments {
    /// The reference's values of the two moments.
    value: [f64; 2],
    /// Variances of the rounding errors in the two moments.
    rounding_variance: [f64; 2],
    /// The errors that the gradients cause: variance of the first moment, covariance of both, variance of the second.
    gradient_covariance: [f64; 3],
    /// Bounds on the systematic errors of the two moments, which do not change sign at random.
    systematic: [f64; 2],
}

/// One element of a gradient, with bounds on its errors.
#[derive(Clone, Copy, Debug)]
pub(in crate::check) struct Gradient {
    pub(in crate::check) value: f64,
    /// E²(g): bound on the variance of the gradient's error.
    pub(in crate::check) variance: f64,
    /// D(g): bound on the change of the gradient if rounding gives the inputs of ReLU units near 0 the other sign.
    pub(in crate::check) undecided: f64,
}

/// The error estimate of one parameter after an optimizer step.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::check) struct StepError {
    /// Variance of the rounding errors in the step and in the optimizer's state.
    pub(in crate::check) rounding_variance: f64,
    /// Variance of the errors that the gradients cause.
    pub(in crate::check) gradient_variance: f64,
    /// Bound on the systematic errors, which do not change sign at random and therefore add up linearly.
    pub(in crate::check) systematic: f64,
    /// A rounding error that is random in one element but may be the same in many. All steps of Adam have about the
    /// same size, so parameters of similar magnitude are rounded in the same direction. Used only in the projection,
    /// equation (18).
    pub(in crate::check) correlated: f64,
    /// True if a term of the update, other than the parameter after it, may exceed the largest finite number of the
    /// candidate's precision, so that the error has no bound.
    pub(in crate::check) overflows: bool,
    /// True if the denominator of Adam's quotient may be mostly rounding error, so that any step up to the largest that
    /// Adam can take is correct.
    pub(in crate::check) indeterminate: bool,
}

impl StepError {
    /// Returns the error bound of the parameter after the step: λ standard deviations of the random errors, plus the
    /// systematic errors.
    pub(in crate::check) fn bound(&self) -> f64 {
        LAMBDA * (self.rounding_variance + self.gradient_variance).sqrt() + self.systematic
    }
}

/// Returns the optimizer with its hyper-parameters in the precision in which `arithmetic` stores them.
pub(in crate::check) fn with_stored_hyper_parameters(optimizer: &Optimizer, arithmetic: &Arithmetic) -> Optimizer {
    let stored = |value: f64| if arithmetic.single_hyper_parameters { f64::from(value as f32) } else { value };
    match *optimizer {
        Optimizer::Sgd { weight_decay } => Optimizer::Sgd { weight_decay: stored(weight_decay) },
        Optimizer::Momentum { momentum, nesterov, weight_decay } => {
            Optimizer::Momentum { momentum: stored(momentum), nesterov, weight_decay: stored(weight_decay) }
        }
        Optimizer::Adam { beta1, beta2, epsilon, weight_decay } => Optimizer::Adam {
            beta1: stored(beta1),
            beta2: stored(beta2),
            epsilon: stored(epsilon),
            weight_decay: stored(weight_decay),
        },
        Optimizer::AdamW { beta1, beta2, epsilon, weight_decay } => Optimizer::AdamW {
            beta1: stored(beta1),
            beta2: stored(beta2),
            epsilon: stored(epsilon),
            weight_decay: stored(weight_decay),
        },
    }
}

impl UpdateRule {
    /// Creates the update rule for the step with number `step`, counted from 1. Adam's bias corrections depend on it.
    pub(in crate::check) fn new(optimizer: &Optimizer, learning_rate: f64, step: i32, arithmetic: &Arithmetic) -> Self {
        let squared_roundoff = squared_roundoff(arithmetic);
        let roundoff = squared_roundoff.sqrt();
        let (coupled_decay, algorithm) = match *optimizer {
            Optimizer::Sgd { weight_decay } => (weight_decay, Algorithm::Momentum { momentum: 0.0, nesterov: false }),
            Optimizer::Momentum { momentum, nesterov, weight_decay } => {
                (weight_decay, Algorithm::Momentum { momentum, nesterov })
            }
            Optimizer::Adam { beta1, beta2, epsilon, weight_decay } => {
                (weight_decay, Algorithm::adam([beta1, beta2], epsilon, 1.0, step, arithmetic))
            }
            Optimizer::AdamW { beta1, beta2, epsilon, weight_decay } => {
                (0.0, Algorithm::adam([beta1, beta2], epsilon, 1.0 - learning_rate * weight_decay, step, arithmetic))
            }
        };
        let roundoff = [squared_roundoff, roundoff];
        Self { arithmetic: *arithmetic, roundoff, learning_rate, coupled_decay, algorithm }
    }

    /// Estimates the error of a parameter after a step that starts from `before`, the candidate's own value, and
    /// updates `moments` to the state after the step.
    pub(in crate::check) fn step(&self, before: f64, mut gradient: Gradient, moments: &mut Moments) -> StepError {
        let [squared_roundoff, roundoff] = self.roundoff;
        if self.coupled_decay != 0.0 {
            // Equation (14). The coefficient itself is rounded, which is systematic.
            let decay = self.coupled_decay * before;
            gradient.value += decay;
            gradient.variance += squared_roundoff * (decay * decay + gradient.value * gradient.value);
            gradient.undecided += roundoff * decay.abs();
        }
        let error = match self.algorithm {
            Algorithm::Momentum { momentum, nesterov } => self.momentum(momentum, nesterov, before, gradient, moments),
            Algorithm::Adam { .. } => self.adam(before, gradient, moments),
        };
        StepError { overflows: self.overflows(gradient.value, moments), ..error }
    }

    /// Returns true if a term of an update with this gradient, which includes coupled weight decay, may overflow.
    /// `moments` is the state after the update. Implementations may multiply the factors of Adam's update in any order.
    fn overflows(&self, gradient: f64, moments: &Moments) -> bool {
        let (decay, velocity) = (self.learning_rate * self.coupled_decay, moments.value[0]);
        let terms = match self.algorithm {
            Algorithm::Momentum { .. } => [decay, gradient, velocity],
            Algorithm::Adam { corrections, shrink, .. } => {
                let rate = self.learning_rate / corrections[0];
                [decay.max(shrink.abs()), gradient * gradient, rate * velocity.abs().max(1.0)]
            }
        };
        // Twice the terms, because they are rounded, and Nesterov's momentum adds two of them.
        terms.iter().any(|term| 2.0 * term.abs() > self.arithmetic.overflow)
    }

    /// Estimates the error of a step of SGD with momentum, equation (15): v ← µv + g, θ ← θ − ηv; with Nesterov's
    /// momentum θ ← θ − η(g + µv).
    fn momentum(
        &self,
        momentum: f64,
        nesterov: bool,
        before: f64,
        gradient: Gradient,
        moments: &mut Moments,
    ) -> StepError {
        let [squared_roundoff, roundoff] = self.roundoff;
        let decayed = momentum * moments.value[0];
        let velocity = decayed + gradient.value;
        // Without momentum the gradient itself is the velocity.
        let rounding = if momentum == 0.0 { 0.0 } else { squared_roundoff * (decayed * decayed + velocity * velocity) };
        moments.value[0] = velocity;
        moments.rounding_variance[0] = momentum * momentum * moments.rounding_variance[0] + rounding;
        moments.gradient_covariance[0] = momentum * momentum * moments.gradient_covariance[0] + gradient.variance;
        moments.systematic[0] = momentum * moments.systematic[0] + roundoff * decayed.abs() + gradient.undecided;
        let mut direction = velocity;
        let [mut rounding_variance, mut gradient_variance, mut systematic] =
            [moments.rounding_variance[0], moments.gradient_covariance[0], moments.systematic[0]];
        if nesterov {
            let lookahead = momentum * velocity;
            direction = gradient.value + lookahead;
            rounding_variance = momentum * momentum * rounding_variance
                + squared_roundoff * (lookahead * lookahead + direction * direction);
            // The present gradient is in both terms, so they are correlated: (a + b)² ≤ 2 (a² + b²).
            gradient_variance = 2.0 * (gradient.variance + momentum * momentum * gradient_variance);
            systematic = gradient.undecided + momentum * systematic + roundoff * lookahead.abs();
        }
        let update = self.learning_rate * direction;
        let after = before - update;
        let rate = self.learning_rate;
        StepError {
            rounding_variance: rate * rate * rounding_variance + squared_roundoff * (update * update + after * after),
            gradient_variance: rate * rate * gradient_variance,
            systematic: rate * systematic + roundoff * update.abs() + self.arithmetic.underflow,
            correlated: 0.0,
            overflows: false,
            indeterminate: false,
        }
    }

    /// Estimates the error of a step of Adam or AdamW, equations (16) and (17): θ ← (1 − η × weight decay) θ − d, d = η
    /// m̂/(√v̂ + ε).
    fn adam(&self, before: f64, gradient: Gradient, moments: &mut Moments) -> StepError {
        let Algorithm::Adam { betas, epsilon, corrections, corrections_error, shrink, largest_ratio } = self.algorithm
        else {
            return StepError::default();
        };
        let [squared_roundoff, roundoff] = self.roundoff;
        moments.advance_adam(betas, gradient, [squared_roundoff, roundoff, self.arithmetic.underflow]);
        let root = (moments.value[1] / corrections[1]).sqrt();
        let denominator = root + epsilon;
        let update = self.learning_rate * moments.value[0] / corrections[0] / denominator;
        let shrunk = shrink * before;
        let after = shrunk - update;
        let parameter_rounding = squared_roundoff * (after * after + if shrink == 1.0 { 0.0 } else { shrunk * shrunk });
        let shrink_error = if shrink == 1.0 { 0.0 } else { roundoff * shrunk.abs() };

        let second_variance = moments.rounding_variance[1] + moments.gradient_covariance[2];
        let second_error = (LAMBDA * second_variance.sqrt() + moments.systematic[1]) / corrections[1];
        // |√(v + e) − √v| is at most √e, and at most e/√v.
        let root_error = if root > 0.0 { second_error.sqrt().min(second_error / root) } else { second_error.sqrt() };
        if root_error > denominator / 2.0 {
            // The largest step, with a margin for rounding, in either direction.
            let systematic = self.learning_rate * largest_ratio * 1.01 + update.abs() + shrink_error;
            return StepError {
                rounding_variance: parameter_rounding,
                gradient_variance: 0.0,
                systematic,
                correlated: 0.0,
                overflows: false,
                indeterminate: true,
            };
        }
        // The derivatives of the quotient grow as the denominator shrinks; they are taken at its smallest value.
        let stretch = (1.0 - root_error / denominator).powi(-2);
        let by_first = stretch * self.learning_rate / corrections[0] / denominator;
        let by_second = if root > 0.0 { -stretch * update / denominator / (2.0 * root * corrections[1]) } else { 0.0 };
        let Arithmetic { division, square_root, .. } = self.arithmetic;
        let update_rounding =
            squared_roundoff * update * update * (4.0 + division * division + square_root * square_root);
        let constants_error =
            corrections_error[0] + corrections_error[1] / 2.0 + roundoff * (1.0 + epsilon / denominator);
        let [first, covariance, second] = moments.gradient_covariance;
        let gradient_variance =
            by_first.powi(2) * first + 2.0 * by_first * by_second * covariance + by_second.powi(2) * second;
        StepError {
            rounding_variance: by_first.powi(2) * moments.rounding_variance[0]
                + by_second.powi(2) * moments.rounding_variance[1]
                + update_rounding
                + parameter_rounding,
            // Rounding in this computation may make a variance near zero negative.
            gradient_variance: gradient_variance.max(0.0),
            systematic: by_first * moments.systematic[0]
                + by_second.abs() * moments.systematic[1]
                + update.abs() * constants_error
                + shrink_error
                + self.arithmetic.underflow,
            correlated: parameter_rounding.sqrt(),
            overflows: false,
            indeterminate: false,
        }
    }
}

impl Moments {
    /// Updates Adam's moments m and v, and their errors, with a gradient g, equation (16): m ← β₁m + (1−β₁)g, v ← β₂v +
    /// (1−β₂)g².
    fn advance_adam(
        &mut self,
        [beta1, beta2]: [f64; 2],
        gradient: Gradient,
        [squared_roundoff, roundoff, underflow]: [f64; 3],
    ) {
        let Gradient { value: g, variance, undecided } = gradient;
        let [decayed1, decayed2] = [beta1 * self.value[0], beta2 * self.value[1]];
        let [added1, added2] = [(1.0 - beta1) * g, (1.0 - beta2) * g * g];
        self.value = [decayed1 + added1, decayed2 + added2];
        let rounding = |decayed: f64, added: f64| {
            squared_roundoff * (decayed * decayed + 2.0 * added * added + (decayed + added).powi(2)) + underflow.powi(2)
        };
        self.rounding_variance = [
            beta1 * beta1 * self.rounding_variance[0] + rounding(decayed1, added1),
            beta2 * beta2 * self.rounding_variance[1] + rounding(decayed2, added2),
        ];
        // Both moments inherit the error of the same gradient, by the factors dm/dg and dv/dg; hence the covariance.
        let [by1, by2] = [1.0 - beta1, 2.0 * (1.0 - beta2) * g];
        let [first, covariance, second] = self.gradient_covariance;
        self.gradient_covariance = [
            beta1 * beta1 * first + by1 * by1 * variance,
            beta1 * beta2 * covariance + by1 * by2 * variance,
            beta2 * beta2 * second + by2 * by2 * variance,
        ];
        // The term of v that is linear in the gradient's error omits the square of that error, so it is added here.
        let error = LAMBDA * variance.sqrt() + undecided;
        self.systematic = [
            beta1 * self.systematic[0] + (1.0 - beta1) * undecided + roundoff * (decayed1.abs() + added1.abs()),
            beta2 * self.systematic[1]
                + (1.0 - beta2) * (2.0 * g.abs() * undecided + error * error)
                + roundoff * (decayed2 + added2),
        ];
    }
}

impl Algorithm {
    fn adam(betas: [f64; 2], epsilon: f64, shrink: f64, step: i32, arithmetic: &Arithmetic) -> Self {
        let corrections = betas.map(|beta| 1.0 - beta.powi(step));
        let corrections_error = betas.map(|beta| {
            let power = beta.powi(step);
            // βᵗ takes t products, whose relative error the difference 1 − βᵗ amplifies by βᵗ/(1 − βᵗ).
            let amplified = f64::from(step) * power / (1.0 - power);
            arithmetic.unit_roundoff * (1.0 + if arithmetic.single_hyper_parameters { amplified } else { 0.0 })
        });
        // m̂ = Σ aᵢgᵢ and v̂ = Σ bᵢgᵢ² over all gradients so far, so by the Cauchy–Schwarz inequality
        // |m̂|/√v̂ ≤ √(Σ aᵢ²/bᵢ).
        let weight = |moment: usize, age: i32| (1.0 - betas[moment]) * betas[moment].powi(age) / corrections[moment];
        let ratio: f64 = (0..step).map(|age| weight(0, age).powi(2) / weight(1, age)).sum();
        Self::Adam { betas, epsilon, corrections, corrections_error, shrink, largest_ratio: ratio.sqrt() }
    }
}
