//! Tests of what an agreement does not exclude, and of explanations that the user of a trace accepts.

use mlp_parity::{Activation, MlpConfig};
use mlp_parity_compare::Verdict;
use mlp_parity_compare::check::{Case, Trace};
use mlp_parity_compare::diagnosis::check_trace;
use mlp_parity_scratch::ReferenceMlp;

use crate::trace_file::TraceFile;

/// Returns the identifiers of what a trace does not exclude.
fn not_excluded(file: &TraceFile) -> Vec<&'static str> {
    let suite = check_trace(&file.trace().unwrap(), &[], &[]).unwrap();
    assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
    suite.trace.unwrap().not_excluded.into_iter().map(|other| other.id).collect()
}

#[test]
fn agreement_states_what_the_data_cannot_show() {
    let mut one_step = TraceFile::concept("adam");
    one_step
        .tensors
        .retain(|name, _| !["batch.1", "batch.2", "step.1", "step.2"].iter().any(|key| name.starts_with(key)));
    assert!(not_excluded(&one_step).contains(&"adam-correction-constant"), "{:?}", not_excluded(&one_step));
    // Zero biases that do not learn in the recorded results.
    let mut first_batch = TraceFile::concept("cross-entropy");
    first_batch.tensors.retain(|name, _| !name.starts_with("step.") && !name.starts_with("gradient."));
    assert_eq!(not_excluded(&first_batch), [""; 0]);
    // A batch of one image does not tell a mean from a sum.
    let mut one_image = TraceFile::concept("cross-entropy-sum");
    one_image.tensors.retain(|name, _| name.starts_with("initial.") || name.starts_with("batch.0") || name == "loss");
    let (images, labels) = (one_image.values("batch.0.images"), one_image.values("batch.0.labels"));
    one_image.replace("batch.0.images", &[1, 5], &images[..5]);
    one_image.replace("batch.0.labels", &[1], &labels[..1]);
    let specification = one_image.trace().unwrap().specification().clone();
    let network =
        ReferenceMlp::with_specification(specification, one_image.trace().unwrap().initial().clone()).unwrap();
    let loss = network.passes(one_image.trace().unwrap().batch(0).unwrap()).unwrap().loss;
    one_image.replace("loss", &[1], &[loss]);
    assert!(not_excluded(&one_image).contains(&"another-reduction"));
}

/// The data on which networks in the same process are checked exclude every entry of the catalogue that applies.
#[test]
fn data_of_the_check_suite_exclude_the_catalogue() {
    for activation in Activation::ALL {
        let config = MlpConfig::new(20, &[12, 8], 10, activation).unwrap();
        let case = Case::synthetic(&config, 0).unwrap();
        for optimizer in case.optimizers.clone() {
            let case = Case { optimizers: vec![optimizer], ..case.clone() };
            let trace = Trace::record(&case, &support::scratch(), Case::STEPS).unwrap();
            let suite = check_trace(&trace, &[], &[]).unwrap();
            assert_eq!(suite.trace.unwrap().not_excluded, [], "{activation}, {}", case.optimizers[0].name);
        }
    }
}

#[test]
fn accepted_explanations_make_results_agree() {
    let mut file = TraceFile::concept("momentum-average");
    file.metadata.remove("momentum_form").unwrap();
    let check = |file: &TraceFile, accepted: &[&str]| {
        let accepted: Vec<String> = accepted.iter().map(|&id| id.to_owned()).collect();
        check_trace(&file.trace().unwrap(), &[], &accepted)
    };
    let suite = check(&file, &["momentum-form"]).unwrap();
    assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
    assert!(suite.reason().contains("; accepted: a program that uses momentum in the form v ← µv + (1 − µ)g"));
    let suite = check(&file, &["gradient-factor"]).unwrap();
    assert_eq!(suite.verdict(), Verdict::Disagree);
    assert!(suite.reason().ends_with("; accepted, but not needed: gradient-factor"), "{}", suite.reason());
    let unacceptable = check(&file, &["arrays-not-copied"]).unwrap_err().to_string();
    assert!(unacceptable.contains("cannot be accepted"), "{unacceptable}");
    // What is accepted must be what the program does: one wrong element is still found.
    let mut wrong = file.clone();
    let mut weights = wrong.values("step.2.layer1.weight");
    weights[3] += 0.001;
    wrong.set("step.2.layer1.weight", &weights);
    let suite = check(&wrong, &["momentum-form"]).unwrap();
    assert!(suite.reason().starts_with("trajectory of layer1.weight (momentum) after step 2 at"), "{}", suite.reason());
    file.metadata.insert("accept".to_owned(), "momentum-form".to_owned());
    assert_eq!(check(&file, &[]).unwrap().verdict(), Verdict::Agree);
    let unknown = check(&file, &["momentum-from"]).unwrap_err().to_string();
    assert!(unknown.contains("the most similar identifier is 'momentum-form'"), "{unknown}");
    file.metadata.insert("accept".to_owned(), "momentum-from".to_owned());
    assert!(check(&file, &[]).unwrap_err().to_string().contains("metadata key 'accept'"));
}
