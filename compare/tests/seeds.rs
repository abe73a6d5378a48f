//! Tests of seeds that are added until every pair is decided, with synthetic records.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use mlp_parity::{Dataset, Differentiable, Error as Contract};
use mlp_parity_compare::record::{RECORD_FORMAT, Record, RecordContent, Shard};
use mlp_parity_compare::reproduction::{
    Grid, Job, JobKind, Results, Selection, check_consistency, divisible_parts, jobs, jobs_of_shard, needed_jobs,
};
use mlp_parity_compare::statistics::{EquivalenceVerdict, Seeds, SequentialPlan};
use mlp_parity_compare::training::{Equivalence, Score, TrainedPair};
use mlp_parity_compare::{Candidate, Identity};
use serde_json::{Value, json};

const RELU: &str = "relu-sgd-0.01-batch-64";
const TANH: &str = "tanh-sgd-0.01-batch-64";

fn plan(max_seeds: usize) -> SequentialPlan {
    SequentialPlan::new(max_seeds).unwrap()
}

fn identity(implementation: &str) -> Identity {
    let backend = (implementation == "framework").then(|| "flex".to_owned());
    Identity { implementation: implementation.to_owned(), backend, device: "cpu".to_owned(), kernels: None }
}

fn all_jobs() -> Vec<Job> {
    let candidate = |name| {
        Candidate::new(identity(name), |_, _| -> mlp_parity::Result<Box<dyn Differentiable>> {
            Err(Contract::NotImplemented { what: "anything".to_owned() })
        })
    };
    let train = Dataset::new(vec![0; 784_000], vec![0; 1000], [28, 28], 10).unwrap();
    let selection = Selection { only: vec!["table-4".to_owned()], seeds: 60 };
    jobs(&Grid::report().unwrap(), &selection, &[candidate("scratch"), candidate("framework")], &train).unwrap()
}

/// Returns the record of a training run of 15 epochs, in which the accuracy rises by 0.0001 in each epoch.
fn record(training: &str, implementation: &str, seed: u64, accuracy: f64) -> Record {
    let epoch = |epoch: u32| {
        let accuracy = accuracy - 0.0001 * f64::from(15 - epoch);
        json!({"epoch": epoch, "train_loss": 0.1, "test_loss": 0.1, "test_accuracy": accuracy, "seconds": 1.0})
    };
    let epochs: Vec<Value> = (1..=15).map(epoch).collect();
    let Identity { backend, .. } = identity(implementation);
    let activation = training.split('-').next();
    serde_json::from_value(json!({
        "format": RECORD_FORMAT,
        "config": {"inputs": 784, "hidden": [500, 250, 100], "classes": 10, "activation": activation},
        "training": {"name": training, "optimizer": "sgd", "weight_decay": 0.0, "learning_rate": 0.01, "batch_size": 64,
                     "epochs": 15, "seed": seed},
        "run": {"training": training, "implementation": implementation, "backend": backend, "device": "cpu",
                "kernels": null, "optimizer": "sgd", "seed": seed, "epochs": epochs, "confusion": [], "complete": true},
        "dataset": {"source": "embedded", "digest": "sha256:0", "train": 60_000, "test": 1_000},
        "environment": {"version": "0.1.0", "revision": "0", "os": "linux", "arch": "x86_64", "threads": 2},
    }))
    .unwrap()
}

/// Returns the records of both implementations for some seeds. Their accuracies differ by `difference` and, from seed to seed, by
/// 0.0002 more or less.
fn pair(training: &str, seeds: impl Iterator<Item = u64>, difference: f64) -> Vec<Record> {
    let both = |seed: u64| {
        let sign = if seed.is_multiple_of(2) { 0.0002 } else { -0.0002 };
        [record(training, "scratch", seed, 0.95), record(training, "framework", seed, 0.95 + difference + sign)]
    };
    seeds.flat_map(both).collect()
}

/// Returns the number of seeds of a training among the needed jobs, and checks that both implementations have as many.
fn seeds_of(jobs: &[Job], training: &str) -> usize {
    let count = |candidate: usize| {
        let is_run =
            |job: &&Job| matches!(&job.kind, JobKind::Run(run) if run.name == training) && job.candidate == candidate;
        jobs.iter().filter(is_run).count()
    };
    assert_eq!(count(0), count(1), "{training}");
    count(0)
}

#[test]
fn seeds_are_added_only_to_pairs_that_are_not_decided() {
    let (grid, all) = (Grid::report().unwrap(), all_jobs());
    let needed = |records: &[Record], training: &str| {
        seeds_of(&needed_jobs(&all, &grid, records, Seeds::Auto(plan(60))), training)
    };
    assert_eq!([needed(&[], RELU), needed(&[], TANH)], [5, 5], "the first look");
    // At half the margin the pair is decided, at the margin itself it is not.
    let five = [pair(RELU, 0..5, 0.0025), pair(TANH, 0..5, 0.005)].concat();
    assert_eq!([needed(&five, RELU), needed(&five, TANH)], [5, 10]);
    let ten = [pair(RELU, 0..5, 0.0025), pair(TANH, 0..10, 0.005)].concat();
    assert_eq!(needed(&ten, TANH), 20);
    assert_eq!(needed(&pair(TANH, 0..60, 0.005), TANH), 60, "no more than the largest number");
    assert_eq!(needed(&pair(TANH, 0..10, 0.02), TANH), 5, "decided as different at the first look");
    // Without seed 3, the first look is not complete.
    let gap: Vec<Record> = pair(RELU, (0..10).filter(|seed| *seed != 3), 0.0025);
    assert_eq!(needed(&gap, RELU), 5);
    assert_eq!(needed_jobs(&all, &grid, &five, Seeds::Fixed(60)), all, "a fixed number needs all");
}

