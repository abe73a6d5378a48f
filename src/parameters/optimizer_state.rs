//! What an optimizer remembers between steps.

use super::layers::Parameters;
use crate::{Error, MlpConfig, Optimizer, Result};

/// What the rule of an optimizer remembers between steps.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// Updates since the rule was set.
    pub steps: usize,
    /// By parameter: the velocity of momentum; the first and the second moment of Adam; nothing for SGD.
    pub moments: Vec<Parameters<f32>>,
}

impl OptimizerState {
    /// How many values a rule remembers for each parameter.
    pub fn moments_of(optimizer: &Optimizer) -> usize {
        match optimizer {
            Optimizer::Sgd { .. } => 0,
            Optimizer::Momentum { .. } => 1,
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => 2,
        }
    }

    /// `Ok` if it is that of this rule for this network.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] otherwise.
    pub fn check_fit(&self, optimizer: &Optimizer, config: &MlpConfig) -> Result<()> {
        Error::check_shape("the optimizer's state", &[Self::moments_of(optimizer)], &[self.moments.len()])?;
        self.moments.iter().try_for_each(|moments| moments.check_fit(config))
    }
}
