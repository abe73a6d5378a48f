//! The state that an optimizer keeps between steps.

use super::layers::Parameters;
use crate::{Error, MlpConfig, Optimizer, Result};

/// The state that an optimizer keeps between steps: the number of updates, and its moments for every parameter.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct OptimizerState {
    /// Number of updates since the optimizer was selected.
    pub steps: usize,
    /// Moments, each with one value per parameter: none for SGD, the velocity for momentum, the first and the second
    /// moment for Adam and AdamW. All zero before the first update.
    pub moments: Vec<Parameters<f32>>,
}

impl OptimizerState {
    /// Returns the number of moments that an optimizer keeps for each parameter: 0 for SGD, 1 for momentum, 2 for Adam
    /// and AdamW.
    pub fn moment_count(optimizer: &Optimizer) -> usize {
        match optimizer {
            Optimizer::Sgd { .. } => 0,
            Optimizer::Momentum { .. } => 1,
            Optimizer::Adam { .. } | Optimizer::AdamW { .. } => 2,
        }
    }

    /// Returns the first value of the moments that is NaN or infinite, as the name of its tensor, such as
    /// `moment2.layer1.weight`, its index there, and the value. Returns `None` if all values are finite.
    pub fn first_non_finite(&self) -> Option<(String, Vec<usize>, f32)> {
        let mut moments = (1..).zip(&self.moments);
        moments.find_map(|(number, moments)| {
            let (name, index, value) = moments.first_non_finite()?;
            Some((format!("moment{number}.{name}"), index, value))
        })
    }

    /// Checks that the state fits the given optimizer and network configuration.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the number of moments, or the layer sizes of one of them, does not fit.
    pub fn check_fit(&self, optimizer: &Optimizer, config: &MlpConfig) -> Result<()> {
        Error::check_shape("optimizer state", &[Self::moment_count(optimizer)], &[self.moments.len()])?;
        self.moments.iter().try_for_each(|moments| moments.check_fit(config))
    }
}
