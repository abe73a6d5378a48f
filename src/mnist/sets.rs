//! The training set and the test set of an MNIST-like data set.

use sha2::Digest;

use super::files::{CLASSES, NamedFile};
use super::idx;
use crate::storage::hexadecimal;
use crate::{Dataset, Error, Result};

/// A training set and a test set in MNIST's format, and the digest that identifies them.
#[derive(Clone, Debug)]
pub struct Mnist {
    /// The training set, 60,000 images in the original MNIST.
    pub train: Dataset,
    /// The test set, 10,000 images in the original MNIST.
    pub test: Dataset,
    /// Digest of the data: `sha256:` followed by the hexadecimal SHA-256 of the four decompressed files, concatenated
    /// in the order of [`FILES`](super::FILES).
    pub digest: String,
}

impl Mnist {
    /// Parses the four decompressed files, given in the order of [`FILES`](super::FILES), each with the name that error
    /// messages use for it.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if a file is not exactly one IDX file of the expected kind, images and labels differ in number,
    /// a label is not below 10, or training and test images differ in shape.
    pub fn from_files(files: [NamedFile; 4]) -> Result<Self> {
        let mut hash = sha2::Sha256::new();
        files.iter().for_each(|(_, bytes)| hash.update(bytes));
        let [train_images, train_labels, test_images, test_labels] = files;
        let test_origin = test_images.0.clone();
        let dataset = |(images_origin, images): NamedFile, (labels_origin, labels): NamedFile| {
            let (pixels, [_, rows, columns]) = idx::parse_images(images, &images_origin)?;
            let labels = idx::parse_labels(labels, &labels_origin)?.into_iter().map(usize::from).collect();
            Dataset::new(pixels, labels, [rows, columns], CLASSES).map_err(|error| match error {
                Error::Data { reason, .. } => Error::data(format!("{images_origin} and {labels_origin}"), reason),
                other => other,
            })
        };
        let train = dataset(train_images, train_labels)?;
        let test = dataset(test_images, test_labels)?;
        if train.image_shape() != test.image_shape() {
            let [train, test] = [train.image_shape(), test.image_shape()];
            let reason = format!("test images have shape {test:?}, but training images have shape {train:?}");
            return Err(Error::data(test_origin, reason));
        }
        Ok(Self { train, test, digest: format!("sha256:{}", hexadecimal(&hash.finalize())) })
    }
}
