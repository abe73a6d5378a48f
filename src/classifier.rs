//! The two traits of the contract: [`Classifier`], a black box that can be trained, and [`Differentiable`], a white box
//! whose parameters, gradients and updates are visible.
//!
//! # What to implement first
//!
//! In this order each method can be tested as soon as it is written:
//!
//! | | method | job | helper |
//! |---|---|---|---|
//! | 1 | a constructor | reject parameters of another shape, keep a copy | [`Parameters::check_fit`] |
//! | 2 | [`config`](Classifier::config) | return the [`MlpConfig`] it was given | |
//! | 3 | [`parameters`](Differentiable::parameters), [`set_parameters`](Differentiable::set_parameters) | copy values bit for bit | [`Parameters::check_fit`] |
//! | 4 | [`logits`](Differentiable::logits) | check the images, compute the output layer | [`check_images`] |
//! | 5 | [`predict_probabilities`](Classifier::predict_probabilities) | `softmax(self.logits(images)?)` | [`softmax`] |
//! | 6 | [`loss_and_gradients`](Differentiable::loss_and_gradients) | check the batch, backpropagate | [`Batch::check_fit`], [`Parameters::from_layers`] |
//! | 7 | [`apply_gradients`](Differentiable::apply_gradients) | one update by the optimizer | [`Parameters::check_fit`] |
//! | 8 | [`set_optimizer`](Differentiable::set_optimizer) | select the update rule, reset its state | [`Optimizer::validate`], [`Error::NotImplemented`] |
//! | 9 | [`fit`](Classifier::fit) | `training::fit(self, train, training, observer)` | [`training::fit`](crate::training::fit) |
//!
//! A black box needs 2, 5 and 9 alone, and writes its own `fit`; the batches and learning rates of each epoch are given:
//!
//! ```
//! # use mlp_parity::{Batches, Dataset, TrainingConfig};
//! # fn fit(train: &Dataset, training: &TrainingConfig) {
//! for epoch in training.epochs_to_train() {
//!     let order = Dataset::epoch_order(training.seed(), epoch, train.len());
//!     for (indices, learning_rate) in Batches::of_epoch(training, epoch, &order) {
//!         let batch = train.batch::<f32>(indices);
//!         // Update once, and add the loss before the update, times `batch.len()`, to the sum of the epoch.
//!         # let _ = (batch, learning_rate);
//!     }
//!     // Call `observer.epoch_ended`, and end with `stopped: true` where it breaks before the last epoch.
//! }
//! # }
//! ```
//!
//! It returns [`Error::NotImplemented`] for an optimizer that it does not have. All other methods are provided. Three of them are worth
//! writing when the rest works: [`step`](Differentiable::step) and
//! [`train_batches`](Differentiable::train_batches) to train faster,
//! [`optimizer_state`](Differentiable::optimizer_state) (with its setter) to resume from checkpoints.
//!
//! # Data layout
//!
//! - Images are the rows of a matrix, `[images, inputs]`. The pixels of an image lie row by row from its top left corner.
//!   A pixel is its byte divided by 255 in single precision, so 0 (background) to 1. A view of images may have any strides:
//!   call ndarray's `as_standard_layout` before you take it as a slice.
//! - A weight is `[inputs, outputs]` and a bias `[outputs]`: z = a·W + b. (PyTorch's weights are the transpose.) A
//!   [`Layer`](crate::Layer) holds both; [`Parameters`], gradients and optimizer moments are lists of layers, input first.
//! - Logits and probabilities are `[images, classes]`. A label is a class index, counted from 0.
//!
//! # Example
//!
//! Softmax regression, complete: both traits, and the test that it keeps the contract (feature `conformance`).
//!
//! ```
//! use mlp_parity::metrics::History;
//! use mlp_parity::ndarray::{Array2, ArrayView2, Axis};
//! use mlp_parity::{Activation, Batch, Classifier, Dataset, Differentiable, Error, Layer, MlpConfig, Observer, Optimizer};
//! use mlp_parity::{Parameters, Result, TrainingConfig, check_images, softmax, training};
//! struct Linear(MlpConfig, Parameters<f32>);
//!
//! impl Classifier for Linear {
//!     fn config(&self) -> &MlpConfig {
//!         &self.0
//!     }
//!     fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
//!         training::fit(self, train, training, observer)
//!     }
//!     fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
//!         Ok(softmax(self.logits(images)?))
//!     }
//! }
//!
//! impl Differentiable for Linear {
//!     fn parameters(&self) -> Result<Parameters<f32>> {
//!         Ok(self.1.clone())
//!     }
//!     fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()> {
//!         parameters.check_fit(&self.0)?;
//!         self.1.clone_from(parameters);
//!         Ok(())
//!     }
//!     fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
//!         check_images(&self.0, images)?;
//!         Ok(images.dot(&self.1.layers()[0].weight) + &self.1.layers()[0].bias)
//!     }
//!     fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
//!         batch.check_fit(self.0.inputs(), self.0.classes())?;
//!         let (mut delta, images) = (softmax(self.logits(batch.images())?), batch.len() as f32);
//!         let mut loss = 0.0;
//!         for (mut row, &label) in delta.rows_mut().into_iter().zip(batch.labels()) {
//!             loss -= row[label].ln() / images;
//!             row[label] -= 1.0;
//!         }
//!         delta /= images;
//!         let layer = Layer { weight: batch.images().t().dot(&delta), bias: delta.sum_axis(Axis(0)) };
//!         Ok((loss, Parameters::from_layers(vec![layer])?))
//!     }
//!     fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()> {
//!         gradients.check_fit(&self.0)?;
//!         self.1.layers_mut()[0].weight.scaled_add(-learning_rate as f32, &gradients.layers()[0].weight);
//!         self.1.layers_mut()[0].bias.scaled_add(-learning_rate as f32, &gradients.layers()[0].bias);
//!         Ok(())
//!     }
//!     fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()> {
//!         optimizer.validate()?;
//!         if *optimizer == Optimizer::sgd() { Ok(()) } else { Err(Error::NotImplemented { what: optimizer.to_string() }) }
//!     }
//! }
//! # #[cfg(feature = "conformance")]
//! # fn main() -> std::result::Result<(), mlp_parity::conformance::Violation> {
//! let config = mlp_parity::conformance::network(&[], Activation::Relu)?;
//! mlp_parity::conformance::check_differentiable(&config, &|config, parameters| {
//!     parameters.check_fit(config)?;
//!     Ok(Box::new(Linear(config.clone(), parameters.clone())))
//! })
//! # }
//! # #[cfg(not(feature = "conformance"))]
//! # fn main() {}
//! ```

