//! Tests of `compare bench`.

use mlp_parity::mnist::DataSource;

use super::run::{assert_fails, folder_of, run};

#[test]
fn bench_measures_all_candidates_and_batch_sizes() {
    let small = ["bench", "--rounds", "3", "--train-size", "640", "--test-size", "200", "--hidden", "16"];
    let result = run(&[&small[..], &["--batch-size", "8,32", "--optimizer", "adam"]].concat());
    // Such short times may vary too much for a ratio to be shown (exit code 4).
    assert!(matches!(result.code, Some(0 | 4)), "{}", result.err);
    assert_eq!(result.code == Some(4), result.out.contains("noisy:"), "{}", result.out);
    for part in ["scratch", "framework/flex", " 8 ", " 32 ", "vs. floor", "test images"] {
        assert!(result.out.contains(part), "expected '{part}': {}", result.out);
    }
    assert!(result.err.contains("warming up") && result.err.contains("round 3 of 3"), "{}", result.err);
    let alone = run(&[&small[..], &["--implementation", "framework", "--quiet"]].concat());
    assert!(alone.out.contains("framework/flex") && !alone.out.contains("scratch") && alone.err.is_empty());
    assert_fails(&["bench", "--batch-size", "0"], 2, &["batch"]);
    assert_fails(&["bench", "--rounds", "2"], 2, &["a whole number from 3 to 65535"]);
}

#[test]
fn bench_output_option_plots_training_cost() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let result = run(&["bench", "--output", output, "--implementation", "scratch", "--rounds", "3", "--threads", "2"]);
    assert_eq!((result.code, result.out.as_str()), (Some(0), ""), "{}", result.err);
    assert!(result.err.contains("images in a batch: 4096") && result.err.contains("threads: 2"), "{}", result.err);
    let table = std::fs::read_to_string(folder.path().join("cost.csv")).unwrap();
    // Seven batch sizes, seven widths and two numbers of threads, each for scratch and for the dense floor.
    let cost = |row: &str| -> f64 { row.split(',').nth(3).unwrap().parse().unwrap() };
    let rows: Vec<&str> = table.lines().skip(1).collect();
    assert!(rows.len() == 32 && rows.iter().all(|row| cost(row) > 0.0), "{table}");
    let width = |width: &str| {
        let start = format!("width of the first hidden layer,{width},scratch,");
        cost(rows.iter().find(|row| row.starts_with(&start)).unwrap())
    };
    assert!(width("4096") > 10.0 * width("64"), "{table}");
    let svg = std::fs::read_to_string(folder.path().join("cost.svg")).unwrap();
    assert!(svg.contains("dense floor") && svg.contains("scratch"), "{svg}");
    assert!(std::fs::read(folder.path().join("cost.png")).unwrap().starts_with(b"\x89PNG"));
    // A folder that cannot be written is detected before the measurements.
    assert_fails(&["bench", "--output", "/proc/mlp-parity"], 3, &["/proc/mlp-parity"]);
    assert_fails(&["bench", "--output", output, "--hidden", "8"], 2, &["--hidden"]);
}

#[test]
fn bench_time_to_reaches_97_percent_with_every_seed() {
    let result = run(&["bench", "--time-to", "0.97", "--rounds", "3"]);
    assert_eq!(result.code, Some(0), "{}{}", result.out, result.err);
    assert!(result.out.contains("3 of 3 runs reach 97 %") && result.out.contains("compare train"), "{}", result.out);
    assert!(result.err.contains("seed 2: 97."), "{}", result.err);
    // With only the 10,000 test images as training data, no run reaches the accuracy.
    let [_, _, (_, images), (_, labels)] = DataSource::Embedded.files().unwrap();
    let folder = folder_of([&images, &labels, &images, &labels]);
    let data = folder.path().to_str().unwrap();
    let missed = run(&["bench", "--time-to", "0.97", "--rounds", "3", "--data", data]);
    assert_eq!(missed.code, Some(1), "{}{}", missed.out, missed.err);
    assert!(missed.out.contains("0 of 3 runs reach"), "{}", missed.out);
    assert_fails(&["bench", "--time-to", "0.999"], 2, &["no recipe for 0.999", "0.97 and 0.98"]);
    assert_fails(&["bench", "--time-to", "NaN"], 2, &["no recipe for NaN"]);
    assert_fails(&["bench", "--time-to", "0.97", "--batch-size", "32"], 2, &["--batch-size"]);
    assert_fails(&["bench", "--time-to", "0.97", "--hidden", "32"], 2, &["--hidden"]);
    assert_fails(&["bench", "--time-to", "0.97", "--rounds", "3", "--data", "dir:nowhere"], 3, &["nowhere"]);
}
