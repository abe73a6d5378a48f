//! A training configuration under a name.

use mlp_parity::TrainingConfig;
use serde::{Deserialize, Serialize};

/// A plan and what it is called.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedPlan {
    /// `from-scratch`, `framework`, `custom`.
    pub name: String,
    /// The plan.
    #[serde(flatten)]
    pub plan: TrainingConfig,
}

impl NamedPlan {
    /// The run with the `index`-th seed, counted from 0 on, beginning with the plan's own.
    pub fn with_seed(&self, index: usize) -> Self {
        let seed = self.plan.seed().wrapping_add(index as u64);
        Self { name: self.name.clone(), plan: self.plan.with_seed(seed) }
    }
}
