//! Names of the four files, as the published data sets spell them.

/// A part of a data set's file name: the data set and the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// The beginning of the file name that names the data set, such as `emnist-letters`; empty for MNIST itself.
    pub(super) set: String,
    /// Index of the file in [`FILES`](crate::mnist::FILES).
    pub(super) part: usize,
}

impl Name {
    /// Parses the name of a file or folder: `train-images-idx3-ubyte` and the other three with `.`, `_` or a space for `-`, in
    /// any case, with or without `.gz`, with `test` for `t10k`, with or without the end `-idx3-ubyte`, and with a prefix, as in
    /// `emnist-letters-train-images-idx3-ubyte.gz`.
    pub(super) fn parse(name: &str) -> Option<Self> {
        let name = name.to_lowercase();
        // Resource files of macOS and other hidden files.
        if name.starts_with('.') {
            return None;
        }
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let words: Vec<&str> = name.split(['-', '.', '_', ' ']).filter(|word| !word.is_empty()).collect();
        let is_end = |word: &&str| matches!(*word, "idx" | "idx1" | "idx2" | "idx3" | "idx4" | "ubyte" | "int");
        let end = words.iter().rev().take_while(|word| is_end(word)).count();
        let [prefix @ .., set, contents] = &words[..words.len() - end] else { return None };
        let set = match *set {
            "train" | "training" => 0,
            "t10k" | "test" | "testing" => 2,
            _ => return None,
        };
        let contents = match *contents {
            "images" | "image" => 0,
            "labels" | "label" => 1,
            _ => return None,
        };
        Some(Self { set: prefix.join("-"), part: set + contents })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mnist::FILES;

    #[test]
    fn name_parser_accepts_published_spellings() {
        for (part, name) in FILES.into_iter().enumerate() {
            for spelled in
                [name.to_owned(), format!("{name}.gz"), name.to_uppercase(), name.replacen("-idx", ".idx", 1)]
            {
                assert_eq!(Name::parse(&spelled), Some(Name { set: String::new(), part }), "{spelled}");
            }
        }
        for (name, set, part) in [
            ("train_images.idx3-ubyte", "", 0),
            ("Train-Labels", "", 1),
            ("test-images-idx3-ubyte.GZ", "", 2),
            ("emnist-letters-train-images-idx3-ubyte.gz", "emnist-letters", 0),
            ("emnist-byclass-test-labels-idx1-ubyte", "emnist-byclass", 3),
            ("qmnist-test-labels-idx2-int.gz", "qmnist", 3),
        ] {
            assert_eq!(Name::parse(name), Some(Name { set: set.to_owned(), part }), "{name}");
        }
    }

    #[test]
    fn name_parser_rejects_other_files() {
        for name in [
            "",
            "-",
            "._train-images-idx3-ubyte",
            ".DS_Store",
            "train.csv",
            "train-images.csv",
            "mnist.npz",
            "images-train",
            "xnist-images-idx3-ubyte.xz",
            "train-images-idx3-ubyte.gz.part",
            "qmnist-test-labels.tsv.gz",
            "idx3-ubyte",
        ] {
            assert_eq!(Name::parse(name), None, "{name}");
        }
    }
}
