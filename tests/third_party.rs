//! A crate that is no member of this workspace tests itself with the kit, and fails where it is wrong.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The example, in a folder of its own, with paths that lead back here.
fn copy(folder: &Path) {
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

/// Whether its tests pass, and what they print. What was built stays from one run to the next.
fn test(folder: &Path) -> (bool, String) {
    let target: PathBuf = [env!("CARGO_TARGET_TMPDIR"), "third-party"].iter().collect();
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["test", "--locked", "--target-dir"]).arg(target).current_dir(folder);
    // Nobody looks into what is built: 0.3 GB instead of 1.2.
    cargo.env("CARGO_INCREMENTAL", "0").env("CARGO_PROFILE_DEV_DEBUG", "0");
    let output = cargo.output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    (output.status.success(), text)
}

#[test]
fn a_crate_outside_the_workspace_passes_and_with_a_mistake_it_is_told_where() {
    let folder = tempfile::tempdir().unwrap();
    copy(folder.path());
    let (passes, text) = test(folder.path());
    assert!(passes && text.contains("test linear::fit_steps_through_the_batches_in_order ... ok"), "{text}");
    assert!(text.contains("test logistic::fit_learns ... ok"), "{text}");

    let source = folder.path().join("src/linear.rs");
    let right = fs::read_to_string(&source).unwrap();
    let wrong = right.replace("layer.bias = delta.sum_axis(Axis(0));", "layer.bias = 2.0 * delta.sum_axis(Axis(0));");
    assert_ne!(right, wrong);
    fs::write(&source, wrong).unwrap();
    let (passes, text) = test(folder.path());
    assert!(!passes && text.contains("gradients of output_layer.bias"), "{text}");
}
