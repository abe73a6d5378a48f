//! A training configuration with a name.

use mlp_parity::TrainingConfig;
use serde::{Deserialize, Serialize};

/// A training configuration with the name that identifies it in tables, records and file names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedTraining {
    /// `sgd` and `adam` for the report's two configurations, `custom` for the user's.
    pub name: String,
    /// The hyper-parameters.
    #[serde(flatten)]
    pub config: TrainingConfig,
}

impl NamedTraining {
    /// Returns the configuration with the `index`-th seed, counted from 0, beginning with its own.
    pub fn with_seed(&self, index: usize) -> Self {
        let seed = self.config.seed().wrapping_add(index as u64);
        Self { name: self.name.clone(), config: self.config.with_seed(seed) }
    }
}