use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView2, Axis};

use crate::dataset::check_finite;
use crate::metrics::{self, Epoch, Evaluation, History};
use crate::{
    Arithmetic, Batch, Batches, Dataset, Error, MlpConfig, Optimizer, OptimizerState, Parameters, Result,
    TrainingConfig,
};

/// Number of images per inference batch of [`Classifier::evaluate`].
const EVALUATION_BATCH: usize = 500;

/// One batch of a training run, after its update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchReport {
    /// Epoch, from 1.
    pub epoch: usize,
    /// Batch within the epoch, from 1.
    pub batch: usize,
    /// Number of batches in the epoch.
    pub batches: usize,
    /// Number of images in this batch.
    pub images: usize,
    /// Mean loss of the batch before its update.
    pub loss: f32,
}

/// Follows a training run and may end it. Progress bars, records, early stopping and interrupts are observers.
pub trait Observer {
    /// Called after each batch. `Break` ends the run. Where losses are read from a device in groups, the calls come in
    /// groups too.
    fn batch_ended(&mut self, _: &BatchReport) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Called after each epoch. `Break` ends the run.
    ///
    /// # Errors
    ///
    /// An error ends the run, and [`Classifier::fit`] returns it.
    fn epoch_ended(&mut self, _: &Epoch, _: &dyn Classifier) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    /// Called by a harness that evaluates the model on the test set after each epoch, with the result, before
    /// [`epoch_ended`](Self::epoch_ended). [`Classifier::fit`] itself never calls it.
    fn epoch_tested(&mut self, _epoch: &Epoch, _evaluation: &Evaluation) {}
}

