//! Data sets in tables: NumPy archives such as Keras' `mnist.npz`, and CSV files such as Kaggle's.

mod csv;
mod npz;
mod scale;
#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use mlp_parity::mnist::idx::{ImageArray, identify, is_torch_archive};
use mlp_parity::mnist::{LabelledImages, Mnist};
use mlp_parity::{Error, Result, list_names};

/// Number of bytes at the start of a file that identify its format.
const START: u64 = 512;

/// The first bytes of a zip archive, which an `.npz` file is.
const ZIP: &[u8] = b"PK\x03\x04";

/// Numbers of all images and of training images in MNIST, whose test images are the last 10,000 where both are in one table.
const MNIST_SIZES: (usize, usize) = (70_000, 60_000);

/// Returns true if a path is a file, or has the extension of a table.
pub(crate) fn is_table(path: &Path) -> bool {
    path.is_file() || !path.is_dir() && (has_extension(path, "npz") || has_extension(path, "csv"))
}

/// Reads the table or the pair of tables that `path` belongs to: an `.npz` file, or a CSV file with the one beside it that
/// contains the other set.
///
/// # Errors
///
/// If the file cannot be read, is no table, or its images and labels do not fit each other. Other formats are identified.
pub(crate) fn load(path: &Path) -> Result<Mnist> {
    let start = start_of(path)?;
    if start.starts_with(ZIP) && !is_torch_archive(&start) {
        return npz::load(path);
    }
    if is_csv(&start) {
        return csv::load(path);
    }
    let found = identify(&start).unwrap_or_else(|| "in an unknown format".to_owned());
    Err(Error::data(path.display(), format!("the file is {found}; expected a folder, an .npz file or a CSV file")))
}

/// Returns true if the beginning of a file is text with a separator in its first line. Pages of servers are no tables.
fn is_csv(start: &[u8]) -> bool {
    let first_line = start.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_text =
        |text: &str| !text.contains(|character: char| character.is_control() && !matches!(character, '\t' | '\r'));
    let has_separator = first_line.iter().any(|byte| csv::SEPARATORS.contains(byte));
    has_separator
        && !first_line.starts_with(b"<")
        && !first_line.starts_with(b"{")
        && str::from_utf8(first_line).is_ok_and(is_text)
}

/// Returns the tables in a folder, each of which is a data set: one path for two CSV files of training and test images.
pub(crate) fn find(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let mut paths: Vec<PathBuf> = entries.filter_map(|entry| table(entry.ok()?.path())).collect();
    paths.sort_unstable();
    let is_part = |path: &PathBuf| csv::Part::of(path).is_some();
    let is_train = |path: &PathBuf| csv::Part::of(path).is_some_and(|part| !part.is_test);
    // A test set belongs to its training set, and other CSV files beside them, such as a sample submission, are no data sets.
    let has_train = paths.iter().any(is_train);
    paths.retain(|path| !has_extension(path, "csv") || !has_train || is_part(path) && is_train(path));
    paths
}

/// Returns the path if it is a table, or the table in a folder of the same name, as Kaggle's archives have it.
fn table(path: PathBuf) -> Option<PathBuf> {
    let name = path.file_name()?;
    let is_hidden = name.to_string_lossy().starts_with('.');
    let path = if path.is_dir() { path.join(name) } else { path };
    let is_table = has_extension(&path, "npz") || has_extension(&path, "csv");
    (!is_hidden && is_table && path.is_file()).then_some(path)
}

/// Describes several tables in a folder, of which one must be chosen.
pub(crate) fn choice(tables: &[PathBuf]) -> String {
    let paths: Vec<String> = tables.iter().map(|path| format!("--data '{}'", path.display())).collect();
    list_names(paths.iter().map(String::as_str))
}

fn has_extension(path: &Path, expected: &str) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case(expected))
}

/// Returns the beginning of a regular file. A pipe or a device is rejected before it is opened: tables are read twice.
fn start_of(path: &Path) -> Result<Vec<u8>> {
    let metadata = path.metadata().map_err(Error::io("read", path))?;
    if !metadata.is_file() {
        return Err(Error::data(path.display(), "not a regular file; expected an .npz file or a CSV file"));
    }
    let mut start = Vec::new();
    let file = File::open(path).map_err(Error::io("read", path))?;
    file.take(START).read_to_end(&mut start).map_err(Error::io("read", path))?;
    Ok(start)
}

/// Divides labelled images that are not divided into training and test set: the last sixth becomes the test set, as in MNIST.
/// Returns both, and a note.
fn divide(all: LabelledImages) -> Result<(LabelledImages, LabelledImages, String)> {
    let LabelledImages { images: ImageArray { mut pixels, shape: [count, rows, columns], note }, mut labels, origins } =
        all;
    if count < 2 || labels.len() != count {
        let reason = format!(
            "there are {count} images and {} labels; expected as many labels as images, and at least two",
            labels.len()
        );
        return Err(Error::data(origins.join(" and "), reason));
    }
    let first = if count == MNIST_SIZES.0 { MNIST_SIZES.1 } else { count - count.div_ceil(6) };
    let part = |pixels, labels: Vec<u8>, note| {
        let images = ImageArray { pixels, shape: [labels.len(), rows, columns], note };
        LabelledImages { images, labels, origins: origins.clone() }
    };
    let rest_pixels = pixels.split_off((first * rows * columns).min(pixels.len()));
    let rest_labels = labels.split_off(first);
    let rest = count - first;
    let message = format!("there are no labelled test images: the last {rest} of {count} images are the test set");
    Ok((part(pixels, labels, note), part(rest_pixels, rest_labels, None), message))
}
