//! Names and digests of the four files that make up a data set in MNIST's format.

use sha2::Digest;

use crate::Result;
use crate::storage::hexadecimal;

/// Names of the four IDX files: training images, training labels, test images, test labels.
pub const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// Number of classes of MNIST, and the smallest number of classes of a data set that this module reads.
pub const CLASSES: usize = 10;

/// MD5 digests of MNIST's four decompressed files, in the order of [`FILES`].
pub(super) const MNIST_MD5: [&str; 4] = [
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
];

/// The [digest](super::Mnist::digest) of the original MNIST.
pub const ORIGINAL_DIGEST: &str = "sha256:b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a";

/// Numbers of training and of test images in the original MNIST.
pub const ORIGINAL_SIZES: (usize, usize) = (60_000, 10_000);

/// The origin of a file (its path or name, for messages) and its decompressed contents.
pub(super) type NamedFile = (String, Vec<u8>);

/// Calls `make` with 0, 1, 2 and 3, the indices of [`FILES`], and collects the results. Stops at the first error.
pub(super) fn for_each_file<T>(mut make: impl FnMut(usize) -> Result<T>) -> Result<[T; 4]> {
    Ok([make(0)?, make(1)?, make(2)?, make(3)?])
}

/// Returns the MD5 digest of `bytes` in hexadecimal. It identifies files; it is not used for security.
pub fn md5(bytes: &[u8]) -> String {
    hexadecimal(&md5::Md5::digest(bytes))
}
