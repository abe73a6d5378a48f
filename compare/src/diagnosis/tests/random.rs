//! Tests at scale: every entry of the catalogue, injected into random computations, is named; without the entry, nothing else is
//! named, unless it predicts the same; and neither is what is outside the catalogue.

use std::collections::BTreeSet;

use mlp_parity::{Activation, Arithmetic, MlpConfig, Optimizer, Parameters};
use mlp_parity_scratch::reference::{ActivationFunction, ReportedLoss, Specification, TrainingBatch, UpdateRule};
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::super::catalogue::{by_stage, entries};
use super::super::target::Target;
use super::super::values::predicted;
use super::super::variant::Variant;
use super::{LEFT_OUT, description, diagnosis, results};
use crate::check::{AfterUpdate, Computation, Diagnosis, GradientForm, Precision, Results, Stage};

/// Number of random cases, and the environment variable that sets another.
const CASES: u64 = 150;
const CASES_VARIABLE: &str = "MLP_PARITY_CONFIGURATIONS";

/// Seeds of cases that once had a wrong name.
const REGRESSIONS: [u64; 7] = [195, 295, 689, 1226, 1871, 2388, 2804];

/// Identifiers of computations that share a part: without one of them, another names that part, and the rest is unexplained.
const CLASSES: [&[&str]; 10] = [
    &["rounded-products", "rounded-products-and-sums", "single-precision"],
    &["another-loss", "another-reported-loss"],
    &["bias-unused", "initial-biases-zero"],
    &[
        "no-biases",
        "bias-gradient-factor",
        "learning-rate-of-biases",
        "bias-gradient-summed-over-units",
        "bias-gradient-averaged-over-units",
    ],
    &["hidden-delta-factor", "gradient-factor", "bias-gradient-factor", "weight-gradient-factor", "gradients-summed"],
    // If all probabilities are equal, the derivatives of squared error and cross-entropy differ by a factor.
    &["gradient-factor", "delta-of-squared-error", "delta-of-half-squared-error"],
    &["activation-as-derivative", "sum-as-derivative"],
    &["label-smoothing", "delta-with-smoothed-labels"],
    // The derivatives of several activation functions are 1 for positive sums.
    &["derivative-missing", "derivative-of-another-activation"],
    &[
        "derivative-missing",
        "gradients-before-derivative",
        "bias-gradient-before-derivative",
        "weight-gradient-before-derivative",
    ],
];

/// A generator of random computations.
struct Draw(ChaCha8Rng);

impl Draw {
    fn new(seed: u64) -> Self {
        Self(ChaCha8Rng::seed_from_u64(seed))
    }

    /// Draws a number of at least 0 and less than 1.
    fn number(&mut self) -> f64 {
        f64::from(self.0.next_u32()) / 2.0_f64.powi(32)
    }

    fn count(&mut self, low: usize, high: usize) -> usize {
        low + (self.number() * (high - low + 1) as f64) as usize
    }

    fn one_of<T: Clone>(&mut self, values: &[T]) -> T {
        values[self.count(0, values.len() - 1)].clone()
    }

    /// Draws a network, its data and its optimizer. Half of them compute in single precision.
    fn computation(&mut self) -> Computation {
        let hidden: Vec<usize> = (0..self.count(0, 3)).map(|_| self.count(1, 12)).collect();
        let (inputs, outputs, images) = (self.count(1, 16), self.count(2, 10), self.count(1, 20));
        let activation = self.one_of(&[Activation::Relu, Activation::Tanh, Activation::Sigmoid]);
        let momentum = Optimizer::momentum(0.9);
        let optimizers = [Optimizer::sgd(), momentum, momentum.with_nesterov().unwrap(), Optimizer::adam()];
        let mut optimizer = self.one_of(&optimizers);
        if self.number() < 0.5 {
            optimizer = optimizer.with_weight_decay(0.01);
        }
        let config = MlpConfig::new(inputs, &hidden, outputs, activation).unwrap();
        let has_biases = self.number() < 0.7;
        let mut initial = Parameters::<f64>::zeros(&config);
        for layer in initial.layers_mut() {
            let scale = 2.0 / (layer.weight.nrows() as f64).sqrt();
            layer.weight.mapv_inplace(|_| scale * (self.number() - 0.5));
            layer.bias.mapv_inplace(|_| if has_biases { self.number() - 0.5 } else { 0.0 });
        }
        let steps = self.count(1, 5);
        let has_dropout = self.number() < 0.2;
        let batch = |_| TrainingBatch {
            images: Array2::from_shape_simple_fn([images, inputs], || self.number()),
            targets: {
                let mut targets = Array2::zeros([images, outputs]);
                targets.rows_mut().into_iter().for_each(|mut row| row[self.count(0, outputs - 1)] = 1.0);
                targets
            },
            masks: hidden
                .iter()
                .filter(|_| has_dropout)
                .map(|&units| {
                    Some(Array2::from_shape_simple_fn([images, units], || if self.number() < 0.3 { 0.0 } else { 1.5 }))
                })
                .collect(),
        };
        let batches = (0..steps).map(batch).collect::<Vec<_>>();
        let is_single = self.number() < 0.5;
        let single = |batch: TrainingBatch<f64>| batch.cast::<f32>().cast();
        Computation {
            specification: Specification::new(&config, &optimizer),
            learning_rates: vec![0.1; steps],
            precision: if is_single { Precision::Single } else { Precision::Double },
            arithmetic: if is_single { Arithmetic::SINGLE } else { Arithmetic::DOUBLE },
            gradient_form: GradientForm::Raw,
            initial: if is_single { initial.cast::<f32>().cast() } else { initial },
            after_update: AfterUpdate::default(),
            batches: if is_single { batches.into_iter().map(single).collect() } else { batches },
        }
    }
}

