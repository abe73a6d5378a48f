//! The check suite for one candidate, stage by stage.

use mlp_parity::{Arithmetic, Batch, Differentiable, Error, Optimizer, Parameters, Result};
use mlp_parity_scratch::reference::{Specification, TrainingBatch};
use ndarray::s;

use super::bounds::{Expected, Gradients};
use super::case::{Case, NamedOptimizer, TrainedState, all_optimizers, synthetic_gradients};
use super::compare::{
    Passes, compare_bitwise, compare_gradients, compare_loss, compare_passes, compare_states, named_tensors,
};
use super::report::{CheckReport, REFERENCE};
use super::step_reference::{StepReference, UpdatedTensor};
use super::tensor_check::{Check, CheckContext, Stage};

/// Number of steps of the update stage, each with different synthetic gradients. A single step would not reveal faults
/// in the optimizer's state.
const UPDATE_STEPS: u64 = 3;

/// The amount that is added to the output layer's biases to make large logits: their exponentials overflow in single
/// precision, but softmax does not change.
const LARGE_BIAS: f32 = 120.0;

/// The scenario with large logits.
pub(crate) const LARGE_LOGITS: &str = "large logits";

/// The scenario with NaN in a bias.
pub(crate) const NAN_PROPAGATION: &str = "NaN propagation";

/// Runs the check suite on one network, up to the first stage that fails. `name` is the candidate's name in the report.
///
/// The network must have been created with `case.parameters`, unless the case continues a training run. Its parameters and
/// optimizer after the call are unspecified.
///
/// # Errors
///
/// Any error that the network returns, and [`Error::Shape`] or [`Error::Data`] if parameters or batches of the case do
/// not fit its configuration.
pub fn check_candidate(case: &Case, name: &str, model: &mut dyn Differentiable) -> Result<CheckReport> {
    check_stages(case, name, model, &|_| ())
}

/// A part of the check suite.
type Part<'a> = fn(&mut CandidateChecker<'a>, &mut dyn Differentiable) -> Result<()>;

/// Runs the check suite as [`check_candidate`] does, and calls a function with the first stage of each of its parts.
pub(super) fn check_stages(
    case: &Case,
    name: &str,
    model: &mut dyn Differentiable,
    stage_started: &dyn Fn(Stage),
) -> Result<CheckReport> {
    case.validate()?;
    let mut checker = CandidateChecker { case, name, report: CheckReport::default(), first_batch: None };
    let parts: [(Stage, Part<'_>); 7] = [
        (Stage::Parameters, CandidateChecker::check_parameters),
        (Stage::Logits, CandidateChecker::check_passes),
        (Stage::Logits, CandidateChecker::check_nan_propagation),
        (Stage::Logits, CandidateChecker::check_large_logits),
        (Stage::Update, CandidateChecker::check_updates),
        (Stage::Trajectory, CandidateChecker::check_trajectories),
        (Stage::TrainingLoop, CandidateChecker::check_training_loop),
    ];
    let of_trained: [(Stage, Part<'_>); 5] = [
        (Stage::Parameters, CandidateChecker::check_restored_state),
        (Stage::Logits, CandidateChecker::check_passes),
        (Stage::Update, CandidateChecker::check_updates),
        (Stage::Trajectory, CandidateChecker::check_trajectories),
        (Stage::TrainingLoop, CandidateChecker::check_training_loop),
    ];
    let parts = if case.trained.is_some() { &of_trained[..] } else { &parts };
    for &(stage, part) in parts {
        stage_started(stage);
        part(&mut checker, model)?;
        if checker.report.first_failure().is_some() {
            break;
        }
    }
    Ok(checker.report)
}

/// A run of the check suite on one candidate, with the checks so far.
pub(super) struct CandidateChecker<'a> {
    pub(super) case: &'a Case,
    pub(super) name: &'a str,
    pub(super) report: CheckReport,
    /// The expected results of the first batch with the initial parameters.
    first_batch: Option<Expected>,
}

impl<'a> CandidateChecker<'a> {
    /// Returns the scenario of the checks on the first batch: empty for a new network, the name of the training after it.
    pub(super) fn scenario(&self) -> &'a str {
        let trained = self.case.trained.as_ref().and_then(|_| self.case.optimizers.first());
        trained.map_or("", |optimizer| &optimizer.name)
    }
}

