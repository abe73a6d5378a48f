//! The rules that turn gradients into updates.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// PyTorch's β₁ of Adam and AdamW.
pub(super) const BETA1: f64 = 0.9;

/// PyTorch's β₂ of Adam and AdamW.
pub(super) const BETA2: f64 = 0.999;

/// PyTorch's ε of Adam and AdamW.
pub(super) const EPSILON: f64 = 1e-8;

/// Names the optimizer with momentum, in an error of another one.
const MOMENTUM: &str = "the optimizer 'momentum' does";

/// Names the optimizers with betas and ε, in an error of another one.
const ADAM: &str = "adam and adamw do";

/// The rule that turns gradients into an update. g is the gradient, θ a parameter, η the learning rate,
/// λ the weight decay; t counts steps from 1. PyTorch's definitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "optimizer", rename_all = "lowercase")]
pub enum Optimizer {
    /// θ ← θ − η·(g + λθ)
    Sgd {
        /// λ, added to the gradient of weights and biases.
        weight_decay: f64,
    },
    /// v ← µv + g + λθ (v starts as the first g + λθ); θ ← θ − η·v, or with Nesterov θ ← θ − η·(g + λθ + µv).
    /// No dampening.
    Momentum {
        /// µ
        momentum: f64,
        /// Whether the step looks ahead.
        nesterov: bool,
        /// λ, added to the gradient of weights and biases.
        weight_decay: f64,
    },
    /// g ← g + λθ; m ← β₁m + (1−β₁)g; v ← β₂v + (1−β₂)g²;
    /// θ ← θ − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε)
    /// (Kingma and Ba 2015, algorithm 1; λ as in PyTorch's `Adam(weight_decay=)`).
    Adam {
        /// β₁
        beta1: f64,
        /// β₂
        beta2: f64,
        /// ε
        epsilon: f64,
        /// λ, added to the gradient of weights and biases.
        weight_decay: f64,
    },
    /// θ ← θ − ηλθ, then Adam's step with the bare gradient (Loshchilov and Hutter 2019, algorithm 2).
    AdamW {
        /// β₁
        beta1: f64,
        /// β₂
        beta2: f64,
        /// ε
        epsilon: f64,
        /// λ, applied to the parameters beside the gradient.
        weight_decay: f64,
    },
}

impl Optimizer {
    /// The names of all optimizers, in options, records and files.
    pub const NAMES: [&'static str; 4] = ["sgd", "momentum", "adam", "adamw"];

    /// Stochastic gradient descent without weight decay.
    pub const fn sgd() -> Self {
        Self::Sgd { weight_decay: 0.0 }
    }

    /// SGD with momentum µ, without Nesterov's step and without weight decay.
    pub const fn momentum(momentum: f64) -> Self {
        Self::Momentum { momentum, nesterov: false, weight_decay: 0.0 }
    }

    /// Adam with PyTorch's β₁ = 0.9, β₂ = 0.999, ε = 1e-8, without weight decay.
    pub const fn adam() -> Self {
        Self::Adam { beta1: BETA1, beta2: BETA2, epsilon: EPSILON, weight_decay: 0.0 }
    }

    /// AdamW with PyTorch's β₁ = 0.9, β₂ = 0.999, ε = 1e-8, without weight decay (PyTorch's own default is λ = 0.01).
    pub const fn adamw() -> Self {
        Self::AdamW { beta1: BETA1, beta2: BETA2, epsilon: EPSILON, weight_decay: 0.0 }
    }

    /// Sets the weight decay λ, which every optimizer has. [`validate`](Self::validate) checks its value.
    #[must_use]
    pub const fn with_weight_decay(mut self, weight_decay: f64) -> Self {
        match &mut self {
            Self::Sgd { weight_decay: own }
            | Self::Momentum { weight_decay: own, .. }
            | Self::Adam { weight_decay: own, .. }
            | Self::AdamW { weight_decay: own, .. } => *own = weight_decay,
        }
        self
    }

    /// Sets µ. [`validate`](Self::validate) checks its value.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the optimizer has no momentum: only [`Momentum`](Self::Momentum) has.
    pub fn with_momentum(mut self, momentum: f64) -> Result<Self> {
        match &mut self {
            Self::Momentum { momentum: own, .. } => *own = momentum,
            Self::Sgd { .. } | Self::Adam { .. } | Self::AdamW { .. } => return Err(self.lacks("momentum", MOMENTUM)),
        }
        Ok(self)
    }

    /// Selects Nesterov's step.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the optimizer has no momentum: only [`Momentum`](Self::Momentum) has.
    pub fn with_nesterov(mut self) -> Result<Self> {
        match &mut self {
            Self::Momentum { nesterov, .. } => *nesterov = true,
            Self::Sgd { .. } | Self::Adam { .. } | Self::AdamW { .. } => return Err(self.lacks("nesterov", MOMENTUM)),
        }
        Ok(self)
    }

    /// Sets β₁ and β₂. [`validate`](Self::validate) checks their values.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the optimizer has no betas: only [`Adam`](Self::Adam) and [`AdamW`](Self::AdamW)
    /// have.
    pub fn with_betas(mut self, beta1: f64, beta2: f64) -> Result<Self> {
        match &mut self {
            Self::Adam { beta1: first, beta2: second, .. } | Self::AdamW { beta1: first, beta2: second, .. } => {
                (*first, *second) = (beta1, beta2);
            }
            Self::Sgd { .. } | Self::Momentum { .. } => return Err(self.lacks("betas", ADAM)),
        }
        Ok(self)
    }

    /// Sets ε. [`validate`](Self::validate) checks its value.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the optimizer has no ε: only [`Adam`](Self::Adam) and [`AdamW`](Self::AdamW) have.
    pub fn with_epsilon(mut self, epsilon: f64) -> Result<Self> {
        match &mut self {
            Self::Adam { epsilon: own, .. } | Self::AdamW { epsilon: own, .. } => *own = epsilon,
            Self::Sgd { .. } | Self::Momentum { .. } => return Err(self.lacks("epsilon", ADAM)),
        }
        Ok(self)
    }

    /// The error for a setting that this optimizer does not have; `others` says which optimizers have it.
    fn lacks(&self, setting: &'static str, others: &str) -> Error {
        Error::configuration(setting, format!("{} has no {setting}; {others}", self.name()))
    }

    /// The name in options, records and files.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::Momentum { .. } => "momentum",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
        }
    }

    /// λ
    pub const fn weight_decay(&self) -> f64 {
        match *self {
            Self::Sgd { weight_decay }
            | Self::Momentum { weight_decay, .. }
            | Self::Adam { weight_decay, .. }
            | Self::AdamW { weight_decay, .. } => weight_decay,
        }
    }

    /// Checks every hyper-parameter of the rule.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the weight decay is negative, µ, β₁ or β₂ is outside [0, 1), ε is not positive,
    /// or Nesterov's step has no momentum.
    pub fn validate(&self) -> Result<()> {
        at_least_zero("weight-decay", self.weight_decay())?;
        match *self {
            Self::Sgd { .. } => Ok(()),
            Self::Momentum { momentum, nesterov, .. } => {
                fraction("momentum", momentum)?;
                if nesterov && momentum == 0.0 {
                    return Err(Error::configuration("nesterov", "needs a momentum above 0"));
                }
                Ok(())
            }
            Self::Adam { beta1, beta2, epsilon, .. } | Self::AdamW { beta1, beta2, epsilon, .. } => {
                fraction("beta1", beta1)?;
                fraction("beta2", beta2)?;
                if epsilon.is_finite() && epsilon > 0.0 {
                    return Ok(());
                }
                Err(Error::configuration("epsilon", format!("{epsilon} is not a positive number")))
            }
        }
    }
}

