//! Recording of a trace, and its comparison with the reference.

use mlp_parity::{Arithmetic, Batch, Error, Result};

use super::model::{Step, Trace};
use super::read;
use crate::Candidate;
use crate::check::bounds::Expected;
use crate::check::case::{Case, NamedOptimizer};
use crate::check::compare::{self, scalar, tensors};
use crate::check::report::{CheckReport, REFERENCE, SuiteReport};
use crate::check::step_reference::{Gradients, StepReference};
use crate::check::suite::check;
use crate::check::tensor_check::{CheckContext, Stage};

impl Trace {
    /// What a candidate computes on the first batches of a case, under its first training.
    ///
    /// # Errors
    ///
    /// What the candidate reports.
    pub fn record(case: &Case, candidate: &Candidate, steps: usize) -> Result<Self> {
        case.validate()?;
        let mut model = candidate.create(&case.config, &case.parameters)?;
        let NamedOptimizer { optimizer, learning_rate, .. } = case.first_optimizer()?;
        let logits = model.logits(case.batches[0].images())?;
        let (loss, gradients) = model.loss_and_gradients(&case.batches[0])?;
        model.set_optimizer(&optimizer)?;
        // Logits, loss and gradients are of the first batch, which so belongs to a trace without steps too.
        let batches = &case.batches[..steps.clamp(1, case.batches.len())];
        let mut taken = vec![Step::default(); batches.len()];
        for (step, batch) in taken.iter_mut().zip(batches).take(steps) {
            step.loss = Some(f64::from(model.step(batch, learning_rate)?));
            step.parameters = tensors(&model.parameters()?);
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
            gradients: tensors(&gradients),
            steps: taken,
        })
    }

    /// The trace's own values, and everyone's from the same start on the same batches.
    ///
    /// # Errors
    ///
    /// What a candidate reports.
    pub fn check(&self, candidates: &[Candidate]) -> Result<SuiteReport> {
        let own = self.report()?;
        if own.checks.is_empty() {
            let reason = "has nothing to compare: no logits, loss, gradient or step";
            return Err(Error::parameters(format!("the trace ({})", self.producer), reason));
        }
        let mut suite = SuiteReport { reports: vec![own], missing: Some(self.missing()) };
        suite.reports.extend(check(&self.case(), candidates)?.reports);
        Ok(suite)
    }

    /// What is not in the trace, and so is not compared.
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

    /// For candidates, which compute in single precision, from the nearest values.
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

    /// Where the trace does not tell how its optimizer keeps its numbers, either way is right.
    fn report(&self) -> Result<CheckReport> {
        let arithmetic =
            Arithmetic { sigmoid: [8.0, 2.0], ..if self.is_double { Arithmetic::DOUBLE } else { Arithmetic::SINGLE } };
        let report = self.check_with(&arithmetic)?;
        if self.is_double || report.first_failure().is_none() {
            return Ok(report);
        }
        let other = self.check_with(&Arithmetic { single_hyper_parameters: true, ..arithmetic })?;
        Ok(if other.first_failure().is_none() { other } else { report })
    }

    fn check_with(&self, arithmetic: &Arithmetic) -> Result<CheckReport> {
        let name = format!("trace ({})", self.producer);
        let training = self.optimizer.to_string();
        let context = CheckContext {
            scenario: "",
            stage: Stage::Logits,
            expected_from: REFERENCE,
            candidate: &name,
            step: None,
            unit_roundoff: arithmetic.unit_roundoff,
        };
        let expected = Expected::new(&self.config, &self.initial, &self.batches[0], arithmetic)?;
        let mut report = CheckReport::default();
        let logits = self.logits.as_ref().map(|logits| logits.view());
        report.add(compare::passes(&context, &expected, logits, self.loss, &self.gradients));
        report.undecided = expected.undecided;

        let mut step_reference = StepReference::new(&self.config, &self.optimizer, arithmetic)?;
        let mut before = Some(self.initial.clone());
        for (number, (step, batch)) in self.steps.iter().zip(&self.batches).enumerate() {
            let context = CheckContext { scenario: &training, stage: Stage::Trajectory, step: Some(number), ..context };
            // Without all parameters before a step nothing can be said of it, nor, with an optimizer that remembers, of later ones.
            let Some(parameters) = &before else { break };
            let expected = Expected::new(&self.config, parameters, batch, arithmetic)?;
            report.add(step.loss.map(|loss| scalar(&context, &expected.loss, loss)).into_iter().collect());
            let stepped = step_reference.step(parameters, &Gradients::of(expected), self.learning_rate)?;
            for one in stepped.iter().rev() {
                report.add(
                    step.parameters.get(&one.name).map(|has| one.checks(&context, has.view())).unwrap_or_default(),
                );
            }
            if report.first_failure().is_some() {
                // What follows from a wrong step is no other mistake.
                break;
            }
            before = read::parameters(&step.parameters).ok();
        }
        Ok(report)
    }
}
