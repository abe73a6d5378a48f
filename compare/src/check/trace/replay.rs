//! Recording of traces, and their comparison with the reference.

use mlp_parity::{Arithmetic, Batch, Error, Result};
use mlp_parity_scratch::reference::{Specification, TrainingBatch};

use super::model::{Step, Trace};
use super::read;
use crate::Candidate;
use crate::check::bounds::{Expected, Gradients};
use crate::check::case::{Case, NamedOptimizer};
use crate::check::compare::{compare_loss, compare_passes, named_tensors};
use crate::check::report::{CheckReport, REFERENCE, SuiteReport};
use crate::check::step_reference::StepReference;
use crate::check::suite::check;
use crate::check::tensor_check::{CheckContext, Stage};

impl Trace {
    /// Records the trace of a candidate that trains on the first `steps` batches of a case with the case's first
    /// optimizer. With 0 steps, the trace has only the logits, loss and gradients of the first batch. No more steps are
    /// taken than the case has batches.
    ///
    /// # Errors
    ///
    /// Any error that the candidate returns; [`Error::Configuration`] if the case has no optimizer; [`Error::Shape`] or
    /// [`Error::Data`] if the case is inconsistent.
    pub fn record(case: &Case, candidate: &Candidate, steps: usize) -> Result<Self> {
        case.validate()?;
        let mut model = candidate.create(&case.config, &case.parameters)?;
        let NamedOptimizer { optimizer, learning_rate, .. } = case.first_optimizer()?;
        let logits = model.logits(case.batches[0].images())?;
        let (loss, gradients) = model.loss_and_gradients(&case.batches[0])?;
        model.set_optimizer(&optimizer)?;
        // The logits, loss and gradients need the first batch even in a trace without steps.
        let batches = &case.batches[..steps.clamp(1, case.batches.len())];
        let mut recorded = vec![Step::default(); batches.len()];
        for (step, batch) in recorded.iter_mut().zip(batches).take(steps) {
            step.loss = Some(f64::from(model.step(batch, learning_rate)?));
            step.parameters = named_tensors(&model.parameters()?);
        }
        Ok(Self {
            producer: format!("mlp-parity {}", candidate.identity()),
            config: case.config.clone(),
            optimizer,
            learning_rate,
            is_double: false,
            initial: case.parameters.cast(),
            batches: batches.iter().map(Batch::cast).collect(),
            logits: Some(logits.mapv(f64::from)),
            loss: Some(f64::from(loss)),
            gradients: named_tensors(&gradients),
            steps: recorded,
        })
    }

    /// Compares the results in the trace with the reference, and runs the check suite on `candidates` with the same
    /// parameters, batches and optimizer. The first report is that of the trace.
    ///
    /// # Errors
    ///
    /// [`Error::Parameters`] if the trace contains no result that could be compared; any error that a candidate
    /// returns.
    pub fn check(&self, candidates: &[Candidate]) -> Result<SuiteReport> {
        let report = self.report()?;
        if report.checks.is_empty() {
            let reason = "nothing to compare; expected logits, loss, a gradient or a step";
            return Err(Error::parameters(format!("trace ({})", self.producer), reason));
        }
        let mut suite = SuiteReport { reports: vec![report], missing: Some(self.missing()) };
        suite.reports.extend(check(&self.case(), candidates)?.reports);
        Ok(suite)
    }

    /// Returns the names of the tensors that a complete trace would have and this one lacks. They are not compared.
    pub fn missing(&self) -> Vec<String> {
        let names = || self.initial.tensors().map(|(name, _)| name);
        let mut missing = Vec::new();
        missing.extend(self.logits.is_none().then(|| "logits".to_owned()));
        missing.extend(self.loss.is_none().then(|| "loss".to_owned()));
        missing
            .extend(names().filter(|name| !self.gradients.contains_key(name)).map(|name| format!("gradient.{name}")));
        for (number, step) in self.steps.iter().enumerate() {
            missing.extend(step.loss.is_none().then(|| format!("step.{number}.loss")));
            let incomplete = names().filter(|name| !step.parameters.contains_key(name));
            missing.extend(incomplete.map(|name| format!("step.{number}.{name}")));
        }
        missing
    }

