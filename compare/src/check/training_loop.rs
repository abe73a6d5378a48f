//! The training-loop stage: `fit`, compared with the same steps taken one by one.

use mlp_parity::metrics::History;
use mlp_parity::{
    Batch, Batches, Dataset, Differentiable, Error, Layer, Optimizer, Parameters, Result, Schedule, TrainingConfig,
};
use ndarray::ArrayD;

use super::case::TrainedState;
use super::stages::{CandidateChecker, expected_step};
use super::tensor_check::{CheckContext, Stage, TensorPair};

impl CandidateChecker<'_> {
    /// Compares the parameters and losses after `fit`, called on a network that has already trained, with those after
    /// the same steps taken one by one.
    pub(super) fn check_training_loop(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let Some(dataset) = &self.case.dataset else { return Ok(()) };
        let Some(training) = self.loop_training(model, dataset)? else { return Ok(()) };
        let (expected, losses) = self.step_by_step(model, dataset, &training, |_, _, _| Ok(()))?;
        let state_is_finite = model.optimizer_state().map_or(true, |state| state.first_non_finite().is_none());
        if losses.iter().any(|loss| !loss.is_finite()) || expected.first_non_finite().is_some() || !state_is_finite {
            // Single steps diverge, so the loop is free to diverge too.
            return Ok(());
        }
        self.start(model, training.optimizer())?;
        if self.case.trained.is_none() {
            // An earlier step leaves an optimizer state behind, which `fit` must reset.
            model.step(&self.case.batches[0], training.learning_rate())?;
            model.set_parameters(&self.case.parameters)?;
        }
        let history = match model.fit(dataset, &training, &mut ()) {
            Err(Error::Diverged { .. }) => History::default(),
            history => history?,
        };
        let actual = model.parameters()?.cast::<f64>();
        // If single steps are reproducible bit by bit, so must be the loop. Otherwise rounding may make it differ.
        let is_reproducible =
            actual == expected || self.step_by_step(model, dataset, &training, |_, _, _| Ok(()))?.0 == expected;
        let bounds = if is_reproducible { None } else { Some(self.accumulated_bounds(model, dataset, &training)?) };
        let arithmetic = model.arithmetic();
        let context = CheckContext {
            expected_from: "single steps",
            ..self.context(self.scenario(), Stage::TrainingLoop, &arithmetic)
        };
        let mut checks = Vec::new();
        for (index, ((name, actual), (_, expected))) in actual.tensors().zip(expected.tensors()).enumerate() {
            let zeros = ArrayD::zeros(expected.raw_dim());
            let bound = bounds.as_ref().map_or(&zeros, |bounds| &bounds[index]).view();
            checks.push(
                context.check(&name, &TensorPair { expected, actual, bound, worst_case_bound: None, undecided: 0 }),
            );
        }
        // From the output layer down, as in the other stages.
        checks.reverse();
        for (epoch, loss) in losses.into_iter().enumerate() {
            let actual = history.epochs.get(epoch).map_or(f64::NAN, |epoch| epoch.train_loss);
            // Implementations may sum the losses of the batches in any order and precision.
            let bound = 64.0 * arithmetic.unit_roundoff * loss.abs();
            checks.push(context.element("loss", Vec::new(), [loss, actual, bound], None, 0));
        }
        self.report.add(checks);
        Ok(())
    }

    /// Returns the training that the stage runs: two epochs of few batches. They continue the training run of the case, whose
    /// optimizer state `fit` must keep; without one, the schedule gives every step a different learning rate, so that steps
    /// in the wrong order are detected. `None` if the network cannot continue the run.
    fn loop_training(&mut self, model: &mut dyn Differentiable, dataset: &Dataset) -> Result<Option<TrainingConfig>> {
        let batch_size = (dataset.len() * 2 / 7).max(1);
        let training = TrainingConfig::builder().batch_size(batch_size).epochs(2).seed(1);
        if let Some(TrainedState { training: trained, epochs, .. }) = &self.case.trained {
            let (optimizer, epochs) = (*trained.optimizer(), *epochs);
            let training = training.optimizer(optimizer).learning_rate(trained.learning_rate());
            let last = epochs.saturating_add(2);
            let training = training.epochs(last).build()?.with_epoch_range(epochs.saturating_add(1)..=last);
            return Ok(self.reset_with(model, self.scenario(), &optimizer)?.then_some(training));
        }
        let momentum = Optimizer::momentum(0.9);
        let optimizer = match self.reset_with(model, "momentum", &momentum)? {
            true => momentum,
            false => Optimizer::sgd(),
        };
        self.reset(model)?;
        let (_, gradients) = model.loss_and_gradients(&dataset.batch(&[0]))?;
        let learning_rate = stable_learning_rate(&self.case.parameters, &gradients);
        training.optimizer(optimizer).learning_rate(learning_rate).schedule(Schedule::OneCycle).build().map(Some)
    }

    /// Trains from the initial parameters by calling `step` for one batch after the other. Returns the final parameters
    /// and the mean loss of each epoch. Calls `before_each` with the network, the batch and the learning rate before
    /// every step.
    fn step_by_step(
        &self,
        model: &mut dyn Differentiable,
        dataset: &Dataset,
        training: &TrainingConfig,
        mut before_each: impl FnMut(&dyn Differentiable, &Batch<f32>, f64) -> Result<()>,
    ) -> Result<(Parameters<f64>, Vec<f64>)> {
        self.start(model, training.optimizer())?;
        let mut losses = Vec::new();
        for epoch in training.epochs_to_train() {
            let mut sum = 0.0;
            let order = Dataset::epoch_order(training.seed(), epoch, dataset.len());
            for (indices, learning_rate) in Batches::of_epoch(training, epoch, &order) {
                let batch = dataset.batch(indices);
                before_each(model, &batch, learning_rate)?;
                sum += f64::from(model.step(&batch, learning_rate)?) * indices.len() as f64;
            }
            losses.push(sum / dataset.len() as f64);
        }
        Ok((model.parameters()?.cast(), losses))
    }

    /// Returns a bound on the difference between two runs of the same steps on a device whose results are not
    /// reproducible: twice the sum of the error bounds of all steps, because both runs have errors. The growth of a
    /// difference from step to step is of second order, and left out.
    fn accumulated_bounds(
        &self,
        model: &mut dyn Differentiable,
        dataset: &Dataset,
        training: &TrainingConfig,
    ) -> Result<Vec<ArrayD<f64>>> {
        let arithmetic = model.arithmetic();
        let mut step_reference = self.step_reference(training.optimizer(), &arithmetic)?;
        let tensors = self.case.parameters.tensors();
        let mut sums: Vec<ArrayD<f64>> = tensors.map(|(_, values)| ArrayD::zeros(values.raw_dim())).collect();
        self.step_by_step(model, dataset, training, |model, batch, learning_rate| {
            let before = model.parameters()?.cast();
            let expected = self.expected(&before, &batch.cast(), &arithmetic)?;
            if let Some(tensors) =
                expected_step(&mut step_reference, &before, &expected, learning_rate, batch.len(), &arithmetic)?
            {
                sums.iter_mut().zip(tensors).for_each(|(sum, tensor)| *sum += &(2.0 * tensor.bound()));
            }
            Ok(())
        })?;
        Ok(sums)
    }
}

/// Returns a learning rate of 0.01, or less if a step with these gradients would change any layer by more than a
/// thousandth of its largest parameter.
fn stable_learning_rate(parameters: &Parameters<f32>, gradients: &Parameters<f32>) -> f64 {
    let largest = |layer: &Layer<f32>| {
        let values = layer.weight.iter().chain(&layer.bias);
        f64::from(values.fold(0.0_f32, |largest, value| largest.max(value.abs())))
    };
    let layers = parameters.layers().iter().zip(gradients.layers());
    let rates = layers.map(|(layer, gradient)| 1e-3 * largest(layer) / largest(gradient));
    rates.fold(0.01, f64::min)
}
