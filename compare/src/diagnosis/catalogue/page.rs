//! The page of the catalogue, `docs/diagnosis.md`, whose tables are generated from its entries.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use mlp_parity::Optimizer;
use ndarray::s;

use super::entries::{by_stage, entries, sample};
use crate::check::{Computation, Kind, OtherExplanation, Results, Stage};
use crate::diagnosis::made_up::simulated;
use crate::diagnosis::values::Predictions;

/// Path of the page.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/diagnosis.md");

/// Environment variable that makes the test regenerate the tables before comparing with them.
const WRITE: &str = "MLP_PARITY_WRITE_TABLES";

const BEGIN: &str = "<!-- catalogue: begin -->\n";
const END: &str = "<!-- catalogue: end -->";

/// A computation and its results that lack something, and the data that have it.
type Poor = (Computation, Results, &'static str);

/// Returns data on which some entries predict the same.
fn poor_data(computation: &Computation) -> Vec<Poor> {
    let with = |change: &dyn Fn(&mut Computation)| {
        let mut changed = computation.clone();
        change(&mut changed);
        let results = simulated::<f64>(&changed).unwrap();
        (changed, results)
    };
    let with_images = |images: usize| {
        with(&|computation| {
            for batch in &mut computation.batches {
                batch.images = batch.images.slice(s![..images, ..]).to_owned();
                batch.targets = batch.targets.slice(s![..images, ..]).to_owned();
            }
        })
    };
    let (complete, mut only_steps) = with(&|_| {});
    let mut one_step = only_steps.clone();
    one_step.steps.truncate(1);
    let mut no_steps = only_steps.clone();
    no_steps.steps.clear();
    (only_steps.logits, only_steps.outputs, only_steps.loss) = (None, None, None);
    only_steps.gradients.clear();
    only_steps.steps.iter_mut().for_each(|step| step.loss = None);
    let [one_image, as_many] = [1, computation.batches[0].targets.ncols()].map(with_images);
    vec![
        (one_image.0, one_image.1, "several images"),
        (as_many.0, as_many.1, "other numbers of images and outputs"),
        (complete.clone(), one_step, "several steps"),
        (complete.clone(), no_steps, "a step"),
        (complete, only_steps, "logits, loss and gradients"),
    ]
}

/// Returns, for each identifier, those that some data do not tell apart from it, with the data that would.
fn confusions() -> BTreeMap<&'static str, BTreeMap<&'static str, BTreeSet<&'static str>>> {
    let mut confusions: BTreeMap<_, BTreeMap<_, BTreeSet<_>>> = BTreeMap::new();
    for optimizer in [Optimizer::momentum(0.9), Optimizer::adam()] {
        let computation = sample(&optimizer).unwrap();
        let results = simulated::<f64>(&computation).unwrap();
        let predictions = |computation: &Computation, results: &Results| {
            let variants = by_stage(computation).into_iter().flat_map(|(_, variants)| variants);
            let of_variant = variants.map(|variant| {
                let changed = variant.applied(computation, results).0;
                let values = Predictions::new(&changed, results).unwrap();
                (variant.other(), values)
            });
            of_variant.collect::<Vec<_>>()
        };
        let general = predictions(&computation, &results);
        for (poor, poor_results, missing) in poor_data(&computation) {
            let of_poor = predictions(&poor, &poor_results);
            let declared = Predictions::new(&poor, &poor_results).unwrap();
            let in_general = |other: &OtherExplanation| general.iter().find(|(general, _)| general == other);
            for (explanation, values) in &of_poor {
                // What these data cannot show at all is not confused with anything.
                if declared.are_same(values) {
                    continue;
                }
                for (other, others) in of_poor.iter().filter(|(other, _)| other.id != explanation.id) {
                    let (Some(first), Some(second)) = (in_general(explanation), in_general(other)) else { continue };
                    if values.are_same(others) && !first.1.are_same(&second.1) {
                        confusions.entry(explanation.id).or_default().entry(other.id).or_default().insert(missing);
                    }
                }
            }
        }
    }
    confusions
}

fn tables() -> String {
    let confusions = confusions();
    let mut text = String::new();
    for (stage, title) in [
        (Stage::Logits, "Shown by the logits"),
        (Stage::Loss, "Shown by the loss"),
        (Stage::Gradients, "Shown by the gradients"),
        (Stage::Trajectory, "Shown by the steps"),
    ] {
        write!(text, "\n### {title}\n\n| identifier | kind | a program that … | what to do | confusable with: told apart by |\n|---|---|---|---|---|\n").unwrap();
        for entry in entries().unwrap().into_iter().filter(|entry| entry.stage == stage) {
            let kind = match entry.kind {
                Kind::Fault => "fault",
                Kind::Convention => "convention",
                Kind::Data => "data",
                Kind::Precision => "precision",
            };
            let mut by_missing: BTreeMap<String, Vec<String>> = BTreeMap::new();
            for (other, missing) in confusions.get(entry.id).into_iter().flatten() {
                let missing = missing.iter().copied().collect::<Vec<_>>().join(" or ");
                by_missing.entry(missing).or_default().push(format!("`{other}`"));
            }
            let confusable: Vec<String> =
                by_missing.iter().map(|(missing, others)| format!("{}: {missing}", others.join(", "))).collect();
            let [sentence, advice] = [&entry.sentence, &entry.advice].map(|text| text.replace('|', "\\|"));
            writeln!(text, "| `{}` | {kind} | {sentence} | {advice} | {} |", entry.id, confusable.join("; ")).unwrap();
        }
    }
    text + "\n"
}

#[test]
fn page_has_the_catalogue() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (written, after) = rest.split_once(END).unwrap();
    let tables = tables();
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(PAGE, format!("{before}{BEGIN}{tables}{END}{after}")).unwrap();
    } else {
        assert!(written == tables, "{PAGE} is out of date; set {WRITE}=1 to regenerate it");
    }
}
