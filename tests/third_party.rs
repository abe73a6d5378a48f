//! Builds a crate outside the workspace that tests its own implementations with the conformance kit, and asserts that
//! its tests pass, and fail when a fault is injected.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Copies the crate `examples/third-party` to `folder` and makes the paths of its dependencies absolute.
fn copy_example(folder: &Path) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap();
    let example = root.join("examples/third-party");
    for file in [
        "Cargo.toml",
        "Cargo.lock",
        "src/lib.rs",
        "src/linear.rs",
        "src/logistic.rs",
        "tests/agreement.rs",
        "tests/conformance.rs",
    ] {
        let text = fs::read_to_string(example.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        let text = text.replace("path = \"../..", &format!("path = \"{}", root.display()));
        let path = folder.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
}

/// Runs the tests of the crate in `folder`. Returns their output, and `true` if they pass. All runs share one target
/// folder, so that dependencies are compiled only once.
fn run_tests(folder: &Path) -> (bool, String) {
    let target: PathBuf = [env!("CARGO_TARGET_TMPDIR"), "third-party"].iter().collect();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--locked", "--target-dir"]).arg(target).current_dir(folder);
    // Debug information is not needed; without it the target folder takes 0.3 GB instead of 1.2 GB.
    cargo.env("CARGO_INCREMENTAL", "0").env("CARGO_PROFILE_DEV_DEBUG", "0");
    let output = cargo.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn conformance_kit_tests_external_crate_and_names_faulty_tensor() {
    let folder = tempfile::tempdir().unwrap();
    copy_example(folder.path());
    let (passes, text) = run_tests(folder.path());
    assert!(passes && text.contains("test linear::fit_visits_batches_in_order ... ok"), "{text}");
    assert!(text.contains("test logistic::fit_learns ... ok"), "{text}");

    let source = folder.path().join("src/linear.rs");
    let correct = fs::read_to_string(&source).unwrap();
    let faulty =
        correct.replace("layer.bias = delta.sum_axis(Axis(0));", "layer.bias = 2.0 * delta.sum_axis(Axis(0));");
    assert_ne!(correct, faulty);
    fs::write(&source, faulty).unwrap();
    let (passes, text) = run_tests(folder.path());
    assert!(!passes && text.contains("gradients of output_layer.bias"), "{text}");
}
