//! Data sets in `.npz` files, ZIP archives of NumPy arrays.

use std::fs::File;
use std::io::{BufRead, Read};
use std::path::Path;

use mlp_parity::mnist::idx::{ImageArray, decompressed_limit};
use mlp_parity::mnist::{LabelledImages, Mnist};
use mlp_parity::{Error, Result, list_names};
use mlp_parity_compare::open_npy;
use ndarray::{ArrayD, IxDyn, ShapeBuilder};
use npyz::{DType, NpyFile, Order, TypeChar};
use zip::ZipArchive;

use super::scale::{Scale, ScaleSearch};

/// The set and the contents of an array, which its name states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Role {
    set: Set,
    is_labels: bool,
}

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Set {
    Train,
    Test,
    /// Images that are not divided into training and test set.
    All,
}

impl Role {
    /// Parses the name of an array: `x_train`, `train_images`, `TrainLabels`, `X`, `target`; `None` for other names.
    fn of(name: &str) -> Option<Self> {
        let name: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
        let is_labels = |contents: &str| match contents {
            "x" | "image" | "images" | "img" | "imgs" | "data" | "input" | "inputs" | "features" | "pixels" => {
                Some(false)
            }
            "y" | "label" | "labels" | "target" | "targets" | "class" | "classes" => Some(true),
            _ => None,
        };
        let sets = [("training", Set::Train), ("train", Set::Train), ("testing", Set::Test), ("test", Set::Test)];
        let contents = |(word, set): (&str, Set)| {
            let contents = name.strip_prefix(word).or_else(|| name.strip_suffix(word))?;
            Some(Self { set, is_labels: is_labels(contents)? })
        };
        sets.into_iter().find_map(contents).or_else(|| Some(Self { set: Set::All, is_labels: is_labels(&name)? }))
    }
}

/// Reads a data set from an `.npz` file.
///
/// # Errors
///
/// If the file cannot be read, an array is missing, is no array of grey images or of labels, or would take too much memory.
pub(super) fn load(path: &Path) -> Result<Mnist> {
    let file = File::open(path).map_err(Error::io("read", path))?;
    let length = file.metadata().map_err(Error::io("read", path))?.len();
    let invalid = |reason: String| Error::data(path.display(), reason);
    let zip = ZipArchive::new(file)
        .map_err(|error| invalid(format!("not a complete npz file: {error}; download or copy it again")))?;
    let mut archive = Archive { zip, limit: decompressed_limit(length), path };
    let arrays = archive.names().map_err(invalid)?;
    let find =
        |set: Set, is_labels: bool| arrays.iter().find(|(_, name)| Role::of(name) == Some(Role { set, is_labels }));
    let pair = |set: Set| Some([find(set, false)?, find(set, true)?]);
    if let (Some(train), Some(test)) = (pair(Set::Train), pair(Set::Test)) {
        return Mnist::new(archive.read(train)?, archive.read(test)?, Vec::new());
    }
    if let Some(all) = pair(Set::All).or_else(|| pair(Set::Train)) {
        let (train, test, note) = super::divide(archive.read(all)?)?;
        return Mnist::new(train, test, vec![note]);
    }
    let found = list_names(arrays.iter().map(|(_, name)| name.as_str()));
    Err(invalid(format!(
        "expected the arrays x_train, y_train, x_test and y_test; found: {found}; save them under these names"
    )))
}

/// An open archive.
struct Archive<'a> {
    zip: ZipArchive<File>,
    /// Largest number of bytes that an array may take.
    limit: u64,
    path: &'a Path,
}

