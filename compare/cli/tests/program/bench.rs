//! What is measured of speed.

use mlp_parity::mnist::DataSource;

use super::run::{folder_of, refused, run};

#[test]
fn a_bench_measures_everyone_with_every_batch_size() {
    let small = ["bench", "--rounds", "3", "--train-size", "640", "--test-size", "200", "--hidden", "16"];
    let ran = run(&[&small[..], &["--batch-size", "8,32", "--optimizer", "adam"]].concat());
    // Ratios of so short times may well differ too much to be stated.
    assert!(matches!(ran.code, Some(0 | 4)), "{}", ran.err);
    assert_eq!(ran.code == Some(4), ran.out.contains("noisy:"), "{}", ran.out);
    for part in ["scratch", "framework/flex", " 8 ", " 32 ", "of dense floor", "test images"] {
        assert!(ran.out.contains(part), "expected '{part}': {}", ran.out);
    }
    assert!(ran.err.contains("warming up") && ran.err.contains("round 3 of 3"), "{}", ran.err);
    let alone = run(&[&small[..], &["--implementation", "framework", "--quiet"]].concat());
    assert!(alone.out.contains("framework/flex") && !alone.out.contains("scratch") && alone.err.is_empty());
    refused(&["bench", "--batch-size", "0"], 2, &["batch"]);
    refused(&["bench", "--rounds", "2"], 2, &["3.."]);
    refused(&["bench", "--activation", "tanh-as-printed"], 2, &["by hand only"]);
}

#[test]
fn costs_are_drawn_for_everyone_and_everything_that_grows() {
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().to_str().unwrap();
    let ran = run(&["bench", "--output", output, "--implementation", "scratch", "--rounds", "3", "--threads", "2"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), ""), "{}", ran.err);
    assert!(ran.err.contains("images in a batch: 4096") && ran.err.contains("threads: 2"), "{}", ran.err);
    let table = std::fs::read_to_string(folder.path().join("cost.csv")).unwrap();
    // Seven batch sizes, seven widths, and two numbers of threads, each beside the dense floor.
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
    // Folders that cannot be written are found before anything is measured.
    refused(&["bench", "--output", "/proc/mlp-parity"], 3, &["/proc/mlp-parity"]);
    refused(&["bench", "--output", output, "--hidden", "8"], 2, &["--hidden"]);
}

#[test]
fn ninety_seven_percent_are_reached_with_every_seed_by_the_recipe_for_it() {
    let ran = run(&["bench", "--time-to", "0.97", "--rounds", "3"]);
    assert_eq!(ran.code, Some(0), "{}{}", ran.out, ran.err);
    assert!(ran.out.contains("3 of 3 reach 97 %") && ran.out.contains("compare train"), "{}", ran.out);
    assert!(ran.err.contains("seed 2: 97."), "{}", ran.err);
    // A sixth of the images are too few, and there is no recipe for everything.
    let [_, _, (_, images), (_, labels)] = DataSource::Embedded.files().unwrap();
    let folder = folder_of([&images, &labels, &images, &labels]);
    let data = folder.path().to_str().unwrap();
    let missed = run(&["bench", "--time-to", "0.97", "--rounds", "3", "--data", data]);
    assert_eq!(missed.code, Some(1), "{}{}", missed.out, missed.err);
    assert!(missed.out.contains("0 of 3 reach"), "{}", missed.out);
    refused(&["bench", "--time-to", "0.999"], 2, &["no recipe for 0.999", "0.97 and 0.98"]);
    refused(&["bench", "--time-to", "NaN"], 2, &["no recipe for NaN"]);
    refused(&["bench", "--time-to", "0.97", "--batch-size", "32"], 2, &["--batch-size"]);
    refused(&["bench", "--time-to", "0.97", "--hidden", "32"], 2, &["--hidden"]);
    refused(&["bench", "--time-to", "0.97", "--rounds", "3", "--data", "dir:nowhere"], 3, &["nowhere"]);
}
