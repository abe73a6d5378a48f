//! Recording of traces.

use std::collections::BTreeMap;

use mlp_parity::{Arithmetic, Batch, Differentiable, Error, MlpConfig, Optimizer, Result};
use mlp_parity_scratch::reference::{Specification, TrainingBatch};

use super::model::{AfterUpdate, Computation, GradientForm, Precision, Results, Step, Trace, labels};
use crate::Candidate;
use crate::check::case::{Case, NamedOptimizer};
use crate::check::compare::named_tensors;

impl Trace {
    /// Records the trace of a candidate that trains on the first `steps` batches of a case with the case's first
    /// optimizer. With 0 steps, the trace has only the logits, loss and gradients of the first batch. No more steps are
    /// taken than the case has batches.
    ///
    /// # Errors
    ///
    /// Any error that the candidate returns; [`mlp_parity::Error::Configuration`] if the case has no optimizer; [`mlp_parity::Error::Shape`] or
    /// [`mlp_parity::Error::Data`] if the case is inconsistent.
    pub fn record(case: &Case, candidate: &Candidate, steps: usize) -> Result<Self> {
        case.validate()?;
        let mut model = candidate.create(&case.config, &case.parameters)?;
        let NamedOptimizer { optimizer, learning_rate, .. } = case.first_optimizer()?;
        let computation =
            Computation::of_case(case, &optimizer, learning_rate, steps, Precision::Single.usual_arithmetic());
        Ok(Self {
            producer: format!("mlp-parity {}", candidate.identity()),
            metadata: metadata(&case.config, &optimizer, learning_rate),
            results: Results::observe(model.as_mut(), &optimizer, &computation, steps)?,
            computation,
            accepted: Vec::new(),
            assumptions: Vec::new(),
        })
    }
}

impl Computation {
    /// Returns the computation of a network that trains on the first `steps` batches of a case.
    pub(crate) fn of_case(
        case: &Case,
        optimizer: &Optimizer,
        learning_rate: f64,
        steps: usize,
        arithmetic: Arithmetic,
    ) -> Self {
        // The logits, loss and gradients need the first batch even without steps.
        let batches = &case.batches[..steps.clamp(1, case.batches.len())];
        Self {
            specification: Specification::new(&case.config, optimizer),
            learning_rates: vec![learning_rate; batches.len()],
            precision: Precision::Single,
            arithmetic,
            gradient_form: GradientForm::Raw,
            initial: case.parameters.cast(),
            after_update: AfterUpdate::default(),
            batches: batches.iter().map(|batch| TrainingBatch::new(&batch.cast(), case.config.classes())).collect(),
        }
    }
}

impl Results {
    /// Asks a network for the results of a computation that the contract has: logits, loss and gradients of the first batch,
    /// then at most `steps` steps of the optimizer, one per batch.
    ///
    /// # Errors
    ///
    /// Any error that the network returns.
    pub(crate) fn observe(
        model: &mut dyn Differentiable,
        optimizer: &Optimizer,
        computation: &Computation,
        steps: usize,
    ) -> Result<Self> {
        let batches = computation.batches.iter().map(contract_batch).collect::<Option<Result<Vec<_>>>>();
        let batches = batches.ok_or_else(|| Error::configuration("targets", "expected one class for each image"))??;
        model.set_parameters(&computation.initial.cast())?;
        let logits = model.logits(batches[0].images())?;
        let (loss, gradients) = model.loss_and_gradients(&batches[0])?;
        model.set_optimizer(optimizer)?;
        let mut recorded = vec![Step::default(); batches.len()];
        for ((step, batch), rate) in recorded.iter_mut().zip(&batches).zip(&computation.learning_rates).take(steps) {
            step.loss = Some(f64::from(model.step(batch, *rate)?));
            step.parameters = named_tensors(&model.parameters()?);
        }
        Ok(Self {
            logits: Some(logits.mapv(f64::from)),
            outputs: None,
            loss: Some(f64::from(loss)),
            gradients: named_tensors(&gradients),
            steps: recorded,
        })
    }
}

/// Returns the batch in the form of the contract, rounded to single precision; `None` if its targets are not those of labels.
pub(super) fn contract_batch(batch: &TrainingBatch<f64>) -> Option<Result<Batch<f32>>> {
    Some(Batch::new(batch.images.mapv(|value| value as f32), labels(&batch.targets)?))
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