impl Archive<'_> {
    /// Returns the index and the name of each array.
    fn names(&mut self) -> Result<Vec<(usize, String)>, String> {
        let paths: Vec<String> = self
            .zip
            .file_names()
            .map(|name| Ok(name?.into_owned()))
            .collect::<zip::result::ZipResult<_>>()
            .map_err(|error| format!("not a complete npz file: {error}"))?;
        let name =
            |(index, path): (usize, &String)| Some((index, npyz::npz::array_name_from_file_name(path)?.to_owned()));
        let arrays: Vec<(usize, String)> = paths.iter().enumerate().filter_map(name).collect();
        if arrays.is_empty() {
            let found = list_names(paths.iter().map(String::as_str));
            return Err(format!(
                "a zip archive of other files ({found}): extract it with 'unzip', and give the folder"
            ));
        }
        Ok(arrays)
    }

    /// Reads images and their labels.
    fn read(&mut self, arrays: [&(usize, String); 2]) -> Result<LabelledImages> {
        let origins = arrays.map(|(_, name)| format!("{}: {name}", self.path.display()));
        let [images, labels] = arrays.map(|(index, _)| *index);
        let images = self.images(images).map_err(|reason| Error::data(&origins[0], reason))?;
        let labels = self.labels(labels).map_err(|reason| Error::data(&origins[1], reason))?;
        Ok(LabelledImages { images, labels, origins })
    }

    fn images(&mut self, index: usize) -> Result<ImageArray, String> {
        let Shape { dimensions, kind, .. } = self.shape(index, 1)?;
        let scale = if matches!(kind, TypeChar::Float | TypeChar::Bool) {
            let mut search = ScaleSearch::new();
            self.visit(index, |_, pixel| {
                search.add(pixel);
                Ok(())
            })?;
            search.finish()?
        } else {
            Scale::Whole
        };
        let pixels = self.elements(index, 1, |position, pixel| {
            let level = scale.grey_level(pixel);
            level.ok_or_else(|| format!("pixel {pixel} at position {position} is out of range; expected 0 to 255"))
        })?;
        ImageArray::new(pixels, &dimensions)
    }

    /// Reads labels: one per image, or one-hot vectors.
    fn labels(&mut self, index: usize) -> Result<Vec<u8>, String> {
        let Shape { dimensions, .. } = self.shape(index, size_of::<f64>())?;
        let values = self.elements(index, size_of::<f64>(), |_, label| Ok(label))?;
        let label = |(image, label): (usize, f64)| {
            let is_label = label.fract() == 0.0 && (0.0..=255.0).contains(&label);
            is_label
                .then_some(label as u8)
                .ok_or_else(|| format!("label {label} of image {image} is out of range; expected 0 to 255"))
        };
        match dimensions[..] {
            [_] | [_, 1] => values.into_iter().enumerate().map(label).collect(),
            [_, classes] => {
                let one_hot = |(image, row): (usize, &[f64])| {
                    let is_one_hot =
                        row.iter().all(|&value| value == 0.0 || value == 1.0) && row.iter().sum::<f64>() == 1.0;
                    let class = row.iter().position(|&value| value == 1.0).filter(|_| is_one_hot);
                    let class = class.and_then(|class| u8::try_from(class).ok());
                    class.ok_or_else(|| {
                        format!("row {image} of {classes} values is no one-hot vector; expected one label per image")
                    })
                };
                values.chunks_exact(classes.max(1)).enumerate().map(one_hot).collect()
            }
            _ => Err(format!("dimensions are {dimensions:?}; expected one label per image")),
        }
    }

    /// Reads the elements of an array in row-major order. `size` is the number of bytes that a converted element takes.
    fn elements<T: Clone>(
        &mut self,
        index: usize,
        size: usize,
        mut convert: impl FnMut(u64, f64) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let Shape { dimensions, is_column_major, .. } = self.shape(index, size)?;
        let mut elements = Vec::new();
        let count = dimensions.iter().product();
        elements
            .try_reserve_exact(count)
            .map_err(|_| format!("its {count} elements do not fit into the available memory"))?;
        self.visit(index, |position, element| {
            elements.push(convert(position, element)?);
            Ok(())
        })?;
        if !is_column_major {
            return Ok(elements);
        }
        let array = ArrayD::from_shape_vec(IxDyn(&dimensions).f(), elements).map_err(|error| error.to_string())?;
        Ok(array.iter().cloned().collect())
    }

    /// Calls `visit` with the position and the value of every element, in the order of the file.
    fn visit(&mut self, index: usize, mut visit: impl FnMut(u64, f64) -> Result<(), String>) -> Result<(), String> {
        let member = self.zip.by_index(index).map_err(|error| damaged(&error))?;
        let file = open_npy(member).map_err(|error| damaged(&error))?;
        let element = element_type(&file)?;
        macro_rules! visit {
            ($number:ty, $convert:expr) => {{
                let elements = file.data::<$number>().map_err(|error| damaged(&error))?;
                for (position, element) in (0..).zip(elements) {
                    visit(position, $convert(element.map_err(|error| damaged(&error))?))?;
                }
            }};
        }
        match element {
            (TypeChar::Float, 8) => visit!(f64, |value| value),
            (TypeChar::Float, 4) => visit!(f32, f64::from),
            (TypeChar::Int, 8) => visit!(i64, |value| value as f64),
            (TypeChar::Uint, 8) => visit!(u64, |value| value as f64),
            (TypeChar::Int, 4) => visit!(i32, f64::from),
            (TypeChar::Uint, 4) => visit!(u32, f64::from),
            (TypeChar::Int, 2) => visit!(i16, f64::from),
            (TypeChar::Uint, 2) => visit!(u16, f64::from),
            (TypeChar::Int, 1) => visit!(i8, f64::from),
            (TypeChar::Uint, 1) => visit_bytes(file, visit)?,
            (TypeChar::Bool, _) => visit!(bool, |value| f64::from(u8::from(value))),
            _ => {
                return Err(format!(
                    "its type is {}; expected numbers: convert it with .astype('uint8')",
                    file.dtype().descr()
                ));
            }
        }
        Ok(())
    }

    /// Reads the header of an array, and checks the memory that it claims if each element takes `size` bytes.
    fn shape(&mut self, index: usize, size: usize) -> Result<Shape, String> {
        let member = self.zip.by_index(index).map_err(|error| error.to_string())?;
        let length = member.size();
        let file = open_npy(member).map_err(|error| error.to_string())?;
        let (kind, element_size) = element_type(&file)?;
        let dimensions: Vec<usize> = file.shape().iter().map(|&length| length as usize).collect();
        let claimed = file.len();
        if claimed.saturating_mul(size as u64) > self.limit {
            return Err(format!(
                "its header claims {claimed} elements; a file of this length may have at most {}",
                self.limit / size as u64
            ));
        }
        if claimed.saturating_mul(element_size) > length {
            return Err(format!(
                "truncated array: its header claims {claimed} elements, which {length} bytes cannot contain"
            ));
        }
        if claimed == 0 {
            return Err(format!("dimensions are {dimensions:?}; each must be at least 1"));
        }
        Ok(Shape { dimensions, kind, is_column_major: file.order() == Order::Fortran })
    }
}

