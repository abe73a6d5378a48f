//! Training configuration: the hyper-parameters of a training run.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::optimizer::{Optimizer, check_magnitude, check_not_negative};
use super::schedule::Schedule;
use crate::{Error, Result};

/// Training configuration: optimizer, learning rate and its schedule, batch size, number of epochs, and seed of the
/// image order. Created by [`builder`](Self::builder), which validates it.
///
/// ```
/// use mlp_parity::{Optimizer, TrainingConfig};
///
/// # fn main() -> mlp_parity::Result<()> {
/// let training = TrainingConfig::builder().optimizer(Optimizer::adam()).learning_rate(0.003).epochs(30).build()?;
/// assert_eq!(training.batch_size(), 64);
/// # Ok(())
/// # }
/// ```
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
    /// First and last epoch to train; `None` to train all epochs.
    #[serde(skip)]
    epoch_range: Option<(usize, usize)>,
}

impl TrainingConfig {
    /// Returns a builder with default values: plain SGD with a constant learning rate of 0.01, batches of 64 images, 15
    /// epochs, seed 0. They are the SGD configuration of the report that this project reproduces.
    pub const fn builder() -> TrainingConfigBuilder {
        TrainingConfigBuilder {
            optimizer: Optimizer::sgd(),
            learning_rate: 0.01,
            schedule: Schedule::Constant,
            batch_size: 64,
            epochs: 15,
            seed: 0,
        }
    }

    /// Returns the optimizer: the update rule and its hyper-parameters, without the learning rate.
    pub fn optimizer(&self) -> &Optimizer {
        &self.optimizer
    }

    /// Returns the learning rate η, before the schedule is applied.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate
    }

    /// Returns the schedule, which scales the learning rate in each step.
    pub fn schedule(&self) -> Schedule {
        self.schedule
    }

    /// Returns the learning rate in `step` (counted from 0) of a run with `steps` steps: η times the
    /// [factor](Schedule::factor) of the schedule.
    pub fn learning_rate_at(&self, step: usize, steps: usize) -> f64 {
        self.learning_rate * self.schedule.factor(step, steps)
    }

    /// Returns the number of images per batch. The last batch of an epoch may be smaller.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Returns the number of epochs (passes over the training images).
    pub fn epochs(&self) -> usize {
        self.epochs
    }

    /// Returns the number of updates of the whole run on a training set of `images` images. Saturates at the largest
    /// `usize`.
    pub fn steps(&self, images: usize) -> usize {
        self.epochs.saturating_mul(images.div_ceil(self.batch_size))
    }

    /// Returns the seed, which decides the order of the images in every epoch.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns a copy with the given learning-rate schedule.
    pub fn with_schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// Returns a copy with the given seed, which decides the order of the images in every epoch.
    pub fn with_seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Returns a copy with the given number of epochs; 0 counts as 1. The copy trains all of its epochs, even if `self`
    /// was restricted by [`with_epoch_range`](Self::with_epoch_range).
    pub fn with_epochs(self, epochs: usize) -> Self {
        Self { epochs: epochs.max(1), epoch_range: None, ..self }
    }

    /// Returns a copy that trains only some epochs of the run, counted from 1, for example to resume a run from a
    /// checkpoint.
    ///
    /// The selected epochs have the image order and the learning rates that they have in the whole run. A range that
    /// begins after epoch 1 continues with the current optimizer state instead of resetting it. Therefore training
    /// consecutive ranges one after the other equals training the whole run.
    pub fn with_epoch_range(self, epochs: RangeInclusive<usize>) -> Self {
        Self { epoch_range: Some(epochs.into_inner()), ..self }
    }

    /// Returns the epochs to train, counted from 1: all epochs, or those selected by
    /// [`with_epoch_range`](Self::with_epoch_range).
    pub fn epochs_to_train(&self) -> RangeInclusive<usize> {
        let (first, last) = self.epoch_range.unwrap_or((1, self.epochs));
        first.max(1)..=last.min(self.epochs)
    }
}

/// Builder of a [`TrainingConfig`]. [`TrainingConfig::builder`] creates it with a default for every value.
#[derive(Clone, Copy, Debug)]
#[must_use]
pub struct TrainingConfigBuilder {
    optimizer: Optimizer,
    learning_rate: f64,
    schedule: Schedule,
    batch_size: usize,
    epochs: usize,
    seed: u64,
}

impl TrainingConfigBuilder {
    /// Sets the optimizer [default: SGD without weight decay].
    pub const fn optimizer(self, optimizer: Optimizer) -> Self {
        Self { optimizer, ..self }
    }