/// Ignores every event.
impl Observer for () {}

/// A classifier that can be trained: a black box. See [what to implement first](self#what-to-implement-first).
///
/// # Contract
///
/// The macro `conformance_tests!` (feature `conformance`) tests what can be seen from outside: of a black box its answers,
/// what it rejects, and that training helps, repeats itself and is reported; of a white box also the order of the batches,
/// the learning rates, the optimizer state and NaN. Whether gradients and updates are right is what
/// `mlp_parity_compare::check` tests.
///
/// - Every row of probabilities has [`MlpConfig::classes`] values, none of them negative, and sums to 1 within rounding.
/// - [`fit`](Self::fit) visits the images in the order of [`Dataset::epoch_order`], in batches of
///   [`TrainingConfig::batch_size`] with a smaller last one, and makes one update per batch, with the learning rate of
///   [`TrainingConfig::learning_rate_at`]. [`training::fit`](crate::training::fit) does so for any [`Differentiable`].
///   A solver without batches or epochs reports one epoch and no batch.
/// - The same parameters, training configuration and data give the same result, bit for bit where the device is
///   deterministic.
/// - NaN is never hidden: a result that depends on a NaN is NaN or an error.
pub trait Classifier {
    /// Returns the network configuration.
    fn config(&self) -> &MlpConfig;

    /// Trains from the current parameters with a fresh optimizer. A [part](TrainingConfig::part) that does not begin with
    /// the first epoch continues with the current optimizer state.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the images or labels do not fit the network; [`Error::Diverged`] when a loss or parameter is no
    /// longer finite; errors of the observer or the device.
    fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History>;

    /// Computes the probability of each class, `[images, classes]`. Usually [`softmax`] of the logits.
    ///
    /// # Errors
    ///
    /// Those of [`check_images`]: [`Error::Shape`] if the images do not fit the network, [`Error::NonFiniteInput`] if one
    /// contains a NaN or an infinity.
    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>>;

    /// Returns the most probable class of each image, the lowest index among equals.
    ///
    /// # Errors
    ///
    /// As [`predict_probabilities`](Self::predict_probabilities).
    fn predict(&self, images: ArrayView2<'_, f32>) -> Result<Vec<usize>> {
        Ok(self.predict_probabilities(images)?.rows().into_iter().map(metrics::argmax).collect())
    }

    /// Computes accuracy, loss and predictions on a data set.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the images or labels do not fit the network; errors of the device.
    fn evaluate(&self, dataset: &Dataset) -> Result<Evaluation> {
        dataset.check_fit(self.config())?;
        let mut probabilities = Array2::zeros([dataset.len(), self.config().classes()]);
        let indices: Vec<usize> = (0..dataset.len()).collect();
        let parts = probabilities.axis_chunks_iter_mut(Axis(0), EVALUATION_BATCH);
        for (indices, mut part) in indices.chunks(EVALUATION_BATCH).zip(parts) {
            part.assign(&self.predict_probabilities(dataset.batch(indices).images())?);
        }
        Ok(Evaluation::new(probabilities.view(), dataset.labels()))
    }
}

