//! The two traits of the contract: [`Classifier`], a black box that can be trained and queried for predictions, and
//! [`Differentiable`], a white box that also exposes its parameters, gradients and updates.
//!
//! # What to implement first
//!
//! In this order, each method can be tested as soon as it is written:
//!
//! | | method | task | helper |
//! |---|---|---|---|
//! | 1 | a constructor | reject parameters of the wrong shape, and keep a copy | [`Parameters::check_fit`] |
//! | 2 | [`config`](Classifier::config) | return the [`MlpConfig`] that the constructor was given | |
//! | 3 | [`parameters`](Differentiable::parameters), [`set_parameters`](Differentiable::set_parameters) | copy values bit for bit | [`Parameters::check_fit`] |
//! | 4 | [`logits`](Differentiable::logits) | check the images, and compute the output layer | [`check_images`] |
//! | 5 | [`predict_probabilities`](Classifier::predict_probabilities) | return `softmax(self.logits(images)?)` | [`softmax`] |
//! | 6 | [`loss_and_gradients`](Differentiable::loss_and_gradients) | check the batch, and backpropagate | [`Batch::check_fit`], [`Parameters::from_layers`] |
//! | 7 | [`apply_gradients`](Differentiable::apply_gradients) | make one update with the current optimizer | [`Parameters::check_fit`] |
//! | 8 | [`set_optimizer`](Differentiable::set_optimizer) | select the update rule, and reset its state | [`Optimizer::validate`] |
//! | 9 | [`fit`](Classifier::fit) | call `training::fit(self, train, training, observer)` | [`training::fit`](crate::training::fit) |
//!
//! Return [`Error::NotImplemented`] for an optimizer that the model does not support; checks that need it are skipped.
//! All other methods have default implementations. Once the rest works, override [`step`](Differentiable::step) and
//! [`train_batches`](Differentiable::train_batches) for speed, and [`optimizer_state`](Differentiable::optimizer_state)
//! with its setter for resuming from checkpoints.
//!
//! A black box needs only `config`, `predict_probabilities` and `fit` (rows 2, 5 and 9), and a training loop of its
//! own, because `training::fit` requires a white box. [`Batches`] yields the images and learning rate of each batch:
//!
//! ```
//! # use mlp_parity::{Batches, Dataset, TrainingConfig};
//! # fn fit(train: &Dataset, training: &TrainingConfig) {
//! for epoch in training.epochs_to_train() {
//!     let order = Dataset::epoch_order(training.seed(), epoch, train.len());
//!     for (indices, learning_rate) in Batches::of_epoch(training, epoch, &order) {
//!         let batch = train.batch::<f32>(indices);
//!         // Compute the mean loss of the batch, then make one update. The training loss of the epoch is the mean of
//!         // these losses, weighted by `batch.len()`.
//!         # let _ = (batch, learning_rate);
//!     }
//!     // Call `observer.epoch_ended`. If it returns `Break` before the last epoch, return with `stopped: true`.
//! }
//! # }
//! ```
//!
//! # Data layout
//!
//! - Images are the rows of a matrix `[images, inputs]`. The pixels of an image are stored row by row, from its top
//!   left corner. The value of a pixel is its byte divided by 255 in single precision: 0 is the background, and 1 is
//!   full intensity. An image view may have any strides: call ndarray's `as_standard_layout` before taking a slice.
//! - A weight matrix has the shape `[inputs, outputs]` and a bias the shape `[outputs]`, so a layer computes
//!   z = a·W + b. (PyTorch stores the transposed weight matrix.) A [`Layer`](crate::Layer) holds both; [`Parameters`],
//!   gradients and optimizer moments are lists of layers, from input to output.
//! - Logits and probabilities have the shape `[images, classes]`. A label is a class index, counted from 0.
//!
//! # Example
//!
//! A complete softmax regression: both traits, and a call that tests the contract (feature `conformance`).
//!
//! ```
//! use mlp_parity::metrics::History;
//! use mlp_parity::ndarray::{Array2, ArrayView2, Axis};
//! use mlp_parity::{Activation, Batch, Classifier, Dataset, Differentiable, Error, Layer, MlpConfig, Observer};
//! use mlp_parity::{Optimizer, Parameters, Result, TrainingConfig, check_images, softmax, training};
//! struct Linear(MlpConfig, Parameters<f32>); // network configuration, parameters of the only layer
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
//!         // Gradient with respect to the logits: δ = (p − y) / m, for m images with one-hot labels y.
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
//!         let what = optimizer.to_string();
//!         if *optimizer == Optimizer::sgd() { Ok(()) } else { Err(Error::NotImplemented { what }) }
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

/// Report on one batch, which [`Observer::batch_ended`] receives after the batch's update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchReport {
    /// Epoch, counted from 1.
    pub epoch: usize,
    /// Batch within the epoch, counted from 1.
    pub batch: usize,
    /// Number of batches in the epoch.
    pub batches: usize,
    /// Number of images in this batch.
    pub images: usize,
    /// Mean loss of the batch before its update.
    pub loss: f32,
}

