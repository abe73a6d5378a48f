//! Data sets in CSV files: one image a line, its label and its pixels.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use csv_core::{ReadFieldResult, ReaderBuilder};
use mlp_parity::mnist::idx::ImageArray;
use mlp_parity::mnist::{LabelledImages, Mnist};
use mlp_parity::storage::MAX_IDX_LENGTH;
use mlp_parity::{Error, Result};

use super::scale::Scale;

/// Characters that separate the fields of a line.
pub(super) const SEPARATORS: [u8; 3] = *b",;\t";

/// Largest length of a file in bytes. EMNIST's by-class set has 1.6 GB.
const MAX_LENGTH: u64 = 4 << 30;

/// Largest number of columns: an image of 1024 × 1024 pixels with its label.
const MAX_COLUMNS: usize = (1 << 20) + 1;

/// Largest length of a field in bytes.
const MAX_FIELD: usize = 64;

/// Number of the values that a pixel or a label can have.
const GREY_LEVELS: usize = 256;

/// Names of the column of labels.
const LABEL_NAMES: [&str; 6] = ["label", "labels", "class", "target", "y", "digit"];

/// Names of columns that only number the lines.
const INDEX_NAMES: [&str; 4] = ["", "unnamed: 0", "index", "id"];

/// The set that the name of a file states, such as `mnist_train.csv`.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// The other words of the name, which are the same for both sets.
    set: String,
    pub(super) is_test: bool,
}

impl Part {
    /// Parses the name of a file; `None` if it states no set.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let name = path.file_stem()?.to_str()?.to_lowercase();
        let words: Vec<&str> = name.split(['-', '_', '.', ' ']).collect();
        let is_test = |word: &str| match word {
            "train" | "training" => Some(false),
            "test" | "testing" | "t10k" => Some(true),
            _ => None,
        };
        let place = words.iter().position(|word| is_test(word).is_some())?;
        Some(Self { set: [&words[..place], &words[place + 1..]].concat().join("-"), is_test: is_test(words[place])? })
    }
}

/// Reads a data set from one or two CSV files.
///
/// # Errors
///
/// If a file cannot be read or is no table of images, or the test set alone is found.
pub(super) fn load(path: &Path) -> Result<Mnist> {
    let Some(Part { is_test, .. }) = Part::of(path) else { return load_training(path, None) };
    match (is_test, other_part(path)) {
        (false, test) => load_training(path, test.as_deref()),
        (true, Some(train)) => load_training(&train, Some(path)),
        (true, None) => Err(Error::data(
            path.display(),
            "only the test set is here; expected the file of the training set beside it, with 'train' in place of 'test'",
        )),
    }
}

/// Returns the path of the file beside this one that contains the other set.
fn other_part(path: &Path) -> Option<PathBuf> {
    let Part { set, is_test } = Part::of(path)?;
    let other = Part { set, is_test: !is_test };
    let folder = path.parent()?;
    // A file in a folder of its own name, as Kaggle's archives have it.
    let is_nested = folder.file_name() == path.file_name();
    let folder = if is_nested { folder.parent()? } else { folder };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let tables = std::fs::read_dir(folder).ok()?.filter_map(|entry| super::table(entry.ok()?.path()));
    let mut others: Vec<PathBuf> =
        tables.filter(|table| super::has_extension(table, "csv") && Part::of(table).as_ref() == Some(&other)).collect();
    others.sort_unstable();
    others.into_iter().next().map(|path| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path))
}

/// Reads the training set, and the test set from its own file or from the end of the training set.
fn load_training(train: &Path, test: Option<&Path>) -> Result<Mnist> {
    let train = read(train)?.into_labelled(train)?;
    if let Some(path) = test {
        let test = read(path)?;
        if test.labels.is_some() {
            return Mnist::new(train, test.into_labelled(path)?, Vec::new());
        }
    }
    let (train, test, note) = super::divide(train)?;
    Mnist::new(train, test, vec![note])
}

/// The images of a CSV file.
struct Table {
    pixels: Vec<u8>,
    /// Number of pixels of an image.
    width: usize,
    /// The labels, unless the file has none.
    labels: Option<Vec<u8>>,
}

impl Table {
    /// # Errors
    ///
    /// [`Error::Data`] if the images are not square or have no labels.
    fn into_labelled(self, path: &Path) -> Result<LabelledImages> {
        let origin = path.display().to_string();
        let Self { pixels, width, labels } = self;
        let Some(labels) = labels else {
            let reason = format!(
                "there are no labels, only {width} pixels a line; expected a column of labels: the first, or one named 'label'"
            );
            return Err(Error::data(origin, reason));
        };
        let origins = ["pixels", "labels"].map(|contents| format!("{origin}: {contents}"));
        let images = ImageArray::new(pixels, &[labels.len(), width]).map_err(|reason| Error::data(&origin, reason))?;
        // Every CSV file has rows of pixels, which is not worth a note.
        Ok(LabelledImages { images: ImageArray { note: None, ..images }, labels, origins })
    }
}

/// The columns of a table.
struct Columns {
    count: usize,
    label: Option<usize>,
    index: Option<usize>,
}