    /// Returns a case with the trace's parameters, batches and optimizer, rounded to single precision. Other candidates
    /// are checked on it in addition to the trace.
    fn case(&self) -> Case {
        Case {
            config: self.config.clone(),
            parameters: self.initial.cast(),
            batches: self.batches.iter().map(Batch::cast).collect(),
            dataset: None,
            optimizers: vec![NamedOptimizer {
                name: self.optimizer.to_string(),
                optimizer: self.optimizer,
                learning_rate: self.learning_rate,
            }],
        }
    }

    /// Compares the results in the trace with the reference.
    ///
    /// A trace does not state the precision in which its optimizer stores hyper-parameters such as Adam's β₁. For a
    /// single-precision trace, both precisions are correct. If the comparison fails with double-precision
    /// hyper-parameters, it is repeated with single-precision ones, and the second report is returned if it passes.
    fn report(&self) -> Result<CheckReport> {
        // The formula of the sigmoid is unknown; this covers 1/(1 + exp(−x)) and exp(−ln(1 + exp(−x))).
        let arithmetic =
            Arithmetic { sigmoid: [8.0, 2.0], ..if self.is_double { Arithmetic::DOUBLE } else { Arithmetic::SINGLE } };
        let report = self.check_with(&arithmetic)?;
        if self.is_double || report.first_failure().is_none() {
            return Ok(report);
        }
        let single = self.check_with(&Arithmetic { single_hyper_parameters: true, ..arithmetic })?;
        Ok(if single.first_failure().is_none() { single } else { report })
    }

    /// Compares the results in the trace with those of the reference, within the error bounds of `arithmetic`.
    fn check_with(&self, arithmetic: &Arithmetic) -> Result<CheckReport> {
        let name = format!("trace ({})", self.producer);
        let scenario = self.optimizer.to_string();
        let context = CheckContext {
            scenario: "",
            stage: Stage::Logits,
            expected_from: REFERENCE,
            candidate: &name,
            step: None,
            unit_roundoff: arithmetic.unit_roundoff,
            overflow: arithmetic.overflow,
        };
        let specification = Specification::new(&self.config, &self.optimizer);
        let batch = |batch| TrainingBatch::new(batch, self.config.classes());
        let expected = Expected::new(&specification, &self.initial, &batch(&self.batches[0]), arithmetic)?;
        let mut report = CheckReport::default();
        let logits = self.logits.as_ref().map(|logits| logits.view());
        report.add(compare_passes(&context, &expected, logits, self.loss, &self.gradients));
        report.undecided = expected.undecided;

        let mut step_reference = StepReference::new(&specification, &self.initial, arithmetic)?;
        let mut before = Some(self.initial.clone());
        for (number, (step, data)) in self.steps.iter().zip(&self.batches).enumerate() {
            let context = CheckContext { scenario: &scenario, stage: Stage::Trajectory, step: Some(number), ..context };
            // A step cannot be compared without all parameters before it. Nor can later ones, because the state of the
            // optimizer is unknown from here on.
            let Some(parameters) = &before else { break };
            let expected = Expected::new(&specification, parameters, &batch(data), arithmetic)?;
            report.add(step.loss.map(|loss| compare_loss(&context, &expected.loss, loss)).into_iter().collect());
            let updated =
                step_reference.step(parameters, &Gradients::computed(expected), self.learning_rate, data.len())?;
            let Some(updated) = updated else {
                report.overflows.push(format!("step {number} of {}", self.optimizer));
                break;
            };
            for tensor in updated.iter().rev() {
                let actual = step.parameters.get(&tensor.name);
                report.add(actual.map(|actual| tensor.checks(&context, actual.view())).unwrap_or_default());
            }
            if report.first_failure().is_some() {
                // Failures of later steps would only be consequences of this one.
                break;
            }
            before = read::parameters(&step.parameters).ok();
        }
        Ok(report)
    }
}