/// Receives the events of a training run and can stop it. Progress bars, records, early stopping and interrupts are
/// implemented as observers; `()` ignores every event.
pub trait Observer {
    /// Called after each batch. `Break` stops the run after this batch.
    ///
    /// If the model reads losses from its device in groups (see [`Differentiable::batches_per_call`]), the calls also
    /// come in groups, and `Break` takes effect after the whole group.
    fn batch_ended(&mut self, _: &BatchReport) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// Called after each epoch with its result and the model. `Break` stops the run.
    ///
    /// # Errors
    ///
    /// An error aborts the run, and [`Classifier::fit`] returns it.
    fn epoch_ended(&mut self, _: &Epoch, _: &dyn Classifier) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    /// Called with the test results after each epoch, before [`epoch_ended`](Self::epoch_ended), by a harness that
    /// evaluates the model on the test set. [`Classifier::fit`] itself never calls this method.
    fn epoch_tested(&mut self, _epoch: &Epoch, _evaluation: &Evaluation) {}
}

impl Observer for () {}

/// A classifier that can be trained and queried for predictions: the interface of a black box. See
/// [what to implement first](self#what-to-implement-first).
///
/// # Contract
///
/// - Every row of probabilities has [`MlpConfig::classes`] values, none of them negative, and sums to 1 up to rounding.
/// - [`fit`](Self::fit) visits the images in the order of [`Dataset::epoch_order`], in batches of
///   [`TrainingConfig::batch_size`] images (the last one may be smaller), and makes one update per batch with the
///   learning rate of [`TrainingConfig::learning_rate_at`]. [`training::fit`](crate::training::fit) does this for any
///   [`Differentiable`]. A solver without batches or epochs reports one epoch and no batch.
/// - Equal initial parameters, configuration and data give equal results, bit for bit on a deterministic device.
/// - NaN is never hidden: a result that depends on a NaN is NaN or an error.
///
/// The macro `conformance_tests!` (feature `conformance`) tests the contract as far as it can be observed. For a black
/// box it tests predictions, rejected input, and that training improves accuracy, is reproducible and is reported to
/// the observer; for a white box also the order of batches, learning rates, optimizer state and NaN.
/// `mlp_parity_compare::check` tests the numerical accuracy of gradients and updates.
pub trait Classifier {
    /// Returns the network configuration that the model was created with.
    fn config(&self) -> &MlpConfig;

    /// Trains the model, starting from its current parameters, and returns the results of the completed epochs.
    ///
    /// The optimizer state is reset first, unless the configuration is restricted to a
    /// [range of epochs](TrainingConfig::with_epoch_range) that begins after epoch 1: such a run continues with the
    /// current optimizer state.
    ///
    /// # Errors
    ///
    /// - [`Error::Data`] if the images or labels do not fit the network.
    /// - [`Error::Diverged`] if a loss or parameter is no longer finite.
    /// - Any error of the observer or the device.
    fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History>;

    /// Computes the probability of each class for each image, `[images, classes]`: usually the [`softmax`] of the
    /// logits.
    ///
    /// # Errors
    ///
    /// The errors of [`check_images`]: [`Error::Shape`] if the images do not fit the network, [`Error::NonFiniteInput`]
    /// if an image contains a NaN or an infinity.
    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>>;

    /// Returns the most probable class of each image. Among equally probable classes the lowest index wins.
    ///
    /// # Errors
    ///
    /// The errors of [`predict_probabilities`](Self::predict_probabilities).
    fn predict(&self, images: ArrayView2<'_, f32>) -> Result<Vec<usize>> {
        Ok(self.predict_probabilities(images)?.rows().into_iter().map(metrics::argmax).collect())
    }

    /// Computes the accuracy, the mean cross-entropy and the predicted classes on a data set.
    ///
    /// # Errors
    ///
    /// The errors of [`Dataset::check_fit`] and [`Evaluation::new`], or any error of the device.
    fn evaluate(&self, dataset: &Dataset) -> Result<Evaluation> {
        dataset.check_fit(self.config())?;
        let mut probabilities = Array2::zeros([dataset.len(), self.config().classes()]);
        let indices: Vec<usize> = (0..dataset.len()).collect();
        let chunks = probabilities.axis_chunks_iter_mut(Axis(0), EVALUATION_BATCH);
        for (indices, mut chunk) in indices.chunks(EVALUATION_BATCH).zip(chunks) {
            chunk.assign(&self.predict_probabilities(dataset.batch(indices).images())?);
        }
        Evaluation::new(probabilities.view(), dataset.labels())
    }
}

