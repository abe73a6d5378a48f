//! Tests of the reproduction with synthetic records: jobs and shards of the report's grid, and the assessment of its
//! rows.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use mlp_parity::{Dataset, Differentiable, Error as Contract, Optimizer};
use mlp_parity_compare::record::{RECORD_FORMAT, Record, Shard};
use mlp_parity_compare::reproduction::{
    Grid, Job, JobKind, RemainingTime, Results, RowVerdict, Selection, divisible_parts, jobs, jobs_of_shard,
};
use mlp_parity_compare::statistics::Seeds;
use mlp_parity_compare::{Candidate, Identity};
use serde_json::{Value, json};

fn report() -> Grid {
    Grid::report().unwrap()
}

fn candidates() -> Vec<Candidate> {
    let named = |implementation: &str, backend: Option<&str>| {
        let identity = Identity {
            implementation: implementation.to_owned(),
            backend: backend.map(str::to_owned),
            device: "cpu".to_owned(),
            kernels: None,
        };
        Candidate::new(identity, |_, _| -> mlp_parity::Result<Box<dyn Differentiable>> {
            Err(Contract::NotImplemented { what: "anything".to_owned() })
        })
    };
    vec![named("scratch", None), named("framework", Some("flex"))]
}

fn all_jobs(seeds: u64, only: &[&str]) -> Vec<Job> {
    let selection = Selection { only: only.iter().map(|name| (*name).to_owned()).collect(), seeds };
    let train = Dataset::new(vec![0; 60_000 * 784], vec![0; 60_000], [28, 28], 10).unwrap();
    jobs(&report(), &selection, &candidates(), &train).unwrap()
}

fn epochs(jobs: &[Job], name: &str) -> Vec<usize> {
    let runs = jobs.iter().filter_map(|job| match &job.kind {
        JobKind::Run(training) if training.name == name => Some(training.config.epochs()),
        _ => None,
    });
    runs.collect()
}

#[test]
fn jobs_merge_rows_that_differ_in_epochs() {
    let jobs = all_jobs(1, &[]);
    // Eight training configurations by both implementations; two batch sizes and the printed derivative by scratch
    // only.
    assert_eq!(jobs.iter().filter(|job| matches!(job.kind, JobKind::Run(_))).count(), 2 * 8 + 3);
    assert_eq!(
        epochs(&jobs, "sigmoid-sgd-0.01-batch-64"),
        [25, 25],
        "shared by tables 1, 2 and 4, and the batch sizes"
    );
    assert_eq!(epochs(&jobs, "tanh-as-printed-sgd-0.01-batch-64"), [15]);
    assert_eq!(epochs(&jobs, "sigmoid-sgd-0.01-batch-128"), [15]);
    assert_eq!(epochs(&jobs, "relu-adam-0.01-decay-0.0001-batch-64"), [15, 15]);
    let checks = jobs.iter().filter(|job| matches!(job.kind, JobKind::Check { .. })).count();
    assert_eq!(checks, 2 * 3 + 1, "three activations by both implementations, and the printed derivative");
    assert_eq!(epochs(&all_jobs(1, &["table-1"]), "sigmoid-sgd-0.01-batch-64"), [15, 15]);
    assert_eq!(all_jobs(1, &["figure-4"]), all_jobs(1, &["table-3"]), "a figure shows a table");
}

#[test]
fn time_for_jobs_grows_linearly_with_seeds() {
    let duration = |seeds| {
        let start = Instant::now();
        assert!(all_jobs(seeds, &[]).len() > 10 * seeds as usize);
        start.elapsed()
    };
    // 20 times the seeds take 20 times the time; with a quadratic part it would approach 400 times. Other programs can
    // slow down a measurement, so one of several is enough.
    assert!((0..5).any(|_| duration(4_000) < 60 * duration(200)));
}

