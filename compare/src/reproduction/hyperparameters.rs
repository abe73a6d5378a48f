//! How a row is run.

use mlp_parity::{Activation, Error, MlpConfig, Optimizer, Result, TrainingConfig};
use serde::{Deserialize, Serialize};

use crate::NamedTraining;

/// What a grid, a table or a row says of a run; what it leaves open, the one around it says.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    hidden: Option<Vec<usize>>,
    activation: Option<Activation>,
    optimizer: Option<String>,
    learning_rate: Option<f64>,
    momentum: Option<f64>,
    nesterov: Option<bool>,
    weight_decay: Option<f64>,
    batch_size: Option<usize>,
    epochs: Option<usize>,
}

impl Settings {
    /// These, and what they leave open from `outer`.
    pub(super) fn or(&self, outer: &Self) -> Self {
        let inner = self.clone();
        Self {
            hidden: inner.hidden.or_else(|| outer.hidden.clone()),
            activation: inner.activation.or(outer.activation),
            optimizer: inner.optimizer.or_else(|| outer.optimizer.clone()),
            learning_rate: inner.learning_rate.or(outer.learning_rate),
            momentum: inner.momentum.or(outer.momentum),
            nesterov: inner.nesterov.or(outer.nesterov),
            weight_decay: inner.weight_decay.or(outer.weight_decay),
            batch_size: inner.batch_size.or(outer.batch_size),
            epochs: inner.epochs.or(outer.epochs),
        }
    }

    /// The training and its epochs, or what is open or impossible.
    pub(super) fn hyperparameters(&self) -> Result<(Hyperparameters, usize), String> {
        let open = |name: &str| format!("'{name}' is not set, neither here nor around it");
        let hidden = self.hidden.clone().ok_or_else(|| open("hidden"))?;
        let activation = self.activation.ok_or_else(|| open("activation"))?;
        let learning_rate = self.learning_rate.ok_or_else(|| open("learning_rate"))?;
        let batch_size = self.batch_size.ok_or_else(|| open("batch_size"))?;
        let epochs = self.epochs.ok_or_else(|| open("epochs"))?;
        let hyperparameters =
            Hyperparameters { hidden, activation, optimizer: self.optimizer()?, learning_rate, batch_size };
        // Anything that can be wrong with it shows without data.
        let tried = hyperparameters.config(1, 2).and_then(|_| hyperparameters.training(epochs, 0));
        tried.map_err(|error| error.to_string())?;
        Ok((hyperparameters, epochs))
    }

    fn optimizer(&self) -> Result<Optimizer, String> {
        let name = self.optimizer.as_deref().ok_or("'optimizer' is not set, neither here nor around it")?;
        let optimizer: Optimizer = name.parse().map_err(|error: Error| error.to_string())?;
        if name != optimizer.name() {
            return Err(format!(
                "'optimizer' is '{name}'; it must be a name alone, its settings have keys of their own"
            ));
        }
        if matches!(optimizer, Optimizer::Momentum { .. }) && self.momentum.is_none() {
            return Err("the optimizer 'momentum' needs a 'momentum'".to_owned());
        }
        self.set(optimizer).map_err(|error| error.to_string())
    }

    /// The optimizer with the settings that are given.
    fn set(&self, mut optimizer: Optimizer) -> Result<Optimizer> {
        if let Some(momentum) = self.momentum {
            optimizer = optimizer.with_momentum(momentum)?;
        }
        if let Some(nesterov) = self.nesterov {
            // Even `nesterov = false` needs an optimizer that has it.
            let with_nesterov = optimizer.with_nesterov()?;
            optimizer = if nesterov { with_nesterov } else { optimizer };
        }
        Ok(optimizer.with_weight_decay(self.weight_decay.unwrap_or(0.0)))
    }
}

/// Everything that decides the numbers of a run but its seed, and how long it goes on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hyperparameters {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Their activation.
    pub activation: Activation,
    /// The rule.
    pub optimizer: Optimizer,
    /// η
    pub learning_rate: f64,
    /// Images in a batch.
    pub batch_size: usize,
}

impl Hyperparameters {
    /// `sigmoid-sgd-0.01-batch-64`
    pub fn name(&self) -> String {
        let mut name = format!("{}-{}-{}", self.activation, self.optimizer.name(), self.learning_rate);
        if let Optimizer::Momentum { momentum, nesterov, .. } = self.optimizer {
            name += &format!("-{}-{momentum}", if nesterov { "nesterov" } else { "momentum" });
        }
        if self.optimizer.weight_decay() != 0.0 {
            name += &format!("-decay-{}", self.optimizer.weight_decay());
        }
        name += &format!("-batch-{}", self.batch_size);
        if self.hidden != MlpConfig::REPORT_HIDDEN {
            let widths: Vec<String> = self.hidden.iter().map(usize::to_string).collect();
            name += &format!("-hidden-{}", if widths.is_empty() { "none".to_owned() } else { widths.join("-") });
        }
        name
    }

    /// Whether the network is the same.
    pub(super) fn has_network_of(&self, other: &Self) -> bool {
        (&self.hidden, self.activation) == (&other.hidden, other.activation)
    }

    /// The network, for images of `inputs` pixels and `classes` classes.
    ///
    /// # Errors
    ///
    /// As [`MlpConfig::new`].
    pub fn config(&self, inputs: usize, classes: usize) -> Result<MlpConfig> {
        MlpConfig::new(inputs, &self.hidden, classes, self.activation)
    }

    /// A run.
    ///
    /// # Errors
    ///
    /// As [`TrainingConfigBuilder::build`](mlp_parity::TrainingConfigBuilder::build).
    pub fn training(&self, epochs: usize, seed: u64) -> Result<NamedTraining> {
        let config = TrainingConfig::builder()
            .optimizer(self.optimizer)
            .learning_rate(self.learning_rate)
            .batch_size(self.batch_size)
            .epochs(epochs)
            .seed(seed)
            .build()?;
        Ok(NamedTraining { name: self.name(), config })
    }
}
