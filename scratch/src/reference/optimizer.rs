//! The updates. Their formulas stand at [`Optimizer`].

use mlp_parity::{Optimizer, Scalar};

/// What is remembered of each parameter: nothing, v, or m and v.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Sgd,
    Momentum { nesterov: bool },
    Adam,
}

/// The numbers of one step, computed in double precision and rounded once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Step<F> {
    kind: Kind,
    /// η
    learning_rate: F,
    /// λ in the gradient
    coupled_decay: F,
    /// 1 − ηλ of AdamW, else 1
    shrink: F,
    /// µ, or β₁
    beta1: F,
    /// 1 − β₁
    one_minus_beta1: F,
    /// β₂
    beta2: F,
    /// 1 − β₂
    one_minus_beta2: F,
    /// η / (1 − β₁ᵗ)
    corrected_rate: F,
    /// 1 / √(1 − β₂ᵗ)
    inverse_root_of_correction2: F,
    /// ε
    epsilon: F,
}

impl<F: Scalar> Step<F> {
    /// Of the step with this number, from 1.
    pub(crate) fn new(rule: &Optimizer, steps: i32, learning_rate: f64) -> Self {
        let (beta1, beta2, epsilon) = match *rule {
            Optimizer::Sgd { .. } => (0.0, 0.0, 0.0),
            Optimizer::Momentum { momentum, .. } => (momentum, 0.0, 0.0),
            Optimizer::Adam { beta1, beta2, epsilon, .. } | Optimizer::AdamW { beta1, beta2, epsilon, .. } => {
                (beta1, beta2, epsilon)
            }
        };
        let (coupled_decay, shrink) = match *rule {
            Optimizer::AdamW { weight_decay, .. } => (0.0, 1.0 - learning_rate * weight_decay),
            _ => (rule.weight_decay(), 1.0),
        };
        let kind = match *rule {
            Optimizer::Sgd { .. } => Kind::Sgd,
            Optimizer::Momentum { nesterov, .. } => Kind::Momentum { nesterov },
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => Kind::Adam,
        };
        Self {
            kind,
            learning_rate: F::from_f64(learning_rate),
            coupled_decay: F::from_f64(coupled_decay),
            shrink: F::from_f64(shrink),
            beta1: F::from_f64(beta1),
            one_minus_beta1: F::from_f64(1.0 - beta1),
            beta2: F::from_f64(beta2),
            one_minus_beta2: F::from_f64(1.0 - beta2),
            corrected_rate: F::from_f64(learning_rate / (1.0 - beta1.powi(steps))),
            inverse_root_of_correction2: F::from_f64((1.0 - beta2.powi(steps)).sqrt().recip()),
            epsilon: F::from_f64(epsilon),
        }
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether a parameter whose gradient is zero stays as it is.
    pub(crate) fn keeps_parameters_without_gradient(&self) -> bool {
        self.kind == Kind::Sgd && self.coupled_decay == F::zero()
    }

    /// The update of one parameter, whatever the rule.
    pub(crate) fn update(&self, parameter: &mut F, gradient: F, first: &mut F, second: &mut F) {
        match self.kind {
            Kind::Sgd => self.sgd(parameter, gradient),
            Kind::Momentum { nesterov } => self.momentum(parameter, gradient, first, nesterov),
            Kind::Adam => self.adam(parameter, gradient, first, second),
        }
    }

    #[inline(always)]
    pub(crate) fn sgd(&self, parameter: &mut F, gradient: F) {
        *parameter -= self.learning_rate * (gradient + self.coupled_decay * *parameter);
    }

    #[inline(always)]
    pub(crate) fn momentum(&self, parameter: &mut F, gradient: F, velocity: &mut F, nesterov: bool) {
        let gradient = gradient + self.coupled_decay * *parameter;
        *velocity = self.beta1 * *velocity + gradient;
        let direction = if nesterov { gradient + self.beta1 * *velocity } else { *velocity };
        *parameter -= self.learning_rate * direction;
    }

    #[inline(always)]
    pub(crate) fn adam(&self, parameter: &mut F, gradient: F, m: &mut F, v: &mut F) {
        let gradient = gradient + self.coupled_decay * *parameter;
        *m = self.beta1 * *m + self.one_minus_beta1 * gradient;
        *v = self.beta2 * *v + self.one_minus_beta2 * gradient * gradient;
        let denominator = v.sqrt() * self.inverse_root_of_correction2 + self.epsilon;
        *parameter = *parameter * self.shrink - self.corrected_rate * *m / denominator;
    }
}
