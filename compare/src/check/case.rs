//! The input of the check suite: network, parameters, data and optimizers.

use mlp_parity::{
    Batch, Checkpoint, Dataset, MlpConfig, Optimizer, OptimizerState, Parameters, Result, TrainingConfig,
};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::NamedTraining;

/// The part of a scenario between the name of the training and its number of epochs.
pub(in crate::check) const AFTER_EPOCH: &str = " after epoch ";

/// The network, parameters, data and optimizers on which candidates are checked.
#[derive(Clone, Debug)]
pub struct Case {
    /// The network's configuration.
    pub config: MlpConfig,
    /// The initial parameters of the network.
    pub parameters: Parameters<f32>,
    /// The batches, at least one. Logits, loss and gradients are compared on the first batch; each step of the
    /// [trajectory](super::Stage::Trajectory) uses the next one.
    pub batches: Vec<Batch<f32>>,
    /// The data set for `fit`; if it is `None`, the [training loop](super::Stage::TrainingLoop) is not checked.
    pub dataset: Option<Dataset>,
    /// The optimizers whose trajectories are compared. May be empty.
    pub optimizers: Vec<NamedOptimizer>,
    /// The training whose result `parameters` are, if the network has been trained. Every stage then continues it, and the
    /// only optimizer must be that of the training.
    pub trained: Option<TrainedState>,
}

/// The state of a training run after some of its epochs, beside the parameters.
#[derive(Clone, Debug)]
pub struct TrainedState {
    /// The training configuration.
    pub training: TrainingConfig,
    /// Number of completed epochs, at least 1.
    pub epochs: usize,
    /// Number of updates that these epochs consist of, if it is known.
    pub updates: Option<usize>,
    /// The optimizer state after these epochs; `None` if the implementation does not expose it. Only the gradients are
    /// compared then, unless the optimizer keeps no moments.
    pub optimizer: Option<OptimizerState>,
}

impl TrainedState {
    /// Returns the optimizer state; an empty one for an optimizer that keeps no moments.
    pub(in crate::check) fn optimizer_state(&self) -> Option<OptimizerState> {
        let keeps_moments = OptimizerState::moment_count(self.training.optimizer()) > 0;
        self.optimizer.clone().or_else(|| (!keeps_moments).then(OptimizerState::default))
    }
}

/// An optimizer with a learning rate, and a name for the output.
#[derive(Clone, Debug)]
pub struct NamedOptimizer {
    /// The name, which becomes the [`scenario`](super::Check::scenario) of the checks.
    pub name: String,
    /// The optimizer and its hyper-parameters.
    pub optimizer: Optimizer,
    /// η: the learning rate of every step.
    pub learning_rate: f64,
}

impl From<&NamedTraining> for NamedOptimizer {
    fn from(NamedTraining { name, config }: &NamedTraining) -> Self {
        Self { name: name.clone(), optimizer: *config.optimizer(), learning_rate: config.learning_rate() }
    }
}

impl Case {
    /// Number of batches, and therefore of trajectory steps, of the cases that [`new`](Self::new) and
    /// [`synthetic`](Self::synthetic) create.
    pub const STEPS: usize = 10;

    /// Checks that parameters and batches fit the network. The fields are public, so a caller may have set them
    /// inconsistently.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Shape`] if there is no batch, or if the parameters or images do not fit the network;
    /// [`mlp_parity::Error::Data`] if a label is not a class of the network.
    pub(in crate::check) fn validate(&self) -> Result<()> {
        let count = self.batches.len();
        mlp_parity::Error::check_shape("the list of batches of the case", &[count.max(1)], &[count])?;
        self.parameters.check_fit(&self.config)?;
        if let Some(TrainedState { training, optimizer: Some(state), .. }) = &self.trained {
            state.check_fit(training.optimizer(), &self.config)?;
        }
        let (inputs, classes) = (self.config.inputs(), self.config.classes());
        self.batches.iter().try_for_each(|batch| batch.check_fit(inputs, classes))
    }

    /// Returns the first optimizer.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Configuration`] if the case has no optimizer.
    pub(in crate::check) fn first_optimizer(&self) -> Result<NamedOptimizer> {
        let none = || mlp_parity::Error::configuration("optimizer", "the case has none; expected at least one");
        self.optimizers.first().cloned().ok_or_else(none)
    }

    /// Creates a case with [`STEPS`](Self::STEPS) batches of `batch_size` images from `dataset`, in the order in which
    /// the first epoch of a training run with `seed` uses them. A small data set is used repeatedly; if it has fewer
    /// than `batch_size` images, every batch contains all of them. The training loop is checked on the first images of
    /// the data set, enough for 3.5 batches.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Data`] if the images or labels do not fit the network.
    pub fn new(
        config: MlpConfig,
        parameters: Parameters<f32>,
        dataset: &Dataset,
        batch_size: usize,
        seed: u64,
        optimizers: Vec<NamedOptimizer>,
    ) -> Result<Self> {
        Self::of_epoch(1, (config, parameters), dataset, batch_size, seed, optimizers)
    }

