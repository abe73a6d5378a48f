//! Optimizers, which turn gradients into updates of the parameters.

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// Default decay rate β₁ of the first moment in Adam and AdamW, the same as in PyTorch.
pub(super) const BETA1: f64 = 0.9;

/// Default decay rate β₂ of the second moment in Adam and AdamW, the same as in PyTorch.
pub(super) const BETA2: f64 = 0.999;

/// Default ε in the denominator of Adam and AdamW, the same as in PyTorch.
pub(super) const EPSILON: f64 = 1e-8;

/// Phrase for error messages that names the only optimizer with the settings `momentum` and `nesterov`.
const WITH_MOMENTUM: &str = "the optimizer 'momentum'";

/// Phrase for error messages that names the optimizers with the settings β₁, β₂ and ε.
const WITH_BETAS: &str = "the optimizers 'adam' and 'adamw'";

/// Optimizer: the update rule and its hyper-parameters, without the learning rate.
///
/// The definitions are PyTorch's. Symbols: g is the gradient of the loss, θ a parameter, η the learning rate, λ the
/// weight decay; m and v are the optimizer's state, zero before the first update; t counts updates from 1.
///
/// An optimizer is displayed as, and parsed from, text such as `adam, beta1 0.95, weight decay 0.1`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "optimizer", rename_all = "lowercase")]
pub enum Optimizer {
    /// Stochastic gradient descent: θ ← θ − η·(g + λθ).
    Sgd {
        /// Weight decay λ, added to the gradient of weights and biases.
        weight_decay: f64,
    },
    /// SGD with momentum and without dampening: the velocity v ← µv + g + λθ, then θ ← θ − η·v. With Nesterov momentum,
    /// θ ← θ − η·(g + λθ + µv) instead.
    Momentum {
        /// Momentum coefficient µ, in [0, 1).
        momentum: f64,
        /// True for Nesterov momentum, false for classical momentum.
        nesterov: bool,
        /// Weight decay λ, added to the gradient of weights and biases.
        weight_decay: f64,
    },
    /// Adam (Kingma and Ba 2015, algorithm 1), with weight decay in the gradient as in PyTorch's `Adam(weight_decay=)`:
    /// g ← g + λθ; first moment m ← β₁m + (1−β₁)g; second moment v ← β₂v + (1−β₂)g²;
    /// θ ← θ − η · m/(1−β₁ᵗ) / (√(v/(1−β₂ᵗ)) + ε).
    Adam {
        /// Decay rate β₁ of the first moment, in [0, 1).
        beta1: f64,
        /// Decay rate β₂ of the second moment, in [0, 1).
        beta2: f64,
        /// Constant ε above 0, added to the denominator.
        epsilon: f64,
        /// Weight decay λ, added to the gradient of weights and biases.
        weight_decay: f64,
    },
    /// AdamW (Loshchilov and Hutter 2019, algorithm 2): θ ← θ − ηλθ, then Adam's update without λθ in the
    /// gradient.
    AdamW {
        /// Decay rate β₁ of the first moment, in [0, 1).
        beta1: f64,
        /// Decay rate β₂ of the second moment, in [0, 1).
        beta2: f64,
        /// Constant ε above 0, added to the denominator.
        epsilon: f64,
        /// Weight decay λ, applied to weights and biases directly instead of through the gradient.
        weight_decay: f64,
    },
}

