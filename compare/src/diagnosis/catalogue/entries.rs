//! The entries of the catalogue, one for each identifier.

use std::collections::BTreeSet;

use mlp_parity::{Activation, Arithmetic, MlpConfig, Optimizer, Parameters, Result};
use mlp_parity_scratch::reference::{Specification, TrainingBatch, WeightDecay};
use ndarray::Array2;

use super::{Facts, forward, gradients, loss, update};
use crate::check::{AfterUpdate, Computation, GradientForm, Kind, Precision, Stage};
use crate::diagnosis::made_up::made_up;
use crate::diagnosis::pattern::PATTERNS;
use crate::diagnosis::variant::Variant;

/// Similarity by Jaro and Winkler above which an identifier is suggested in place of another one.
const SIMILAR: f64 = 0.8;

/// An entry of the catalogue of mistakes and conventions.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The identifier.
    pub id: &'static str,
    /// The kind.
    pub kind: Kind,
    /// The stage at which it shows first.
    pub stage: Stage,
    /// Description of the behaviour of one program that has it, which continues "a program that".
    pub sentence: String,
    /// Advice: the code to look at, or the metadata that declare the choice.
    pub advice: String,
}

/// Returns the entries of the catalogue, by the stage at which they show first. The same identifier may stand for several
/// parameters, such as the layer or a factor; the sentence is that of one of them.
///
/// # Errors
///
/// None that is expected: the networks that it creates are valid.
pub fn entries() -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    let (momentum, adam) = (sample(&Optimizer::momentum(0.9))?, sample(&Optimizer::adam())?);
    // A weight decay that is not declared needs a computation without one.
    let mut without_decay = momentum.clone();
    without_decay.specification.weight_decay = WeightDecay::NONE;
    for (stage, variants) in [momentum, adam, without_decay].iter().flat_map(by_stage) {
        for Variant { id, kind, sentence, advice, .. } in variants {
            entries.push(Entry { id, kind, stage, sentence, advice });
        }
    }
    for (stage, pattern) in PATTERNS {
        let (sentence, advice) = (pattern.sentence.to_owned(), pattern.advice.to_owned());
        entries.push(Entry { id: pattern.id, kind: pattern.kind, stage, sentence, advice });
    }
    entries.sort_by_key(|entry| entry.stage);
    let mut ids = BTreeSet::new();
    entries.retain(|entry| ids.insert(entry.id));
    Ok(entries)
}

/// Returns what is wrong with identifiers that are not all in the catalogue, with the most similar one; `None` if they are.
///
/// # Errors
///
/// Any error of [`entries`].
pub(in crate::diagnosis) fn rejection(identifiers: &[String]) -> Result<Option<String>> {
    if identifiers.is_empty() {
        return Ok(None);
    }
    if let Some((_, pattern)) = PATTERNS.iter().find(|(_, pattern)| identifiers.iter().any(|id| id == pattern.id)) {
        return Ok(Some(format!("'{}' predicts no results, so that it cannot be accepted", pattern.id)));
    }
    let entries = entries()?;
    let is_unknown = |identifier: &&String| entries.iter().all(|entry| entry.id != identifier.as_str());
    let Some(unknown) = identifiers.iter().find(is_unknown) else { return Ok(None) };
    let similarity = |entry: &&Entry| strsim::jaro_winkler(entry.id, unknown);
    let similar = entries.iter().max_by(|left, right| similarity(left).total_cmp(&similarity(right)));
    let advice = match similar.filter(|entry| similarity(entry) > SIMILAR) {
        Some(entry) => format!("the most similar identifier is '{}'", entry.id),
        None => "docs/diagnosis.md lists all identifiers".to_owned(),
    };
    Ok(Some(format!("'{unknown}' is not the identifier of an explanation; {advice}")))
}

/// Returns a computation with made-up data, with weight decay, square weights and square pictures.
pub(in crate::diagnosis) fn sample(optimizer: &Optimizer) -> Result<Computation> {
    let config = MlpConfig::new(9, &[4, 4], 3, Activation::Tanh)?;
    let batch = TrainingBatch { images: Array2::zeros([1, 9]), targets: Array2::zeros([1, 3]), masks: Vec::new() };
    Ok(made_up(&Computation {
        specification: Specification::new(&config, &optimizer.with_weight_decay(0.01)),
        learning_rates: vec![0.1],
        precision: Precision::Double,
        arithmetic: Arithmetic::DOUBLE,
        gradient_form: GradientForm::Raw,
        initial: Parameters::zeros(&config),
        batches: vec![batch],
        after_update: AfterUpdate::default(),
    }))
}

/// Returns the variants of every stage.
pub(in crate::diagnosis) fn by_stage(computation: &Computation) -> [(Stage, Vec<Variant>); 4] {
    let facts = Facts::new(computation, [true; 3], Some(1), Some("layer1"));
    [
        (Stage::Logits, forward::variants(&facts)),
        (Stage::Loss, loss::variants(&facts)),
        (Stage::Gradients, gradients::variants(&facts)),
        (Stage::Trajectory, update::variants(&facts)),
    ]
}
