//! Recording of traces.

use std::collections::BTreeMap;

use mlp_parity::{MlpConfig, Optimizer, Result};
use mlp_parity_scratch::reference::{Specification, TrainingBatch};

use super::model::{Computation, GradientForm, Precision, Results, Step, Trace};
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
            computation: Computation {
                specification,
                learning_rates: vec![learning_rate; steps.max(1)],
                precision: Precision::Single,
                accurate_functions: false,
                gradient_form: GradientForm::Raw,
                initial: case.parameters.cast(),
                batches: batches.iter().map(|batch| TrainingBatch::new(&batch.cast(), case.config.classes())).collect(),
            },
            results: Results {
                logits: Some(logits.mapv(f64::from)),
                outputs: None,
                loss: Some(f64::from(loss)),
                gradients: named_tensors(&gradients),
                steps: recorded,
            },
            assumptions: Vec::new(),
        })
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
