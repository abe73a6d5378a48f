//! Tests of the diagnosis.

mod random;

use std::cell::Cell;
use std::collections::BTreeMap;

use mlp_parity::{Optimizer, Parameters};
use mlp_parity_scratch::ReferenceMlp;
use mlp_parity_scratch::reference::{ActivationFunction, PropagatedWeight};
use ndarray::{ArrayD, s};

use super::catalogue::{by_stage, sample};
use super::made_up::simulated;
use super::program::Program;
use super::search::explain;
use super::variant::Variant;
use crate::check::{Computation, Diagnosis, Precision, Results, parameters_after};

thread_local! {
    /// The identifier that the catalogue of this thread lacks.
    static LEFT_OUT: Cell<&'static str> = const { Cell::new("") };
}

/// Returns true if the test on this thread leaves out the entry.
pub(super) fn is_left_out(id: &str) -> bool {
    LEFT_OUT.get() == id
}

/// Returns the results of a program that computes this in the declared precision.
fn results(computation: &Computation) -> Results {
    match computation.precision {
        Precision::Double => simulated::<f64>(computation),
        _ => simulated::<f32>(computation),
    }
    .unwrap()
}

fn diagnosis(computation: &Computation, results: &Results) -> Diagnosis {
    explain(&mut Program::Recorded, computation, results).unwrap()
}

fn description(diagnosis: &Diagnosis) -> String {
    let named =
        diagnosis.explanations.iter().map(|explanation| format!("{}: {}", explanation.id, explanation.sentence));
    format!("{:?}, unexplained: {:?}", named.collect::<Vec<_>>(), diagnosis.unexplained)
}

/// Returns the identifiers of the explanations, which must be complete.
#[track_caller]
fn ids(computation: &Computation, results: &Results) -> Vec<&'static str> {
    let found = diagnosis(computation, results);
    assert_eq!(found.unexplained, None, "{}", description(&found));
    found.explanations.iter().map(|explanation| explanation.id).collect()
}

/// Returns the results of a program that updates every layer before it propagates δ down from it.
fn with_updated_weights(computation: &Computation) -> Results {
    let specification = &computation.specification;
    let mut network = ReferenceMlp::with_specification(specification.clone(), computation.initial.clone()).unwrap();
    let mut results = results(computation);
    for (number, (batch, step)) in computation.batches.iter().zip(&mut results.steps).enumerate() {
        let mut specification = specification.clone();
        let mut next = network.clone();
        // The gradients of the output layer do not depend on the propagated weights; each pass makes one more layer right.
        for _ in 0..specification.biases.len() {
            let of_step = ReferenceMlp::with_specification(specification.clone(), network.parameters().clone());
            let passes = of_step.unwrap().passes(batch).unwrap();
            next = network.clone();
            next.apply_gradients(&passes.gradients, computation.learning_rates[number], batch.images.nrows()).unwrap();
            let weights = next.parameters().layers().iter().map(|layer| layer.weight.clone());
            specification.deviations.propagated_weights = weights.map(PropagatedWeight::Given).enumerate().collect();
            step.loss = Some(passes.loss);
            if number == 0 {
                results.gradients = named(&passes.gradients);
            }
        }
        step.parameters = named(next.parameters());
        network = next;
    }
    results
}

fn named(parameters: &Parameters<f64>) -> BTreeMap<String, ArrayD<f64>> {
    parameters.tensors().map(|(name, values)| (name, values.to_owned())).collect()
}

