//! What an implementation is: a black box that classifies ([`Classifier`]), and one that can be opened
//! ([`Differentiable`]).

use std::ops::ControlFlow;

use ndarray::{Array2, ArrayView2, Axis};

use crate::dataset::check_finite;
use crate::metrics::{self, Epoch, Evaluation, History};
use crate::{
    Arithmetic, Batch, Dataset, Error, MlpConfig, Optimizer, OptimizerState, Parameters, Result, TrainingConfig,
};

/// Images that [`Classifier::evaluate`] looks at in one go.
const EVALUATION_BATCH: usize = 500;

/// One batch of a run, after its update.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BatchReport {
    /// Counted from 1.
    pub epoch: usize,
    /// Counted from 1 in each epoch.
    pub batch: usize,
    /// Batches in the epoch.
    pub batches: usize,
    /// Images in this batch.
    pub images: usize,
    /// Mean loss of the batch before its update.
    pub loss: f32,
}

/// Follows a run, and may end it: progress, records, early stopping and interrupts are observers.
pub trait Observer {
    /// A batch was trained. Where losses are read from a device in groups, so do these calls come. `Break` ends the run.
    fn batch_ended(&mut self, _: &BatchReport) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }

    /// An epoch is complete. `Break` ends the run.
    ///
    /// # Errors
    ///
    /// An error ends the run too, and becomes its error.
    fn epoch_ended(&mut self, _: &Epoch, _: &dyn Classifier) -> Result<ControlFlow<()>> {
        Ok(ControlFlow::Continue(()))
    }

    /// Called by harnesses that test after each epoch, before [`epoch_ended`](Self::epoch_ended). [`Classifier::fit`] never
    /// calls it.
    fn epoch_tested(&mut self, _: &Epoch, _: &Evaluation) {}
}

/// Nobody watches.
impl Observer for () {}

/// A classifier that can be trained: a black box.
///
/// # Contract
///
/// The feature `conformance` has it as tests, in one line for each implementation.
///
/// - Every row of probabilities has the width [`MlpConfig::classes`], no negative value, and the sum 1 within rounding.
/// - [`fit`](Self::fit) visits the images in the order of [`Dataset::epoch_order`], in batches of
///   [`TrainingConfig::batch_size`] with a smaller last one, one update a batch, with the learning rate of
///   [`TrainingConfig::learning_rate_at`]. [`training::fit`](crate::training::fit) does that for any
///   [`Learner`](crate::training::Learner).
///   A solver that knows no batches or epochs reports one epoch and no batch.
/// - Same parameters, plan and data give the same result, to the bit where the device is deterministic.
/// - NaN is never hidden: what follows from it is NaN or an error.
pub trait Classifier {
    /// The shape of the network.
    fn config(&self) -> &MlpConfig;

    /// Trains from the present parameters, with a fresh optimizer; a [part](TrainingConfig::part) that does not begin with
    /// the first epoch, with the optimizer as it is.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the images or labels do not fit the network; [`Error::Diverged`] when a loss or parameter is no longer
    /// finite; what the observer or the device reports.
    fn fit(&mut self, train: &Dataset, plan: &TrainingConfig, observer: &mut dyn Observer) -> Result<History>;

    /// The probability of each class, `[images, classes]`.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the images do not fit the network, [`Error::NonFiniteInput`] if one has a NaN or an infinity.
    fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>>;

    /// The most probable class of each image, the first of equals.
    ///
    /// # Errors
    ///
    /// As [`predict_probabilities`](Self::predict_probabilities).
    fn predict(&self, images: ArrayView2<'_, f32>) -> Result<Vec<usize>> {
        Ok(self.predict_probabilities(images)?.rows().into_iter().map(metrics::argmax).collect())
    }

    /// Accuracy, loss and predictions on a data set.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if the images or labels do not fit the network; what the device reports.
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

/// A classifier whose parameters, gradients and updates can be seen: a white box.
pub trait Differentiable: Classifier {
    /// How accurately this implementation computes: what its results are judged by.
    fn arithmetic(&self) -> Arithmetic {
        Arithmetic::SINGLE
    }

    /// A copy of the parameters.
    ///
    /// # Errors
    ///
    /// What the device reports.
    fn parameters(&self) -> Result<Parameters<f32>>;

    /// Replaces the parameters, bit for bit, NaN included. The optimizer's state stays.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if they are those of another network.
    fn set_parameters(&mut self, parameters: &Parameters<f32>) -> Result<()>;

    /// The output layer before softmax, `[images, classes]`.
    ///
    /// # Errors
    ///
    /// As [`predict_probabilities`](Classifier::predict_probabilities).
    fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>>;

    /// The mean cross-entropy of the batch and its gradient with respect to every parameter.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the images do not fit the network, [`Error::Data`] if a label is no class.
    fn loss_and_gradients(&self, batch: &Batch<f32>) -> Result<(f32, Parameters<f32>)>;

    /// Sets the rule, with fresh state. Until then it is SGD without weight decay.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the rule is not valid, [`Error::NotImplemented`] if this implementation does not offer it.
    fn set_optimizer(&mut self, optimizer: &Optimizer) -> Result<()>;

    /// What the optimizer remembers, for a run that is to go on later.
    ///
    /// # Errors
    ///
    /// [`Error::NotImplemented`] if this implementation cannot tell; what the device reports.
    fn optimizer_state(&self) -> Result<OptimizerState> {
        Err(Error::NotImplemented { what: "telling the optimizer's state".to_owned() })
    }

    /// Replaces what the optimizer remembers, bit for bit. The rule stays.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if it is not that of this rule for this network, [`Error::NotImplemented`] if this implementation
    /// cannot take it.
    fn set_optimizer_state(&mut self, _: &OptimizerState) -> Result<()> {
        Err(Error::NotImplemented { what: "taking the optimizer's state".to_owned() })
    }

    /// One update of the parameters from these gradients.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if the gradients are those of another network.
    fn apply_gradients(&mut self, gradients: &Parameters<f32>, learning_rate: f64) -> Result<()>;

    /// One step of training: the loss of the batch, its gradients, their update. Returns the loss before the update.
    ///
    /// # Errors
    ///
    /// As [`loss_and_gradients`](Self::loss_and_gradients).
    fn step(&mut self, batch: &Batch<f32>, learning_rate: f64) -> Result<f32> {
        let (loss, gradients) = self.loss_and_gradients(batch)?;
        self.apply_gradients(&gradients, learning_rate)?;
        Ok(loss)
    }
}

/// What every implementation asks of images before it looks at them.
///
/// # Errors
///
/// [`Error::Shape`] if there is none or they do not fit the network, [`Error::NonFiniteInput`] if one has a NaN or an
/// infinity.
pub fn check_images(config: &MlpConfig, images: ArrayView2<'_, f32>) -> Result<()> {
    Error::check_shape("images", &[images.nrows().max(1), config.inputs()], images.shape())?;
    check_finite(images)
}

/// Softmax of each row: exp(zⱼ − max z) / Σₖ exp(zₖ − max z).
pub fn softmax(mut logits: Array2<f32>) -> Array2<f32> {
    for mut row in logits.axis_iter_mut(Axis(0)) {
        let largest = row.fold(f32::NEG_INFINITY, |largest, &logit| largest.max(logit));
        row.mapv_inplace(|logit| (logit - largest).exp());
        let sum = row.sum();
        row /= sum;
    }
    logits
}
