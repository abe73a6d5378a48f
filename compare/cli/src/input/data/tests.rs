//! Tests of data sets in tables.

use std::io::Write;
use std::path::PathBuf;

use mlp_parity::mnist::Mnist;
use tempfile::TempDir;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

use super::{find, is_table, load};

/// A temporary folder with tables.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(self, name: &str, bytes: impl AsRef<[u8]>) -> Self {
        std::fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        std::fs::write(self.path(name), bytes).unwrap();
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn load(&self, name: &str) -> Mnist {
        load(&self.path(name)).unwrap()
    }

    fn message(&self, name: &str) -> String {
        load(&self.path(name)).unwrap_err().to_string()
    }

    /// Returns the names of the data sets that are found.
    fn found(&self) -> Vec<String> {
        find(self.0.path()).iter().map(|path| path.strip_prefix(&self.0).unwrap().display().to_string()).collect()
    }
}

/// Returns a NumPy array of this type and shape.
fn npy(kind: &str, shape: &str, order: &str, elements: &[u8]) -> Vec<u8> {
    let header = format!("{{'descr': '{kind}', 'fortran_order': {order}, 'shape': ({shape}), }}\n");
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), elements].concat()
}

/// Returns an archive of NumPy arrays.
fn npz(arrays: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, array) in arrays {
        writer.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        writer.write_all(array).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Returns the archive of two training images and one test image of 2×2 pixels, with this array of training images.
fn mnist_npz(train: Vec<u8>) -> Vec<u8> {
    npz(&[
        ("x_train", train),
        ("y_train", npy("|u1", "2,", "False", &[3, 1])),
        ("x_test", npy("|u1", "1, 2, 2", "False", &[9, 8, 7, 6])),
        ("y_test", npy("<i8", "1, 1", "False", &[5, 0, 0, 0, 0, 0, 0, 0])),
    ])
}

const PIXELS: [u8; 8] = [0, 255, 51, 1, 128, 2, 127, 254];

fn pixels(mnist: &Mnist) -> Vec<u8> {
    (0..mnist.train.len()).flat_map(|index| mnist.train.image(index).to_vec()).collect()
}

fn bytes<const N: usize>(convert: impl Fn(u8) -> [u8; N]) -> Vec<u8> {
    PIXELS.into_iter().flat_map(convert).collect()
}

#[test]
fn npz_reader_accepts_images_of_every_type_and_shape() {
    let transposed: Vec<u8> = [0, 2, 1, 3].into_iter().flat_map(|place| [PIXELS[place], PIXELS[place + 4]]).collect();
    let mut digests = Vec::new();
    for train in [
        npy("|u1", "2, 2, 2", "False", &PIXELS),
        npy("|u1", "2, 4", "False", &PIXELS),
        npy("|u1", "2, 2, 2, 1", "False", &PIXELS),
        npy("|u1", "2, 1, 2, 2", "False", &PIXELS),
        npy("|u1", "2, 2, 2", "True", &transposed),
        npy("<i8", "2, 2, 2", "False", &bytes(|pixel| i64::from(pixel).to_le_bytes())),
        npy(">i2", "2, 2, 2", "False", &bytes(|pixel| i16::from(pixel).to_be_bytes())),
        npy("<f4", "2, 2, 2", "False", &bytes(|pixel| f32::from(pixel).to_le_bytes())),
        npy("<f4", "2, 2, 2", "False", &bytes(|pixel| (f32::from(pixel) / 255.0).to_le_bytes())),
        npy("<f8", "2, 2, 2", "False", &bytes(|pixel| (f64::from(pixel) / 256.0).to_le_bytes())),
    ] {
        let mnist = Folder::new().with("mnist.npz", mnist_npz(train)).load("mnist.npz");
        assert_eq!(pixels(&mnist), PIXELS);
        assert_eq!(
            (mnist.train.labels(), mnist.test.labels(), mnist.test.image(0)),
            (&[3, 1][..], &[5][..], &[9, 8, 7, 6][..])
        );
        digests.push(mnist.digest);
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
    let bits = npy("|b1", "2, 2, 2", "False", &[0, 1, 1, 0, 1, 0, 0, 1]);
    let mnist = Folder::new().with("mnist.npz", mnist_npz(bits)).load("mnist.npz");
    assert_eq!(pixels(&mnist), [0, 255, 255, 0, 255, 0, 0, 255]);
}

#[test]
fn npz_reader_accepts_usual_names_and_one_hot_labels() {
    let images = npy("|u1", "2, 2, 2", "False", &PIXELS);
    let one_hot = npy("|u1", "2, 4", "False", &[0, 0, 0, 1, 0, 1, 0, 0]);
    for [x, y, test_x, test_y] in [
        ["train_images", "train_labels", "test_images", "test_labels"],
        ["X_train", "Y_train", "X_test", "Y_test"],
        ["training_images", "training_labels", "test_data", "test_target"],
    ] {
        let arrays = [(x, images.clone()), (y, one_hot.clone()), (test_x, images.clone()), (test_y, one_hot.clone())];
        let mnist =
            Folder::new().with("a.npz", npz(&[&arrays[..], &[("val_images", Vec::new())]].concat())).load("a.npz");
        assert_eq!((mnist.train.labels(), mnist.test.labels()), (&[3, 1][..], &[3, 1][..]));
    }
    let mnist = Folder::new().with("a.npz", npz(&[("X", images), ("y", one_hot)])).load("a.npz");
    assert_eq!((mnist.train.labels(), mnist.test.labels(), mnist.test.image(0)), (&[3][..], &[1][..], &PIXELS[4..]));
    assert!(
        mnist.notes[0] == "there are no labelled test images: the last 1 of 2 images are the test set",
        "{:?}",
        mnist.notes
    );
}

#[test]
fn npz_reader_identifies_other_arrays() {
    let u1 = |shape: &str, count: usize| npy("|u1", shape, "False", &vec![7; count]);
    for (train, reason) in [
        (u1("2, 2, 2, 3", 24), "x_train: images have colour channels (dimensions [2, 2, 2, 3])"),
        (u1("2, 8", 16), "rows of 8 pixels, which are not square"),
        (u1("2, 2, 21", 84), "numpy.moveaxis(images, -1, 0)"),
        (u1("2, 0, 2", 0), "dimensions are [2, 0, 2]; each must be at least 1"),
        (u1("3, 2, 2", 12), "there are 3 images, but 2 labels"),
        (u1("2, 2, 2", 5), "truncated array: its header claims 8 elements, but only 5 follow"),
        (u1("2, 2, 9000000000", 8), "its header claims 36000000000 elements; a file of this length may have at most "),
        (u1("2, 30000, 30000", 8), "claims 1800000000 elements"),
        (npy("|O", "2,", "False", b"\x80\x04."), "Python objects"),
        (npy("<U1", "2,", "False", &[53, 0, 0, 0, 54, 0, 0, 0]), "its type is '<U1'; expected numbers"),
        (npy("<i2", "2, 1, 1", "False", &[255, 255, 0, 1]), "pixel -1 at position 0 is out of range"),
        (npy("<f4", "2, 1, 1", "False", &[0, 0, 0, 191, 0, 0, 32, 64]), "its pixels, from -0.5 to 2.5, are normalized"),
    ] {
        let message = Folder::new().with("mnist.npz", mnist_npz(train)).message("mnist.npz");
        assert!(message.contains(reason), "expected '{reason}': {message}");
    }
}

#[test]
fn npz_reader_reports_missing_arrays_and_other_archives() {
    let folder = Folder::new().with("a.npz", npz(&[("arr_0", npy("|u1", "1,", "False", &[1]))]));
    let message = folder.message("a.npz");
    assert!(message.ends_with("x_test and y_test; found: arr_0; save them under these names"), "{message}");
    let archive = npz(&[("x_train", Vec::new())]);
    let message = folder.with("cut.npz", &archive[..archive.len() - 9]).message("cut.npz");
    assert!(message.contains("not a complete npz file") && message.contains("download or copy it again"), "{message}");
    let mut writer = ZipWriter::new(std::io::Cursor::new(Vec::new()));
    writer.start_file("train-images-idx3-ubyte", SimpleFileOptions::default()).unwrap();
    let message = Folder::new().with("a.zip", writer.finish().unwrap().into_inner()).message("a.zip");
    assert!(
        message.contains("a zip archive of other files (train-images-idx3-ubyte): extract it with 'unzip'"),
        "{message}"
    );
}

/// A header of version 2 or 3 may claim up to 4 GB.
#[test]
fn npz_reader_rejects_headers_that_claim_too_much() {
    let array = b"\x93NUMPY\x02\x00\xff\xff\xff\x7f{'descr': '<f8'".to_vec();
    let message = Folder::new().with("mnist.npz", mnist_npz(array)).message("mnist.npz");
    assert!(message.contains("its header (version 2) claims 2147483647 bytes; at most 65536 are allowed"), "{message}");
}

const HEADER: &str = "label,pixel0,pixel1,pixel2,pixel3\n";

/// Six rows of a label and 2×2 pixels.
const ROWS: &str = "3,0,255,51,1\n1,128,2,127,254\n0,1,1,1,1\n4,1,1,1,1\n5,1,1,1,1\n6,9,9,9,9\n";

#[test]
fn csv_reader_accepts_usual_tables() {
    let last = "0,255,51,1,3\n128,2,127,254,1\n1,1,1,1,0\n1,1,1,1,4\n1,1,1,1,5\n9,9,9,9,6\n";
    let numbered: String = (0..).zip(ROWS.lines()).map(|(row, line)| format!("{row},{line}\n")).collect();
    let mut digests = Vec::new();
    for table in [
        format!("{HEADER}{ROWS}"),
        ROWS.to_owned(),
        format!("\u{feff}{HEADER}{ROWS}").replace('\n', "\r\n"),
        ROWS.replace(',', ";"),
        ROWS.replace(',', "\t"),
        ROWS.trim_end().replace(',', ".0,"),
        format!("pixel1,pixel2,pixel3,pixel4,class\n{last}"),
        format!(",{HEADER}{numbered}"),
        ROWS.replace('3', "\"3\""),
    ] {
        let mnist = Folder::new().with("digits.csv", &table).load("digits.csv");
        assert_eq!(
            (mnist.train.len(), mnist.test.labels(), mnist.test.image(0)),
            (5, &[6][..], &[9; 4][..]),
            "{table}"
        );
        assert_eq!(&pixels(&mnist)[..8], PIXELS);
        digests.push(mnist.digest);
    }
    digests.dedup();
    assert_eq!(digests.len(), 1);
}

#[test]
fn csv_reader_skips_header_of_numbers() {
    let header: Vec<String> = (0..=400).map(|column| column.to_string()).collect();
    let row = vec!["7"; 401].join(",");
    let mnist = Folder::new().with("a.csv", format!("{}\n{row}\n{row}\n", header.join(","))).load("a.csv");
    assert_eq!((mnist.train.len(), mnist.test.len(), mnist.train.image_shape()), (1, 1, [20, 20]));
}

#[test]
fn csv_files_of_both_sets_are_found_from_either() {
    for [train, test] in [
        ["train.csv", "test.csv"],
        ["mnist_train.csv", "mnist_test.csv"],
        ["emnist-letters-train.csv", "emnist-letters-test.csv"],
        ["train.csv/train.csv", "test.csv/test.csv"],
    ] {
        let folder = Folder::new().with(train, ROWS).with(test, &ROWS[..13]).with("sample_submission.csv", "a,b\n");
        assert_eq!(folder.found(), [train]);
        for given in [train, test] {
            let mnist = folder.load(given);
            assert_eq!((mnist.train.len(), mnist.test.len()), (6, 1), "{given}");
            assert!(
                mnist.notes.is_empty() && mnist.origins[2].ends_with(&format!("{test}: pixels")),
                "{:?}",
                mnist.notes
            );
        }
    }
    let alone = Folder::new().with("mnist_test.csv", ROWS).message("mnist_test.csv");
    assert!(alone.contains("only the test set is here; expected the file of the training set beside it"), "{alone}");
}

#[test]
fn unlabelled_test_table_is_replaced_by_end_of_training_table() {
    let unlabelled = "pixel0,pixel1,pixel2,pixel3\n1,2,3,4\n";
    let folder = Folder::new().with("train.csv", format!("{HEADER}{ROWS}")).with("test.csv", unlabelled);
    let mnist = folder.load("train.csv");
    assert_eq!((mnist.train.len(), mnist.test.labels()), (5, &[6][..]));
    assert_eq!(mnist.notes[0], "there are no labelled test images: the last 1 of 6 images are the test set");
    let message = Folder::new().with("a.csv", unlabelled).message("a.csv");
    assert!(message.contains("there are no labels, only 4 pixels a line"), "{message}");
}

#[test]
fn csv_reader_names_row_and_column_of_error() {
    for (table, reason) in [
        (ROWS.replace("127", "256"), "row 2, column 4: '256' is out of range; expected a whole number from 0 to 255"),
        (ROWS.replace("127", "0.5"), "row 2, column 4: '0.5' is out of range"),
        (ROWS.replace("127", "x"), "row 2, column 4: 'x' is out of range"),
        (ROWS.replace("127", ""), "row 2, column 4 is empty"),
        (ROWS[..ROWS.len() - 3].to_owned(), "row 6 has only 4 columns, but the first row has 5; the file may be"),
        (ROWS.replace("254", "254,9"), "row 2 has more than 5 columns"),
        (format!("{HEADER}{}", "1".repeat(65)), "row 2, column 1: the field is longer than 64 bytes"),
        (HEADER.to_owned(), "the table has no images"),
        ("3,1,2,3\n4,5,6,7\n".to_owned(), "there are no labels, only 4 pixels a line"),
        ("3,1,2,3,4,5\n4,5,6,7,8,9\n".to_owned(), "images are rows of 5 pixels, which are not square"),
        (ROWS[..13].to_owned(), "there are 1 images and 1 labels; expected as many labels as images, and at least two"),
    ] {
        let message = Folder::new().with("a.csv", &table).message("a.csv");
        assert!(message.contains(reason), "expected '{reason}': {message}");
    }
}

#[test]
fn files_of_other_formats_are_identified() {
    let folder = Folder::new()
        .with("mnist.npz", "<!DOCTYPE html>\n<a>1,2</a>")
        .with("train.csv", "version https://git-lfs.github.com/spec/v1\n")
        .with("mnist.pkl", b"\x80\x04\x95,")
        .with("train-images-idx3-ubyte", [0, 0, 8, 3, 0, 0, 0, 44])
        .with("empty.csv", "")
        .with("unknown.npz", b"\x01,\x02\x03");
    for (name, found) in [
        ("mnist.npz", "the file is an HTML or XML page"),
        ("train.csv", "the file is a Git LFS pointer"),
        ("mnist.pkl", "the file is a Python pickle: convert it with python3"),
        (
            "train-images-idx3-ubyte",
            "one of the four IDX files of a data set: give the folder that contains all of them",
        ),
        ("empty.csv", "the file is empty"),
        ("unknown.npz", "the file is in an unknown format; expected a folder, an .npz file or a CSV file"),
        ("missing.npz", "missing.npz: No such file"),
    ] {
        let message = folder.message(name);
        assert!(message.contains(found), "expected '{found}': {message}");
    }
    assert!(is_table(&folder.path("mnist.pkl")) && is_table(&folder.path("missing.NPZ")));
    assert!(!is_table(folder.0.path()) && !is_table(&folder.path("missing")));
}

#[test]
fn tables_in_folder_are_listed_once() {
    let folder =
        Folder::new().with("a.npz", "").with("b.csv", "").with("c.CSV", "").with("._d.csv", "").with("e.txt", "");
    assert_eq!(folder.found(), ["a.npz", "b.csv", "c.CSV"]);
    assert_eq!(folder.with("train.csv", "").with("test.csv", "").found(), ["a.npz", "train.csv"]);
}