    /// Sets the learning rate η [default: 0.01].
    pub const fn learning_rate(self, learning_rate: f64) -> Self {
        Self { learning_rate, ..self }
    }

    /// Sets the learning-rate schedule [default: constant].
    pub const fn schedule(self, schedule: Schedule) -> Self {
        Self { schedule, ..self }
    }

    /// Sets the number of images per batch; the last batch of an epoch may be smaller [default: 64].
    pub const fn batch_size(self, batch_size: usize) -> Self {
        Self { batch_size, ..self }
    }

    /// Sets the number of epochs (passes over the training images) [default: 15].
    pub const fn epochs(self, epochs: usize) -> Self {
        Self { epochs, ..self }
    }

    /// Sets the seed, which decides the order of the images in every epoch [default: 0].
    pub const fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// Validates the values and returns the configuration.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the optimizer is not [valid](Optimizer::validate), the learning rate is negative or
    /// not finite, single precision cannot represent the learning rate or a hyper-parameter of the optimizer, or the
    /// batch size or the number of epochs is 0.
    pub fn build(self) -> Result<TrainingConfig> {
        let Self { optimizer, learning_rate, schedule, batch_size, epochs, seed } = self;
        optimizer.validate()?;
        optimizer.check_single_precision()?;
        check_not_negative("learning-rate", learning_rate)?;
        check_magnitude("learning-rate", learning_rate)?;
        if batch_size == 0 {
            return Err(Error::configuration("batch-size", "0 is too small; a batch must contain at least one image"));
        }
        if epochs == 0 {
            return Err(Error::configuration("epochs", "0 is too few; a run needs at least one epoch"));
        }
        Ok(TrainingConfig { optimizer, learning_rate, schedule, batch_size, epochs, seed, epoch_range: None })
    }
}

