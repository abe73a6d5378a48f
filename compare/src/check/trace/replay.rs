//! Recording of traces, and their comparison with the reference.

use std::collections::BTreeMap;

use mlp_parity::{Arithmetic, Batch, Error, MlpConfig, Optimizer, Result};
use mlp_parity_scratch::reference::{Specification, TrainingBatch, WeightDecay};

use super::layout;
use super::model::{GradientForm, Precision, Step, Trace, labels};
use crate::Candidate;
use crate::check::bounds::{self, BoundedTensor, Expected, Gradients};
use crate::check::case::{Case, NamedOptimizer};
use crate::check::compare::{Passes, compare_gradients, compare_loss, compare_passes, named_tensors};
use crate::check::report::{CheckReport, REFERENCE, SuiteReport, TraceSummary};
use crate::check::step_reference::StepReference;
use crate::check::suite::check;
use crate::check::tensor_check::{Check, CheckContext, Stage, TensorPair};

/// Error of tanh in units of u, relative and absolute, for any usual formula: 2/(1 + exp(−2z)) − 1 and
/// (exp(2z) − 1)/(exp(2z) + 1) subtract numbers of about 1 from each other near z = 0, which leaves an absolute error.
const TANH: [f64; 2] = [6.0, 4.0];

/// Error of the sigmoid in units of u. It covers 1/(1 + exp(−x)) and exp(−ln(1 + exp(−x))).
const SIGMOID: [f64; 2] = [8.0, 2.0];