impl Columns {
    /// Determines the columns from the first row. It is a header if one of its fields is no number, or if they number more
    /// columns than there are grey levels, as pandas does.
    fn of(first: &[String]) -> (Self, bool) {
        let is_consecutive = || first.iter().enumerate().skip(1).all(|(column, field)| *field == column.to_string());
        let is_header = first.iter().any(|field| field.trim().parse::<f64>().is_err())
            || first.len() > GREY_LEVELS && is_consecutive();
        let place =
            |names: &[&str]| first.iter().position(|field| names.contains(&field.trim().to_lowercase().as_str()));
        let index = place(&INDEX_NAMES).filter(|_| is_header);
        let pixels = first.len() - usize::from(index.is_some());
        // Without a name, the first column is the label, unless all columns together are a square image.
        let is_unlabelled = pixels.isqrt().pow(2) == pixels;
        let first_column = if index == Some(0) { 1 } else { 0 };
        let label = place(&LABEL_NAMES).filter(|_| is_header).or((!is_unlabelled).then_some(first_column));
        (Self { count: first.len(), label, index }, is_header)
    }

    /// Returns the number of pixels of an image.
    fn width(&self) -> usize {
        self.count - usize::from(self.label.is_some()) - usize::from(self.index.is_some())
    }
}

/// Reads a table.
fn read(path: &Path) -> Result<Table> {
    let invalid = |reason: String| Error::data(path.display(), reason);
    let mut first = Vec::new();
    let mut columns: Option<Columns> = None;
    let mut pixels = Vec::new();
    let mut labels = Vec::new();
    let mut add = |columns: &Columns, row: usize, column: usize, field: &str| -> Result<(), String> {
        if Some(column) == columns.index {
            return Ok(());
        }
        let field = field.trim();
        // Nearly all fields are whole numbers, which are parsed faster.
        let number = field.parse().ok().or_else(|| Scale::Whole.grey_level(field.parse().ok()?));
        let number = number.ok_or_else(|| {
            let column = column + 1;
            if field.is_empty() {
                return format!("row {row}, column {column} is empty; expected a whole number from 0 to 255");
            }
            format!(
                "row {row}, column {column}: '{field}' is out of range; expected a whole number from 0 to 255 (multiply pixels \
                 from 0 to 1 by 255, and round them)"
            )
        })?;
        if Some(column) == columns.label {
            labels.push(number);
        } else if pixels.len() as u64 == MAX_IDX_LENGTH {
            return Err(format!("row {row}: the table has more than {MAX_IDX_LENGTH} pixels"));
        } else {
            pixels.push(number);
        }
        Ok(())
    };
    for_each_field(path, |row, column, field, is_last| {
        let Some(columns) = &columns else {
            first.push(field.to_owned());
            if is_last {
                let (found, is_header) = Columns::of(&first);
                if !is_header {
                    first.iter().enumerate().try_for_each(|(column, field)| add(&found, row, column, field))?;
                }
                columns = Some(found);
            }
            return Ok(());
        };
        if is_last != (column + 1 == columns.count) {
            return Err(format!(
                "row {row} has {} {} columns, but the first row has {}; the file may be truncated: download or copy it again",
                if is_last { "only" } else { "more than" },
                if is_last { column + 1 } else { columns.count },
                columns.count
            ));
        }
        add(columns, row, column, field)
    })
    .map_err(|error| match error {
        FieldError::Io(source) => Error::io("read", path)(source),
        FieldError::Invalid(reason) => invalid(reason),
    })?;
    let columns = columns.filter(|_| !pixels.is_empty());
    let columns = columns.ok_or_else(|| invalid("the table has no images".to_owned()))?;
    Ok(Table { width: columns.width(), labels: columns.label.map(|_| labels), pixels })
}

/// A reason for which [`for_each_field`] stops.
enum FieldError {
    Io(std::io::Error),
    Invalid(String),
}

impl From<String> for FieldError {
    fn from(reason: String) -> Self {
        Self::Invalid(reason)
    }
}

/// Calls `visit` with each field of a CSV file: its row, counted from 1, its column, counted from 0, its text, and true if it
/// is the last of its row. No more than one field is kept in memory.
fn for_each_field(
    path: &Path,
    mut visit: impl FnMut(usize, usize, &str, bool) -> Result<(), String>,
) -> Result<(), FieldError> {
    let file = File::open(path).map_err(FieldError::Io)?;
    let length = file.metadata().map_err(FieldError::Io)?.len();
    if length > MAX_LENGTH {
        return Err(format!("the file has {length} bytes; at most {MAX_LENGTH} are allowed").into());
    }
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().map_err(FieldError::Io)?;
    let separator = start.iter().copied().find(|byte| SEPARATORS.contains(byte) || *byte == b'\n');
    let separator = separator.filter(|byte| *byte != b'\n').unwrap_or(SEPARATORS[0]);
    let mut reader = ReaderBuilder::new().delimiter(separator).build();
    let (mut field, mut used, mut row, mut column) = ([0; MAX_FIELD], 0, 1, 0);
    loop {
        let input = file.fill_buf().map_err(FieldError::Io)?;
        let (result, consumed, written) = reader.read_field(input, &mut field[used..]);
        file.consume(consumed);
        used += written;
        match result {
            ReadFieldResult::InputEmpty => {}
            ReadFieldResult::OutputFull => {
                return Err(
                    format!("row {row}, column {}: the field is longer than {MAX_FIELD} bytes", column + 1).into()
                );
            }
            ReadFieldResult::Field { .. } if column >= MAX_COLUMNS => {
                return Err(format!("row {row} has more than {MAX_COLUMNS} columns").into());
            }
            ReadFieldResult::Field { record_end } => {
                let text = String::from_utf8_lossy(&field[..used]);
                visit(row, column, &text, record_end)?;
                used = 0;
                (row, column) = if record_end { (row + 1, 0) } else { (row, column + 1) };
            }
            ReadFieldResult::End => return Ok(()),
        }
    }
}