impl Optimizer {
    /// Names of all optimizers, as used in options, records and files.
    pub const NAMES: [&'static str; 4] = ["sgd", "momentum", "adam", "adamw"];

    /// Returns stochastic gradient descent without weight decay.
    pub const fn sgd() -> Self {
        Self::Sgd { weight_decay: 0.0 }
    }

    /// Returns SGD with the given momentum µ, without Nesterov momentum and without weight decay.
    pub const fn momentum(momentum: f64) -> Self {
        Self::Momentum { momentum, nesterov: false, weight_decay: 0.0 }
    }

    /// Returns Adam with PyTorch's β₁ = 0.9, β₂ = 0.999, ε = 1e-8, without weight decay.
    pub const fn adam() -> Self {
        Self::Adam { beta1: BETA1, beta2: BETA2, epsilon: EPSILON, weight_decay: 0.0 }
    }

    /// Returns AdamW with PyTorch's β₁ = 0.9, β₂ = 0.999, ε = 1e-8, without weight decay (PyTorch's default is
    /// λ = 0.01).
    pub const fn adamw() -> Self {
        Self::AdamW { beta1: BETA1, beta2: BETA2, epsilon: EPSILON, weight_decay: 0.0 }
    }

    /// Sets the weight decay λ, which every optimizer has. The value is checked only by [`validate`](Self::validate).
    #[must_use]
    pub const fn with_weight_decay(mut self, weight_decay: f64) -> Self {
        match &mut self {
            Self::Sgd { weight_decay: current }
            | Self::Momentum { weight_decay: current, .. }
            | Self::Adam { weight_decay: current, .. }
            | Self::AdamW { weight_decay: current, .. } => *current = weight_decay,
        }
        self
    }

    /// Sets the momentum coefficient µ. The value is checked only by [`validate`](Self::validate).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the optimizer is not [`Momentum`](Self::Momentum).
    pub fn with_momentum(mut self, momentum: f64) -> Result<Self> {
        match &mut self {
            Self::Momentum { momentum: current, .. } => *current = momentum,
            Self::Sgd { .. } | Self::Adam { .. } | Self::AdamW { .. } => {
                return Err(self.lacks("momentum", WITH_MOMENTUM));
            }
        }
        Ok(self)
    }

    /// Enables Nesterov momentum in place of classical momentum.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the optimizer is not [`Momentum`](Self::Momentum).
    pub fn with_nesterov(mut self) -> Result<Self> {
        match &mut self {
            Self::Momentum { nesterov, .. } => *nesterov = true,
            Self::Sgd { .. } | Self::Adam { .. } | Self::AdamW { .. } => {
                return Err(self.lacks("nesterov", WITH_MOMENTUM));
            }
        }
        Ok(self)
    }

    /// Sets the decay rates β₁ and β₂ of Adam's moments. The values are checked only by [`validate`](Self::validate).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the optimizer is neither [`Adam`](Self::Adam) nor [`AdamW`](Self::AdamW).
    pub fn with_betas(mut self, beta1: f64, beta2: f64) -> Result<Self> {
        match &mut self {
            Self::Adam { beta1: current1, beta2: current2, .. }
            | Self::AdamW { beta1: current1, beta2: current2, .. } => {
                (*current1, *current2) = (beta1, beta2);
            }
            Self::Sgd { .. } | Self::Momentum { .. } => return Err(self.lacks("betas", WITH_BETAS)),
        }
        Ok(self)
    }

    /// Sets ε, the constant in the denominator of Adam's update. The value is checked only by
    /// [`validate`](Self::validate).
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the optimizer is neither [`Adam`](Self::Adam) nor [`AdamW`](Self::AdamW).
    pub fn with_epsilon(mut self, epsilon: f64) -> Result<Self> {
        match &mut self {
            Self::Adam { epsilon: current, .. } | Self::AdamW { epsilon: current, .. } => *current = epsilon,
            Self::Sgd { .. } | Self::Momentum { .. } => return Err(self.lacks("epsilon", WITH_BETAS)),
        }
        Ok(self)
    }

    /// Returns the error for a setting that this optimizer does not have; `others` names the optimizers that have it.
    fn lacks(&self, setting: &'static str, others: &str) -> Error {
        Error::configuration(setting, format!("{} has no {setting}; valid only for {others}", self.name()))
    }

    /// Returns the lower-case name used in options, records and files, such as `adamw`.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Sgd { .. } => "sgd",
            Self::Momentum { .. } => "momentum",
            Self::Adam { .. } => "adam",
            Self::AdamW { .. } => "adamw",
        }
    }

    /// Returns the weight decay λ; 0 if there is none.
    pub const fn weight_decay(&self) -> f64 {
        match *self {
            Self::Sgd { weight_decay }
            | Self::Momentum { weight_decay, .. }
            | Self::Adam { weight_decay, .. }
            | Self::AdamW { weight_decay, .. } => weight_decay,
        }
    }

    /// Checks that every hyper-parameter of the optimizer is in its range.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if λ is negative or not finite; µ, β₁ or β₂ is outside [0, 1); ε is not a positive
    /// finite number; or Nesterov momentum is enabled with µ = 0.
    pub fn validate(&self) -> Result<()> {
        check_not_negative("weight-decay", self.weight_decay())?;
        match *self {
            Self::Sgd { .. } => Ok(()),
            Self::Momentum { momentum, nesterov, .. } => {
                check_unit_interval("momentum", momentum)?;
                if nesterov && momentum == 0.0 {
                    return Err(Error::configuration("nesterov", "requires a momentum above 0, found 0"));
                }
                Ok(())
            }
            Self::Adam { beta1, beta2, epsilon, .. } | Self::AdamW { beta1, beta2, epsilon, .. } => {
                check_unit_interval("beta1", beta1)?;
                check_unit_interval("beta2", beta2)?;
                if epsilon.is_finite() && epsilon > 0.0 {
                    return Ok(());
                }
                Err(Error::configuration(
                    "epsilon",
                    format!("{epsilon} is out of range; expected a finite number above 0"),
                ))
            }
        }
    }
}