pub(super) fn at_least_zero(option: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::configuration(option, format!("{value} is not a number from 0 upwards")))
}

fn fraction(option: &'static str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::configuration(option, format!("{value} is not in [0, 1)")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optimizer_constructors_have_pytorch_defaults_without_weight_decay() {
        let (beta1, beta2, epsilon, weight_decay) = (0.9, 0.999, 1e-8, 0.0);
        assert_eq!(Optimizer::sgd(), Optimizer::Sgd { weight_decay });
        assert_eq!(Optimizer::momentum(0.8), Optimizer::Momentum { momentum: 0.8, nesterov: false, weight_decay });
        assert_eq!(Optimizer::adam(), Optimizer::Adam { beta1, beta2, epsilon, weight_decay });
        assert_eq!(Optimizer::adamw(), Optimizer::AdamW { beta1, beta2, epsilon, weight_decay });
    }

    #[test]
    fn optimizer_setters_change_their_setting_alone() {
        let (momentum, weight_decay) = (0.7, 0.01);
        let nesterov = Optimizer::momentum(0.9).with_nesterov().unwrap();
        assert_eq!(nesterov, Optimizer::Momentum { momentum: 0.9, nesterov: true, weight_decay: 0.0 });
        let decayed = nesterov.with_momentum(momentum).unwrap().with_weight_decay(weight_decay);
        assert_eq!(decayed, Optimizer::Momentum { momentum, nesterov: true, weight_decay });
        assert_eq!(Optimizer::sgd().with_weight_decay(weight_decay), Optimizer::Sgd { weight_decay });
        let (beta1, beta2, epsilon) = (0.8, 0.99, 1e-6);
        let changed = |adam: Optimizer| {
            let changed = adam.with_weight_decay(weight_decay).with_betas(beta1, beta2).unwrap();
            changed.with_epsilon(epsilon).unwrap()
        };
        assert_eq!(changed(Optimizer::adam()), Optimizer::Adam { beta1, beta2, epsilon, weight_decay });
        assert_eq!(changed(Optimizer::adamw()), Optimizer::AdamW { beta1, beta2, epsilon, weight_decay });
    }

    #[test]
    fn optimizer_setters_name_the_optimizers_that_have_the_setting() {
        let message = |result: Result<Optimizer>| result.unwrap_err().to_string();
        for rule in [Optimizer::sgd(), Optimizer::momentum(0.9)] {
            let name = rule.name();
            assert_eq!(message(rule.with_betas(0.9, 0.99)), format!("betas: {name} has no betas; adam and adamw do"));
            assert_eq!(message(rule.with_epsilon(0.1)), format!("epsilon: {name} has no epsilon; adam and adamw do"));
        }
        for rule in [Optimizer::sgd(), Optimizer::adam(), Optimizer::adamw()] {
            let name = rule.name();
            let without = |setting| format!("{setting}: {name} has no {setting}; the optimizer 'momentum' does");
            assert_eq!(message(rule.with_momentum(0.9)), without("momentum"));
            assert_eq!(message(rule.with_nesterov()), without("nesterov"));
        }
    }
}
