//! The training loop. It decides the order of the images, averages the losses, calls the observer, and stops the run if
//! a loss or parameter is not finite. The updates themselves are made by [`Differentiable::train_batches`].

use std::time::{Duration, Instant};

use crate::metrics::{Epoch, History};
use crate::{BatchReport, Batches, Dataset, Differentiable, Error, Observer, Result, TrainingConfig};

/// Longest duration of a call of [`Differentiable::train_batches`] with several batches. The observer can stop a run only
/// between calls, so a user who interrupts the run waits for the end of one.
const CALL_DURATION: Duration = Duration::from_millis(250);

/// Trains `model` according to the contract of [`Classifier::fit`](crate::Classifier::fit). Any [`Differentiable`] can
/// implement its `fit` by calling this function:
///
/// ```ignore
/// fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
///     training::fit(self, train, training, observer)
/// }
/// ```
///
/// # Errors
///
/// - [`Error::Data`] if the images or labels do not fit the network.
/// - [`Error::Diverged`] if a loss or parameter is no longer finite.
/// - [`Error::Implementation`] if [`train_batches`](Differentiable::train_batches) returns fewer or more losses than it
///   was given batches.
/// - Any error of the model or the observer.
pub fn fit(
    model: &mut dyn Differentiable,
    train: &Dataset,
    training: &TrainingConfig,
    observer: &mut dyn Observer,
) -> Result<History> {
    train.check_fit(model.config())?;
    let epochs = training.epochs_to_train();
    // A range that begins later continues an earlier run, and keeps its optimizer state.
    if *epochs.start() == 1 {
        model.set_optimizer(training.optimizer())?;
    }
    let mut history = History::default();
    for epoch in epochs.clone() {
        let order = Dataset::epoch_order(training.seed(), epoch, train.len());
        let run = EpochRun { epoch, order: &order, train, training };
        let Some((epoch, stop)) = run.train_epoch(model, observer)? else {
            history.stopped = true;
            break;
        };
        history.epochs.push(epoch);
        if observer.epoch_ended(&epoch, &*model)?.is_break() || stop {
            history.stopped = epoch.epoch < *epochs.end();
            break;
        }
    }
    Ok(history)
}

/// Everything needed to train one epoch: its number, the image order, the data and the training configuration.
struct EpochRun<'a> {
    /// Number of the epoch, counted from 1.
    epoch: usize,
    /// Indices of the images, in the order of the epoch.
    order: &'a [usize],
    train: &'a Dataset,
    training: &'a TrainingConfig,
}

impl EpochRun<'_> {
    /// Trains the epoch. Returns its result, and true if the observer asked to stop the run. Returns `None` if the
    /// observer asked to stop while there were batches left, so that the epoch is incomplete.
    fn train_epoch(
        &self,
        model: &mut dyn Differentiable,
        observer: &mut dyn Observer,
    ) -> Result<Option<(Epoch, bool)>> {
        let all_batches = Batches::of_epoch(self.training, self.epoch, self.order);
        let batches = all_batches.len();
        let most_per_call = model.batches_per_call().max(1);
        // The time of a batch is unknown at first.
        let mut per_call = 1;
        let mut time = Duration::ZERO;
        let mut loss_sum = 0.0;
        let mut done = 0;
        let mut stop = false;
        let mut losses = Vec::with_capacity(most_per_call.min(batches));
        while done < batches {
            let group = all_batches.part(done..batches.min(done.saturating_add(per_call)));
            let start = Instant::now();
            losses.clear();
            model.train_batches(self.train, group.clone(), &mut losses)?;
            let elapsed = start.elapsed();
            time += elapsed;
            let that_fit = CALL_DURATION.as_secs_f64() / (elapsed.as_secs_f64() / group.len() as f64);
            per_call = (that_fit as usize).clamp(1, most_per_call);
            self.check_losses(model, &group, done, &losses)?;
            for (images, &loss) in group.map(|(indices, _)| indices.len()).zip(&losses) {
                done += 1;
                loss_sum += f64::from(loss) * images as f64;
                let report = BatchReport { epoch: self.epoch, batch: done, batches, images, loss };
                stop |= observer.batch_ended(&report).is_break();
            }
            if stop && done < batches {
                return Ok(None);
            }
        }
        if let Some(tensor) = first_non_finite_state(model)? {
            // The losses were finite, so an update broke the parameters, or a moment that does not yet affect them.
            return Err(Error::Diverged { epoch: self.epoch, batch: batches, tensor });
        }
        let train_loss = loss_sum / self.order.len() as f64;
        Ok(Some((Epoch { epoch: self.epoch, train_loss, seconds: time.as_secs_f64() }, stop)))
    }

    /// Checks that there is one finite loss for each batch of `group`. `done` is the number of batches of the epoch
    /// before the group.
    fn check_losses(&self, model: &dyn Differentiable, group: &Batches<'_>, done: usize, losses: &[f32]) -> Result<()> {
        // `train_batches` leaves the model as it was before the update of this batch, so the tensor named here is the
        // cause of the loss and not its consequence.
        let non_finite = losses.iter().position(|loss| !loss.is_finite());
        if let Some((index, (indices, _))) = non_finite.and_then(|index| Some((index, group.clone().nth(index)?))) {
            let tensor = first_non_finite(model, self.train, indices)?;
            return Err(Error::Diverged { epoch: self.epoch, batch: done + index + 1, tensor });
        }
        // The loop counts trained batches by their losses, so with fewer losses it would train some batches again.
        if losses.len() != group.len() {
            let reason = format!(
                "`train_batches` returned {} losses for {} batches; expected one per batch",
                losses.len(),
                group.len()
            );
            return Err(Error::Implementation(reason.into()));
        }
        Ok(())
    }
}