/// A white-box classifier, which exposes its parameters, gradients and updates. See
/// [what to implement first](self#what-to-implement-first).
pub trait Differentiable: Classifier {
    /// Returns the largest rounding errors of the implementation's elementary operations [default: those of IEEE single
    /// precision]. The error bounds of a comparison are derived from them.
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::SINGLE
    }

    /// Returns a copy of the parameters.
    ///
    /// # Errors
    ///
    /// Any error of the device.
    fn parameters(&self) -> Result<Parameters<f32>>;

    /// Replaces the parameters bit for bit, NaN included. The optimizer state is kept.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the parameters do not fit the network, as reported by [`Parameters::check_fit`].
    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()>;

    /// Computes the output layer before softmax, `[images, classes]`.
    ///
    /// # Errors
    ///
    /// The errors of [`predict_probabilities`](Classifier::predict_probabilities).
    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>>;

    /// Computes the mean cross-entropy of the batch, and its gradient with respect to every parameter.
    ///
    /// # Errors
    ///
    /// The errors of [`Batch::check_fit`]: [`Error::Shape`] if the images do not fit the network, [`Error::Data`] if a
    /// label is out of range.
    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)>;

    /// Selects the optimizer and resets its state. A new model uses SGD without weight decay until the first call.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if [`Optimizer::validate`] rejects the optimizer, [`Error::NotImplemented`] if this
    /// implementation does not offer it.
    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()>;

    /// Returns a copy of the optimizer state, for a checkpoint.
    ///
    /// # Errors
    ///
    /// [`Error::NotImplemented`] if this implementation does not expose its optimizer state, or any error of the
    /// device.
    fn optimizer_state(&self) -> Result<OptimizerState> {
        Err(Error::NotImplemented { what: "reading the optimizer state".to_owned() })
    }

    /// Restores the optimizer state bit for bit. The choice of optimizer does not change.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the state does not fit the selected optimizer and the network, [`Error::NotImplemented`] if
    /// this implementation cannot restore its optimizer state.
    fn set_optimizer_state(&mut self, _: &OptimizerState) -> Result<()> {
        Err(Error::NotImplemented { what: "restoring the optimizer state".to_owned() })
    }

    /// Makes one update of the parameters with the selected optimizer and the given gradients.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the gradients do not fit the network, as reported by [`Parameters::check_fit`].
    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()>;

    /// Trains on one batch: computes loss and gradients, updates the parameters, and returns the mean loss before the
    /// update.
    ///
    /// If the loss is not finite, the method returns it without an update, so that
    /// [`training::fit`](crate::training::fit) can name the first tensor that is not finite. The default
    /// implementation does this; one that overrides it for speed must also check the loss before updating.
    ///
    /// # Errors
    ///
    /// The errors of [`loss_and_gradients`](Self::loss_and_gradients).
    fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32> {
        let (loss, gradients) = self.loss_and_gradients(batch)?;
        if loss.is_finite() {
            self.apply_gradients(&gradients, learning_rate)?;
        }
        Ok(loss)
    }

    /// Trains on consecutive batches of `train`, and appends the mean loss of each batch before its update to `losses`.
    /// The caller guarantees that `train` fits the network; [`training::fit`](crate::training::fit) checks it.
    ///
    /// Training stops at the first loss that is not finite. That loss is the last one appended, and parameters and
    /// optimizer state are left as they were before the update of its batch.
    ///
    /// The default implementation copies the images of each batch and calls [`step`](Self::step), which must not update
    /// from a loss that is not finite. Override it to train without copies, to prefetch the
    /// [following](Batches::following) batch, or to read several losses at once (see
    /// [`batches_per_call`](Self::batches_per_call)). An implementation that updates before it reads a loss must be
    /// able to roll back: keep a copy of the state, and train again up to the batch whose loss is not finite.
    ///
    /// # Errors
    ///
    /// Any error of the device. A loss that is not finite is not an error of this method.
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

    /// Returns the largest number of batches per call of [`train_batches`](Self::train_batches), at least 1. A number
    /// above 1 improves speed on devices where reading a loss stalls the device.
    fn batches_per_call(&self) -> usize {
        1
    }
}

/// Checks that images can be classified by the network. Call it first in [`Differentiable::logits`] and
/// [`Classifier::predict_probabilities`].
///
/// # Errors
///
/// [`Error::Shape`] if there are no images or their width differs from [`MlpConfig::inputs`],
/// [`Error::NonFiniteInput`] if an image contains a NaN or an infinity.
pub fn check_images(config: &MlpConfig, images: ArrayView2<'_, f32>) -> Result<()> {
    // With no image, the expected shape has one row, so that an empty matrix is rejected too.
    Error::check_shape("images", &[images.nrows().max(1), config.inputs()], images.shape())?;
    check_finite(images)
}

/// Computes the softmax of each row z: exp(zⱼ − max z) / Σₖ exp(zₖ − max z). If a row contains a NaN, the whole row
/// becomes NaN.
pub fn softmax(mut logits: Array2<f32>) -> Array2<f32> {
    for mut row in logits.axis_iter_mut(Axis(0)) {
        // `f32::max` skips a NaN here, but the NaN reaches the sum, and with it every element of the row.
        let largest = row.fold(f32::NEG_INFINITY, |largest, &logit| largest.max(logit));
        row.mapv_inplace(|logit| (logit - largest).exp());
        let sum = row.sum();
        row /= sum;
    }
    logits
}
