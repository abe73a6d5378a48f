//! A training configuration with a name.

use mlp_parity::TrainingConfig;
use serde::{Deserialize, Serialize};

/// A training configuration and the name that identifies it in tables, records and file names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedTraining {
    /// The name: `sgd` or `adam` for the report's two configurations, `custom` for one given by the user, or a name
    /// derived from the hyper-parameters for a row of a reproduced report.
    pub name: String,
    /// The hyper-parameters.
    #[serde(flatten)]
    pub config: TrainingConfig,
}

impl NamedTraining {
    /// Returns this configuration with its seed increased by `index`, wrapping around at 2⁶⁴. Index 0 keeps the seed.
    pub fn with_seed(&self, index: usize) -> Self {
        let seed = self.config.seed().wrapping_add(index as u64);
        Self { name: self.name.clone(), config: self.config.with_seed(seed) }
    }
}
