//! Search of a folder for the four files of a data set, as people and download programs store them.

mod names;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use self::names::Name;
use super::files::{FILES, NamedFile, for_each_file};
use super::idx;
use crate::storage::{MAX_IDX_LENGTH, read_file};
use crate::{Error, Result, list_names};

/// The folder in which torchvision stores the files of a data set, below one that is named after the data set.
const RAW: &str = "raw";

/// The folder in which old versions of torchvision store the files that they have converted, beside [`RAW`].
const PROCESSED: &str = "processed";

/// Number of other files whose format is identified if the four files are missing.
const INSPECTED: usize = 10;

/// Names of the folders with the training and test images of data sets in pictures.
const PARTS: [&[&str]; 2] = [&["train", "training"], &["test", "testing"]];

/// The files of a data set, or some of them.
struct FileSet {
    /// The path that selects the data set: its folder, followed by the prefix of its file names if there is one.
    path: PathBuf,
    /// All copies of each file, in the order of [`FILES`]. The first copy is used.
    copies: [Vec<PathBuf>; 4],
}

impl FileSet {
    fn is_complete(&self) -> bool {
        self.copies.iter().all(|copies| !copies.is_empty())
    }
}

/// Returns true if a file with the name of one of the four IDX files is found where [`find`] looks for them.
pub(super) fn contains_files(path: &Path) -> bool {
    search(path).is_ok_and(|sets| !sets.is_empty())
}

/// Reads and decompresses the four files in a folder. `path` is the folder itself, one of torchvision's folders above it, or a
/// folder followed by a prefix of file names, such as `EMNIST/raw/emnist-letters`.
///
/// Returns the files in the order of [`FILES`], and a note for each file whose copies differ.
///
/// # Errors
///
/// [`Error::Data`] if there are not exactly four files, or several data sets, and the errors of reading and decompressing a
/// file.
pub(super) fn read(path: &Path) -> Result<([NamedFile; 4], Vec<String>)> {
    let FileSet { copies, .. } = find(path)?;
    let mut notes = Vec::new();
    let files = for_each_file(|index| {
        let mut copies = copies[index].iter();
        let path = copies.next().ok_or_else(|| Error::data(path.display(), format!("{} is missing", FILES[index])))?;
        let bytes = read_decompressed(path, index)?;
        let differing: Vec<String> = copies
            .filter(|copy| !read_decompressed(copy, index).is_ok_and(|copy| copy == bytes))
            .map(|copy| copy.display().to_string())
            .collect();
        let path = path.display().to_string();
        if !differing.is_empty() {
            let others = list_names(differing.iter().map(String::as_str));
            notes.push(format!("{path} is used; it differs from {others}"));
        }
        Ok((path, bytes))
    })?;
    Ok((files, notes))
}

/// Reads and decompresses the file of this index in [`FILES`].
fn read_decompressed(path: &Path, index: usize) -> Result<Vec<u8>> {
    let bytes = read_file(path, MAX_IDX_LENGTH)?;
    // Images have even indices, labels odd ones.
    idx::decompress(bytes, index.is_multiple_of(2), &path.display().to_string())
}

/// Finds the only complete data set.
fn find(path: &Path) -> Result<FileSet> {
    let sets = search(path)?;
    let (mut complete, incomplete): (Vec<FileSet>, Vec<FileSet>) = sets.into_iter().partition(FileSet::is_complete);
    // Files with MNIST's own names take precedence over files with a prefix beside them.
    if let Some(index) = complete.iter().position(|set| set.path == path) {
        return Ok(complete.swap_remove(index));
    }
    match complete.len() {
        0 => Err(Error::data(path.display(), missing(path, &incomplete))),
        1 => Ok(complete.remove(0)),
        _ => {
            let names: Vec<String> = complete.iter().map(|set| set.path.display().to_string()).collect();
            let reason =
                format!("there are several data sets; choose one of: {}", list_names(names.iter().map(String::as_str)));
            Err(Error::data(path.display(), reason))
        }
    }
}

/// Returns the data sets of which there is at least one file: in the folder `path`, else in its subfolders and their
/// subfolders `raw`; or those with a prefix if `path` is a folder followed by a prefix.
fn search(path: &Path) -> Result<Vec<FileSet>> {
    if path.is_dir() {
        let sets = sets_in(path)?;
        if !sets.is_empty() {
            return Ok(sets);
        }
        // A subfolder that cannot be read has no files for this program.
        let folders = entries(path)?.into_iter().filter(|entry| entry.is_dir());
        let folders = folders.flat_map(|folder| [folder.join(RAW), folder]);
        return Ok(folders.filter_map(|folder| sets_in(&folder).ok()).flatten().collect());
    }
    if path.exists() {
        return Err(Error::data(path.display(), "a file; expected the folder that contains the four files"));
    }
    let sets = path.parent().filter(|parent| parent.is_dir()).map_or(Ok(Vec::new()), sets_in)?;
    let chosen: Vec<FileSet> = sets.into_iter().filter(|set| set.path == path).collect();
    if chosen.is_empty() { Err(Error::data(path.display(), "the folder does not exist")) } else { Ok(chosen) }
}

