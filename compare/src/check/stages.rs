//! One candidate on the suite, stage by stage.

use mlp_parity::metrics::History;
use mlp_parity::{
    Arithmetic, Batch, Batches, Dataset, Differentiable, Error, Layer, Optimizer, Parameters, Result, Schedule,
    TrainingConfig,
};
use ndarray::{ArrayD, s};

use super::bounds::BoundedMatrix;
use super::bounds::Expected;
use super::case::{Case, NamedOptimizer, every_optimizer, made_up_gradients};
use super::compare::{self, equal_to_the_bit, scalar, tensors};
use super::report::{CheckReport, REFERENCE};
use super::step_reference::{Gradients, StepReference, UpdatedTensor};
use super::tensor_check::{Check, CheckContext, Stage, TensorPair};

/// Updates from made-up gradients.
const UPDATES: u64 = 3;

/// Added to the biases of the output layer to make logits whose exp is infinite in single precision. Softmax does not change.
const LARGE_LOGITS: f32 = 120.0;

/// Lets one network report up to the first stage that breaks. Whatever it was before is lost.
///
/// # Errors
///
/// What the network reports, and [`Error::Shape`] if the case is for another one.
pub fn check_candidate(case: &Case, name: &str, model: &mut dyn Differentiable) -> Result<CheckReport> {
    case.validate()?;
    let mut checker = CandidateChecker { case, name, report: CheckReport::default() };
    for stage in [
        CandidateChecker::parameters,
        CandidateChecker::passes,
        CandidateChecker::not_a_number,
        CandidateChecker::large_logits,
        CandidateChecker::updates,
        CandidateChecker::trajectories,
        CandidateChecker::training_loop,
    ] {
        stage(&mut checker, model)?;
        if checker.report.first_failure().is_some() {
            break;
        }
    }
    Ok(checker.report)
}

struct CandidateChecker<'a> {
    case: &'a Case,
    name: &'a str,
    report: CheckReport,
}