/// Returns the name of the first tensor with a NaN or an infinity in the state that the next epoch starts from: a
/// parameter, or a moment of the optimizer if the implementation exposes them.
fn first_non_finite_state(model: &dyn Differentiable) -> Result<Option<String>> {
    if let Some((name, ..)) = model.parameters()?.first_non_finite() {
        return Ok(Some(name));
    }
    match model.optimizer_state() {
        Ok(state) => Ok(state.first_non_finite().map(|(name, ..)| name)),
        Err(Error::NotImplemented { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Returns the name of the first tensor with a NaN or an infinity in the forward pass of a batch: a parameter, `logits`
/// or `loss`.
fn first_non_finite(model: &dyn Differentiable, train: &Dataset, indices: &[usize]) -> Result<String> {
    if let Some((name, ..)) = model.parameters()?.first_non_finite() {
        return Ok(name);
    }
    let logits = model.logits(train.batch(indices).images())?;
    let finite = logits.iter().all(|logit| logit.is_finite());
    Ok(if finite { "loss" } else { "logits" }.to_owned())
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use ndarray::{Array2, ArrayView2};

    use super::*;
    use crate::{Activation, Batch, Classifier, MlpConfig, Optimizer, Parameters};

    /// Model that returns prepared losses, and records the calls of `train_batches` and the number of updates.
    struct Scripted {
        config: MlpConfig,
        /// Loss that the model returns for each batch.
        losses: Vec<f32>,
        /// Number of losses that each call of `train_batches` omits at the end; if negative, the number that it adds.
        missing: isize,
        per_call: usize,
        /// Number of batches in each call of `train_batches`.
        calls: Vec<usize>,
        /// Index of the next loss to return.
        next: Cell<usize>,
        updates: usize,
        /// Duration of the training of each batch.
        delay: Duration,
    }

    impl Scripted {
        fn new(losses: &[f32], per_call: usize, missing: isize) -> Self {
            let config = MlpConfig::new(4, &[], 10, Activation::Relu).unwrap();
            Self {
                config,
                losses: losses.to_vec(),
                missing,
                per_call,
                calls: vec![],
                next: Cell::new(0),
                updates: 0,
                delay: Duration::ZERO,
            }
        }

        /// Trains one epoch of five batches.
        fn run(&mut self) -> Result<History> {
            let data = Dataset::synthetic(10, [2, 2], 10, 0)?;
            let training = TrainingConfig::builder().learning_rate(0.1).batch_size(2).epochs(1).build()?;
            fit(self, &data, &training, &mut ())
        }
    }

    impl Classifier for Scripted {
        fn config(&self) -> &MlpConfig {
            &self.config
        }

        fn fit(&mut self, train: &Dataset, training: &TrainingConfig, observer: &mut dyn Observer) -> Result<History> {
            fit(self, train, training, observer)
        }

        fn predict_probabilities(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
            self.logits(images)
        }
    }

    impl Differentiable for Scripted {
        fn parameters(&self) -> Result<Parameters<f32>> {
            Ok(Parameters::zeros(&self.config))
        }

        fn set_parameters(&mut self, _: &Parameters<f32>) -> Result<()> {
            Ok(())
        }

        fn logits(&self, images: ArrayView2<'_, f32>) -> Result<Array2<f32>> {
            Ok(Array2::zeros([images.nrows(), self.config.classes()]))
        }

        fn loss_and_gradients(&self, _: &Batch<f32>) -> Result<(f32, Parameters<f32>)> {
            let loss = self.losses[self.next.replace(self.next.get() + 1)];
            Ok((loss, Parameters::zeros(&self.config)))
        }

        fn set_optimizer(&mut self, _: &Optimizer) -> Result<()> {
            Ok(())
        }

        fn apply_gradients(&mut self, _: &Parameters<f32>, _: f64) -> Result<()> {
            self.updates += 1;
            Ok(())
        }

        fn train_batches(&mut self, train: &Dataset, batches: Batches<'_>, losses: &mut Vec<f32>) -> Result<()> {
            self.calls.push(batches.len());
            for (indices, rate) in batches {
                std::thread::sleep(self.delay);
                losses.push(self.step(&train.batch(indices), rate)?);
            }
            losses.resize(losses.len().saturating_add_signed(-self.missing), 0.0);
            Ok(())
        }

        fn batches_per_call(&self) -> usize {
            self.per_call
        }
    }

    #[test]
    fn fit_passes_requested_number_of_batches_to_each_call() {
        for (per_call, calls) in [(0, &[1; 5][..]), (1, &[1; 5]), (2, &[1, 2, 2]), (usize::MAX, &[1, 4])] {
            let has_calls = || {
                let mut model = Scripted::new(&[1.0, 2.0, 3.0, 4.0, 5.0], per_call, 0);
                let history = model.run().unwrap();
                assert_eq!((model.calls.iter().sum(), model.updates), (5, 5));
                assert_eq!(history.epochs[0].train_loss, 3.0);
                model.calls == calls
            };
            // The operating system may stop the process for so long that the calls become shorter.
            assert!((0..5).any(|_| has_calls()), "{per_call}");
        }
    }

    #[test]
    fn fit_passes_single_batches_to_slow_model() {
        let mut model = Scripted::new(&[1.0; 5], usize::MAX, 0);
        model.delay = CALL_DURATION.mul_f64(0.6);
        model.run().unwrap();
        assert_eq!(model.calls, [1; 5]);
    }

    #[test]
    fn fit_error_names_batch_and_tensor_of_first_non_finite_loss() {
        for value in [f32::NAN, f32::INFINITY] {
            let mut model = Scripted::new(&[1.0, 1.0, 1.0, value, f32::NAN], 2, 0);
            match model.run() {
                Err(Error::Diverged { epoch: 1, batch: 4, tensor }) => assert_eq!(tensor, "loss"),
                other => panic!("{other:?}"),
            }
            // The default `step` does not update from the loss that is not finite.
            assert_eq!(model.updates, 3);
        }
    }

    #[test]
    fn fit_rejects_wrong_number_of_losses() {
        for (missing, found) in [(1, "returned 0 losses"), (-1, "returned 2 losses")] {
            let mut model = Scripted::new(&[1.0; 5], 2, missing);
            let error = model.run().unwrap_err().to_string();
            assert!(error.contains(found) && error.contains("for 1 batches"), "{error}");
            assert_eq!(model.calls, [1]);
        }
        // Divergence is reported first, even if the number of losses is also wrong.
        let mut model = Scripted::new(&[f32::NAN, 1.0, 1.0, 1.0, 1.0], 2, -1);
        assert!(matches!(model.run(), Err(Error::Diverged { batch: 1, .. })));
    }
}
