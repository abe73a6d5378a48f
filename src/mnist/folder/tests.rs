//! Tests of the search for the four files.

use std::fs;

use tempfile::TempDir;

use crate::mnist::{DataSource, FILES, Mnist};

/// Returns four small files: `count` training images and one test image, all with this pixel.
fn files(count: u8, pixel: u8) -> [Vec<u8>; 4] {
    let images = |count: u8| {
        let header = [[0, 0, 8, 3], [0, 0, 0, count], [0, 0, 0, 2], [0, 0, 0, 2]].concat();
        [header, vec![pixel; 4 * usize::from(count)]].concat()
    };
    let labels = |count: u8| [[0, 0, 8, 1].to_vec(), vec![0, 0, 0, count], vec![3; count.into()]].concat();
    [images(count), labels(count), images(1), labels(1)]
}

/// A temporary folder with files.
struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes files under these names, with folders if necessary.
    fn with(self, names: [&str; 4], files: [Vec<u8>; 4]) -> Self {
        names.into_iter().zip(files).fold(self, |folder, (name, bytes)| folder.with_file(name, &bytes))
    }

    fn with_file(self, name: &str, bytes: &[u8]) -> Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
        self
    }

    fn source(&self, inner: &str) -> DataSource {
        DataSource::Directory(self.0.path().join(inner))
    }

    fn load(&self) -> Mnist {
        self.source("").load().unwrap()
    }

    fn message(&self) -> String {
        self.source("").load().unwrap_err().to_string()
    }
}

/// Returns the names of the four files with another beginning.
fn named(prefix: &str) -> [String; 4] {
    FILES.map(|name| format!("{prefix}{name}"))
}

#[test]
fn folder_accepts_names_of_published_data_sets() {
    for names in [
        FILES,
        ["train-images.idx3-ubyte", "train-labels.idx1-ubyte", "t10k-images.idx3-ubyte", "t10k-labels.idx1-ubyte"],
        ["TRAIN-IMAGES-IDX3-UBYTE", "Train_Labels_idx1_ubyte", "test-images-idx3-ubyte.gz", "test-labels"],
        ["q-train-images", "q-train-labels", "q-test-images", "q-test-labels"],
        ["MNIST/raw/train-images", "MNIST/raw/train-labels", "MNIST/raw/test-images", "MNIST/raw/test-labels"],
        ["raw/train-images", "raw/train-labels", "raw/test-images", "raw/test-labels"],
        [
            "train-images-idx3-ubyte/train-images-idx3-ubyte",
            "train-labels-idx1-ubyte/train-labels.idx1-ubyte",
            "t10k-images-idx3-ubyte/t10k-images-idx3-ubyte",
            "t10k-labels-idx1-ubyte",
        ],
    ] {
        let folder = Folder::new().with(names, files(2, 9)).with_file("._train-images-idx3-ubyte", b"resource");
        let mnist = folder.load();
        assert_eq!((mnist.train.len(), mnist.test.len()), (2, 1), "{names:?}");
        assert!(mnist.origins[0].contains(names[0]) && folder.source("").has_files());
    }
}

#[test]
fn folder_with_several_data_sets_lists_them() {
    let [a, b] = ["emnist-letters-", "emnist-digits-"].map(named);
    let folder = Folder::new().with(a.each_ref().map(String::as_str), files(2, 9));
    assert_eq!(folder.load().train.len(), 2);
    let folder = folder.with(b.each_ref().map(String::as_str), files(3, 9));
    let message = folder.message();
    let choice = |name: &str| folder.0.path().join(name).display().to_string();
    let expected = format!("choose one of: {}, {}", choice("emnist-digits"), choice("emnist-letters"));
    assert!(message.ends_with(&expected), "{message}");
    assert_eq!(folder.source("emnist-digits").load().unwrap().train.len(), 3);
    let absent = folder.source("emnist-balanced").load().unwrap_err().to_string();
    assert!(absent.ends_with("emnist-balanced: the folder does not exist"), "{absent}");
    // MNIST's own names take precedence over other files in the same folder.
    assert_eq!(folder.with(FILES, files(4, 9)).load().train.len(), 4);

    let [a, b] = ["MNIST/raw/", "KMNIST/raw/"].map(named);
    let folder = Folder::new().with(a.each_ref().map(String::as_str), files(2, 9));
    let message = folder.with(b.each_ref().map(String::as_str), files(2, 9)).message();
    assert!(message.contains("several data sets") && message.contains("KMNIST/raw, "), "{message}");
}