impl CandidateChecker<'_> {
    /// Restores the initial parameters and plain SGD, as in a new network.
    pub(super) fn reset(&self, model: &mut dyn Differentiable) -> Result<()> {
        model.set_parameters(&self.case.parameters)?;
        model.set_optimizer(&Optimizer::sgd())
    }

    /// Restores the initial parameters and selects an optimizer, with the state of the training run that the case continues,
    /// if there is one. If the network does not implement that, adds `name` to [`CheckReport::not_implemented`] and returns
    /// false.
    pub(super) fn reset_with(
        &mut self,
        model: &mut dyn Differentiable,
        name: &str,
        optimizer: &Optimizer,
    ) -> Result<bool> {
        match self.start(model, optimizer) {
            Err(Error::NotImplemented { .. }) => {
                let entry = format!("{} ({name})", self.name);
                if !self.report.not_implemented.contains(&entry) {
                    self.report.not_implemented.push(entry);
                }
                Ok(false)
            }
            other => other.map(|()| true),
        }
    }

    /// Restores the initial parameters and selects an optimizer, with the state of the training run that the case continues,
    /// if there is one.
    ///
    /// # Errors
    ///
    /// [`Error::NotImplemented`] if the network does not implement the optimizer, or its state cannot be read or restored.
    pub(super) fn start(&self, model: &mut dyn Differentiable, optimizer: &Optimizer) -> Result<()> {
        model.set_parameters(&self.case.parameters)?;
        model.set_optimizer(optimizer)?;
        let Some(trained) = &self.case.trained else { return Ok(()) };
        let Some(state) = trained.optimizer_state() else {
            return Err(Error::NotImplemented { what: "reading the optimizer state".to_owned() });
        };
        match model.set_optimizer_state(&state) {
            // Only the number of updates is lost, on which no update depends.
            Err(Error::NotImplemented { .. }) if state.moments.is_empty() => Ok(()),
            other => other,
        }
    }

    pub(super) fn context<'a>(&'a self, scenario: &'a str, stage: Stage, arithmetic: &Arithmetic) -> CheckContext<'a> {
        CheckContext {
            scenario,
            stage,
            expected_from: REFERENCE,
            candidate: self.name,
            step: None,
            unit_roundoff: arithmetic.unit_roundoff,
            overflow: arithmetic.overflow,
        }
    }

    /// Checks that the network returns, bit by bit, the parameters it was created with, and others that are set later.
    fn check_parameters(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let initial = model.parameters()?;
        let replacement = synthetic_gradients(&self.case.config, 0);
        model.set_parameters(&replacement)?;
        let replaced = model.parameters()?;
        let context = self.context("", Stage::Parameters, &model.arithmetic());
        let mut checks = Vec::new();
        for (expected, actual) in [(&self.case.parameters, &initial), (&replacement, &replaced)] {
            checks.extend(compare_bitwise(&context, &expected.cast(), &actual.cast()));
        }
        self.report.add(checks);
        Ok(())
    }

    /// Checks that a network returns the parameters and the optimizer state of a training run bit by bit after they were
    /// set, and that the state counts the updates of the run.
    fn check_restored_state(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let (parameters, Some(trained)) = (&self.case.parameters, &self.case.trained) else { return Ok(()) };
        let context = self.context(self.scenario(), Stage::Parameters, &model.arithmetic());
        let is_restored = match self.start(model, trained.training.optimizer()) {
            Err(Error::NotImplemented { .. }) => false,
            other => other.map(|()| true)?,
        };
        let mut checks = compare_bitwise(&context, &parameters.cast(), &model.parameters()?.cast());
        if let (Some(stored), Some(updates)) = (&trained.optimizer, trained.updates) {
            checks.push(context.element("updates", Vec::new(), [updates as f64, stored.steps as f64, 0.0], None, 0));
        }
        let restored =
            trained.optimizer.as_ref().filter(|_| is_restored).map(|stored| (stored, model.optimizer_state()));
        match restored {
            None | Some((_, Err(Error::NotImplemented { .. }))) => {}
            Some((stored, restored)) => checks.extend(compare_states(&context, stored, &restored?)),
        }
        self.report.add(checks);
        Ok(())
    }

    /// Compares logits, loss and gradients of the first batch.
    fn check_passes(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        self.reset(model)?;
        let expected =
            self.expected(&self.case.parameters.cast(), &self.case.batches[0].cast(), &model.arithmetic())?;
        let checks = self.pass_checks(model, self.scenario(), &expected)?;
        self.report.undecided.clone_from(&expected.undecided);
        self.report.add(checks);
        self.first_batch = Some(expected);
        Ok(())
    }

    /// Checks that NaN in the biases of the first layer makes all logits NaN, or is rejected with an error. The value
    /// that is compared is the fraction of the logits that are NaN.
    fn check_nan_propagation(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let mut parameters = self.case.parameters.clone();
        if let Some(first) = parameters.layers_mut().first_mut() {
            first.bias.fill(f32::NAN);
        }
        let images = self.case.batches[0].images();
        let nan_fraction = match model.set_parameters(&parameters).and_then(|()| model.logits(images)) {
            Ok(logits) => logits.iter().filter(|logit| logit.is_nan()).count() as f64 / logits.len() as f64,
            Err(_) => 1.0,
        };
        let context = self.context(NAN_PROPAGATION, Stage::Logits, &model.arithmetic());
        let check = context.element("logits", Vec::new(), [1.0, nan_fraction, 0.0], None, 0);
        self.report.add(vec![check]);
        Ok(())
    }

    /// Compares logits, loss and gradients with large logits, where exp overflows unless the largest logit is
    /// subtracted.
    fn check_large_logits(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let parameters = with_large_logits(&self.case.parameters);
        model.set_parameters(&parameters)?;
        let expected = self.expected(&parameters.cast(), &self.case.batches[0].cast(), &model.arithmetic())?;
        let checks = self.pass_checks(model, LARGE_LOGITS, &expected)?;
        self.report.add(checks);
        Ok(())
    }

    /// Computes the expected results of a batch for the network of the case.
    pub(super) fn expected(
        &self,
        parameters: &Parameters<f64>,
        batch: &Batch<f64>,
        arithmetic: &Arithmetic,
    ) -> Result<Expected> {
        let specification = Specification::new(&self.case.config, &Optimizer::sgd());
        Expected::new(&specification, parameters, &TrainingBatch::new(batch, self.case.config.classes()), arithmetic)
    }

    /// Creates the reference for steps of an optimizer.
    pub(super) fn step_reference(&self, optimizer: &Optimizer, arithmetic: &Arithmetic) -> Result<StepReference> {
        let specification = Specification::new(&self.case.config, optimizer);
        let mut reference = StepReference::new(&specification, &self.case.parameters.cast(), arithmetic)?;
        if let Some(state) = self.case.trained.as_ref().and_then(TrainedState::optimizer_state) {
            reference.continue_from(&state)?;
        }
        Ok(reference)
    }

    /// Runs a forward and a backward pass on the first batch, and compares their results.
    fn pass_checks(&self, model: &dyn Differentiable, scenario: &str, expected: &Expected) -> Result<Vec<Check>> {
        let batch = &self.case.batches[0];
        // A pass on a different batch of a different size comes first. It must not affect the results of this batch.
        model.loss_and_gradients(&partial_batch(self.case.batches.last().unwrap_or(batch))?)?;
        let logits = model.logits(batch.images())?.mapv(f64::from);
        let (loss, gradients) = model.loss_and_gradients(batch)?;
        let context = self.context(scenario, Stage::Logits, &model.arithmetic());
        let passes = Passes { logits: Some(logits.view()), loss: Some(f64::from(loss)), ..Passes::default() };
        let mut checks = compare_passes(&context, expected, &passes);
        let context = CheckContext { stage: Stage::Gradients, ..context };
        checks.extend(compare_gradients(&context, expected, &named_tensors(&gradients)));
        Ok(checks)
    }

    /// Compares the parameters after `apply_gradients` with given gradients, for every optimizer, or for that of the training
    /// run that the case continues.
    fn check_updates(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        let gradients: Vec<_> = (1..=UPDATE_STEPS).map(|seed| synthetic_gradients(&self.case.config, seed)).collect();
        let optimizers = if self.case.trained.is_some() { self.case.optimizers.clone() } else { all_optimizers() };
        for NamedOptimizer { name, optimizer, learning_rate } in optimizers {
            if !self.reset_with(model, &name, &optimizer)? {
                continue;
            }
            let arithmetic = model.arithmetic();
            let mut step_reference = self.step_reference(&optimizer, &arithmetic)?;
            let mut before = self.case.parameters.clone();
            for (step, gradients) in gradients.iter().enumerate() {
                model.apply_gradients(gradients, learning_rate)?;
                let exact = gradients.cast();
                let expected = step_reference.step(&before.cast(), &Gradients::exact(&exact), learning_rate, 1)?;
                before = model.parameters()?;
                let context = CheckContext { step: Some(step), ..self.context(&name, Stage::Update, &arithmetic) };
                let checks = expected
                    .iter()
                    .flatten()
                    .zip(before.cast::<f64>().tensors())
                    .flat_map(|(expected, (_, actual))| expected.checks(&context, actual))
                    .collect::<Vec<_>>();
                self.report.add(checks);
            }
        }
        Ok(())
    }

    /// Compares consecutive training steps with the reference, for each optimizer of the case.
    fn check_trajectories(&mut self, model: &mut dyn Differentiable) -> Result<()> {
        for named in &self.case.optimizers {
            if self.reset_with(model, &named.name, &named.optimizer)? {
                self.check_trajectory(model, named)?;
            }
        }
        Ok(())
    }

    /// Takes one step per batch, and compares its loss and parameters with those of a reference step from the same
    /// parameters.
    fn check_trajectory(&mut self, model: &mut dyn Differentiable, named: &NamedOptimizer) -> Result<()> {
        let NamedOptimizer { name, optimizer, learning_rate } = named;
        let arithmetic = model.arithmetic();
        let mut step_reference = self.step_reference(optimizer, &arithmetic)?;
        let mut before = self.case.parameters.cast::<f64>();
        for (step, batch) in self.case.batches.iter().enumerate() {
            let context = CheckContext { step: Some(step), ..self.context(name, Stage::Trajectory, &arithmetic) };
            let computed;
            let expected = match &self.first_batch {
                // The first step is from the initial parameters.
                Some(expected) if step == 0 => expected,
                _ => {
                    computed = self.expected(&before, &batch.cast(), &arithmetic)?;
                    &computed
                }
            };
            let updated =
                expected_step(&mut step_reference, &before, expected, *learning_rate, batch.len(), &arithmetic)?;
            // If the training diverges, no further step can be compared.
            let Some(updated) = updated else {
                self.report.overflows.push(format!("step {step} of {name}"));
                break;
            };
            let loss = model.step(batch, *learning_rate)?;
            before = model.parameters()?.cast();
            let mut checks = vec![compare_loss(&context, &expected.loss, f64::from(loss))];
            // From the output layer down, as with gradients.
            let tensors: Vec<_> = updated.iter().zip(before.tensors()).collect();
            checks
                .extend(tensors.into_iter().rev().flat_map(|(updated, (_, actual))| updated.checks(&context, actual)));
            let has_failed = checks.iter().any(|check| !check.passed);
            self.report.add(checks);
            if has_failed {
                // Failures of later steps would only be consequences of this one.
                break;
            }
        }
        Ok(())
    }
}

/// Returns the parameters of the scenario with large logits.
pub(crate) fn with_large_logits(parameters: &Parameters<f32>) -> Parameters<f32> {
    let mut parameters = parameters.clone();
    if let Some(output) = parameters.layers_mut().last_mut() {
        output.bias += LARGE_BIAS;
    }
    parameters
}

/// Returns the expected parameters after a step with the expected gradients of a batch; `None` if the candidate's
/// arithmetic may overflow.
pub(super) fn expected_step(
    step_reference: &mut StepReference,
    before: &Parameters<f64>,
    expected: &Expected,
    learning_rate: f64,
    images: usize,
    arithmetic: &Arithmetic,
) -> Result<Option<Vec<UpdatedTensor>>> {
    if !expected.is_representable(arithmetic) {
        return Ok(None);
    }
    step_reference.step(before, &Gradients::computed(expected), learning_rate, images)
}

/// Returns the first images of a batch, a little more than half of them.
fn partial_batch(batch: &Batch<f32>) -> Result<Batch<f32>> {
    let size = batch.len() / 2 + 1;
    Batch::new(
        batch.images().slice(s![..size.min(batch.len()), ..]).to_owned(),
        batch.labels()[..size.min(batch.len())].to_vec(),
    )
}