#[test]
fn parameters_that_are_used_after_their_update_are_named() {
    for optimizer in [Optimizer::sgd(), Optimizer::momentum(0.9), Optimizer::adam()] {
        let computation = sample(&optimizer).unwrap();
        let early = with_updated_weights(&computation);
        assert_eq!(ids(&computation, &early), ["updated-weights-in-backward-pass"], "{optimizer}");
        let mut late = results(&computation);
        for step in 0..late.steps.len() {
            let after = parameters_after(&computation, &late, step).unwrap();
            let network = ReferenceMlp::with_specification(computation.specification.clone(), after).unwrap();
            late.steps[step].loss = Some(network.passes(&computation.batches[step]).unwrap().loss);
        }
        late.loss = late.steps[0].loss;
        assert_eq!(ids(&computation, &late), ["loss-after-update"], "{optimizer}");
    }
}

#[test]
fn results_that_stand_for_others_are_named() {
    let computation = sample(&Optimizer::momentum(0.9)).unwrap();
    let declared = results(&computation);
    let (logits, outputs) = (declared.logits.clone(), declared.outputs.clone());
    let with = |logits, outputs| Results { logits, outputs, ..declared.clone() };
    assert_eq!(ids(&computation, &with(outputs.clone(), None)), ["outputs-as-logits"]);
    assert_eq!(ids(&computation, &with(None, logits)), ["logits-as-outputs"]);
    let logarithms = outputs.map(|outputs| outputs.mapv(f64::ln));
    assert_eq!(ids(&computation, &with(logarithms, None)), ["log-probabilities-as-logits"]);
    let variants: Vec<Variant> = by_stage(&computation).into_iter().flat_map(|(_, variants)| variants).collect();
    let transposed = variants.iter().find(|variant| variant.id == "weight-transposed").unwrap();
    // The transpose of the transpose: what the program computes, as the file has it.
    let changed = transposed.applied(&computation, &declared).0;
    let recorded = transposed.applied(&computation, &results(&changed)).1.into_owned();
    assert_eq!(ids(&computation, &recorded), ["weight-transposed"]);
}

/// The norm of gradients with undecided units is hardly known, so that clipping by it would explain many factors.
#[test]
fn factor_near_a_clipped_norm_is_not_named_as_clipping() {
    let mut computation = sample(&Optimizer::sgd()).unwrap();
    computation.specification.activations.fill(ActivationFunction::Relu);
    // Pixels and weights of which each pair cancels: the sums are zero, up to rounding.
    for layer in &mut computation.initial.layers_mut()[..1] {
        layer.bias.fill(0.0);
        let opposite = layer.weight.row(0).mapv(|weight| -weight);
        layer.weight.row_mut(1).assign(&opposite);
    }
    for batch in &mut computation.batches {
        batch.images.row_mut(0).fill(0.0);
        batch.images.slice_mut(s![0, ..2]).fill(0.3);
    }
    computation.batches.truncate(1);
    computation.learning_rates.truncate(1);
    let gradients = results(&computation).gradients;
    let norm = gradients.values().flatten().map(|value| value * value).sum::<f64>().sqrt();
    let layers = computation.specification.biases.len();
    let mut changed = computation.clone();
    let factor = 0.25 * 1.001 / norm;
    changed.specification.deviations.gradient_factors.extend((0..layers).map(|layer| (layer, [factor; 2])));
    let found = diagnosis(&computation, &results(&changed));
    assert!(found.explanations.is_empty() && found.unexplained.is_some(), "{}", description(&found));
}

/// δ of the output layer adds up to zero for each image, so that its sum says nothing about the other layers.
#[test]
fn partial_explanation_says_nothing_about_what_remains_unexplained() {
    let computation = sample(&Optimizer::sgd()).unwrap();
    let mut changed = computation.clone();
    let deviations = &mut changed.specification.deviations;
    deviations.scalar_bias_gradients = vec![0, 1, 2];
    deviations.gradient_factors.extend([(0, [1.0, 0.37]), (1, [1.0, 0.37])]);
    let found = diagnosis(&computation, &results(&changed));
    let [explanation] = &found.explanations[..] else { panic!("{}", description(&found)) };
    assert!(explanation.sentence.contains("of output_layer") && found.unexplained.is_some(), "{}", description(&found));
}