#[test]
fn grid_rejects_too_many_rows() {
    let grid = |rows: usize| {
        let rows: Vec<String> = (0..rows).map(|row| format!("{{ name = '{row}', accuracy = 50.0 }}")).collect();
        let text = format!(
            "title = 'a report'\n[settings]\nhidden = []\nactivation = 'relu'\noptimizer = 'sgd'\nlearning_rate = 0.1\n\
             batch_size = 8\nepochs = 1\n[[table]]\nname = 'table'\ntitle = 'Title'\nvaries = 'rule'\nby = 'scratch'\n\
             row = [{}]",
            rows.join(",")
        );
        Grid::from_toml(&text, "grid").map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(grid(1_000), Ok(()));
    assert!(grid(1_001).unwrap_err().ends_with("the tables have 1001 rows; at most 1000 are allowed"));
}

#[test]
fn grid_reads_optimizer_settings_from_separate_keys() {
    let optimizer = |settings: &str| {
        let text = format!(
            "title = 'a report'\n[settings]\nhidden = []\nactivation = 'relu'\nlearning_rate = 0.1\nbatch_size = 8\n\
             epochs = 1\n{settings}\n[[table]]\nname = 'rules'\ntitle = 'Rules'\nvaries = 'rule'\nby = 'scratch'\n\
             row = [{{ name = 'one', accuracy = 50.0 }}]"
        );
        let grid = Grid::from_toml(&text, "grid").map_err(|error| error.to_string())?;
        Ok::<_, String>(grid.tables[0].rows[0].hyperparameters.optimizer)
    };
    let momentum = Optimizer::momentum(0.5).with_weight_decay(0.1);
    let keys = "optimizer = 'momentum'\nmomentum = 0.5\nweight_decay = 0.1";
    assert_eq!(optimizer(keys).unwrap(), momentum);
    assert_eq!(optimizer(&format!("{keys}\nnesterov = false")).unwrap(), momentum);
    assert_eq!(optimizer(&format!("{keys}\nnesterov = true")).unwrap(), momentum.with_nesterov().unwrap());
    for name in ["adamw", "AdamW"] {
        assert_eq!(optimizer(&format!("optimizer = '{name}'")).unwrap(), Optimizer::adamw());
    }
    for (settings, reason) in [
        ("optimizer = 'momentum'", "requires the key 'momentum'"),
        ("optimizer = 'adam'\nmomentum = 0.5", "adam has no momentum"),
        ("optimizer = 'sgd'\nnesterov = false", "sgd has no nesterov"),
        ("optimizer = 'sgd, weight decay 0.1'", "must be only a name"),
        ("optimizer = 'lion'", "unknown optimizer 'lion'; expected one of: sgd, momentum, adam, adamw"),
    ] {
        let message = optimizer(settings).unwrap_err();
        assert!(message.contains(reason), "{settings}: {message}");
    }
}

#[test]
fn shards_partition_jobs_evenly() {
    let all = all_jobs(5, &[]);
    for count in [1, 3, 4, 7] {
        let shards: Vec<Vec<Job>> = (1..=count)
            .map(|index| jobs_of_shard(&divisible_parts(&all, &report(), Seeds::Fixed(2)), Shard { index, count }))
            .collect();
        let names: Vec<String> = shards.iter().flatten().map(Job::name).collect();
        assert_eq!(names.len(), all.len());
        assert_eq!(
            names.iter().collect::<BTreeSet<_>>(),
            all.iter().map(Job::name).collect::<Vec<_>>().iter().collect()
        );
        let costs: Vec<f64> = shards.iter().map(|shard| shard.iter().map(Job::cost).sum()).collect();
        let (smallest, largest) =
            (costs.iter().copied().fold(f64::MAX, f64::min), costs.iter().copied().fold(0.0, f64::max));
        assert!(largest / smallest < 1.1, "{costs:?}");
    }
}

#[test]
fn remaining_time_uses_pace_of_each_candidate() {
    let all = all_jobs(1, &[]);
    let costs = |candidate: usize| -> f64 { all.iter().filter(|job| job.candidate == candidate).map(Job::cost).sum() };
    let mut estimate = RemainingTime::new(&all, 2);
    assert_eq!(estimate.remaining(), None, "no job has made progress");
    // Half of one run per candidate: scratch takes 2 s per unit of cost, the framework 6 s.
    let mut spent = 0.0;
    for (candidate, pace) in [(0, 2.0), (1, 6.0)] {
        let is_run = |job: &Job| job.candidate == candidate && matches!(job.kind, JobKind::Run(_));
        let index = all.iter().position(is_run).unwrap();
        let seconds = pace * all[index].cost() / 2.0;
        spent += seconds;
        estimate.advance(index, 0.5, Duration::from_secs_f64(seconds));
    }
    let expected = (2.0 * costs(0) + 6.0 * costs(1) - spent) / 2.0;
    approx::assert_relative_eq!(estimate.remaining().unwrap().as_secs_f64(), expected, max_relative = 1e-9);
    for index in 0..all.len() {
        estimate.advance(index, 1.0, Duration::from_secs(1));
    }
    assert_eq!(estimate.remaining(), Some(Duration::ZERO));
}

/// Returns the record of a training run of 15 epochs, each with the given accuracy and loss.
fn record(training: &str, activation: &str, implementation: &str, seed: u64, [accuracy, loss]: [f64; 2]) -> Record {
    let epochs: Vec<Value> = (1..=15)
        .map(|epoch| json!({"epoch": epoch, "train_loss": loss, "test_loss": loss, "test_accuracy": accuracy, "seconds": 1.0}))
        .collect();
    let confusion: Vec<Vec<usize>> =
        (0..10).map(|label| (0..10).map(|class| if label == class { 91 } else { 1 }).collect()).collect();
    let backend = (implementation == "framework").then_some("flex");
    serde_json::from_value(json!({
        "format": RECORD_FORMAT,
        "config": {"inputs": 784, "hidden": [500, 250, 100], "classes": 10, "activation": activation},
        "training": {"name": training, "optimizer": "sgd", "weight_decay": 0.0, "learning_rate": 0.01, "batch_size": 64, "epochs": 15, "seed": seed},
        "run": {"training": training, "implementation": implementation, "backend": backend, "device": "cpu", "kernels": null,
                "optimizer": "sgd", "seed": seed, "epochs": epochs, "confusion": confusion, "complete": true},
        "dataset": {"source": "embedded", "digest": "sha256:0", "train": 60_000, "test": 1_000},
        "environment": {"version": "0.1.0", "revision": "0", "os": "linux", "arch": "x86_64", "threads": 2}
    }))
    .unwrap()
}

/// Returns one record per seed. The accuracies and losses have the given means, and differ by `step` from seed to seed.
fn records(
    training: &str,
    activation: &str,
    implementation: &str,
    seeds: u64,
    mean: [f64; 2],
    step: [f64; 2],
) -> Vec<Record> {
    let offset = |seed: u64| seed as f64 - (seeds - 1) as f64 / 2.0;
    let of_seed = |seed| [mean[0] + offset(seed) * step[0], mean[1] + offset(seed) * step[1]];
    (0..seeds).map(|seed| record(training, activation, implementation, seed, of_seed(seed))).collect()
}

const TANH: &str = "tanh-sgd-0.01-batch-64";
const PRINTED: &str = "tanh-as-printed-sgd-0.01-batch-64";

fn verdict(records: &[Record], row: &str) -> RowVerdict {
    Results::new(&report(), records).find("table-4", row).unwrap().1.verdict
}

#[test]
fn row_verdict_is_worst_of_its_metrics() {
    let tanh = |mean, step| verdict(&records(TANH, "tanh", "scratch", 5, mean, step), "tanh");
    assert_eq!(tanh([0.9547, 0.15], [0.001, 0.001]), RowVerdict::Reproduced);
    assert_eq!(tanh([0.9547, 0.14], [0.001, 0.001]), RowVerdict::Differs, "the loss");
    assert_eq!(tanh([0.9647, 0.15], [0.001, 0.001]), RowVerdict::Differs, "the accuracy");
    assert_eq!(tanh([0.11, 0.15], [0.001, 0.001]), RowVerdict::Degenerate);
    let two = records(TANH, "tanh", "scratch", 2, [0.9547, 0.15], [0.001, 0.001]);
    assert_eq!(verdict(&two, "tanh"), RowVerdict::Inconclusive);
    // Five values that are a step apart have s = 1.58 steps, and t = 2.776: the prediction interval is ±4.81 steps.
    let edge = |steps: f64| tanh([0.9547, 0.1501 + steps * 0.001], [0.001, 0.001]);
    assert_eq!([edge(4.80), edge(4.82)], [RowVerdict::Reproduced, RowVerdict::Differs]);
}

#[test]
fn row_is_explained_only_if_explanation_reproduces_it() {
    let plain = records(TANH, "tanh", "scratch", 5, [0.958, 0.132], [0.001, 0.001]);
    let with = |mean| {
        let cause = records(PRINTED, "tanh", "scratch", 5, mean, [0.001, 0.001]);
        verdict(&[plain.as_slice(), &cause].concat(), "tanh")
    };
    assert_eq!(verdict(&plain, "tanh"), RowVerdict::Differs);
    assert_eq!(with([0.953, 0.150]), RowVerdict::Explained);
    assert_eq!(with([0.953, 0.170]), RowVerdict::Differs);
    let both = [plain.as_slice(), &records(PRINTED, "tanh", "scratch", 5, [0.953, 0.150], [0.001, 0.001])].concat();
    let grid = report();
    let results = Results::new(&grid, &both);
    let finding = &results.findings()[0];
    assert!(finding.text.contains("1 − tanh(a)²") && finding.text.contains("0.1501"), "{}", finding.text);
}

#[test]
fn row_verdict_depends_only_on_reported_implementation() {
    let scratch = records("relu-sgd-0.01-batch-64", "relu", "scratch", 3, [0.9712, 0.0753], [0.001, 0.001]);
    let framework = records("relu-sgd-0.01-batch-64", "relu", "framework", 3, [0.90, 0.5], [0.001, 0.001]);
    let grid = report();
    let all = [framework, scratch].concat();
    let results = Results::new(&grid, &all);
    let (_, row) = results.find("table-4", "ReLU").unwrap();
    assert_eq!(row.verdict, RowVerdict::Reproduced);
    assert_eq!(row.measured[1].verdict, RowVerdict::Differs, "the other implementation is reported as well");
    let agreement = results.findings().into_iter().find(|finding| finding.title.contains("implementations")).unwrap();
    assert_eq!(agreement.title, "The two implementations differ");
    assert!(results.find("table-3", "0").is_none(), "a row without runs is left out");
}

#[test]
fn row_is_inconclusive_without_reported_implementation() {
    for mean in [[0.9712, 0.0753], [0.90, 0.5]] {
        let all = records("relu-sgd-0.01-batch-64", "relu", "framework", 3, mean, [0.001, 0.001]);
        let grid = report();
        let results = Results::new(&grid, &all);
        assert_eq!(results.find("table-4", "ReLU").unwrap().1.verdict, RowVerdict::Inconclusive);
        let missing = results.findings().pop().unwrap();
        assert_eq!(missing.title, "Some runs are missing");
        assert!(missing.text.contains("activation ReLU (Table 4) by scratch (none)"), "{}", missing.text);
        assert!(missing.text.contains("Not run: learning rate 0.001 (Table 1); "), "{}", missing.text);
    }
}

#[test]
fn findings_list_rows_with_missing_seeds() {
    let mut all = records(TANH, "tanh", "scratch", 3, [0.9547, 0.15], [0.001, 0.001]);
    all.extend(records("relu-sgd-0.01-batch-64", "relu", "scratch", 2, [0.9712, 0.0753], [0.001, 0.001]));
    let grid = report();
    let results = Results::new(&grid, &all);
    assert_eq!(results.seed_counts(), Some([2, 3]));
    let missing = results.findings().pop().unwrap();
    assert!(
        missing.text.ends_with("Fewer than 3 seeds: activation ReLU (Table 4) by scratch (2 seeds)."),
        "{}",
        missing.text
    );
}

#[test]
fn claim_verdict_follows_equivalence_test() {
    let title = |accuracy: f64, step: f64, seeds: u64| {
        let scratch = records("relu-sgd-0.01-batch-64", "relu", "scratch", seeds, [0.9712, 0.0753], [0.001, 0.001]);
        let framework =
            records("relu-adam-0.01-batch-64", "relu", "framework", seeds, [accuracy, 0.0728], [step, 0.001]);
        let grid = report();
        let all = [scratch, framework].concat();
        Results::new(&grid, &all).findings()[0].title.clone()
    };
    assert_eq!(title(0.9710, 0.001, 5), "The claim is confirmed, but not by the report's comparison");
    assert_eq!(title(0.9300, 0.001, 5), "The claim is refuted: the results differ");
    assert_eq!(title(0.9700, 0.006, 5), "The claim is undecided: there are too few seeds");
    assert_eq!(title(0.9710, 0.001, 2), "The claim is undecided: there are too few runs");
    assert_eq!(title(0.1000, 0.001, 5), "The claim is undecided: a network learned nothing");
}

#[test]
fn finding_names_batch_size_that_reproduces_report() {
    let records_of_batch_size = |batch: usize, mean| {
        records(&format!("sigmoid-sgd-0.01-batch-{batch}"), "sigmoid", "scratch", 3, mean, [0.005, 0.01])
    };
    let all = [
        records_of_batch_size(32, [0.889, 0.42]),
        records_of_batch_size(64, [0.82, 0.68]),
        records_of_batch_size(128, [0.6, 1.3]),
    ]
    .concat();
    let grid = report();
    let results = Results::new(&grid, &all);
    assert_eq!(results.findings()[0].title, "The batch size is 64");
    let none = [
        records_of_batch_size(32, [0.889, 0.42]),
        records_of_batch_size(64, [0.7, 0.68]),
        records_of_batch_size(128, [0.6, 1.3]),
    ]
    .concat();
    assert_eq!(Results::new(&grid, &none).findings()[0].title, "No batch size reproduces the report");
    let some = [records_of_batch_size(32, [0.889, 0.42]), records_of_batch_size(128, [0.6, 1.3])].concat();
    let has_finding =
        |title: &str| Results::new(&grid, &some).findings().iter().any(|finding| finding.title.contains(title));
    assert!(!has_finding("batch size reproduces"), "no finding while one batch size was not run");
}

#[test]
fn results_keep_only_longest_run() {
    let long = record(TANH, "tanh", "scratch", 0, [0.95, 0.15]);
    let mut short: Value = serde_json::to_value(record(TANH, "tanh", "scratch", 0, [0.5, 0.9])).unwrap();
    short["run"]["epochs"].as_array_mut().unwrap().truncate(3);
    let both = [serde_json::from_value(short).unwrap(), long];
    let grid = report();
    assert_eq!(Results::new(&grid, &both).runs.len(), 1);
    assert_eq!(Results::new(&grid, &both).runs[0].1.epochs.len(), 15);
}

#[test]
fn record_round_trips_through_json() {
    let written = serde_json::to_string(&record(TANH, "tanh", "scratch", u64::MAX, [0.1 + 0.2, 1.0])).unwrap();
    let written = written.replace("\"train_loss\":1.0", "\"train_loss\":\"NaN\"");
    let mut record: Record = serde_json::from_str(&written).unwrap();
    assert_eq!(serde_json::to_string(&record).unwrap(), written);
    record.config = mlp_parity::MlpConfig::new(1, &[], 2, mlp_parity::Activation::Relu).unwrap();
    let impossible = serde_json::to_string(&record).unwrap().replace("\"classes\":2", "\"classes\":1");
    assert!(serde_json::from_str::<Record>(&impossible).is_err(), "an invalid network shape is rejected");
}

#[test]
fn grid_rejects_names_that_cannot_become_file_names() {
    let error = |name: &str| {
        let text = format!(
            "title = 'a report'\n[settings]\nhidden = []\nactivation = 'relu'\noptimizer = 'sgd'\nlearning_rate = 0.1\n\
             batch_size = 8\nepochs = 1\n[[table]]\nname = '{name}'\ntitle = 'Title'\nvaries = 'rule'\nby = 'scratch'\n\
             row = [{{ name = 'one', accuracy = 50.0 }}]"
        );
        Grid::from_toml(&text, "grid").map(|_| ()).map_err(|error| error.to_string())
    };
    assert_eq!(error("runs-2"), Ok(()));
    for name in ["runs", "pairs"] {
        assert!(error(name).unwrap_err().contains("reserved for a table of all runs or pairs"));
    }
    assert!(error(&"x".repeat(300)).unwrap_err().contains("300 characters; at most 100"));
    assert!(error("../runs").unwrap_err().contains("lower-case letters"));
}
