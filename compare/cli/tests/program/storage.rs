//! Tests of everything that the program writes: full disks, killed processes, unusual output paths, and folders that
//! two processes use.

use std::fs;
use std::os::unix::fs::{FileTypeExt, symlink};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use super::run::{CommandResult, assert_fails, collect_output, compare, files_in, run};
use super::study::{Study, ok};

/// Arguments that train a small network.
#[rustfmt::skip]
const TRAIN: [&str; 11] = [
    "train", "--implementation", "scratch", "--train-size", "640", "--test-size", "100", "--hidden", "32",
    "--epochs", "2",
];

/// Runs the program with a limit of `kilobytes` on the size of each file that it writes, as on a full disk: further
/// writes fail.
fn run_on_full_disk(kilobytes: usize, arguments: &[&str]) -> CommandResult {
    // Without the trap, the limit would kill the process.
    let script = format!("trap '' XFSZ; ulimit -f {kilobytes}; exec \"$@\"");
    let mut command = Command::new("bash");
    command.args(["-c", &script, "bash", env!("CARGO_BIN_EXE_compare")]).args(arguments);
    collect_output(command.env_remove("MLP_PARITY_DATA").output().unwrap())
}

#[test]
fn full_disk_leaves_existing_files_unchanged() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let network = path("network.safetensors");
    ok(run(&[&TRAIN[..], &["--save", &network]].concat()));
    let output = path("output");
    fs::write(&output, "old").unwrap();
    let onnx = path("output.onnx");
    fs::write(&onnx, "old").unwrap();
    let commands: [&[&str]; 4] = [
        &[&TRAIN[..], &["--save", &output]].concat(),
        &["trace", "--output", &output, "--hidden", "32"],
        &["export", &network, &onnx],
        &["check", "--hidden", "32", "--verbose", "--junit", &output],
    ];
    for arguments in commands {
        let result = run_on_full_disk(1, arguments);
        assert_eq!(result.code, Some(3), "{arguments:?}: {}", result.err);
        assert!(result.err.contains("File too large") && result.err.contains(&path("output")), "{}", result.err);
        assert_eq!(fs::read_to_string(&output).unwrap() + &fs::read_to_string(&onnx).unwrap(), "oldold");
    }
    assert_eq!(files_in(folder.path()), ["network.safetensors", "output", "output.onnx"]);
}

#[test]
fn reproduction_continues_after_full_disk() {
    let study = Study::new();
    ok(study.reproduce("whole", &[]));
    let (grid, output) = (study.path("grid.toml"), study.path("full"));
    // Each limit leaves room for a few more records, and ends in the middle of another one.
    for kilobytes in [6, 12, 19] {
        let result = run_on_full_disk(kilobytes, &study.arguments(&grid, &output, &["--resume", "--quiet"]));
        assert_eq!(result.code, Some(3), "{}", result.err);
        assert!(result.err.contains("records.jsonl") && result.err.contains("File too large"), "{}", result.err);
        let records = study.read("full/records.jsonl");
        assert!(records.ends_with('\n') && records.len() <= 1024 * kilobytes && records.len() > 1024, "{records}");
    }
    let resumed = ok(study.reproduce("full", &["--resume"]));
    assert!(!resumed.err.contains("warning"), "{}", resumed.err);
    assert_eq!(study.read("full/records.jsonl").lines().count(), 26, "each job must be run once");
    assert!(study.generated_files("whole") == study.generated_files("full"));
}

#[test]
fn killed_processes_leave_no_temporary_files() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("run");
    let arguments = [&TRAIN[..8], &["300,100", "--epochs", "40", "--test-last", "--output", output.to_str().unwrap()]];
    let arguments = [arguments.concat(), vec!["--resume"]].concat();
    for moment in (0..12).map(|moment| 150 + 37 * moment) {
        let mut child = compare(&arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(moment));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    // Not every kill hits a write.
    fs::write(output.join(".mlp-parity-killed.tmp"), "half a file").unwrap();
    let result = ok(run(&arguments));
    assert!(result.err.contains("40 of 40"), "{}", result.err);
    assert!(files_in(&output).iter().all(|name| !name.ends_with(".tmp")), "{:?}", files_in(&output));
}