#[test]
fn results_state_first_look_that_decided() {
    let grid = Grid::report().unwrap();
    let mut records = pair(RELU, 0..40, 0.0025);
    let result = |records: &[Record]| -> Equivalence {
        let results = Results::new(&grid, records);
        let row = results.find("table-4", "ReLU").unwrap().1;
        row.equivalences[0].clone()
    };
    assert_eq!((result(&records).seeds, result(&records).plan), (40, None), "a fixed number");
    records[0].max_seeds = Some(plan(60));
    let sequential = result(&records);
    assert_eq!(
        (sequential.seeds, sequential.plan, sequential.verdict),
        (5, Some(plan(60)), EquivalenceVerdict::Equivalent)
    );
    // The last five epochs are 0.0002 less accurate in the mean, in both implementations.
    let recent = &sequential.recent_accuracy;
    approx::assert_abs_diff_eq!(recent.first.mean, 0.9498, epsilon = 1e-12);
    approx::assert_abs_diff_eq!(recent.difference.mean, sequential.accuracy.difference.mean, epsilon = 1e-12);
    let lists_fewer = |records: &[Record]| {
        let findings = Results::new(&grid, records).findings();
        findings.iter().any(|finding| finding.text.contains("Fewer seeds than their next look needs: activation ReLU"))
    };
    assert!(!lists_fewer(&records), "the pair is decided");
    let mut open = pair(RELU, 0..5, 0.005);
    open[0].max_seeds = Some(plan(60));
    assert!(lists_fewer(&open), "the pair needs five more seeds");
}

#[test]
fn failed_check_after_training_is_a_difference() {
    let mut records = pair(RELU, 0..5, 0.0);
    let checks = |failure: Value| serde_json::from_value(json!({"checks": 61, "failure": failure})).unwrap();
    let failure = json!({"stage": "update", "tensor": "layer2.bias", "error": 1e-3, "bound": 1e-6, "error_ratio": 1e3});
    for (record, failure) in records.iter_mut().zip([Value::Null, failure]) {
        let RecordContent::Run { run, .. } = &mut record.content else { panic!("not a run") };
        run.checks_after_training = checks(failure);
    }
    let grid = Grid::report().unwrap();
    let findings = Results::new(&grid, &records).findings();
    let finding = findings.iter().find(|finding| finding.title == "The two implementations differ").unwrap();
    let text = "1 of 2 check suites from the state after training pass: framework/flex with relu-sgd-0.01-batch-64 fails at \
                update of layer2.bias";
    assert!(finding.text.contains(text), "{}", finding.text);
}

#[test]
fn records_of_two_plans_are_rejected() {
    let mut records = pair(RELU, 0..5, 0.0);
    records[1].max_seeds = Some(plan(60));
    assert!(check_consistency(&records, false).is_ok(), "records with a fixed number may be among them");
    records[2].max_seeds = Some(plan(30));
    let error = check_consistency(&records, true).unwrap_err().to_string();
    assert!(error.contains("up to 60 and up to 30"), "{error}");
}

#[test]
fn shards_keep_runs_of_a_training_together() {
    let all = all_jobs();
    let parts = divisible_parts(&all, &Grid::report().unwrap(), Seeds::Auto(plan(60)));
    let shards: Vec<Vec<Job>> = (1..=3).map(|index| jobs_of_shard(&parts, Shard { index, count: 3 })).collect();
    assert_eq!(shards.iter().map(Vec::len).sum::<usize>(), all.len());
    for training in [RELU, TANH, "sigmoid-sgd-0.01-batch-64"] {
        let counts: Vec<usize> = shards.iter().map(|shard| seeds_of(shard, training)).collect();
        assert_eq!(counts.iter().filter(|count| **count > 0).count(), 1, "{training}: {counts:?}");
    }
}

#[test]
fn spread_and_detectable_difference_stand_beside_verdict() {
    let names = ["adam", "scratch", "framework"].map(str::to_owned);
    let [training, first, second] = names;
    let score = |accuracy: f64| Score { accuracy, recent_accuracy: accuracy, loss: 0.1 };
    // Deviations of ±0.1 and ±0.01 points: the variances differ by a factor of 100.
    let sign = |seed: usize| if seed.is_multiple_of(2) { 1.0 } else { -1.0 };
    let wide: Vec<Score> = (0..12).map(|seed| score(0.97 + 0.001 * sign(seed))).collect();
    let narrow: Vec<Score> = (0..12).map(|seed| score(0.97 + 0.0001 * sign(seed / 2))).collect();
    let test = Equivalence::test(TrainedPair { training, first, second }, &wide, &narrow, 0.005);
    assert_eq!(test.verdict, EquivalenceVerdict::Equivalent);
    assert!(test.spread_differs(), "{:?}", test.spread);
    approx::assert_relative_eq!(test.spread.variance_ratio, 0.01, max_relative = 1e-9);
    // (2.201 + 1.363) s/√12 with the standard deviation s of the differences, 0.00105.
    approx::assert_relative_eq!(test.detectable, 3.564 * 0.001_049_7 / 12.0_f64.sqrt(), max_relative = 1e-3);
    let text = test.to_string();
    assert!(text.contains("a difference of 0.11 would have been noticed"), "{text}");
}
