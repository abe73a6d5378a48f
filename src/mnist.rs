//! MNIST, or any set of ten classes in its format: from the four IDX files, wherever they are.

mod collection;
#[cfg(feature = "embedded")]
mod embedded;
pub mod idx;
mod source;

pub use collection::{Collection, Published};
pub use source::DataSource;

use sha2::Digest;

use crate::{Dataset, Error, Result};

/// The names of the four IDX files: images and labels to train with, images and labels to test with.
pub const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// MD5 digests of the unpacked originals of MNIST, in the order of [`FILES`].
const MNIST_MD5: [&str; 4] = [
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
];

/// [`Mnist::digest`] of MNIST itself.
pub const ORIGINAL_DIGEST: &str = "sha256:b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a";

/// Training and test images of MNIST itself.
pub const ORIGINAL_SIZES: (usize, usize) = (60_000, 10_000);

/// An unpacked file and where it comes from.
type NamedFile = (String, Vec<u8>);

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
    /// Reads the four unpacked files, in the order of [`FILES`].
    fn from_files(files: [NamedFile; 4]) -> Result<Self> {
        let mut hash = sha2::Sha256::new();
        files.iter().for_each(|(_, bytes)| hash.update(bytes));
        let [train_images, train_labels, test_images, test_labels] = files;
        let test_origin = test_images.0.clone();
        let dataset = |(images_origin, images): NamedFile, (labels_origin, labels): NamedFile| {
            let (pixels, [_, rows, columns]) = idx::images(images, &images_origin)?;
            let labels = idx::labels(labels, &labels_origin)?;
            Dataset::new(pixels, labels, [rows, columns]).map_err(|error| match error {
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

/// What this makes of 0, 1, 2 and 3.
fn four<T>(mut make: impl FnMut(usize) -> Result<T>) -> Result<[T; 4]> {
    Ok([make(0)?, make(1)?, make(2)?, make(3)?])
}

/// The MD5 digest of an unpacked file, in hexadecimal.
pub fn md5(bytes: &[u8]) -> String {
    hexadecimal(&md5::Md5::digest(bytes))
}

pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