#[test]
fn impossible_output_paths_are_rejected_before_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let long = path(&"x".repeat(300));
    let directory = path("");
    let absent = path("absent/file");
    let slash = path("file/");
    let forever = ["--epochs", "1000000"];
    for (output, part) in [
        (&long, "too long"),
        (&directory, "directory"),
        (&absent, "absent does not exist"),
        (&slash, "does not end with a file name"),
    ] {
        assert_fails(&[&TRAIN[..9], &forever, &["--save", output]].concat(), 3, &[part]);
        assert_fails(&["trace", "--output", output], 3, &[part]);
        assert_fails(&["check", "--junit", output], 3, &[part]);
        assert_fails(&["--epochs", "1000000", "--junit", output], 3, &[part]);
    }
    assert_eq!(files_in(folder.path()), [""; 0], "no folder may be created");
}

#[test]
fn output_follows_links_and_never_replaces_devices() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let check = |junit: &str| run(&["check", "--hidden", "8", "--quiet", "--junit", path(junit).to_str().unwrap()]);
    fs::write(path("target"), "old").unwrap();
    symlink("target", path("link")).unwrap();
    ok(check("link"));
    assert!(path("link").is_symlink() && fs::read_to_string(path("target")).unwrap().contains("<testsuites"));
    symlink("/dev/null", path("null")).unwrap();
    ok(check("null"));
    assert!(path("null").is_symlink() && fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    symlink("/dev/stdout", path("stdout")).unwrap();
    let printed = ok(check("stdout"));
    assert!(printed.out.contains("<testsuites") && printed.out.contains("verdict: agree"), "{}", printed.out);
    fs::hard_link(path("target"), path("other")).unwrap();
    let result = check("target");
    assert!(result.code == Some(3) && result.err.contains("hard links"), "{}", result.err);
}

#[test]
fn export_rejects_output_that_is_its_input() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let network = path("network.safetensors");
    ok(run(&[&TRAIN[..], &["--save", &network]].concat()));
    let bytes = fs::read(&network).unwrap();
    symlink("network.safetensors", path("link.safetensors")).unwrap();
    for output in [&network, &path("link.safetensors"), &path("./network.safetensors")] {
        assert_fails(&["export", &network, output], 2, &["would replace the input"]);
    }
    assert!(fs::read(&network).unwrap() == bytes);
}

#[test]
fn output_file_replaces_no_other_file_of_its_command() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let output = path("run");
    let train = [&TRAIN[..], &["--output", &output, "--resume", "--save"]].concat();
    let compare = ["--train-size", "640", "--output", &output, "--resume", "--junit"];
    ok(run(&[&train[..], &[&path("run/network.safetensors")]].concat()));
    symlink("run/records.jsonl", path("link")).unwrap();
    for name in ["run/.lock", "run/sgd.scratch.checkpoint.safetensors", "run/../run/records.jsonl", "link"] {
        let file = path(name);
        assert_fails(&[&train[..], &[&file]].concat(), 2, &["needed to resume runs"]);
        assert_fails(&[&compare[..], &[&file]].concat(), 2, &["needed to resume runs"]);
    }
    ok(run(&train[..train.len() - 1]));
    let trace = path("trace.safetensors");
    ok(run(&["trace", "--hidden", "8", "--output", &trace]));
    assert_fails(&["check", "--trace", &trace, "--junit", &trace], 2, &["would replace the input"]);
    ok(run(&["check", "--trace", &trace, "--quiet"]));
}

