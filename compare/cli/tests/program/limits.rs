//! Tests of input without a limit: endless or huge files, and networks that do not fit into memory. Each must end with
//! an error, not with an abort.

use std::path::Path;
use std::process::Command;

use super::run::{assert_fails, collect_output, compare, run};
use super::study::{GRID, Study};

/// Commands that read a file, with the arguments before its path.
const READERS: [&[&str]; 6] = [
    &["evaluate"],
    &["export"],
    &["check", "--trace"],
    &["reproduce", "--grid"],
    &["check", "--config"],
    &["predict", "../../tests/golden/report.safetensors", "--activation", "relu"],
];

/// Asserts that every command rejects the file with exit code 3 and a message that contains `reason`.
fn assert_unreadable(path: &Path, reason: &str) {
    for reader in READERS {
        let output = if reader == ["export"] { &["output.onnx"][..] } else { &[] };
        assert_fails(&[reader, &[path.to_str().unwrap()], output].concat(), 3, &[reason]);
    }
}

#[test]
fn directory_in_place_of_file_is_rejected() {
    assert_unreadable(tempfile::tempdir().unwrap().path(), "is a directory");
}

#[cfg(unix)]
#[test]
fn endless_device_is_rejected() {
    assert_unreadable(Path::new("/dev/zero"), "is a device");
}

#[test]
fn huge_sparse_file_is_rejected_by_its_length() {
    let file = tempfile::NamedTempFile::new().unwrap();
    // Three times this length exceeds the memory of any machine, and file systems allow it.
    file.as_file().set_len(10_000_000_000_000).unwrap();
    for reader in [READERS[3], READERS[4], READERS[5]] {
        let arguments = [reader, &[file.path().to_str().unwrap()]].concat();
        assert_fails(&arguments, 3, &["the file has 10000000000000 bytes; at most"]);
    }
    let network = file.path().to_str().unwrap();
    assert_fails(&["evaluate", network], 3, &["needs about 60000.0 GB of memory"]);
}

#[cfg(unix)]
#[test]
fn endless_pipe_is_read_up_to_the_limit() {
    let script = "\"$0\" check --config <(cat /dev/zero)";
    let program = compare(&[]).get_program().to_owned();
    let result = collect_output(Command::new("bash").args(["-c", script]).arg(program).output().unwrap());
    assert_eq!(result.code, Some(3), "{}", result.err);
    assert!(result.err.contains("more than 1048576 bytes"), "{}", result.err);
}

#[cfg(target_os = "linux")]
#[test]
fn limited_address_space_gives_an_error_instead_of_an_abort() {
    let folder = tempfile::tempdir().unwrap();
    let trace = format!("trace --output {}", folder.path().join("trace").display());
    let grid = folder.path().join("grid.toml");
    std::fs::write(&grid, GRID.replace("hidden = [12]", "hidden = [40000, 40000]")).unwrap();
    let [grid, output] = [grid, folder.path().join("output")].map(|path| path.display().to_string());
    for arguments in [
        "check --hidden 40000,40000",
        "check --batch-size 100000000000",
        "--quiet --hidden 40000,40000",
        "train --implementation scratch --hidden 40000,40000",
        "bench --implementation scratch --hidden 20000,20000 --batch-size 1,2,4,8",
        &format!("{trace} --hidden 40000,40000"),
        &format!("reproduce --grid {grid} --output {output}"),
    ] {
        let script = format!("ulimit -v 4000000; exec \"$0\" {arguments}");
        let program = compare(&[]).get_program().to_owned();
        let result = collect_output(Command::new("bash").args(["-c", &script]).arg(program).output().unwrap());
        assert_eq!(result.code, Some(3), "{arguments}: {}", result.err);
        assert!(result.err.contains("a network 784-") && result.err.contains("GB of memory"), "{}", result.err);
    }
}

#[test]
fn messages_that_quote_a_file_are_shortened() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    let path = file.to_str().unwrap();
    let long = "é".repeat(100_000);
    for (text, arguments, code, [beginning, end]) in [
        (format!("title = {long}"), ["reproduce", "--grid"], 3, ["TOML parse error at line 1", "é"]),
        (format!("optimizer = '{long}'"), ["check", "--config"], 2, ["invalid value 'éé", "--help"]),
        (format!("{long} = 1"), ["check", "--config"], 2, ["TOML parse error", "é"]),
    ] {
        std::fs::write(&file, text).unwrap();
        let result = run(&[&arguments[..], &[path]].concat());
        assert_eq!(result.code, Some(code), "{}", result.err);
        let length = result.err.chars().count();
        assert!(length < 2_100, "{arguments:?}: {length} characters");
        assert!(result.err.starts_with("error: ") && result.err.contains(" […] "), "{}", result.err);
        assert!(result.err.contains(beginning) && result.err.contains(end), "{}", result.err);
    }
    // The help is complete, however long it is.
    assert!(run(&["--help"]).out.chars().count() > 2_100);
}

#[cfg(unix)]
#[test]
fn endless_record_file_is_rejected() {
    let study = Study::new();
    std::os::unix::fs::symlink("/dev/zero", study.path("records.jsonl")).unwrap();
    assert_fails(&["report", &study.path("")], 3, &["records.jsonl", "not a regular file"]);
    let result = study.reproduce("", &["--resume"]);
    assert_eq!(result.code, Some(3), "{}", result.err);
    assert!(result.err.contains("not a regular file"), "{}", result.err);
}

#[test]
fn networks_with_too_many_layers_are_rejected() {
    let study = Study::new();
    let reason = "100000 layers are too many; at most 100 are allowed";
    let widths = vec!["1"; 100_000].join(",");
    std::fs::write(study.path("config.toml"), format!("hidden = [{widths}]")).unwrap();
    assert_fails(&["check", "--config", &study.path("config.toml")], 2, &[reason]);
    std::fs::write(study.path("grid.toml"), GRID.replace("hidden = [12]", &format!("hidden = [{widths}]"))).unwrap();
    assert_fails(&["reproduce", "--grid", &study.path("grid.toml"), "--output", &study.path("output")], 3, &[reason]);
}
