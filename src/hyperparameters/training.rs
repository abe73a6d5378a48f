//! The training of a network: which rule, how fast, over what, for how long, in which order.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::optimizer::{Optimizer, at_least_zero};
use super::schedule::Schedule;
use crate::{Error, Result};

/// A run: which rule, how fast, over what, for how long, in which order.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "UncheckedTraining")]
pub struct TrainingConfig {
    #[serde(flatten)]
    optimizer: Optimizer,
    learning_rate: f64,
    #[serde(default)]
    schedule: Schedule,
    batch_size: usize,
    epochs: usize,
    seed: u64,
    /// The first and the last epoch to train, where not all are.
    #[serde(skip)]
    part: Option<(usize, usize)>,
}

impl TrainingConfig {
    /// A run of `epochs` passes over the training images, each in an order that `seed` and the epoch decide, in
    /// batches of `batch_size` (the last one may be smaller), with the same learning rate for every step.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the optimizer is not valid, the learning rate negative or not finite, or a
    /// count 0.
    pub fn new(optimizer: Optimizer, learning_rate: f64, batch_size: usize, epochs: usize, seed: u64) -> Result<Self> {
        optimizer.validate()?;
        at_least_zero("learning-rate", learning_rate)?;
        if batch_size == 0 {
            return Err(Error::configuration("batch-size", "a batch needs at least one image"));
        }
        if epochs == 0 {
            return Err(Error::configuration("epochs", "a run needs at least one epoch"));
        }
        Ok(Self { optimizer, learning_rate, schedule: Schedule::Constant, batch_size, epochs, seed, part: None })
    }

    /// The rule.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// η
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// How the learning rate changes from step to step.
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// The learning rate of step `step` of `steps`, the first being 0.
    pub fn learning_rate_at(&self, step: usize, steps: usize) -> f64 {
        self.learning_rate * self.schedule.share(step, steps)
    }

    /// Images in a batch.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Passes over the training images.
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// Updates that the run makes on this many training images, or as many as can be counted.
    pub fn steps(&self, images: usize) -> usize {
        self.epochs.saturating_mul(images.div_ceil(self.batch_size))
    }

    /// Decides the order of the images in every epoch.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The same run with another schedule.
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// The same run with another seed.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The same run for longer or shorter, but for at least one epoch.
    pub fn with_epochs(self, epochs: usize) -> Self {
        Self { epochs: epochs.max(1), part: None, ..self }
    }

    /// Of this run, these epochs alone (from 1): with the order of images and the learning rates that they have in the whole,
    /// and, unless they begin with the first, with the optimizer as it is. Parts one after the other are the whole.
    pub fn part(self, epochs: RangeInclusive<usize>) -> Self {
        Self { part: Some(epochs.into_inner()), ..self }
    }

    /// The epochs to train, of all that the run has.
    pub fn epochs_to_train(&self) -> RangeInclusive<usize> {
        let (first, last) = self.part.unwrap_or((1, self.epochs));
        first.max(1)..=last.min(self.epochs)
    }
}

/// As it stands in a file.
#[derive(Deserialize)]
struct UncheckedTraining {
    #[serde(flatten)]
    optimizer: Optimizer,
    learning_rate: f64,
    #[serde(default)]
    schedule: Schedule,
    batch_size: usize,
    epochs: usize,
    seed: u64,
}

impl TryFrom<UncheckedTraining> for TrainingConfig {
    type Error = Error;

    fn try_from(unchecked: UncheckedTraining) -> Result<Self> {
        let UncheckedTraining { optimizer, learning_rate, schedule, batch_size, epochs, seed } = unchecked;
        Self::new(optimizer, learning_rate, batch_size, epochs, seed).map(|run| run.with_schedule(schedule))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rejected<T: std::fmt::Debug>(result: Result<T>) -> &'static str {
        match result {
            Err(Error::Configuration { option, .. }) => option,
            other => panic!("not a configuration error: {other:?}"),
        }
    }

    #[test]
    fn a_run_needs_usable_hyper_parameters() {
        let run = |optimizer, rate, batch, epochs| TrainingConfig::new(optimizer, rate, batch, epochs, 0);
        let sgd = Optimizer::sgd();
        for rate in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(rejected(run(sgd, rate, 64, 1)), "learning-rate");
        }
        assert_eq!(rejected(run(sgd, 0.1, 0, 1)), "batch-size");
        assert_eq!(rejected(run(sgd, 0.1, 64, 0)), "epochs");
        assert_eq!(rejected(run(Optimizer::adam().with_weight_decay(-1.0), 0.1, 64, 1)), "weight-decay");
        let momentum = |momentum, nesterov| Optimizer::Momentum { momentum, nesterov, weight_decay: 0.0 };
        assert_eq!(rejected(run(momentum(1.0, false), 0.1, 64, 1)), "momentum");
        assert_eq!(rejected(run(momentum(0.0, true), 0.1, 64, 1)), "nesterov");
        let adam = |beta1, beta2, epsilon| Optimizer::Adam { beta1, beta2, epsilon, weight_decay: 0.0 };
        assert_eq!(rejected(run(adam(1.0, 0.999, 1e-8), 0.1, 64, 1)), "beta1");
        assert_eq!(rejected(run(adam(0.9, -0.1, 1e-8), 0.1, 64, 1)), "beta2");
        for epsilon in [0.0, f64::INFINITY, f64::NAN] {
            assert_eq!(rejected(run(adam(0.9, 0.999, epsilon), 0.1, 64, 1)), "epsilon");
        }
        assert!(run(momentum(0.9, true), 0.0, 1, 1).is_ok());
    }

    #[test]
    fn a_last_batch_that_is_not_full_is_a_step_too() {
        let plan = TrainingConfig::new(Optimizer::adam(), 0.1, 64, 3, 0).unwrap();
        assert_eq!([0, 64, 65].map(|images| plan.steps(images)), [0, 3, 6]);
        let endless = TrainingConfig::new(Optimizer::adam(), 0.1, 1, usize::MAX, 0).unwrap();
        assert_eq!(endless.steps(2), usize::MAX);
    }
}
