//! Snapshots of pages at three widths.

use anstream::adapter::strip_str;
use mlp_parity::metrics::Evaluation;
use mlp_parity_compare::check::{Check, CheckReport, Diagnosis, Explanation, Kind, Stage, SuiteReport, TraceSummary};
use mlp_parity_compare::record::{EpochRecord, RunRecord};
use mlp_parity_compare::training::{Agreement, Control, Equivalence, Score, TrainedPair};
use mlp_parity_compare::{Identity, Outcome, Run, Verdict};

use super::page::Page;
use super::{Detail, suite, trained};

/// Asserts that a page equals its snapshots for terminals of 80, 100 and 160 columns, and that no line is wider.
#[track_caller]
fn assert_snapshots(name: &str, fill: impl Fn(&mut Page)) {
    for width in [80, 100, 160] {
        let mut page = Page::new();
        fill(&mut page);
        let text = strip_str(&page.text(width)).to_string();
        for line in text.lines() {
            assert!(unicode_width::UnicodeWidthStr::width(line) <= width, "{width}: {line}");
        }
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!(format!("{name}-{width}"), text);
        });
    }
}

/// Returns a check with a bound of 1e-7, of which the error is a multiple.
fn check(stage: Stage, scenario: &str, tensor: &str, error_ratio: f64) -> Check {
    let error = 1e-7 * error_ratio;
    Check {
        scenario: scenario.to_owned(),
        stage,
        expected_from: "reference".to_owned(),
        candidate: "trace (my network)".to_owned(),
        step: None,
        tensor: tensor.to_owned(),
        index: if tensor.ends_with("weight") { vec![12, 3] } else { Vec::new() },
        expected: 0.25,
        actual: 0.25 + error,
        error,
        relative_error: 4.0 * error,
        ulps: error / 3e-8,
        bound: 1e-7,
        error_ratio,
        worst_case_bound: Some(1e-6),
        undecided: 0,
        passed: error_ratio <= 1.0,
        vacuous: false,
        before: None,
        difference: None,
    }
}

/// Returns the checks of a network whose gradients below the output layer are wrong from `error_ratio` 1 on.
fn report(candidate: &str, error_ratio: f64) -> CheckReport {
    let layers =
        ["output_layer.bias", "output_layer.weight", "layer2.bias", "layer2.weight", "layer1.bias", "layer1.weight"];
    let gradients = layers.iter().enumerate().map(|(index, tensor)| {
        let ratio = if index < 2 { 0.1 } else { error_ratio * index as f64 };
        check(Stage::Gradients, "", tensor, ratio)
    });
    let steps = layers.iter().flat_map(|tensor| {
        let projected = format!("{tensor} (projected)");
        [tensor.to_string(), projected]
            .map(|tensor| check(Stage::Trajectory, "adam with weight decay", &tensor, error_ratio))
    });
    let first = [check(Stage::Logits, "", "logits", 0.13), check(Stage::Loss, "", "loss", 0.05)];
    let mut checks: Vec<Check> = first.into_iter().chain(gradients).chain(steps).collect();
    checks.iter_mut().for_each(|check| check.candidate = candidate.to_owned());
    CheckReport { checks, ..CheckReport::default() }
}

/// Returns the report of a trace that disagrees, with a convention that its metadata cannot declare.
fn trace_that_disagrees() -> SuiteReport {
    let mut trace = report("trace (my network)", 3.5e6);
    trace.diagnosis = Some(Diagnosis {
        explanations: vec![Explanation {
            id: "no-biases",
            kind: Kind::Convention,
            stage: Stage::Gradients,
            sentence: "has no biases in its hidden layers".to_owned(),
            advice: "record biases of zero, and say that they stay zero".to_owned(),
            explains: Vec::new(),
            evidence_bits: 1000.0,
            equivalent: Vec::new(),
        }],
        unexplained: None,
    });
    let summary = TraceSummary {
        missing: vec!["outputs".to_owned(), "loss.step2".to_owned()],
        assumptions: vec!["weights have one row per input, as their shapes show".to_owned()],
        accepted: Vec::new(),
        not_needed: Vec::new(),
        not_excluded: Vec::new(),
    };
    SuiteReport { reports: vec![trace, report("scratch", 0.2), report("framework/flex", 0.3)], trace: Some(summary) }
}

