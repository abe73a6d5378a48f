//! Hyper-parameters of a row of a published table, and the settings in the [grid](super::Grid) file that determine
//! them.

use mlp_parity::{Activation, Error, MlpConfig, Optimizer, Result, TrainingConfig};
use serde::{Deserialize, Serialize};

use crate::NamedTraining;

/// Hyper-parameters as written at one level of a grid file: for the whole grid, a table, a row or an explanation. Keys
/// that are missing are inherited from the enclosing level.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    hidden: Option<Vec<usize>>,
    activation: Option<Activation>,
    deviation: Option<Deviation>,
    optimizer: Option<String>,
    learning_rate: Option<f64>,
    momentum: Option<f64>,
    nesterov: Option<bool>,
    weight_decay: Option<f64>,
    batch_size: Option<usize>,
    epochs: Option<usize>,
}

impl Settings {
    /// Returns these settings, with missing keys taken from `outer`, the enclosing level.
    pub(super) fn inherit(&self, outer: &Self) -> Self {
        let inner = self.clone();
        Self {
            hidden: inner.hidden.or_else(|| outer.hidden.clone()),
            activation: inner.activation.or(outer.activation),
            deviation: inner.deviation.or_else(|| outer.deviation.clone()),
            optimizer: inner.optimizer.or_else(|| outer.optimizer.clone()),
            learning_rate: inner.learning_rate.or(outer.learning_rate),
            momentum: inner.momentum.or(outer.momentum),
            nesterov: inner.nesterov.or(outer.nesterov),
            weight_decay: inner.weight_decay.or(outer.weight_decay),
            batch_size: inner.batch_size.or(outer.batch_size),
            epochs: inner.epochs.or(outer.epochs),
        }
    }

    /// Returns the hyper-parameters and the number of epochs, or an error message if a key is missing or a value
    /// invalid.
    pub(super) fn hyperparameters(&self) -> Result<(Hyperparameters, usize), String> {
        let missing = |name: &str| format!("'{name}' is not set, neither here nor at an enclosing level");
        let hidden = self.hidden.clone().ok_or_else(|| missing("hidden"))?;
        let activation = self.activation.ok_or_else(|| missing("activation"))?;
        let learning_rate = self.learning_rate.ok_or_else(|| missing("learning_rate"))?;
        let batch_size = self.batch_size.ok_or_else(|| missing("batch_size"))?;
        let epochs = self.epochs.ok_or_else(|| missing("epochs"))?;
        let (deviation, optimizer) = (self.deviation.clone(), self.optimizer()?);
        let hyperparameters = Hyperparameters { hidden, activation, deviation, optimizer, learning_rate, batch_size };
        // Any invalid value shows without data: the sizes of the images and the seed do not matter.
        let validated = hyperparameters.config(1, 2).and_then(|_| hyperparameters.training(epochs, 0));
        validated.map_err(|error| error.to_string())?;
        Ok((hyperparameters, epochs))
    }

    fn optimizer(&self) -> Result<Optimizer, String> {
        let name = self.optimizer.as_deref().ok_or("'optimizer' is not set, neither here nor at an enclosing level")?;
        let optimizer: Optimizer = name.parse().map_err(|error: Error| error.to_string())?;
        if !name.eq_ignore_ascii_case(optimizer.name()) {
            return Err(format!(
                "'optimizer' is '{name}', but must be only a name; its hyper-parameters have keys of their own"
            ));
        }
        if matches!(optimizer, Optimizer::Momentum { .. }) && self.momentum.is_none() {
            return Err("optimizer 'momentum' requires the key 'momentum'".to_owned());
        }
        self.configure(optimizer).map_err(|error| error.to_string())
    }

    /// Applies the momentum, Nesterov and weight-decay settings to `optimizer`.
    fn configure(&self, mut optimizer: Optimizer) -> Result<Optimizer> {
        if let Some(momentum) = self.momentum {
            optimizer = optimizer.with_momentum(momentum)?;
        }
        if let Some(nesterov) = self.nesterov {
            // `nesterov = false` is an error too for an optimizer without Nesterov momentum: it is a mistake in the
            // file.
            let with_nesterov = optimizer.with_nesterov()?;
            optimizer = if nesterov { with_nesterov } else { optimizer };
        }
        Ok(optimizer.with_weight_decay(self.weight_decay.unwrap_or(0.0)))
    }
}

/// A deviation of a network from its equations, with which a report may have computed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviation {
    /// Its identifier in the catalogue of the [diagnosis](crate::diagnosis::entries).
    pub id: String,
    /// The name of the network in records and tables, in place of that of its activation.
    pub name: String,
}

/// Hyper-parameters of a [row](super::Row) of a published table: everything that determines a training run, except its
/// seed and its number of epochs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hyperparameters {
    /// Widths of the hidden layers.
    pub hidden: Vec<usize>,
    /// Activation of the hidden layers.
    pub activation: Activation,
    /// The deviation of the network from its equations; `None` if it has none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deviation: Option<Deviation>,
    /// The optimizer, with its own hyper-parameters.
    pub optimizer: Optimizer,
    /// The learning rate η.
    pub learning_rate: f64,
    /// Number of images per batch.
    pub batch_size: usize,
}

impl Hyperparameters {
    /// Returns the name of these hyper-parameters in records: `sigmoid-sgd-0.01-batch-64`. Equal names mean equal
    /// hyper-parameters; defaults of the report (no momentum, no weight decay, its hidden layers) are left out.
    pub fn name(&self) -> String {
        let mut name = format!("{}-{}-{}", self.network_name(), self.optimizer.name(), self.learning_rate);
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

    /// Returns the name of the network in records and tables: that of its deviation or, without one, of its activation.
    pub fn network_name(&self) -> &str {
        self.deviation.as_ref().map_or(self.activation.name(), |deviation| &deviation.name)
    }

    /// Returns the identifier of the network's deviation; `None` if it has none.
    pub(super) fn deviation_id(&self) -> Option<String> {
        self.deviation.as_ref().map(|deviation| deviation.id.clone())
    }

    /// Returns true if `other` describes the same network: equal hidden layers, activation and deviation.
    pub(super) fn has_same_network(&self, other: &Self) -> bool {
        (&self.hidden, self.activation, &self.deviation) == (&other.hidden, other.activation, &other.deviation)
    }

    /// Returns the network configuration for images of `inputs` pixels and `classes` classes.
    ///
    /// # Errors
    ///
    /// The errors of [`MlpConfig::new`].
    pub fn config(&self, inputs: usize, classes: usize) -> Result<MlpConfig> {
        MlpConfig::new(inputs, &self.hidden, classes, self.activation)
    }

    /// Returns the training configuration of a run with these hyper-parameters, whose name is [`name`](Self::name).
    ///
    /// # Errors
    ///
    /// The errors of [`TrainingConfigBuilder::build`](mlp_parity::TrainingConfigBuilder::build).
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
