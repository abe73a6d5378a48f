//! The training set and the test set of an MNIST-like data set.

use sha2::Digest;

use super::files::NamedFile;
use super::idx::{self, ImageArray};
use super::{appearance, labels};
use crate::storage::hexadecimal;
use crate::{Dataset, Error, Result};

/// A training set and a test set in MNIST's format, and the digest that identifies them.
#[derive(Clone, Debug)]
pub struct Mnist {
    /// The training set, 60,000 images in the original MNIST.
    pub train: Dataset,
    /// The test set, 10,000 images in the original MNIST.
    pub test: Dataset,
    /// Digest of the data: `sha256:` followed by the hexadecimal SHA-256 of the four decompressed IDX files, concatenated
    /// in the order of [`FILES`](super::FILES). Data from files of another form have the digest of the IDX files with the same
    /// images and labels.
    pub digest: String,
    /// Sources of the training images, training labels, test images and test labels: paths or other names.
    pub origins: [String; 4],
    /// Assumptions about the data, one sentence each, for a person to check; empty if the files have the usual form.
    pub notes: Vec<String>,
}

/// Images and their labels, as they were read. [`Mnist::new`] checks that they fit each other.
#[derive(Clone, Debug)]
pub struct LabelledImages {
    /// The images.
    pub images: ImageArray,
    /// The label of each image, beginning with 0 or 1.
    pub labels: Vec<u8>,
    /// Sources of the images and of the labels, for messages.
    pub origins: [String; 2],
}

impl LabelledImages {
    fn from_files((images_origin, images): NamedFile, (labels_origin, labels): NamedFile) -> Result<Self> {
        let images = idx::read_images(images, &images_origin)?;
        let labels = idx::parse_labels(labels, &labels_origin)?;
        Ok(Self { images, labels, origins: [images_origin, labels_origin] })
    }

    /// Returns the number of images and the number of labels.
    fn counts(&self) -> [usize; 2] {
        [self.images.shape[0], self.labels.len()]
    }

    /// Returns a part of a data set with these classes.
    fn into_dataset(self, classes: usize) -> Result<Dataset> {
        let [_, rows, columns] = self.images.shape;
        let labels = self.labels.into_iter().map(usize::from).collect();
        Dataset::new(self.images.pixels, labels, [rows, columns], classes).map_err(|error| match error {
            Error::Data { reason, .. } => Error::data(self.origins.join(" and "), reason),
            other => other,
        })
    }
}

impl Mnist {
    /// Parses the four decompressed files, given in the order of [`FILES`](super::FILES), each with the name that error
    /// messages use for it.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if a file is not exactly one IDX file of the expected kind, and the errors of [`new`](Self::new).
    pub fn from_files([train_images, train_labels, test_images, test_labels]: [NamedFile; 4]) -> Result<Self> {
        let train = LabelledImages::from_files(train_images, train_labels)?;
        Self::new(train, LabelledImages::from_files(test_images, test_labels)?, Vec::new())
    }

    /// Creates a data set, in which labels begin with 0. `notes` says what was assumed when the images were read.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if images and labels differ in number, there are none, or training and test images differ in shape.
    pub fn new(mut train: LabelledImages, mut test: LabelledImages, mut notes: Vec<String>) -> Result<Self> {
        check_counts(&train, &test)?;
        let [train_shape, test_shape] = [&train, &test].map(|set| [set.images.shape[1], set.images.shape[2]]);
        if train_shape != test_shape {
            let [origin, _] = test.origins;
            let reason = format!(
                "test images have shape {test_shape:?}, but training images have shape {train_shape:?}: use files of the same \
                 data set, or reshape the images"
            );
            return Err(Error::data(origin, reason));
        }
        for note in [&mut train, &mut test].map(|set| set.images.note.take()).into_iter().flatten() {
            if !notes.contains(&note) {
                notes.push(note);
            }
        }
        let (classes, note) = labels::classes(&mut train.labels, &mut test.labels);
        notes.extend(note);
        let [[train_images, train_labels], [test_images, test_labels]] = [&train.origins, &test.origins];
        let origins = [train_images, train_labels, test_images, test_labels].map(String::clone);
        let (train, test) = (train.into_dataset(classes)?, test.into_dataset(classes)?);
        if test.len() > train.len() {
            notes.push(format!(
                "there are more test images ({}) than training images ({}): if their files have each other's names, exchange them",
                test.len(),
                train.len()
            ));
        }
        notes.extend(appearance::notes(&train));
        let mut mnist = Self { train, test, digest: String::new(), origins, notes };
        mnist.digest = mnist.compute_digest();
        Ok(mnist)
    }

    /// Returns the four IDX files with these images and labels, in the order of [`FILES`](super::FILES), each with its origin.
    /// For data that were read from IDX files of the usual form, they are these files, decompressed.
    pub fn idx_files(&self) -> [NamedFile; 4] {
        [0, 1, 2, 3].map(|index| {
            let mut file = Vec::new();
            self.visit_file(index, |bytes| file.extend_from_slice(bytes));
            (self.origins[index].clone(), file)
        })
    }

    /// Passes an IDX file, by its index in [`FILES`](super::FILES), to `visit`, piece by piece.
    fn visit_file(&self, index: usize, mut visit: impl FnMut(&[u8])) {
        let set = if index < 2 { &self.train } else { &self.test };
        let [rows, columns] = set.image_shape();
        if index.is_multiple_of(2) {
            visit(&idx::header(&[set.len(), rows, columns]));
            visit(set.pixels());
        } else {
            visit(&idx::header(&[set.len()]));
            visit(&set.labels().iter().map(|&label| label as u8).collect::<Vec<u8>>());
        }
    }

    fn compute_digest(&self) -> String {
        let mut hash = sha2::Sha256::new();
        (0..4).for_each(|index| self.visit_file(index, |bytes| hash.update(bytes)));
        format!("sha256:{}", hexadecimal(&hash.finalize()))
    }
}

/// Checks that both sets have as many labels as images.
fn check_counts(train: &LabelledImages, test: &LabelledImages) -> Result<()> {
    let [[train_images, train_labels], [test_images, test_labels]] = [train, test].map(LabelledImages::counts);
    if train_images != train_labels && [train_images, train_labels] == [test_labels, test_images] {
        let reason = format!(
            "{train_labels} labels for {train_images} training images, and {test_labels} labels for {test_images} test \
             images: the files of training and test labels have each other's names; exchange them"
        );
        return Err(Error::data(train.origins.join(" and "), reason));
    }
    for set in [train, test] {
        let [images, labels] = set.counts();
        if images != labels {
            let reason = format!("there are {images} images, but {labels} labels: use files of the same data set");
            return Err(Error::data(set.origins.join(" and "), reason));
        }
    }
    Ok(())
}