/// Returns the results under a variant; `None` if it does not change the computation.
fn injected(variant: &Variant, computation: &Computation) -> Option<Results> {
    let declared = results(computation);
    let (changed, changed_results) = variant.applied(computation, &declared);
    let is_computed =
        changed != *computation && *changed_results == declared && changed.after_update == AfterUpdate::default();
    is_computed.then(|| {
        let mut results = results(&changed);
        if changed.gradient_form != GradientForm::Raw {
            let tensors = results.gradients.keys().cloned().collect();
            let gradients = Target { step: None, stage: Stage::Gradients, tensors };
            results.gradients = predicted(&changed, &results, &gradients).unwrap().into_iter().collect();
        }
        results
    })
}

/// Returns true if something is named, although it does not explain everything.
fn is_wrong(diagnosis: &Diagnosis) -> bool {
    !diagnosis.explanations.is_empty() && diagnosis.unexplained.is_some()
}

fn cases() -> impl Iterator<Item = u64> {
    let count = std::env::var(CASES_VARIABLE).map_or(CASES, |text| text.parse().unwrap());
    (0..count).chain(REGRESSIONS.into_iter().filter(move |seed| *seed >= count))
}

/// Returns the random variant of a random computation, for a seed.
fn random_variant(seed: u64) -> (Computation, Variant) {
    let mut draw = Draw::new(seed);
    let computation = draw.computation();
    let variants: Vec<Variant> = by_stage(&computation).into_iter().flat_map(|(_, variants)| variants).collect();
    // First the identifier, so that those with many variants are not drawn more often.
    let ids: BTreeSet<&str> = variants.iter().map(|variant| variant.id).collect();
    let id = draw.one_of(&ids.into_iter().collect::<Vec<_>>());
    let mut of_id: Vec<Variant> = variants.into_iter().filter(|variant| variant.id == id).collect();
    let index = draw.count(0, of_id.len() - 1);
    (computation, of_id.swap_remove(index))
}