/// Returns the data sets of which there is at least one file in this folder, in alphabetical order. A folder that has the name
/// of a file, as Kaggle's archives do, may contain the file.
fn sets_in(folder: &Path) -> Result<Vec<FileSet>> {
    let mut sets = BTreeMap::<String, [Vec<PathBuf>; 4]>::new();
    for entry in entries(folder)? {
        let Some(name) = name(&entry) else { continue };
        let copies = if entry.is_dir() {
            let is_same =
                |file: &PathBuf| file.is_file() && self::name(file).is_some_and(|inner| inner.part == name.part);
            entries(&entry).unwrap_or_default().into_iter().filter(is_same).collect()
        } else if entry.is_file() {
            vec![entry]
        } else {
            Vec::new()
        };
        if !copies.is_empty() {
            sets.entry(name.set).or_default()[name.part].extend(copies);
        }
    }
    let set = |(prefix, mut copies): (String, [Vec<PathBuf>; 4])| {
        for (copies, file) in copies.iter_mut().zip(FILES) {
            copies.sort_by_cached_key(|path| preference(path, file));
        }
        let path = if prefix.is_empty() { folder.to_owned() } else { folder.join(prefix) };
        FileSet { path, copies }
    };
    Ok(sets.into_iter().map(set).collect())
}

/// Returns the key by which the copies of a file are sorted: first decompressed ones, then MNIST's own names.
fn preference(path: &Path, file: &str) -> (bool, bool, PathBuf) {
    let is_gzip = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
    (is_gzip, !path.ends_with(file), path.to_owned())
}

/// Parses the file name of a path.
fn name(path: &Path) -> Option<Name> {
    Name::parse(path.file_name()?.to_str()?)
}

/// Returns the paths of all files and folders in a folder, in alphabetical order.
fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let read =
        || -> std::io::Result<Vec<PathBuf>> { std::fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect() };
    let mut entries = read().map_err(Error::io("read", folder))?;
    entries.sort_unstable();
    Ok(entries)
}

/// Says which files are missing, what there is instead, and what to do.
fn missing(path: &Path, incomplete: &[FileSet]) -> String {
    let most_complete =
        incomplete.iter().max_by_key(|set| set.copies.iter().filter(|copies| !copies.is_empty()).count());
    let is_missing = |index: usize| most_complete.is_none_or(|set| set.copies[index].is_empty());
    let missing = list_names((0..FILES.len()).filter(|&index| is_missing(index)).map(|index| FILES[index]));
    let folder = most_complete.map_or(path, |set| if set.path.is_dir() { set.path.as_path() } else { path });
    let mut found = entries(folder).unwrap_or_default();
    found.retain(|path| !file_name(path).starts_with('.'));
    let names: Vec<String> = found.iter().map(|path| file_name(path).into_owned()).collect();
    let found_names = match names.len() {
        0 => "the folder is empty".to_owned(),
        _ => format!("found: {}", list_names(names.iter().map(String::as_str))),
    };
    let within = found.iter().flat_map(|path| [path.clone(), path.join(PROCESSED)]);
    let files = within.flat_map(|path| if path.is_dir() { entries(&path).unwrap_or_default() } else { vec![path] });
    let cure = files.take(INSPECTED).find_map(|path| remedy(&path)).or_else(|| pictures(folder)).unwrap_or_default();
    format!("missing {missing} (with or without .gz); all four files are required; {found_names}{cure}")
}

/// Returns the name of a file or folder.
fn file_name(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// Returns what to do with a file in another format that lies in place of the four files; `None` if there is no advice.
fn remedy(path: &Path) -> Option<String> {
    if !path.is_file() {
        return None;
    }
    let mut start = Vec::new();
    File::open(path).ok()?.take(idx::START).read_to_end(&mut start).ok()?;
    Some(format!("; '{}' is {}", file_name(path), idx::identify_format(&start)?))
}

/// Returns what to do with a folder of pictures in subfolders that are named after their classes, which may be in one folder for
/// each part of the data set; `None` if there are none.
fn pictures(folder: &Path) -> Option<String> {
    let [train, test] = PARTS.map(|names| names.iter().map(|name| folder.join(name)).find(|part| has_pictures(part)));
    let save = match (train, test) {
        (Some(train), Some(test)) => {
            let [train, test] = [train, test].map(|part| file_name(&part).into_owned());
            format!(
                "(x, y), (u, v) = load('{train}'), load('{test}'); \
                 np.savez_compressed('mnist.npz', x_train=x, y_train=y, x_test=u, y_test=v)"
            )
        }
        _ if has_pictures(folder) => "x, y = load('.'); np.savez_compressed('mnist.npz', x=x, y=y)".to_owned(),
        _ => return None,
    };
    Some(format!(
        "; to put the pictures into one file, which --data reads, run in this folder: python3 -c \"import random, numpy as \
         np; from pathlib import Path; from PIL import Image; files = lambda folder: sorted(Path(folder).glob('*/*.*g')); load = \
         lambda folder: zip(*[(np.array(Image.open(file).convert('L')), int(file.parent.name)) for file in \
         random.Random(0).sample(files(folder), len(files(folder)))]); {save}\""
    ))
}

/// Returns true if a folder has a subfolder that is named with a number and contains pictures.
fn has_pictures(folder: &Path) -> bool {
    let is_class = |path: &PathBuf| file_name(path).parse::<u8>().is_ok() && path.is_dir();
    let is_picture = |path: &PathBuf| {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        ["png", "jpg", "jpeg"].iter().any(|picture| extension == *picture)
    };
    let first_class = entries(folder).unwrap_or_default().into_iter().find(is_class);
    first_class.is_some_and(|class| entries(&class).unwrap_or_default().iter().any(is_picture))
}
