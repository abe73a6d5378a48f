//! Tests of Ctrl-C and of the signals with the same effect, in every phase of the program.
#![cfg(unix)]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::run::{CommandResult, collect_output, compare};
use super::study::{GRID, Study};

/// Longest time that the program may take to end after a signal. It ends within a second on an idle machine, and every
/// job of these tests would take at least a minute.
const LIMIT: Duration = Duration::from_secs(10);

/// Starts the program.
fn start(arguments: &[&str]) -> Child {
    compare(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Waits until the condition holds. Fails if the process ends before.
fn wait_until(child: &mut Child, condition: impl Fn() -> bool) {
    while !condition() {
        assert!(child.try_wait().unwrap().is_none(), "the program ended before it was interrupted");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a signal to the process, asserts that it ends in time with exit code 130, and returns its output.
fn interrupt(child: Child, signal: &str) -> CommandResult {
    let start = Instant::now();
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
    let result = collect_output(child.wait_with_output().unwrap());
    assert_eq!(result.code, Some(130), "{signal}: {}{}", result.out, result.err);
    assert!(start.elapsed() < LIMIT, "{signal}: {:?}", start.elapsed());
    result
}

/// Returns the records of a file, each of which must be a complete line.
fn records(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "{text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn line_count(path: &Path) -> usize {
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count())
}

/// The check suite of this network takes more than a minute.
#[test]
fn check_suite_ends_at_first_signal() {
    let slow = ["--hidden", "500,250,100", "--batch-size", "512"];
    for (command, signal) in [(&["check"][..], "-INT"), (&[], "-TERM"), (&["check"], "-HUP")] {
        let child = start(&[command, &slow].concat());
        std::thread::sleep(Duration::from_secs(1));
        let result = interrupt(child, signal);
        assert!(result.out.is_empty() && result.err.contains("interrupted"), "{}{}", result.out, result.err);
    }
}

/// Each run has a single batch, so no run is ever stopped before its end, but no further run may start.
#[test]
fn comparison_of_runs_with_one_batch_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("records.jsonl");
    #[rustfmt::skip]
    let options = [
        "--train-size", "16", "--batch-size", "16", "--test-size", "20", "--hidden", "4", "--epochs", "1",
        "--seeds", "65535", "--threads", "2", "--output", folder.path().to_str().unwrap(),
    ];
    let mut child = start(&options);
    wait_until(&mut child, || line_count(&path) >= 3);
    let result = interrupt(child, "-INT");
    assert!(result.out.contains("verdict: interrupted"), "{}", result.out);
    let records = records(&path);
    assert!(records.len() >= 3 && records.iter().all(|record| record["run"]["complete"] == true), "{records:?}");
}

#[test]
fn interrupted_reproduction_keeps_complete_records() {
    let study = Study::new();
    let (grid, output) = (study.path("grid.toml"), study.path("interrupted"));
    let path = Path::new(&output).join("records.jsonl");
    let mut arguments = study.arguments(&grid, &output, &[]);
    let seeds = arguments.iter().position(|&argument| argument == "--seeds").unwrap();
    arguments[seeds + 1] = "1000";
    let mut child = start(&arguments);
    wait_until(&mut child, || line_count(&path) >= 8);
    interrupt(child, "-INT");
    assert!(records(&path).len() >= 8);
}

/// The checks of these networks come first, take much longer than the runs, and have no batch after which they could
/// stop.
#[test]
fn reproduction_ends_during_checks() {
    let study = Study::new();
    let (grid, output) = (study.path("grid.toml"), study.path("interrupted"));
    std::fs::write(&grid, GRID.replace("hidden = [12]", "hidden = [1000, 500]")).unwrap();
    let path = Path::new(&output).join("records.jsonl");
    let mut child = start(&["reproduce", "--grid", &grid, "--output", &output, "--train-size", "64", "--threads", "1"]);
    wait_until(&mut child, || path.exists());
    std::thread::sleep(Duration::from_millis(500));
    let result = interrupt(child, "-INT");
    assert!(result.err.contains("interrupted") && records(&path).is_empty(), "{}", result.err);
    assert!(result.err.contains("jobs, threads: 1") && result.err.contains("--resume"), "{}", result.err);
}

#[test]
fn bench_ends_at_first_signal() {
    let child = start(&["bench", "--rounds", "65535", "--train-size", "640", "--test-size", "50", "--hidden", "8"]);
    std::thread::sleep(Duration::from_secs(1));
    let result = interrupt(child, "-INT");
    assert!(result.out.is_empty() && result.err.contains("interrupted"), "{}{}", result.out, result.err);
}

/// The shell ignores the signal before it starts the program, as `nohup` does.
#[test]
#[cfg(target_os = "linux")]
fn ignored_hangup_does_not_end_training() {
    let script = "trap '' HUP; exec \"$@\"";
    let mut command = Command::new("sh");
    command.args(["-c", script, "sh", env!("CARGO_BIN_EXE_compare"), "train", "--implementation", "scratch"]);
    command.args(["--train-size", "6400", "--hidden", "8", "--epochs", "1000000", "--test-last"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    assert!(Command::new("kill").args(["-HUP", &child.id().to_string()]).status().unwrap().success());
    std::thread::sleep(Duration::from_secs(1));
    assert!(child.try_wait().unwrap().is_none(), "the program must not end");
    interrupt(child, "-TERM");
}

/// Only the parent receives the signal, which must also end the process that trains.
#[test]
#[cfg(target_os = "linux")]
fn bench_time_to_ends_its_child_process() {
    let mut child = start(&["bench", "--time-to", "0.98", "--rounds", "100", "--threads", "1"]);
    let id = child.id();
    let children = || std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap_or_default();
    wait_until(&mut child, || !children().trim().is_empty());
    let trained = children().trim().to_owned();
    interrupt(child, "-TERM");
    // A process that has ended is missing, or a zombie until its new parent takes note.
    let is_running = || {
        let stat = std::fs::read_to_string(format!("/proc/{trained}/stat")).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with('Z'))
    };
    let start = Instant::now();
    while is_running() {
        assert!(start.elapsed() < LIMIT, "process {trained} still runs");
        std::thread::sleep(Duration::from_millis(10));
    }
}