#[test]
fn every_explanation_is_an_entry_of_the_catalogue() {
    let entries: BTreeSet<&str> = entries().unwrap().iter().map(|entry| entry.id).collect();
    let variants = cases().flat_map(|seed| by_stage(&Draw::new(seed).computation())).flat_map(|(_, variants)| variants);
    let ids: BTreeSet<&str> = variants.map(|variant| variant.id).collect();
    let missing: Vec<&&str> = ids.difference(&entries).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn random_entries_of_the_catalogue_are_named() {
    let outcomes: Vec<(&str, String)> = cases()
        .filter_map(|seed| {
            let (computation, variant) = random_variant(seed);
            let results = injected(&variant, &computation)?;
            let found = diagnosis(&computation, &results);
            let ids: Vec<&str> = found
                .explanations
                .iter()
                .flat_map(|explanation| explanation.equivalent.iter().map(|other| other.id).chain([explanation.id]))
                .collect();
            let outcome = match (&found.unexplained, ids.contains(&variant.id)) {
                // The data do not show the mistake.
                _ if found == Diagnosis::default() => return None,
                (None, true) => "named",
                (None, false) => "equivalent",
                (Some(_), _) if is_wrong(&found) => "wrong",
                (Some(_), _) => "unexplained",
            };
            Some((
                outcome,
                format!("seed {seed}: {outcome}: {}: {}: {}", variant.id, variant.sentence, description(&found)),
            ))
        })
        .collect();
    let count = |name: &str| outcomes.iter().filter(|(outcome, _)| *outcome == name).count();
    let [named, equivalent, wrong, unexplained] = ["named", "equivalent", "wrong", "unexplained"].map(count);
    let others: Vec<&str> =
        outcomes.iter().filter(|(outcome, _)| *outcome != "named").map(|(_, text)| text.as_str()).collect();
    let text = format!(
        "of {}, {named} named, {equivalent} equivalent, {wrong} wrong, {unexplained} unexplained:\n{}",
        outcomes.len(),
        others.join("\n")
    );
    println!("{text}");
    assert!(1000 * wrong <= outcomes.len(), "{text}");
    assert!(100 * (named + equivalent) >= 95 * outcomes.len(), "{text}");
}

#[test]
fn entry_that_is_left_out_is_not_replaced_by_another() {
    let wrong: Vec<String> = cases()
        .filter_map(|seed| {
            let (computation, variant) = random_variant(seed);
            let results = injected(&variant, &computation)?;
            LEFT_OUT.set(variant.id);
            let found = diagnosis(&computation, &results);
            LEFT_OUT.set("");
            let is_of_class = |id: &str| CLASSES.iter().any(|class| class.contains(&id) && class.contains(&variant.id));
            let is_part = found.explanations.iter().all(|explanation| is_of_class(explanation.id));
            let text = || format!("seed {seed}: {}: {}: {}", variant.id, variant.sentence, description(&found));
            (is_wrong(&found) && !is_part).then(text)
        })
        .collect();
    println!("{} wrong:\n{}", wrong.len(), wrong.join("\n"));
    let count = cases().count();
    assert!(1000 * wrong.len() <= count, "{} of {count} wrong names:\n{}", wrong.len(), wrong.join("\n"));
}

/// Beginning of the description of a weight decay with a coefficient that is not in the catalogue.
const ANOTHER_DECAY: &str = "another decay";

/// Returns the results of a program whose mistake is not in the catalogue, and a description of it.
fn outside_of_the_catalogue(draw: &mut Draw, computation: &Computation) -> (Results, String) {
    let mut changed = computation.clone();
    let specification = &mut changed.specification;
    let layers = specification.biases.len();
    let factor = draw.one_of(&[0.3, 0.97, 1.1, 1.7, 3.3]) + 0.01 * draw.number();
    let kind = draw.count(0, 8);
    match kind {
        0 => specification.deviations.gradient_factors.extend((0..layers).map(|layer| (layer, [factor; 2]))),
        1 => {
            let functions = [
                ActivationFunction::LeakyRelu { slope: factor / 10.0 },
                ActivationFunction::HardSigmoid { slope: factor / 4.0 },
                ActivationFunction::Elu { alpha: factor },
            ];
            specification.activations.fill(draw.one_of(&functions));
        }
        2 => specification.weight_decay.coefficient = 0.01 * factor,
        3 => changed.learning_rates.iter_mut().for_each(|rate| *rate *= factor),
        4 => {
            let loss = specification.loss;
            specification.deviations.reported_loss = Some(ReportedLoss { loss, factor });
        }
        // δ of the first layer.
        5 => specification.deviations.gradient_factors.extend([(0, [factor; 2])]),
        6 => {
            if let UpdateRule::Momentum { momentum, .. } = &mut specification.update_rule {
                *momentum += 0.02;
            }
            if let UpdateRule::Adam { beta1, .. } = &mut specification.update_rule {
                *beta1 -= 0.03 * factor;
            }
        }
        _ => {}
    }
    let mut results = results(&changed);
    let size = 10.0_f64.powf(-4.0 * draw.number());
    let of_gradient = !results.gradients.is_empty() && draw.number() < 0.5;
    let step = draw.count(0, results.steps.len() - 1);
    let tensors = if of_gradient { &mut results.gradients } else { &mut results.steps[step].parameters };
    let name = draw.one_of(&tensors.keys().cloned().collect::<Vec<_>>());
    if let Some(tensor) = tensors.get_mut(&name).filter(|_| kind >= 7) {
        let chosen = draw.count(0, tensor.len() - 1);
        for (element, value) in tensor.iter_mut().enumerate() {
            if kind == 7 || element == chosen {
                *value += size * (draw.number() - 0.5) * value.abs().max(0.01);
            }
        }
    }
    let text = if kind == 2 { ANOTHER_DECAY } else { "another mistake" };
    (
        results,
        format!("{text}: kind {kind}, factor {factor}, {name} of step {step} or gradient ({of_gradient}) by {size}"),
    )
}

#[test]
fn what_is_outside_of_the_catalogue_is_not_named() {
    let mut count = 0;
    let wrong: Vec<String> = cases()
        .filter_map(|seed| {
            let mut draw = Draw::new(seed);
            let computation = draw.computation();
            let (results, text) = outside_of_the_catalogue(&mut draw, &computation);
            let found = diagnosis(&computation, &results);
            count += u64::from(found != Diagnosis::default());
            // The first step of Adam shows that there is a decay, but not how much: all coefficients predict the same.
            let is_decay = text.starts_with(ANOTHER_DECAY) && found.unexplained.is_none();
            let is_right =
                is_decay && found.explanations.iter().all(|explanation| explanation.id == "undeclared-decay");
            (!found.explanations.is_empty() && !is_right)
                .then(|| format!("seed {seed}: {text}: {}", description(&found)))
        })
        .collect();
    println!("{} of {count} wrong:\n{}", wrong.len(), wrong.join("\n"));
    assert!(1000 * wrong.len() as u64 <= count, "{} of {count} wrong names:\n{}", wrong.len(), wrong.join("\n"));
}