/// Another program saves the record file, as an editor does, or removes the folder.
#[test]
fn reproduction_reports_records_that_it_cannot_keep() {
    let study = Study::new();
    let grid = study.path("grid.toml");
    let remove: fn(&Path) = |path| fs::rename(path.parent().unwrap(), path.with_file_name("../moved")).unwrap();
    let replace: fn(&Path) = |path| {
        let copy = path.with_file_name("copy");
        fs::copy(path, &copy).unwrap();
        fs::rename(copy, path).unwrap();
    };
    for (name, change) in [("replaced", replace), ("removed", remove)] {
        let output = study.path(name);
        let records = Path::new(&output).join("records.jsonl");
        let arguments = study.arguments(&grid, &output, &["--seeds", "100", "--quiet"]);
        let child = compare(&arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        while fs::read(&records).map_or(0, |bytes| bytes.len()) == 0 {
            std::thread::sleep(Duration::from_millis(10));
        }
        change(&records);
        let result = collect_output(child.wait_with_output().unwrap());
        assert_eq!(result.code, Some(3), "{}", result.err);
        assert!(result.err.contains("removed or replaced"), "{}", result.err);
    }
}

#[test]
fn verdict_is_printed_even_if_report_cannot_be_written() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["--junit", "--html"] {
        let path = folder.path().join("report");
        let options =
            ["--train-size", "64", "--epochs", "1", "--hidden", "8", "--quiet", option, path.to_str().unwrap()];
        let result = run_on_full_disk(1, &options);
        assert_eq!(result.code, Some(3), "{}", result.err);
        assert!(result.out.contains("verdict: ") && result.err.contains("report"), "{}{}", result.out, result.err);
        assert_eq!(files_in(folder.path()), [""; 0]);
    }
}

#[test]
fn output_folder_is_used_by_one_process_at_a_time() {
    let study = Study::new();
    let output = study.path("output");
    let train = [&TRAIN[..9], &["--epochs", "1000000", "--output", &output]].concat();
    let mut child = compare(&train).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while !Path::new(&study.path("output/sgd.scratch.checkpoint.safetensors")).exists() {
        assert!(child.try_wait().unwrap().is_none(), "the training run must not end");
        std::thread::sleep(Duration::from_millis(10));
    }
    let part = "another process is writing to this folder";
    assert_fails(&[&TRAIN[..], &["--output", &output, "--resume"]].concat(), 3, &[part]);
    assert_fails(&["--train-size", "640", "--output", &output], 3, &[part]);
    let grid = study.path("grid.toml");
    assert_fails(&study.arguments(&grid, &output, &[]), 3, &[part]);
    ok(study.reproduce("other", &["--seeds", "1"]));
    assert_fails(&["report", &study.path("other"), "--output", &output], 3, &[part]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn checkpoints_and_reproductions_are_not_replaced_by_other_results() {
    let study = Study::new();
    let (output, grid) = (study.path("output"), study.path("grid.toml"));
    let network = study.path("output/network.safetensors");
    ok(run(&[&TRAIN[..], &["--output", &output, "--save", &network]].concat()));
    let checkpoint = study.path("output/sgd.scratch.checkpoint.safetensors");
    let bytes = fs::read(&checkpoint).unwrap();
    let part = "needed to resume runs";
    assert_fails(&[&TRAIN[..], &["--save", &checkpoint]].concat(), 2, &[part]);
    assert_fails(&["trace", "--output", &checkpoint], 2, &[part]);
    assert_fails(&["export", &network, &checkpoint], 2, &[part]);
    assert!(fs::read(&checkpoint).unwrap() == bytes);
    // A copy of the folder lacks the hidden lock file.
    fs::remove_file(study.path("output/.lock")).unwrap();
    ok(run(&[&TRAIN[..9], &["--epochs", "3", "--output", &output, "--resume"]].concat()));

    let reproduction = study.path("reproduction");
    ok(run(&study.arguments(&grid, &reproduction, &["--seeds", "1", "--quiet"])));
    for command in [&TRAIN[..], &["--train-size", "640"]] {
        let arguments = [command, &["--output", &reproduction, "--resume"]].concat();
        assert_fails(&arguments, 3, &["contains a reproduction"]);
    }
}
