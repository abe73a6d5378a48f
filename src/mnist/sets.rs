//! The training and test images of one source.

use sha2::Digest;

use super::files::{CLASSES, NamedFile};
use super::idx;
use crate::storage::hexadecimal;
use crate::{Dataset, Error, Result};

/// Training and test images of one source.
#[derive(Clone, Debug)]
pub struct Mnist {
    /// The images to train with.
    pub train: Dataset,
    /// The images to test with.
    pub test: Dataset,
    /// `sha256:` and the hexadecimal SHA-256 of the four unpacked files, one after the other.
    pub digest: String,
}

impl Mnist {
    /// Reads the four unpacked files, in the order of [`FILES`](super::FILES), each with a name for messages.
    ///
    /// # Errors
    ///
    /// [`Error::Data`] if one is not exactly an IDX file, or does not fit the others.
    pub fn from_files(files: [NamedFile; 4]) -> Result<Self> {
        let mut hash = sha2::Sha256::new();
        files.iter().for_each(|(_, bytes)| hash.update(bytes));
        let [train_images, train_labels, test_images, test_labels] = files;
        let test_origin = test_images.0.clone();
        let dataset = |(images_origin, images): NamedFile, (labels_origin, labels): NamedFile| {
            let (pixels, [_, rows, columns]) = idx::images(images, &images_origin)?;
            let labels = idx::labels(labels, &labels_origin)?.into_iter().map(usize::from).collect();
            Dataset::new(pixels, labels, [rows, columns], CLASSES).map_err(|error| match error {
                Error::Data { reason, .. } => Error::data(format!("{images_origin} with {labels_origin}"), reason),
                other => other,
            })
        };
        let train = dataset(train_images, train_labels)?;
        let test = dataset(test_images, test_labels)?;
        if train.image_shape() != test.image_shape() {
            let [train, test] = [train.image_shape(), test.image_shape()];
            let reason = format!("test images have shape {test:?}, training images {train:?}; they must be equal");
            return Err(Error::data(test_origin, reason));
        }
        Ok(Self { train, test, digest: format!("sha256:{}", hexadecimal(&hash.finalize())) })
    }
}