#[test]
fn differing_copies_are_noted_and_plain_ones_used() {
    let folder = Folder::new().with(FILES, files(2, 9)).with_file("train-images-idx3-ubyte.gz", &files(2, 9)[0]);
    assert_eq!(folder.load().notes, Vec::<String>::new());
    let folder = folder.with_file("train-images-idx3-ubyte.gz", &files(2, 8)[0]).with_file("train-images", b"");
    let mnist = folder.load();
    assert_eq!(mnist.train.image(0), [9; 4]);
    let path = |name: &str| folder.0.path().join(name).display().to_string();
    let expected = format!(
        "{} is used; it differs from {}, {}",
        path("train-images-idx3-ubyte"),
        path("train-images"),
        path("train-images-idx3-ubyte.gz")
    );
    assert_eq!(mnist.notes, [expected]);
}

#[test]
fn incomplete_folder_names_missing_and_found_files() {
    let folder = Folder::new().with(FILES, files(2, 9));
    fs::remove_file(folder.0.path().join(FILES[3])).unwrap();
    let message = folder.message();
    let expected = "missing t10k-labels-idx1-ubyte (with or without .gz); all four files are required; found: t10k-images-idx3-ubyte, ";
    assert!(message.contains(expected), "{message}");
    assert!(Folder::new().message().ends_with("required; the folder is empty"));
    for (name, bytes, remedy) in [
        ("archive.zip", &b"PK\x03\x04"[..], "a zip archive: extract it with 'unzip'"),
        ("mnist.pkl", b"\x80\x04", "a Python pickle: convert it with python3"),
        ("x_train.npy", b"\x93NUMPY", "a single NumPy array: save its arrays with numpy.savez('mnist.npz', x_train=…"),
    ] {
        let folder = Folder::new().with_file(name, bytes).with_file(".hidden", bytes);
        let message = folder.message();
        assert!(message.contains(&format!("found: {name}; '{name}' is {remedy}")), "{message}");
        assert!(!folder.source("").has_files());
    }
}

#[test]
fn files_in_subfolders_are_identified() {
    let folder = Folder::new().with_file("MNIST/processed/training.pt", b"PK\x03\x04\x14\0training/data.pkl");
    let message = folder.message();
    assert!(message.contains("found: MNIST; 'training.pt' is a PyTorch file: convert it with"), "{message}");
}

#[test]
fn folders_of_pictures_are_named_with_conversion() {
    let folder = Folder::new().with_file("3/a.png", b"x").with_file("7/b.png", b"x");
    assert!(
        folder.message().contains("x, y = load('.'); np.savez_compressed('mnist.npz', x=x, y=y)"),
        "{}",
        folder.message()
    );
    let folder = Folder::new().with_file("training/3/a.png", b"x").with_file("testing/3/a.JPG", b"x");
    assert!(folder.message().contains("(x, y), (u, v) = load('training'), load('testing')"), "{}", folder.message());
    for name in ["3/a.txt", "pictures/a.png"] {
        let message = Folder::new().with_file(name, b"x").message();
        assert!(!message.contains("load("), "{message}");
    }
}

#[test]
fn folder_message_lists_at_most_ten_files() {
    let folder = (10..40).fold(Folder::new(), |folder, index| folder.with_file(&format!("picture{index}.png"), b"x"));
    let message = folder.message();
    assert!(message.contains("picture19.png and 20 more") && !message.contains("picture20"), "{message}");
}

#[test]
fn exchanged_files_are_named() {
    let [a, b, c, d] = files(2, 9);
    let swapped = Folder::new().with(FILES, [a.clone(), d.clone(), c.clone(), b.clone()]).message();
    let expected =
        "1 labels for 2 training images, and 2 labels for 1 test images: the files of training and test labels have";
    assert!(swapped.contains(expected), "{swapped}");
    let notes = Folder::new().with(FILES, [c, d, a, b]).load().notes;
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("there are more test images (2) than training images (1)"), "{notes:?}");
}

/// A digest identifies the images and labels, not the form of the files.
#[test]
fn digest_is_that_of_usual_idx_files() {
    let [a, b, c, d] = files(2, 9);
    let usual = Folder::new().with(FILES, [a.clone(), b, c.clone(), d.clone()]).load();
    let flat = [&[0, 0, 8, 2, 0, 0, 0, 2, 0, 0, 0, 4][..], &a[16..]].concat();
    let integers = [&[0, 0, 12, 1, 0, 0, 0, 2][..], &[0, 0, 0, 3, 0, 0, 0, 3]].concat();
    let other = Folder::new().with(FILES, [flat, integers, c, d]).load();
    assert_eq!(usual.digest, other.digest);
    assert_eq!(other.idx_files().map(|(_, bytes)| bytes), files(2, 9));
    assert_ne!(usual.digest, Folder::new().with(FILES, files(2, 8)).load().digest);
}