/// Error of the exponential in units of u, constant and per unit of |x|. The second part covers powers of a rounded e.
const EXPONENTIAL: [f64; 2] = [2.0, 1.0];

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
        let specification = Specification::new(&case.config, &optimizer);
        Ok(Self {
            producer: format!("mlp-parity {}", candidate.identity()),
            metadata: metadata(&case.config, &optimizer, learning_rate),
            specification,
            learning_rates: vec![learning_rate; steps.max(1)],
            precision: Precision::Single,
            accurate_functions: false,
            gradient_form: GradientForm::Raw,
            initial: case.parameters.cast(),
            batches: batches.iter().map(|batch| TrainingBatch::new(&batch.cast(), case.config.classes())).collect(),
            logits: Some(logits.mapv(f64::from)),
            outputs: None,
            loss: Some(f64::from(loss)),
            gradients: named_tensors(&gradients),
            steps: recorded,
            assumptions: Vec::new(),
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
        if report.checks.is_empty() && report.overflows.is_empty() {
            let reason = "nothing to compare; expected logits, loss, a gradient or a step";
            return Err(Error::parameters(format!("trace ({})", self.producer), reason));
        }
        let summary = TraceSummary { missing: self.missing(), assumptions: self.assumptions().to_vec() };
        let mut suite = SuiteReport { reports: vec![report], trace: Some(summary) };
        let Some(case) = self.case() else {
            let not_implemented = candidates.iter().map(|candidate| candidate.identity().to_string()).collect();
            suite.reports.push(CheckReport { not_implemented, ..CheckReport::default() });
            return Ok(suite);
        };
        suite.reports.extend(check(&case, candidates)?.reports);
        Ok(suite)
    }

    /// Returns the names of the tensors that a complete trace would have and this one lacks. They are not compared.
    pub fn missing(&self) -> Vec<String> {
        let names = || self.tensor_names();
        let mut missing = Vec::new();
        missing.extend((self.logits.is_none() && self.outputs.is_none()).then(|| "logits".to_owned()));
        // The loss of the first batch has two names.
        let first_loss = self.loss.or(self.steps.first().and_then(|step| step.loss));
        missing.extend(first_loss.is_none().then(|| "loss".to_owned()));
        missing
            .extend(names().filter(|name| !self.gradients.contains_key(name)).map(|name| format!("gradient.{name}")));
        for (number, step) in self.steps.iter().enumerate() {
            missing.extend((number > 0 && step.loss.is_none()).then(|| format!("step.{number}.loss")));
            let incomplete = names().filter(|name| !step.parameters.contains_key(name));
            missing.extend(incomplete.map(|name| format!("step.{number}.{name}")));
        }
        missing
    }

    /// Returns a case with the trace's parameters, batches and optimizer, rounded to single precision. Other candidates
    /// are checked on it in addition to the trace. `None` if the contract has no such network.
    fn case(&self) -> Option<Case> {
        let (config, optimizer) = self.contract()?;
        let batch = |batch: &TrainingBatch<f64>| {
            let labels = labels(&batch.targets)?;
            Batch::new(batch.images.mapv(|value| value as f32), labels).ok()
        };
        Some(Case {
            parameters: self.initial.cast(),
            batches: self.batches.iter().map(batch).collect::<Option<_>>()?,
            dataset: None,
            optimizers: vec![NamedOptimizer {
                name: optimizer.to_string(),
                optimizer,
                learning_rate: self.learning_rates.first().copied().unwrap_or_default(),
            }],
            config,
        })
    }

    /// Compares the results in the trace with the reference.
    ///
    /// A trace does not state the precision in which its optimizer stores hyper-parameters such as Adam's β₁. For a
    /// single-precision trace, both precisions are correct. If the comparison fails with double-precision
    /// hyper-parameters, it is repeated with single-precision ones, and the second report is returned if fewer of its
    /// checks fail, so that only the tensors that are wrong in either precision are reported.
    fn report(&self) -> Result<CheckReport> {
        let mut arithmetic = self.precision.arithmetic();
        if !self.accurate_functions {
            arithmetic = Arithmetic { tanh: TANH, sigmoid: SIGMOID, exponential: EXPONENTIAL, ..arithmetic };
        }
        let report = self.check_with(&arithmetic)?;
        if self.precision == Precision::Double || report.first_failure().is_none() {
            return Ok(report);
        }
        let single = self.check_with(&Arithmetic { single_hyper_parameters: true, ..arithmetic })?;
        let failures = |report: &CheckReport| report.checks.iter().filter(|check| !check.passed).count();
        Ok(if failures(&single) < failures(&report) { single } else { report })
    }

    /// Compares the results in the trace with those of the reference, within the error bounds of `arithmetic`.
    fn check_with(&self, arithmetic: &Arithmetic) -> Result<CheckReport> {
        let name = format!("trace ({})", self.producer);
        let scenario = self.scenario();
        let context = CheckContext {
            scenario: "",
            stage: Stage::Logits,
            expected_from: REFERENCE,
            candidate: &name,
            step: None,
            unit_roundoff: arithmetic.unit_roundoff,
            overflow: arithmetic.overflow,
        };
        let expected = Expected::new(&self.specification, &self.initial, &self.batches[0], arithmetic)?;
        let mut report = CheckReport::default();
        if !expected.is_finite() {
            report.overflows.push("batch 0".to_owned());
            return Ok(report);
        }
        report.add(self.compare_first_batch(&context, &expected, arithmetic)?);
        report.undecided.clone_from(&expected.undecided);
        let mut first_batch = Some(expected);

        let mut step_reference = StepReference::new(&self.specification, &self.initial, arithmetic)?;
        let mut before = Some(self.initial.clone());
        for (number, (step, batch)) in self.steps.iter().zip(&self.batches).enumerate() {
            let context = CheckContext { scenario: &scenario, stage: Stage::Trajectory, step: Some(number), ..context };
            // A step cannot be compared without all parameters before it. Nor can later ones, because the state of the
            // optimizer is unknown from here on.
            let Some(parameters) = &before else { break };
            let expected = match first_batch.take() {
                Some(expected) => expected,
                None => Expected::new(&self.specification, parameters, batch, arithmetic)?,
            };
            if !expected.is_finite() {
                report.overflows.push(format!("step {number} of {scenario}"));
                break;
            }
            report.add(step.loss.map(|loss| compare_loss(&context, &expected.loss, loss)).into_iter().collect());
            let rate = self.learning_rates.get(number).copied().unwrap_or_default();
            let updated =
                step_reference.step(parameters, &Gradients::computed(&expected), rate, batch.images.nrows())?;
            let Some(updated) = updated else {
                report.overflows.push(format!("step {number} of {scenario}"));
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
            before = layout::parameters(&step.parameters, &self.initial, &self.specification.biases);
        }
        Ok(report)
    }

    /// Compares logits, outputs, loss and gradients of the first batch.
    fn compare_first_batch(
        &self,
        context: &CheckContext<'_>,
        expected: &Expected,
        arithmetic: &Arithmetic,
    ) -> Result<Vec<Check>> {
        let passes = Passes {
            logits: self.logits.as_ref().map(|logits| logits.view()),
            outputs: self.outputs.as_ref().map(|outputs| outputs.view()),
            loss: self.loss,
        };
        let mut checks = compare_passes(context, expected, &passes);
        let context = CheckContext { stage: Stage::Gradients, ..*context };
        if self.gradient_form == GradientForm::Raw {
            checks.extend(compare_gradients(&context, expected, &self.gradients));
            return Ok(checks);
        }
        let expected = self.expected_gradients(expected, arithmetic)?;
        for (name, expected, bound) in expected.iter().rev() {
            let Some(actual) = self.gradients.get(name) else { continue };
            let pair = TensorPair {
                expected: expected.view(),
                actual: actual.view(),
                bound: bound.view(),
                worst_case_bound: None,
                undecided: 0,
            };
            checks.push(context.check(name, &pair));
        }
        Ok(checks)
    }

    /// Returns the name, the values and the error bounds of every gradient in the form in which the trace has them.
    fn expected_gradients(&self, expected: &Expected, arithmetic: &Arithmetic) -> Result<Vec<BoundedTensor>> {
        let images = self.batches[0].images.nrows();
        let gradients = Gradients::computed(expected);
        let processed = |specification: &Specification| {
            bounds::processed_tensors(specification, &self.initial, &gradients, images, arithmetic)
        };
        let mut specification = self.specification.clone();
        Ok(match self.gradient_form {
            GradientForm::FromStep => {
                let rate = self.learning_rates.first().copied().unwrap_or(1.0);
                let mut step = StepReference::new(&specification, &self.initial, arithmetic)?;
                let updated = step.step(&self.initial, &gradients, rate, images)?.unwrap_or_default();
                updated.iter().map(|tensor| tensor.recovered_gradient(rate, arithmetic)).collect()
            }
            GradientForm::Raw | GradientForm::Summed => {
                specification.weight_decay = WeightDecay::NONE;
                specification.clipping = None;
                let factor = if self.gradient_form == GradientForm::Summed { images as f64 } else { 1.0 };
                let scaled = |(name, values, bound)| (name, values * factor, bound * factor);
                processed(&specification).into_iter().map(scaled).collect()
            }
            GradientForm::WithWeightDecay => {
                specification.clipping = None;
                processed(&specification)
            }
            GradientForm::Clipped => {
                if !specification.weight_decay.in_loss {
                    // The optimizer adds it after clipping.
                    specification.weight_decay = WeightDecay::NONE;
                }
                processed(&specification)
            }
        })
    }

    /// Returns a description of the optimizer for messages: as the contract names it, or the name in the metadata.
    fn scenario(&self) -> String {
        match self.contract() {
            Some((_, optimizer)) => optimizer.to_string(),
            None => self.metadata.get("optimizer").cloned().unwrap_or_else(|| "sgd".to_owned()),
        }
    }
}

/// Returns the metadata of a trace of a network and an optimizer of the contract.
fn metadata(config: &MlpConfig, optimizer: &Optimizer, learning_rate: f64) -> BTreeMap<String, String> {
    let mut entries = vec![
        ("activation", config.activation().to_string()),
        ("optimizer", optimizer.name().to_owned()),
        ("learning_rate", learning_rate.to_string()),
        ("weight_decay", optimizer.weight_decay().to_string()),
    ];
    match *optimizer {
        Optimizer::Sgd { .. } => {}
        Optimizer::Momentum { momentum, nesterov, .. } => {
            entries.extend([("momentum", momentum.to_string()), ("nesterov", nesterov.to_string())]);
        }
        Optimizer::Adam { beta1, beta2, epsilon, .. } | Optimizer::AdamW { beta1, beta2, epsilon, .. } => {
            let numbers = [("beta1", beta1), ("beta2", beta2), ("epsilon", epsilon)];
            entries.extend(numbers.map(|(name, value)| (name, value.to_string())));
        }
    }
    entries.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