impl CandidateChecker<'_> {
    /// As a network is that was just made.
    fn reset(&self, model: &mut dyn Differentiable) -> Result<()> {
        model.set_parameters(&self.case.parameters)?;
        model.set_optimizer(&Optimizer::sgd())
    }

    /// As a network is that was just made, with this rule; false if it has no such rule.
    fn reset_with(&mut self, model: &mut dyn Differentiable, rule: &str, optimizer: &Optimizer) -> Result<bool> {
        model.set_parameters(&self.case.parameters)?;
        match model.set_optimizer(optimizer) {
            Err(Error::NotImplemented { .. }) => {
                let rule = format!("{} ({rule})", self.name);
                if !self.report.not_implemented.contains(&rule) {
                    self.report.not_implemented.push(rule);
                }
                Ok(false)
            }
            other => other.map(|()| true),
        }
    }

    fn context<'a>(&'a self, training: &'a str, stage: Stage, arithmetic: &Arithmetic) -> CheckContext<'a> {
        CheckContext {
            scenario: training,
            stage,
            expected_from: REFERENCE,
            candidate: self.name,
            step: None,
            unit_roundoff: arithmetic.unit_roundoff,
        }
    }

    /// As they were given to it when it was made, and later.
    fn parameters(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let made = model.parameters()?;
        let other = made_up_gradients(&self.case.config, 0);
        model.set_parameters(&other)?;
        let set = model.parameters()?;
        let context = self.context("", Stage::Parameters, &model.arithmetic());
        let mut checks = Vec::new();
        for (given, has) in [(&self.case.parameters, &made), (&other, &set)] {
            checks.extend(equal_to_the_bit(&context, &given.cast(), &has.cast()));
        }
        self.report.add(checks);
        Ok(())
    }

    /// Logits, loss and gradients, after another batch of another size, from which nothing may stay.
    fn passes(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        self.reset(model)?;
        let expected = self.expect(model, &self.case.parameters, &self.case.batches[0])?;
        let checks = self.forward_and_backward(model, "", &expected)?;
        self.report.undecided = expected.undecided;
        self.report.add(checks);
        Ok(())
    }

    /// A bias that is no number must show in all logits, or be refused.
    fn not_a_number(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let mut parameters = self.case.parameters.clone();
        if let Some(first) = parameters.layers_mut().first_mut() {
            first.bias.fill(f32::NAN);
        }
        let images = self.case.batches[0].images();
        let shown = match model.set_parameters(&parameters).and_then(|()| model.logits(images)) {
            Ok(logits) => logits.iter().filter(|logit| logit.is_nan()).count() as f64 / logits.len() as f64,
            Err(_) => 1.0,
        };
        let context = self.context("NaN must show", Stage::Logits, &model.arithmetic());
        let check = context.element("logits", Vec::new(), [1.0, shown, 0.0], None, 0);
        self.report.add(vec![check]);
        Ok(())
    }

    fn large_logits(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let mut parameters = self.case.parameters.clone();
        if let Some(output) = parameters.layers_mut().last_mut() {
            output.bias += LARGE_LOGITS;
        }
        model.set_parameters(&parameters)?;
        let expected = self.expect(model, &parameters, &self.case.batches[0])?;
        let checks = self.forward_and_backward(model, "large logits", &expected)?;
        self.report.add(checks);
        Ok(())
    }

    fn expect(&self, model: &dyn Differentiable, parameters: &Parameters<f32>, batch: &Batch<f32>) -> Result<Expected> {
        Expected::new(&self.case.config, &parameters.cast(), &batch.cast(), &model.arithmetic())
    }

    fn forward_and_backward(
        &self,
        model: &dyn Differentiable,
        training: &str,
        expected: &Expected,
    ) -> Result<Vec<Check>> {
        let batch = &self.case.batches[0];
        model.loss_and_gradients(&part(self.case.batches.last().unwrap_or(batch))?)?;
        let logits = model.logits(batch.images())?.mapv(f64::from);
        let (loss, gradients) = model.loss_and_gradients(batch)?;
        let context = self.context(training, Stage::Logits, &model.arithmetic());
        Ok(compare::passes(&context, expected, Some(logits.view()), Some(f64::from(loss)), &tensors(&gradients)))
    }

    /// Every rule, from gradients that are given.
    fn updates(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        for training in every_optimizer() {
            if !self.reset_with(model, &training.name, &training.optimizer)? {
                continue;
            }
            let arithmetic = model.arithmetic();
            let mut step_reference = StepReference::new(&self.case.config, &training.optimizer, &arithmetic)?;
            let mut before = self.case.parameters.clone();
            for step in 0..UPDATES {
                let gradients = made_up_gradients(&self.case.config, step + 1);
                model.apply_gradients(&gradients, training.learning_rate)?;
                let stepped =
                    step_reference.step(&before.cast(), &Gradients::exact(gradients.cast()), training.learning_rate)?;
                before = model.parameters()?;
                let context = CheckContext {
                    step: Some(step as usize),
                    ..self.context(&training.name, Stage::Update, &arithmetic)
                };
                let checks = stepped
                    .iter()
                    .zip(before.cast::<f64>().tensors())
                    .flat_map(|(one, (_, has))| one.checks(&context, has))
                    .collect::<Vec<_>>();
                self.report.add(checks);
            }
        }
        Ok(())
    }

    /// `fit`, on a network that has already trained, against the same steps one by one, no two of which have the same learning
    /// rate.
    fn training_loop(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let Some(dataset) = &self.case.dataset else { return Ok(()) };
        let momentum = Optimizer::momentum(0.9);
        let optimizer = match self.reset_with(model, "momentum", &momentum)? {
            true => momentum,
            false => Optimizer::sgd(),
        };
        let batch_size = (dataset.len() * 2 / 7).max(1);
        self.reset(model)?;
        let (_, gradients) = model.loss_and_gradients(&dataset.batch(&[0]))?;
        let rate = modest_rate(&self.case.parameters, &gradients);
        let training = TrainingConfig::builder()
            .optimizer(optimizer)
            .learning_rate(rate)
            .schedule(Schedule::OneCycle)
            .batch_size(batch_size)
            .epochs(2)
            .seed(1)
            .build()?;
        let (expected, losses) = self.step_by_step(model, dataset, &training, |_, _, _| Ok(()))?;
        if losses.iter().any(|loss| !loss.is_finite()) || expected.first_non_finite().is_some() {
            // The steps diverge, and so may the loop.
            return Ok(());
        }
        model.set_optimizer(&optimizer)?;
        model.step(&self.case.batches[0], training.learning_rate())?;
        model.set_parameters(&self.case.parameters)?;
        let history = match model.fit(dataset, &training, &mut ()) {
            Err(Error::Diverged { .. }) => History::default(),
            history => history?,
        };
        let actual = model.parameters()?.cast::<f64>();
        // Who repeats itself to the bit must do so here.
        let is_exact =
            actual == expected || self.step_by_step(model, dataset, &training, |_, _, _| Ok(()))?.0 == expected;
        let bound = if is_exact { None } else { Some(self.allowed_after(model, dataset, &training)?) };
        let arithmetic = model.arithmetic();
        let context =
            CheckContext { expected_from: "single steps", ..self.context("", Stage::TrainingLoop, &arithmetic) };
        let mut checks = Vec::new();
        for (index, ((name, has), (_, expected))) in actual.tensors().zip(expected.tensors()).enumerate() {
            let zeros = ArrayD::zeros(expected.raw_dim());
            let bound = bound.as_ref().map_or(&zeros, |bound| &bound[index]).view();
            checks.push(
                context
                    .check(&name, &TensorPair { expected, actual: has, bound, worst_case_bound: None, undecided: 0 }),
            );
        }
        checks.reverse();
        for (epoch, loss) in losses.into_iter().enumerate() {
            let has = history.epochs.get(epoch).map_or(f64::NAN, |epoch| epoch.train_loss);
            let bound = 64.0 * arithmetic.unit_roundoff * loss.abs();
            checks.push(context.element("loss", Vec::new(), [loss, has, bound], None, 0));
        }
        self.report.add(checks);
        Ok(())
    }

    /// Parameters and the mean loss of each epoch after the same steps; `before_each` sees the parameters, the batch and
    /// its learning rate.
    fn step_by_step(
        &self,
        model: &mut dyn Differentiable,
        dataset: &Dataset,
        training: &TrainingConfig,
        mut before_each: impl FnMut(&dyn Differentiable, &Batch<f32>, f64) -> Result<()>,
    ) -> Result<(Parameters<f64>, Vec<f64>)> {
        model.set_parameters(&self.case.parameters)?;
        model.set_optimizer(training.optimizer())?;
        let mut losses = Vec::new();
        for epoch in 1..=training.epochs() {
            let mut sum = 0.0;
            let order = Dataset::epoch_order(training.seed(), epoch, dataset.len());
            for (indices, rate) in Batches::of_epoch(training, epoch, &order) {
                let batch = dataset.batch(indices);
                before_each(model, &batch, rate)?;
                sum += f64::from(model.step(&batch, rate)?) * indices.len() as f64;
            }
            losses.push(sum / dataset.len() as f64);
        }
        Ok((model.parameters()?.cast(), losses))
    }

    /// How far apart two runs of the same steps may be where a device does not repeat itself: what each step allows either of
    /// them. How a difference grows from step to step is of second order, and left out.
    fn allowed_after(
        &self,
        model: &mut dyn Differentiable,
        dataset: &Dataset,
        training: &TrainingConfig,
    ) -> Result<Vec<ArrayD<f64>>> {
        let arithmetic = model.arithmetic();
        let mut step_reference = StepReference::new(&self.case.config, training.optimizer(), &arithmetic)?;
        let tensors = self.case.parameters.tensors();
        let mut bound: Vec<ArrayD<f64>> = tensors.map(|(_, values)| ArrayD::zeros(values.raw_dim())).collect();
        self.step_by_step(model, dataset, training, |model, batch, rate| {
            let before = model.parameters()?.cast();
            if let Some((_, stepped)) =
                self.expect_step(&mut step_reference, &before, &batch.cast(), rate, &arithmetic)?
            {
                bound.iter_mut().zip(stepped).for_each(|(sum, stepped)| *sum += &(2.0 * stepped.bound()));
            }
            Ok(())
        })?;
        Ok(bound)
    }

    /// The loss and the parameters after a step; `None` if they are beyond what the candidate can hold.
    fn expect_step(
        &self,
        step_reference: &mut StepReference,
        before: &Parameters<f64>,
        batch: &Batch<f64>,
        learning_rate: f64,
        arithmetic: &Arithmetic,
    ) -> Result<Option<(BoundedMatrix, Vec<UpdatedTensor>)>> {
        let expected = Expected::new(&self.case.config, before, batch, arithmetic)?;
        if !expected.is_representable(arithmetic) {
            return Ok(None);
        }
        let loss = expected.loss.clone();
        Ok(Some((loss, step_reference.step(before, &Gradients::of(expected), learning_rate)?)))
    }

    /// `step`, each from the candidate's own parameters.
    fn trajectories(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        for training in &self.case.optimizers {
            if self.reset_with(model, &training.name, &training.optimizer)? {
                let checks = self.trajectory(model, training)?;
                self.report.add(checks);
            }
        }
        Ok(())
    }

    fn trajectory(&self, model: &mut dyn Differentiable, training: &NamedOptimizer) -> Result<Vec<Check>> {
        let arithmetic = model.arithmetic();
        let mut step_reference = StepReference::new(&self.case.config, &training.optimizer, &arithmetic)?;
        let mut before = self.case.parameters.cast::<f64>();
        let mut checks = Vec::new();
        for (step, batch) in self.case.batches.iter().enumerate() {
            let context =
                CheckContext { step: Some(step), ..self.context(&training.name, Stage::Trajectory, &arithmetic) };
            // A rule that diverges cannot be followed further.
            let Some((expected_loss, stepped)) =
                self.expect_step(&mut step_reference, &before, &batch.cast(), training.learning_rate, &arithmetic)?
            else {
                break;
            };
            let loss = model.step(batch, training.learning_rate)?;
            before = model.parameters()?.cast();
            checks.push(scalar(&context, &expected_loss, f64::from(loss)));
            // From the output layer down, as in the gradients.
            let tensors: Vec<_> = stepped.iter().zip(before.tensors()).collect();
            checks.extend(tensors.into_iter().rev().flat_map(|(one, (_, has))| one.checks(&context, has)));
            if checks.iter().any(|check| !check.passed) {
                // What follows from a wrong step is no other mistake.
                break;
            }
        }
        Ok(checks)
    }
}

/// A little more than half of a batch.
fn part(batch: &Batch<f32>) -> Result<Batch<f32>> {
    let size = batch.len() / 2 + 1;
    Batch::new(
        batch.images().slice(s![..size.min(batch.len()), ..]).to_owned(),
        batch.labels()[..size.min(batch.len())].to_vec(),
    )
}

/// A learning rate of 0.01, or less where a step from these gradients would change a layer by more than a thousandth.
fn modest_rate(parameters: &Parameters<f32>, gradients: &Parameters<f32>) -> f64 {
    let largest = |layer: &Layer<f32>| {
        let values = layer.weight.iter().chain(&layer.bias);
        f64::from(values.fold(0.0_f32, |largest, value| largest.max(value.abs())))
    };
    let layers = parameters.layers().iter().zip(gradients.layers());
    let rates = layers.map(|(layer, gradient)| 1e-3 * largest(layer) / largest(gradient));
    rates.fold(0.01, f64::min)
}
