//! The four files of a data set in MNIST's format.

use sha2::Digest;

use crate::Result;
use crate::storage::hexadecimal;

/// The names of the four IDX files: images and labels to train with, images and labels to test with.
pub const FILES: [&str; 4] =
    ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"];

/// The number of classes in MNIST and in every set of its format here.
pub const CLASSES: usize = 10;

/// MD5 digests of the unpacked originals of MNIST, in the order of [`FILES`].
pub(super) const MNIST_MD5: [&str; 4] = [
    "6bbc9ace898e44ae57da46a324031adb",
    "a25bea736e30d166cdddb491f175f624",
    "2646ac647ad5339dbf082846283269ea",
    "27ae3e4e09519cfbb04c329615203637",
];

/// [`Mnist::digest`](super::Mnist::digest) of MNIST itself.
pub const ORIGINAL_DIGEST: &str = "sha256:b2d8f5bf39174ee5ffeefa97e42d673c35432b411bb5d1f74fbbeddae7f1690a";

/// Training and test images of MNIST itself.
pub const ORIGINAL_SIZES: (usize, usize) = (60_000, 10_000);

/// An unpacked file and where it comes from.
pub(super) type NamedFile = (String, Vec<u8>);

/// What this makes of 0, 1, 2 and 3.
pub(super) fn four<T>(mut make: impl FnMut(usize) -> Result<T>) -> Result<[T; 4]> {
    Ok([make(0)?, make(1)?, make(2)?, make(3)?])
}

/// The MD5 digest of an unpacked file, in hexadecimal.
pub fn md5(bytes: &[u8]) -> String {
    hexadecimal(&md5::Md5::digest(bytes))
}
