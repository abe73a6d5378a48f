//! The rules that turn gradients into updates.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

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

    /// Adam with PyTorch's β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    pub const fn adam(weight_decay: f64) -> Self {
        Self::Adam { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay }
    }

    /// AdamW with PyTorch's β₁ = 0.9, β₂ = 0.999, ε = 1e-8.
    pub const fn adamw(weight_decay: f64) -> Self {
        Self::AdamW { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay }
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

impl fmt::Display for Optimizer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())?;
        if let Self::Momentum { momentum, nesterov, .. } = self {
            write!(formatter, " {momentum}{}", if *nesterov { " (Nesterov)" } else { "" })?;
        }
        match self.weight_decay() {
            0.0 => Ok(()),
            decay => write!(formatter, ", weight decay {decay}"),
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
    fn a_rule_is_shown_with_what_tells_it_from_others() {
        let momentum = |nesterov| Optimizer::Momentum { momentum: 0.9, nesterov, weight_decay: 0.01 };
        let rules =
            [Optimizer::Sgd { weight_decay: 0.0 }, momentum(false), Optimizer::adam(0.0), Optimizer::adamw(0.1)];
        assert_eq!(rules.map(|rule| rule.name()), Optimizer::NAMES);
        let shown = ["sgd", "momentum 0.9, weight decay 0.01", "adam", "adamw, weight decay 0.1"];
        assert_eq!(rules.map(|rule| rule.to_string()), shown);
        assert_eq!(momentum(true).to_string(), "momentum 0.9 (Nesterov), weight decay 0.01");
    }
}