impl Optimizer {
    /// Checks that the hyper-parameters remain in their ranges when they are rounded to single precision, in which
    /// networks are trained.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if λ or ε becomes infinite, or 0 although it is not; or µ, β₁ or β₂ becomes 1.
    pub(super) fn check_single_precision(&self) -> Result<()> {
        check_magnitude("weight-decay", self.weight_decay())?;
        match *self {
            Self::Sgd { .. } => Ok(()),
            Self::Momentum { momentum, .. } => check_below_one("momentum", momentum),
            Self::Adam { beta1, beta2, epsilon, .. } | Self::AdamW { beta1, beta2, epsilon, .. } => {
                check_below_one("beta1", beta1)?;
                check_below_one("beta2", beta2)?;
                check_magnitude("epsilon", epsilon)
            }
        }
    }
}

/// Checks that the value of `option` does not become infinite when it is rounded to single precision, nor 0 unless it
/// is 0.
pub(super) fn check_magnitude(option: &'static str, value: f64) -> Result<()> {
    let rounded = value as f32;
    if rounded.is_finite() && (rounded != 0.0 || value == 0.0) {
        return Ok(());
    }
    let reason = format!(
        "{value:e} is out of the range of single precision; expected 0, or a number from {:e} to {:e}",
        f32::from_bits(1),
        f32::MAX
    );
    Err(Error::configuration(option, reason))
}

/// Checks that the value of `option`, which is below 1, does not become 1 when it is rounded to single precision.
fn check_below_one(option: &'static str, value: f64) -> Result<()> {
    if (value as f32) < 1.0 {
        return Ok(());
    }
    let largest = 1.0 - f32::EPSILON / 2.0;
    Err(Error::configuration(option, format!("{value} is 1 in single precision; expected at most {largest}")))
}

/// Checks that the value of `option` is finite and not negative.
pub(super) fn check_not_negative(option: &'static str, value: f64) -> Result<()> {
    if value.is_finite() && value >= 0.0 {
        return Ok(());
    }
    Err(Error::configuration(option, format!("{value} is out of range; expected a finite, non-negative number")))
}

/// Checks that the value of `option` is in [0, 1).
fn check_unit_interval(option: &'static str, value: f64) -> Result<()> {
    if (0.0..1.0).contains(&value) {
        return Ok(());
    }
    Err(Error::configuration(option, format!("{value} is out of range; expected a number in [0, 1)")))
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
    fn optimizer_setters_change_only_their_setting() {
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
    fn optimizer_setters_reject_settings_of_other_optimizers() {
        let message = |result: Result<Optimizer>| result.unwrap_err().to_string();
        for optimizer in [Optimizer::sgd(), Optimizer::momentum(0.9)] {
            let name = optimizer.name();
            let expected = |setting| {
                format!("{setting}: {name} has no {setting}; valid only for the optimizers 'adam' and 'adamw'")
            };
            assert_eq!(message(optimizer.with_betas(0.9, 0.99)), expected("betas"));
            assert_eq!(message(optimizer.with_epsilon(0.1)), expected("epsilon"));
        }
        for optimizer in [Optimizer::sgd(), Optimizer::adam(), Optimizer::adamw()] {
            let name = optimizer.name();
            let expected =
                |setting| format!("{setting}: {name} has no {setting}; valid only for the optimizer 'momentum'");
            assert_eq!(message(optimizer.with_momentum(0.9)), expected("momentum"));
            assert_eq!(message(optimizer.with_nesterov()), expected("nesterov"));
        }
    }
}