/// A classifier whose parameters, gradients and updates are visible: a white box. See
/// [what to implement first](self#what-to-implement-first).
pub trait Differentiable: Classifier {
    /// Returns the accuracy of the elementary operations, from which the error bounds of a comparison follow.
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::SINGLE
    }

    /// Returns a copy of the parameters.
    ///
    /// # Errors
    ///
    /// Errors of the device.
    fn parameters(&self) -> Result<Parameters<f32>>;

    /// Replaces the parameters, bit for bit, NaN included. The optimizer state stays.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if they have another shape, as [`Parameters::check_fit`] reports it.
    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()>;

    /// Computes the output layer before softmax, `[images, classes]`.
    ///
    /// # Errors
    ///
    /// As [`predict_probabilities`](Classifier::predict_probabilities).
    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>>;

    /// Computes the mean cross-entropy of the batch and its gradient with respect to every parameter.
    ///
    /// # Errors
    ///
    /// Those of [`Batch::check_fit`]: [`Error::Shape`] if the images do not fit the network, [`Error::Data`] if a label is
    /// out of range.
    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)>;

    /// Selects the optimizer and resets its state. Until the first call it is SGD without weight decay.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if [`Optimizer::validate`] rejects it, [`Error::NotImplemented`] if this implementation
    /// does not offer it.
    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()>;

    /// Returns the optimizer state, for a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::NotImplemented`] if this implementation does not expose it; errors of the device.
    fn optimizer_state(&self) -> Result<OptimizerState> {
        Err(Error::NotImplemented { what: "reading the optimizer state".to_owned() })
    }

    /// Replaces the optimizer state, bit for bit. The optimizer stays.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the state is not that of the current optimizer for this network, [`Error::NotImplemented`] if
    /// this implementation cannot restore it.
    fn set_optimizer_state(&mut self, _: &OptimizerState) -> Result<()> {
        Err(Error::NotImplemented { what: "restoring the optimizer state".to_owned() })
    }

    /// Updates the parameters once with these gradients.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the gradients have another shape, as [`Parameters::check_fit`] reports it.
    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()>;

    /// Trains on one batch: computes its loss and gradients and updates the parameters. Returns the loss before the update.
    ///
    /// A loss that is not finite is returned without an update, so that [`training::fit`](crate::training::fit) can name
    /// the first tensor that is not finite. The provided method does so; an implementation that replaces it for speed must
    /// check the loss before it updates.
    ///
    /// # Errors
    ///
    /// As [`loss_and_gradients`](Self::loss_and_gradients).
    fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32> {
        let (loss, gradients) = self.loss_and_gradients(batch)?;
        if loss.is_finite() {
            self.apply_gradients(&gradients, learning_rate)?;
        }
        Ok(loss)
    }

    /// Trains on consecutive batches of `train` and appends the loss of each, before its update, to `losses`.
    /// [`training::fit`](crate::training::fit) has checked that `train` fits the network; other callers must.
    ///
    /// The first loss that is not finite is the last that is appended: no later batch is trained, and parameters and
    /// optimizer state are left as they were before the update of that batch.
    ///
    /// The provided method makes one [`step`](Self::step) per batch, on a copy of its images, and relies on `step` not to
    /// update from a loss that is not finite. Replace it to train without copies, to load the [following](Batches::following)
    /// batch in advance, or to read many losses at once (see [`batches_per_call`](Self::batches_per_call)). An implementation
    /// that updates before it reads a loss must go back: keep a copy of the state, and train again up to the broken batch.
    ///
    /// # Errors
    ///
    /// Errors of the device. A loss that is not finite is no error here.
    fn train_batches(&mut self, train: &Dataset, batches: Batches<'_>, losses: &mut Vec<f32>) -> Result<()> {
        for (indices, learning_rate) in batches {
            let loss = self.step(&train.batch(indices), learning_rate)?;
            losses.push(loss);
            if !loss.is_finite() {
                break;
            }
        }
        Ok(())
    }

    /// Returns the largest number of batches per call of [`train_batches`](Self::train_batches), at least 1. More than 1 pays
    /// on devices where reading a loss waits for the device.
    fn batches_per_call(&self) -> usize {
        1
    }
}

/// Checks images before they are classified. Call it first in [`Differentiable::logits`] and
/// [`Classifier::predict_probabilities`].
///
/// # Errors
///
/// [`Error::Shape`] if there is no image or the images do not fit the network, [`Error::NonFiniteInput`] if one contains a
/// NaN or an infinity.
pub fn check_images(config: &MlpConfig, images: ArrayView2<'_, f32>) -> Result<()> {
    Error::check_shape("images", &[images.nrows().max(1), config.inputs()], images.shape())?;
    check_finite(images)
}

/// Computes the softmax of each row: exp(zⱼ − max z) / Σₖ exp(zₖ − max z). A row with a NaN becomes NaN.
pub fn softmax(mut logits: Array2<f32>) -> Array2<f32> {
    for mut row in logits.axis_iter_mut(Axis(0)) {
        let largest = row.fold(f32::NEG_INFINITY, |largest, &logit| largest.max(logit));
        row.mapv_inplace(|logit| (logit - largest).exp());
        let sum = row.sum();
        row /= sum;
    }
    logits
}
