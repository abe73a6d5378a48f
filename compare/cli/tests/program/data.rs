//! Tests of the data sets that `--data` reads, and of `compare data`.

use std::path::Path;

use mlp_parity::mnist::FILES;

use super::run::{assert_fails, folder_of, json, run};

const IMAGES: [u8; 24] = [0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2, 0, 9, 9, 9, 9, 9, 9, 9];
const LABELS: [u8; 10] = [0, 0, 8, 1, 0, 0, 0, 2, 1, 10];
const TABLE: &str = "3,0,255,51,1\n1,128,2,127,254\n0,1,1,1,1\n4,1,1,1,1\n5,1,1,1,1\n6,9,9,9,9\n";

fn write(folder: &Path, name: &str, bytes: impl AsRef<[u8]>) -> String {
    let path = folder.join(name);
    std::fs::write(&path, bytes).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn assumptions_about_data_are_printed_once() {
    let folder = folder_of([&IMAGES, &LABELS, &IMAGES, &LABELS]);
    let path = folder.path().to_str().unwrap();
    let note = "note: labels run from 1 to 10: read as the classes 0 to 9\n";
    let shown = run(&["data", "--data", path]);
    assert_eq!((shown.code, shown.err.as_str()), (Some(0), note));
    let trained =
        run(&["train", "--implementation", "scratch", "--hidden", "2", "--epochs", "1", "--quiet", "--data", path]);
    assert_eq!((trained.code, trained.err.as_str()), (Some(0), note));
    let checked = run(&["check", "--hidden", "2", "--data", path, "--quiet"]);
    assert_eq!((checked.code, checked.err.as_str()), (Some(0), note), "{}", checked.out);
    let document = json(&run(&["data", "--json", "--data", path]));
    assert_eq!(document["notes"], serde_json::json!(["labels run from 1 to 10: read as the classes 0 to 9"]));
    assert_eq!((document["classes"].as_u64(), document["image_shape"].clone()), (Some(10), serde_json::json!([2, 2])));
}

#[test]
fn first_image_of_each_class_is_drawn() {
    let shown = run(&["data"]).out;
    let header = shown.lines().find(|line| line.starts_with("label 0")).unwrap_or_else(|| panic!("{shown}"));
    assert_eq!(
        header.split_whitespace().collect::<Vec<_>>().join(" "),
        (0..10).map(|label| format!("label {label}")).collect::<Vec<_>>().join(" ")
    );
    // The zero in the second training image: a ring.
    let drawing: Vec<String> = shown
        .lines()
        .skip_while(|line| *line != header)
        .skip(2)
        .take(7)
        .map(|line| line.chars().take(14).collect())
        .collect();
    let inked = |line: &str| line.chars().filter(|character| *character != '⠀').count();
    assert!(inked(&drawing[3]) >= 4 && drawing[3].chars().nth(7) == Some('⠀'), "{drawing:?}");
    assert_eq!(inked(&drawing[0]), 0, "{drawing:?}");
}

#[test]
fn tables_are_read_as_files_and_from_folders() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "mnist_train.csv", TABLE);
    let test = write(folder.path(), "mnist_test.csv", &TABLE[..13]);
    let folder_path = folder.path().to_str().unwrap();
    let digest = |data: &str| json(&run(&["data", "--json", "--data", data]))["digest"].clone();
    for data in [&format!("dir:{file}"), &test, folder_path, &format!("dir:{folder_path}")] {
        assert_eq!(digest(data), digest(&file), "{data}");
    }
    write(folder.path(), "mnist.npz", "PK");
    assert_fails(
        &["--data", folder_path],
        3,
        &["there are several data sets; choose one: --data '", "mnist.npz', --data '"],
    );
    // Files that are incomplete have the advice to use a table.
    write(folder.path(), FILES[0], IMAGES);
    assert_fails(
        &["--data", folder_path],
        3,
        &["missing train-labels-idx1-ubyte", "; or use --data '", "mnist_train.csv'"],
    );
}

#[test]
fn classes_of_data_set_determine_network() {
    let images = |count: u8| {
        [&[0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 1, 0, 0, 0, 2][..], &vec![count; 2 * usize::from(count)]].concat()
    };
    let labels: Vec<u8> = [0, 0, 8, 1, 0, 0, 0, 62].into_iter().chain(0..62).collect();
    let folder = folder_of([&images(62), &labels, &images(2), &[0, 0, 8, 1, 0, 0, 0, 2, 61, 0]]);
    let data = folder.path().to_str().unwrap();
    let output = folder.path().join("run");
    let options = ["--implementation", "scratch", "--hidden", "3", "--epochs", "1", "--json", "--data", data];
    let trained = run(&[&["train", "--output", output.to_str().unwrap()], &options[..]].concat());
    assert_eq!(trained.err.matches("note: ").count(), 0, "{}", trained.err);
    assert_eq!(json(&trained)["config"]["classes"], 62);
    assert!(output.join("sgd.scratch.confusion.svg").exists());
}

#[test]
fn missing_tables_are_input_errors() {
    assert_fails(&["data", "--data", "absent.npz"], 3, &["absent.npz"]);
    assert_fails(&["data", "--data", "absent.csv"], 3, &["absent.csv"]);
    assert_fails(
        &["data", "--data", "absent"],
        2,
        &["unknown data source 'absent'", "an .npz file or a CSV file, or 'burn-cache'"],
    );
}