/// Training configuration as read from a file, before [`TrainingConfigBuilder::build`] validates it.
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
        TrainingConfigBuilder { optimizer, learning_rate, schedule, batch_size, epochs, seed }.build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the option that a configuration error names.
    fn rejected_option<T: std::fmt::Debug>(result: Result<T>) -> &'static str {
        match result {
            Err(Error::Configuration { option, .. }) => option,
            other => panic!("not a configuration error: {other:?}"),
        }
    }

    #[test]
    fn training_config_builder_has_documented_defaults() {
        let training = TrainingConfig::builder().build().unwrap();
        assert_eq!((training.optimizer(), training.learning_rate()), (&Optimizer::sgd(), 0.01));
        assert_eq!(training.schedule(), Schedule::Constant);
        assert_eq!((training.batch_size(), training.epochs(), training.seed()), (64, 15, 0));
        assert_eq!(training.epochs_to_train(), 1..=15);
    }

    #[test]
    fn training_config_builder_sets_each_value() {
        let builder = TrainingConfig::builder().optimizer(Optimizer::adam()).learning_rate(0.5).batch_size(2);
        let training = builder.schedule(Schedule::Cosine).epochs(3).seed(7).build().unwrap();
        assert_eq!((training.optimizer(), training.learning_rate()), (&Optimizer::adam(), 0.5));
        assert_eq!(training.schedule(), Schedule::Cosine);
        assert_eq!((training.batch_size(), training.epochs(), training.seed()), (2, 3, 7));
    }

    #[test]
    fn training_config_builder_rejects_unusable_learning_rates() {
        for rate in [-1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(rejected_option(TrainingConfig::builder().learning_rate(rate).build()), "learning-rate");
        }
        assert!(TrainingConfig::builder().learning_rate(0.0).build().is_ok());
    }

    #[test]
    fn training_config_builder_rejects_zero_batch_size() {
        assert_eq!(rejected_option(TrainingConfig::builder().batch_size(0).build()), "batch-size");
        assert!(TrainingConfig::builder().batch_size(1).build().is_ok());
    }

    #[test]
    fn training_config_builder_rejects_zero_epochs() {
        assert_eq!(rejected_option(TrainingConfig::builder().epochs(0).build()), "epochs");
        assert!(TrainingConfig::builder().epochs(1).build().is_ok());
    }

    #[test]
    fn training_config_builder_rejects_invalid_optimizers() {
        let option = |optimizer| rejected_option(TrainingConfig::builder().optimizer(optimizer).build());
        assert_eq!(option(Optimizer::adam().with_weight_decay(-1.0)), "weight-decay");
        assert_eq!(option(Optimizer::momentum(1.0)), "momentum");
        assert_eq!(option(Optimizer::momentum(0.0).with_nesterov().unwrap()), "nesterov");
        assert_eq!(option(Optimizer::adam().with_betas(1.0, 0.999).unwrap()), "beta1");
        assert_eq!(option(Optimizer::adamw().with_betas(0.9, -0.1).unwrap()), "beta2");
        for epsilon in [0.0, f64::INFINITY, f64::NAN] {
            assert_eq!(option(Optimizer::adam().with_epsilon(epsilon).unwrap()), "epsilon");
        }
        let nesterov = Optimizer::momentum(0.9).with_nesterov().unwrap();
        assert!(TrainingConfig::builder().optimizer(nesterov).build().is_ok());
    }

    #[test]
    fn training_config_builder_rejects_values_outside_single_precision() {
        let reason = |optimizer, rate| {
            let result = TrainingConfig::builder().optimizer(optimizer).learning_rate(rate).build();
            result.map_or_else(|error| error.to_string(), |_| String::new())
        };
        let range = "out of the range of single precision; expected 0, or a number from 1e-45 to 3.4028235e38";
        for (text, rate) in [("1e39", 1e39), ("1e308", 1e308), ("1e-46", 1e-46), ("5e-324", 5e-324)] {
            assert_eq!(reason(Optimizer::sgd(), rate), format!("learning-rate: {text} is {range}"));
            let decayed = Optimizer::adamw().with_weight_decay(rate);
            assert_eq!(reason(decayed, 0.01), format!("weight-decay: {text} is {range}"));
            let adam = Optimizer::adam().with_epsilon(rate).unwrap();
            assert_eq!(reason(adam, 0.01), format!("epsilon: {text} is {range}"));
        }
        for (optimizer, option) in [
            (Optimizer::momentum(1.0 - 1e-9), "momentum"),
            (Optimizer::adam().with_betas(1.0 - 1e-9, 0.9).unwrap(), "beta1"),
            (Optimizer::adamw().with_betas(0.9, 1.0 - 1e-9).unwrap(), "beta2"),
        ] {
            let message = reason(optimizer, 0.01);
            assert_eq!(message, format!("{option}: 0.999999999 is 1 in single precision; expected at most 0.99999994"));
            assert!(optimizer.validate().is_ok(), "valid in double precision");
        }
        for rate in [0.0, 1e-45, f64::from(f32::MAX)] {
            assert_eq!(reason(Optimizer::adam().with_weight_decay(rate), rate), "");
        }
        assert_eq!(reason(Optimizer::momentum(0.99999994), 0.01), "");
    }

    #[test]
    fn training_config_json_round_trips_and_is_validated() {
        let training = TrainingConfig::builder().optimizer(Optimizer::momentum(0.9)).batch_size(32).build().unwrap();
        let json = concat!(
            r#"{"optimizer":"momentum","momentum":0.9,"nesterov":false,"weight_decay":0.0,"learning_rate":0.01,"#,
            r#""schedule":"constant","batch_size":32,"epochs":15,"seed":0}"#
        );
        assert_eq!(serde_json::to_string(&training).unwrap(), json);
        assert_eq!(serde_json::from_str::<TrainingConfig>(json).unwrap(), training);
        let scheduled: TrainingConfig = serde_json::from_str(&json.replace("constant", "one-cycle")).unwrap();
        assert_eq!(scheduled, training.with_schedule(Schedule::OneCycle));
        let without_schedule = json.replace(r#""schedule":"constant","#, "");
        assert_eq!(serde_json::from_str::<TrainingConfig>(&without_schedule).unwrap(), training);
        let error = serde_json::from_str::<TrainingConfig>(&json.replace("15", "0")).unwrap_err();
        assert!(error.to_string().contains("epochs"), "{error}");
        let error = serde_json::from_str::<TrainingConfig>(&json.replace(r#","epochs":15"#, "")).unwrap_err();
        assert!(error.to_string().contains("missing field `epochs`"), "{error}");
    }

    #[test]
    fn training_steps_count_partial_batches_and_saturate() {
        let training = TrainingConfig::builder().batch_size(64).epochs(3).build().unwrap();
        assert_eq!([0, 64, 65].map(|images| training.steps(images)), [0, 3, 6]);
        let endless = TrainingConfig::builder().batch_size(1).epochs(usize::MAX).build().unwrap();
        assert_eq!(endless.steps(2), usize::MAX);
    }
}
