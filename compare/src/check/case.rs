//! What candidates are checked on.

use mlp_parity::{Batch, Dataset, MlpConfig, Optimizer, Parameters, Result};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use crate::NamedTraining;

/// A network, parameters, data, and the optimizers whose steps are followed.
#[derive(Clone, Debug)]
pub struct Case {
    /// The network.
    pub config: MlpConfig,
    /// Its parameters.
    pub parameters: Parameters<f32>,
    /// At least one; logits, loss and gradients are compared on the first, and training steps take one after the other.
    pub batches: Vec<Batch<f32>>,
    /// What `fit` is tried on; without it the loop is not checked.
    pub dataset: Option<Dataset>,
    /// Whose training steps are followed.
    pub optimizers: Vec<NamedOptimizer>,
}

/// A rule under a name.
#[derive(Clone, Debug)]
pub struct NamedOptimizer {
    /// The name, for tables.
    pub name: String,
    /// The rule.
    pub optimizer: Optimizer,
    /// η
    pub learning_rate: f64,
}

impl From<&NamedTraining> for NamedOptimizer {
    fn from(NamedTraining { name, config }: &NamedTraining) -> Self {
        Self { name: name.clone(), optimizer: *config.optimizer(), learning_rate: config.learning_rate() }
    }
}

impl Case {
    /// Training steps that are followed.
    pub const STEPS: usize = 10;

    /// Checks what the fields, which anyone may fill, must hold.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Shape`] if there is no batch, or parameters or images do not fit the network;
    /// [`mlp_parity::Error::Data`] if a label is no class.
    pub(in crate::check) fn validate(&self) -> Result<()> {
        mlp_parity::Error::check_shape("the batches of the case", &[self.batches.len().max(1)], &[self.batches.len()])?;
        self.parameters.check_fit(&self.config)?;
        let (inputs, classes) = (self.config.inputs(), self.config.classes());
        self.batches.iter().try_for_each(|batch| batch.check_fit(inputs, classes))
    }

    /// The first training.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Configuration`] if there is none.
    pub(in crate::check) fn first_optimizer(&self) -> Result<NamedOptimizer> {
        let none = || mlp_parity::Error::configuration("training", "the case has no training");
        self.optimizers.first().cloned().ok_or_else(none)
    }

    /// The first images of `dataset` in the order of the first epoch, in batches of `batch_size`.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Data`] if the images do not fit the network.
    pub fn new(
        config: MlpConfig,
        parameters: Parameters<f32>,
        dataset: &Dataset,
        batch_size: usize,
        seed: u64,
        optimizers: Vec<NamedOptimizer>,
    ) -> Result<Self> {
        dataset.check_fit(&config)?;
        let order = Dataset::epoch_order(seed, 1, dataset.len());
        let size = batch_size.clamp(1, order.len());
        let batches =
            order.chunks_exact(size).cycle().take(Self::STEPS).map(|indices| dataset.batch(indices)).collect();
        let dataset = Some(dataset.take(dataset.len().min(3 * size + size / 2))?);
        Ok(Self { config, parameters, batches, dataset, optimizers })
    }

    /// Of made-up parameters and images, under SGD and Adam: for who has a network to check and nothing else.
    ///
    /// # Errors
    ///
    /// [`mlp_parity::Error::Data`] if the images would be too many pixels.
    pub fn made_up(config: &MlpConfig, seed: u64) -> Result<Self> {
        const BATCH_SIZE: usize = 16;
        let parameters = Parameters::glorot_uniform_with_biases(config, seed);
        let images = Dataset::synthetic(3 * BATCH_SIZE + 1, [1, config.inputs()], config.classes(), seed)?;
        let batch = |step: usize| {
            let indices: Vec<usize> = (0..BATCH_SIZE).map(|image| (BATCH_SIZE * step + image) % images.len()).collect();
            images.batch(&indices)
        };
        let batches = (0..Self::STEPS).map(batch).collect();
        let optimizers = every_optimizer()
            .into_iter()
            .filter(|training| ["sgd", "adam"].contains(&training.name.as_str()))
            .collect();
        Ok(Self { config: config.clone(), parameters, batches, dataset: Some(images), optimizers })
    }
}

/// Every optimizer, with and without what can be left out.
pub(in crate::check) fn every_optimizer() -> Vec<NamedOptimizer> {
    let momentum = |nesterov, weight_decay| Optimizer::Momentum { momentum: 0.9, nesterov, weight_decay };
    [
        ("sgd", Optimizer::sgd()),
        ("sgd, decay", Optimizer::sgd().with_weight_decay(0.01)),
        ("momentum", momentum(false, 0.0)),
        ("nesterov, decay", momentum(true, 0.01)),
        ("adam", Optimizer::adam()),
        ("adam, decay", Optimizer::adam().with_weight_decay(1e-4)),
        ("adamw", Optimizer::adamw().with_weight_decay(0.01)),
    ]
    .map(|(name, optimizer)| NamedOptimizer { name: name.to_owned(), optimizer, learning_rate: 0.01 })
    .into()
}

/// Gradients for the update alone: magnitudes over ten orders around the ε of Adam, both signs, and some zeros.
pub(in crate::check) fn made_up_gradients(config: &MlpConfig, seed: u64) -> Parameters<f32> {
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
