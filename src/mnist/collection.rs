//! Published data sets in MNIST's format: where to download them, how to verify them, and how to read them from the
//! user's cache.

use std::path::PathBuf;

use sha2::{Digest, Sha256};

use super::files::{MNIST_MD5, NamedFile, for_each_file};
use super::idx;
use crate::storage::{MAX_IDX_LENGTH, hexadecimal, read_file};
use crate::{Error, Result};

/// A published data set of ten classes in MNIST's format, such as MNIST or Fashion-MNIST.
#[derive(Debug, PartialEq, Eq)]
pub struct Collection {
    /// The name used in options and records, for example `fashion-mnist`.
    pub name: &'static str,
    /// The title that its authors gave it, for example `Fashion-MNIST`.
    pub title: &'static str,
    /// URLs of folders that contain the four files, without a trailing slash.
    pub mirrors: &'static [&'static str],
    /// The four files as published, compressed with gzip, in the order of [`FILES`](super::FILES).
    pub published: [PublishedFile; 4],
    /// MD5 digests of the four decompressed files in the same order, in hexadecimal; `None` if none were published.
    pub unpacked_md5: Option<[&'static str; 4]>,
}

/// A file of a [`Collection`] as published, compressed with gzip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublishedFile {
    /// File name, including `.gz`.
    pub name: &'static str,
    /// Length of the compressed file in bytes.
    pub length: u64,
    /// SHA-256 digest of the compressed file, in hexadecimal.
    pub sha256: &'static str,
}

/// Builds the list of the four published files from their lengths in bytes and SHA-256 digests.
const fn published([a, b, c, d]: [(u64, &'static str); 4]) -> [PublishedFile; 4] {
    [
        PublishedFile { name: "train-images-idx3-ubyte.gz", length: a.0, sha256: a.1 },
        PublishedFile { name: "train-labels-idx1-ubyte.gz", length: b.0, sha256: b.1 },
        PublishedFile { name: "t10k-images-idx3-ubyte.gz", length: c.0, sha256: c.1 },
        PublishedFile { name: "t10k-labels-idx1-ubyte.gz", length: d.0, sha256: d.1 },
    ]
}

impl Collection {
    /// All collections: MNIST, Fashion-MNIST and KMNIST.
    pub const ALL: [&'static Self; 3] = [&Self::MNIST, &Self::FASHION_MNIST, &Self::KMNIST];

    /// Handwritten digits (LeCun, Cortes, Burges).
    pub const MNIST: Self = Self {
        name: "mnist",
        title: "MNIST",
        mirrors: &[
            "https://storage.googleapis.com/cvdf-datasets/mnist",
            "https://ossci-datasets.s3.amazonaws.com/mnist",
        ],
        published: published([
            (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
            (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
            (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
            (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
        ]),
        unpacked_md5: Some(MNIST_MD5),
    };

    /// Articles of clothing (Xiao, Rasul, Vollgraf 2017).
    pub const FASHION_MNIST: Self = Self {
        name: "fashion-mnist",
        title: "Fashion-MNIST",
        mirrors: &[
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
        ],
        published: published([
            (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
            (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
            (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
            (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
        ]),
        unpacked_md5: Some([
            "f4a8712d7a061bf5bd6d2ca38dc4d50a",
            "9018921c3c673c538a1fc5bad174d6f9",
            "8181f5470baa50b63fa0f6fddb340f0a",
            "15d484375f8d13e6eb1aabb0c3f46965",
        ]),
    };

    /// Handwritten hiragana (Clanuwat and others 2018).
    pub const KMNIST: Self = Self {
        name: "kmnist",
        title: "Kuzushiji-MNIST",
        mirrors: &["http://codh.rois.ac.jp/kmnist/dataset/kmnist", "https://codh.rois.ac.jp/kmnist/dataset/kmnist"],
        published: published([
            (18_165_135, "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4"),
            (29_497, "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17"),
            (3_041_136, "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5"),
            (5_120, "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c"),
        ]),
        unpacked_md5: None,
    };

    /// Returns the collection with this [`name`](Self::name), ignoring ASCII case, or `None` if there is none.
    pub fn from_name(name: &str) -> Option<&'static Self> {
        Self::ALL.into_iter().find(|collection| collection.name.eq_ignore_ascii_case(name))
    }

    /// Returns the folder in the user's cache that holds the files of this collection. The folder need not exist.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the operating system reports no cache folder for the user.
    pub fn folder(&self) -> Result<PathBuf> {
        Ok(cache()?.join("mlp-parity").join(self.name))
    }

    /// Reads the four files from the cache, verifies that they are the published ones, and decompresses them.
    pub(super) fn files(&self) -> Result<[NamedFile; 4]> {
        let folder = self.folder()?;
        for_each_file(|index| {
            let file = &self.published[index];
            let path = folder.join(file.name);
            let origin = path.display().to_string();
            let bytes = match read_file(&path, MAX_IDX_LENGTH) {
                Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => {
                    return Err(Error::data(origin, "the file does not exist"));
                }
                read => read?,
            };
            if !file.matches(&bytes) {
                let reason = format!("not the file that was published: its SHA-256 is not {}", file.sha256);
                return Err(Error::data(origin, reason));
            }
            let unpacked = idx::decompress(bytes, index.is_multiple_of(2), &origin)?;
            Ok((origin, unpacked))
        })
    }
}

impl PublishedFile {
    /// Returns `true` if `bytes` are the contents of this file, compared by SHA-256.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        hexadecimal(&Sha256::digest(bytes)) == self.sha256
    }
}

/// Returns the operating system's cache folder for the current user.
fn cache() -> Result<PathBuf> {
    let reason = "the user has no cache folder; give a folder that contains the four files as 'dir:PATH'";
    dirs::cache_dir().ok_or_else(|| Error::configuration("data", reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mnist::FILES;

    #[test]
    fn collections_are_complete_and_found_by_name() {
        for collection in Collection::ALL {
            assert_eq!(Collection::from_name(collection.name), Some(collection));
            assert_eq!(Collection::from_name(&collection.name.to_uppercase()), Some(collection));
            for (file, name) in collection.published.iter().zip(FILES) {
                assert_eq!(file.name, format!("{name}.gz"));
                assert!(file.sha256.len() == 64 && file.length > 4_000);
            }
            assert!(collection.mirrors.iter().all(|mirror| mirror.starts_with("http") && !mirror.ends_with('/')));
        }
        assert_eq!(Collection::from_name("emnist"), None);
    }
}