    /// Creates a case as [`new`](Self::new) does, with the batches of epoch number `epoch`.
    fn of_epoch(
        epoch: usize,
        (config, parameters): (MlpConfig, Parameters<f32>),
        dataset: &Dataset,
        batch_size: usize,
        seed: u64,
        optimizers: Vec<NamedOptimizer>,
    ) -> Result<Self> {
        dataset.check_fit(&config)?;
        let order = Dataset::epoch_order(seed, epoch, dataset.len());
        let size = batch_size.clamp(1, order.len());
        let batches =
            order.chunks_exact(size).cycle().take(Self::STEPS).map(|indices| dataset.batch(indices)).collect();
        let dataset = Some(dataset.take(dataset.len().min(3 * size + size / 2))?);
        Ok(Self { config, parameters, batches, dataset, optimizers, trained: None })
    }

    /// Creates a case that continues a training run, with `parameters`, the state `trained` and the
    /// [`STEPS`](Self::STEPS) batches of its next epoch. `name` is the name of the training configuration.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Data`] if the images or labels do not fit the network.
    pub fn after_training(
        config: MlpConfig,
        parameters: Parameters<f32>,
        dataset: &Dataset,
        name: &str,
        trained: TrainedState,
    ) -> Result<Self> {
        let TrainedState { training, epochs, .. } = trained;
        let name = format!("{name}{AFTER_EPOCH}{epochs}");
        let optimizer = NamedOptimizer::from(&NamedTraining { name, config: training });
        let (batch_size, seed) = (training.batch_size(), training.seed());
        let next = epochs.saturating_add(1);
        let case = Self::of_epoch(next, (config, parameters), dataset, batch_size, seed, vec![optimizer])?;
        Ok(Self { trained: Some(trained), ..case })
    }

    /// Creates the case that continues the training run of a checkpoint with the next batches of `dataset`. `updates` is the
    /// number of updates that the run consists of so far, if it is known.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Data`] if the images or labels do not fit the network.
    pub fn from_checkpoint(checkpoint: Checkpoint, dataset: &Dataset, updates: Option<usize>) -> Result<Self> {
        let Checkpoint { config, training, epochs, parameters, optimizer, .. } = checkpoint;
        let name = training.optimizer().name();
        let trained = TrainedState { training, epochs, updates, optimizer: Some(optimizer) };
        Self::after_training(config, parameters, dataset, name, trained)
    }

    /// Creates a case with random parameters and synthetic images, and with SGD and Adam as optimizers. A test of your
    /// own implementation can use it without a data set or a training configuration.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Data`] if the images would exceed the largest size of a data set.
    pub fn synthetic(config: &MlpConfig, seed: u64) -> Result<Self> {
        const BATCH_SIZE: usize = 16;
        let parameters = Parameters::glorot_uniform_with_biases(config, seed);
        let images = Dataset::synthetic(3 * BATCH_SIZE + 1, [1, config.inputs()], config.classes(), seed)?;
        let batch = |step: usize| {
            let indices: Vec<usize> = (0..BATCH_SIZE).map(|image| (BATCH_SIZE * step + image) % images.len()).collect();
            images.batch(&indices)
        };
        let batches = (0..Self::STEPS).map(batch).collect();
        let optimizers = all_optimizers()
            .into_iter()
            .filter(|optimizer| ["sgd", "adam"].contains(&optimizer.name.as_str()))
            .collect();
        Ok(Self { config: config.clone(), parameters, batches, dataset: Some(images), optimizers, trained: None })
    }
}

/// Returns the optimizers that the update stage checks: SGD, momentum, Adam and AdamW, in variants that include
/// Nesterov's momentum and weight decay.
pub(crate) fn all_optimizers() -> Vec<NamedOptimizer> {
    let momentum = |nesterov, weight_decay| Optimizer::Momentum { momentum: 0.9, nesterov, weight_decay };
    [
        ("sgd", Optimizer::sgd()),
        ("sgd with weight decay", Optimizer::sgd().with_weight_decay(0.01)),
        ("momentum", momentum(false, 0.0)),
        ("nesterov with weight decay", momentum(true, 0.01)),
        ("adam", Optimizer::adam()),
        ("adam with weight decay", Optimizer::adam().with_weight_decay(1e-4)),
        ("adamw", Optimizer::adamw().with_weight_decay(0.01)),
    ]
    .map(|(name, optimizer)| NamedOptimizer { name: name.to_owned(), optimizer, learning_rate: 0.01 })
    .into()
}

/// Returns random gradients for the update stage: of either sign, with magnitudes from 3 · 10⁻¹⁰ to 1, a range that
/// includes Adam's ε of 10⁻⁸, and with 5 % zeros.
pub(in crate::check) fn synthetic_gradients(config: &MlpConfig, seed: u64) -> Parameters<f32> {
    let mut generator = ChaCha8Rng::seed_from_u64(seed);
    Parameters::<f32>::zeros(config).map(|_| {
        let [sign, magnitude] =
            [generator.next_u32(), generator.next_u32()].map(|draw| f64::from(draw) / f64::from(u32::MAX));
        match magnitude {
            0.95.. => 0.0,
            _ => (10.0_f64.powf(-10.0 * magnitude) * (sign - 0.5).signum()) as f32,
        }
    })
}
