//! How a row is run.

use mlp_parity::{Activation, CLASSES, MlpConfig, Optimizer, Result, TrainingConfig};
use serde::{Deserialize, Serialize};

use crate::NamedPlan;

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
    pub(super) fn training(&self) -> Result<(Training, usize), String> {
        let open = |name: &str| format!("'{name}' is not set, neither here nor around it");
        let hidden = self.hidden.clone().ok_or_else(|| open("hidden"))?;
        let activation = self.activation.ok_or_else(|| open("activation"))?;
        let learning_rate = self.learning_rate.ok_or_else(|| open("learning_rate"))?;
        let batch_size = self.batch_size.ok_or_else(|| open("batch_size"))?;
        let epochs = self.epochs.ok_or_else(|| open("epochs"))?;
        let training = Training { hidden, activation, optimizer: self.optimizer()?, learning_rate, batch_size };
        // Anything that can be wrong with it shows without data.
        let tried = training.config(1).and_then(|_| training.plan(epochs, 0));
        tried.map_err(|error| error.to_string())?;
        Ok((training, epochs))
    }

    fn optimizer(&self) -> Result<Optimizer, String> {
        let weight_decay = self.weight_decay.unwrap_or(0.0);
        let name = self.optimizer.as_deref().ok_or("'optimizer' is not set, neither here nor around it")?;
        if name != "momentum" && (self.momentum.is_some() || self.nesterov.is_some()) {
            return Err(format!("'momentum' and 'nesterov' belong to the optimizer 'momentum', not to '{name}'"));
        }
        match name {
            "sgd" => Ok(Optimizer::Sgd { weight_decay }),
            "adam" => Ok(Optimizer::adam().with_weight_decay(weight_decay)),
            "adamw" => Ok(Optimizer::adamw().with_weight_decay(weight_decay)),
            "momentum" => {
                let momentum = self.momentum.ok_or("the optimizer 'momentum' needs a 'momentum'")?;
                Ok(Optimizer::Momentum { momentum, nesterov: self.nesterov.unwrap_or(false), weight_decay })
            }
            other => Err(format!("there is no optimizer '{other}'; there are {}", Optimizer::NAMES.join(", "))),
        }
    }
}

/// Everything that decides the numbers of a run but its seed, and how long it goes on.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Training {
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

impl Training {
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

    /// The network, for images of this many values.
    ///
    /// # Errors
    ///
    /// As [`MlpConfig::new`].
    pub fn config(&self, inputs: usize) -> Result<MlpConfig> {
        MlpConfig::new(inputs, &self.hidden, CLASSES, self.activation)
    }

    /// A run.
    ///
    /// # Errors
    ///
    /// As [`TrainingConfigBuilder::build`](mlp_parity::TrainingConfigBuilder::build).
    pub fn plan(&self, epochs: usize, seed: u64) -> Result<NamedPlan> {
        let plan = TrainingConfig::builder()
            .optimizer(self.optimizer)
            .learning_rate(self.learning_rate)
            .batch_size(self.batch_size)
            .epochs(epochs)
            .seed(seed)
            .build()?;
        Ok(NamedPlan { name: self.name(), plan })
    }
}