/// The header of an array.
struct Shape {
    dimensions: Vec<usize>,
    kind: TypeChar,
    is_column_major: bool,
}

/// Calls `visit` with the position and the value of every byte of an array. The library's iterator would take most of the time
/// of reading a data set of bytes.
fn visit_bytes(
    file: NpyFile<impl BufRead>,
    mut visit: impl FnMut(u64, f64) -> Result<(), String>,
) -> Result<(), String> {
    let claimed = file.len();
    let mut reader = file.into_inner().take(claimed);
    let mut position = 0;
    loop {
        let bytes = reader.fill_buf().map_err(|error| damaged(&error))?;
        if bytes.is_empty() {
            break;
        }
        for &byte in bytes {
            visit(position, byte.into())?;
            position += 1;
        }
        let length = bytes.len();
        reader.consume(length);
    }
    if position < claimed {
        return Err(format!("truncated array: its header claims {claimed} elements, but only {position} follow"));
    }
    Ok(())
}

/// Returns the message for an array that cannot be read.
fn damaged(error: &dyn std::fmt::Display) -> String {
    format!("{error}; the file may be damaged: download or copy it again")
}

/// Returns the type of the elements of an array: its kind, and its size in bytes.
fn element_type<R: Read>(file: &NpyFile<R>) -> Result<(TypeChar, u64), String> {
    match file.dtype() {
        DType::Plain(plain) if !plain.uses_pickled_array() => Ok((plain.type_char(), plain.size_field())),
        _ => Err("it has Python objects or records; expected numbers: convert it with .astype('uint8')".to_owned()),
    }
}