#[test]
fn trace_that_disagrees_fits_terminal() {
    let disagreeing = trace_that_disagrees();
    assert_snapshots("trace-stages", |page| suite(page, &disagreeing, Detail::Stages));
    assert_snapshots("trace-checks", |page| suite(page, &disagreeing, Detail::Checks));
    assert_snapshots("trace-verdict", |page| suite(page, &disagreeing, Detail::Verdict));
}

/// Returns the name, backend and device of a candidate.
fn identity(implementation: &str, backend: Option<&str>) -> Identity {
    Identity {
        implementation: implementation.to_owned(),
        backend: backend.map(str::to_owned),
        device: "cpu".to_owned(),
        kernels: None,
    }
}

/// Returns a run of three epochs.
fn run(identity: Identity, seed: u64, accuracy: f64) -> Run {
    let epoch = |epoch: usize| EpochRecord {
        epoch,
        train_loss: 0.3 / epoch as f64,
        test_loss: 0.35 / epoch as f64,
        test_accuracy: accuracy,
        seconds: 1.25,
    };
    let record = RunRecord {
        training: "adam".to_owned(),
        identity,
        optimizer: "adam".to_owned(),
        seed,
        epochs: (1..=3).map(epoch).collect(),
        confusion: vec![vec![980, 3], vec![12, 1005]],
        complete: true,
        checks_after_training: None,
    };
    Run { record, trained_epochs: Vec::new(), evaluation: None::<Evaluation>, checks: None, stopped: false }
}

fn pair() -> TrainedPair {
    TrainedPair { training: "adam".to_owned(), first: "scratch".to_owned(), second: "framework/wgpu".to_owned() }
}

fn agreement(seed: u64, control: Option<Control>) -> Agreement {
    Agreement {
        pair: pair(),
        seed,
        images: 10_000,
        disagreements: 42,
        accuracy_difference: -0.0004,
        first_only_correct: 19,
        second_only_correct: 15,
        mcnemar_p: 0.61,
        kappa: 0.9953,
        control,
    }
}

/// Returns the outcome of a comparison with these seeds.
fn outcome(seeds: std::ops::Range<u64>) -> Outcome {
    let accuracy = |seed: u64| 0.9768 + 0.0003 * seed as f64;
    let runs = seeds.clone().flat_map(|seed| {
        let second = accuracy(seed) - 0.0001 * (seed % 3) as f64;
        [run(identity("scratch", None), seed, accuracy(seed)), run(identity("framework", Some("wgpu")), seed, second)]
    });
    let control = Control {
        control_disagreements: vec![38, 45],
        control_accuracy_differences: vec![0.0002, -0.0005],
        disagreement_limit: 135.0,
        accuracy_difference_limit: 0.0020,
        passed: true,
    };
    let is_single = seeds.clone().count() == 1;
    let scores = |change: f64| -> Vec<Score> {
        let score = |seed: u64| {
            let accuracy = accuracy(seed) - change * (seed % 3) as f64;
            Score { accuracy, recent_accuracy: accuracy, loss: 0.07 }
        };
        seeds.clone().map(score).collect()
    };
    let equivalence = Equivalence::test(pair(), &scores(0.0), &scores(0.0001), 0.005);
    Outcome {
        verdict: Verdict::Agree,
        reason: String::new(),
        suite: SuiteReport { reports: Vec::new(), trace: None },
        after_training: SuiteReport { reports: Vec::new(), trace: None },
        runs: runs.collect(),
        replicas: Vec::new(),
        agreements: seeds.clone().map(|seed| agreement(seed, is_single.then(|| control.clone()))).collect(),
        equivalences: if is_single { Vec::new() } else { vec![equivalence] },
        degenerate: Vec::new(),
        error: None,
    }
}

#[test]
fn trained_networks_fit_terminal() {
    assert_snapshots("trained-one-seed", |page| trained::tables(page, &outcome(0..1)));
    assert_snapshots("trained-five-seeds", |page| {
        trained::tables(page, &outcome(0..5));
        trained::confusion_matrices(page, &outcome(0..5));
    });
}
