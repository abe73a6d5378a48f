//! Identification of files in other formats, which people give in place of IDX files.

use std::io::Read;

use flate2::bufread::MultiGzDecoder;

use super::element::magic;

/// The first bytes of a gzip file.
pub(super) const GZIP: [u8; 2] = [0x1f, 0x8b];

/// The answer for a gzip file in another gzip file.
pub(super) const TWICE: &str = "compressed with gzip twice: run 'gunzip' on it once";

/// The answer for a CSV table in a gzip file.
const COMPRESSED_TABLE: &str = "a compressed table: run 'gunzip' on it, and give the file that it writes";

/// Number of bytes that identify a file: a tar archive has its signature at byte 257.
pub(in crate::mnist) const START: u64 = 512;

/// The first bytes of a zip archive.
const ZIP: &[u8] = b"PK\x03\x04";

/// Number of bytes in which the name of the first member of a zip archive is searched for.
const FIRST_MEMBER: usize = 200;

/// Number of characters of a text that a message shows.
const SHOWN: usize = 40;

/// The advice for files that Python reads.
macro_rules! save_as_npz {
    () => {
        "save its arrays with numpy.savez('mnist.npz', x_train=…, y_train=…, x_test=…, y_test=…)"
    };
}

/// The first bytes of files in other formats, what they are, and what to do.
const SIGNATURES: [(&[u8], &str); 20] = [
    (b"version https://git-lfs", "a Git LFS pointer, not the file itself: run 'git lfs pull' in its repository"),
    (ZIP, "a zip archive: extract it with 'unzip'"),
    (b"PK\x05\x06", "an empty zip archive: download it again"),
    (b"\x93NUMPY", concat!("a single NumPy array: ", save_as_npz!())),
    (b"\x89HDF", concat!("an HDF5 file: ", save_as_npz!())),
    (b"PAR1", concat!("a Parquet file: ", save_as_npz!())),
    (
        b"MATLAB",
        concat!(
            "a MATLAB file: read it with scipy.io.loadmat; transpose arrays whose columns are images; ",
            save_as_npz!()
        ),
    ),
    (b"\x89PNG", "a PNG picture; expected one file with all images of the set"),
    (b"\xff\xd8\xff", "a JPEG picture; expected one file with all images of the set"),
    (b"BZh", "compressed with bzip2: run 'bunzip2' on it"),
    (b"\xfd7zXZ", "compressed with xz: run 'unxz' on it"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard: run 'unzstd' on it"),
    (b"\x1f\x9d", "compressed with compress: run 'uncompress' on it"),
    (b"7z\xbc\xaf", "a 7z archive: extract it with '7z x'"),
    (b"Rar!", "a RAR archive: extract it with 'unrar x'"),
    (b"\0\x05\x16\x07", "a resource file of macOS: use the file whose name lacks the prefix '._'"),
    (
        b"\x03\x08\0\0",
        "an IDX file in little-endian byte order: write its magic number and dimensions in big-endian order",
    ),
    (
        b"\x01\x08\0\0",
        "an IDX file in little-endian byte order: write its magic number and dimensions in big-endian order",
    ),
    (b"\0\0\0\0", "incomplete, because it starts with zeros: download or copy it again"),
    (b"%PDF", "a PDF document: download the file again"),
];

/// Converts the pickle of MNIST that is most in use: a training, a validation and a test set.
const CONVERT_PICKLE: &str = "a Python pickle: convert it with python3 -c \"import gzip, pickle, numpy as np; \
     a, b, c = pickle.load(gzip.open('mnist.pkl.gz'), encoding='latin1'); join = lambda i: np.concatenate([a[i], b[i]]); \
     np.savez_compressed('mnist.npz', x_train=join(0), y_train=join(1), x_test=c[0], y_test=c[1])\"";

/// Converts the files of torchvision before its version 0.9, each of which contains a tuple of images and labels.
const CONVERT_TORCH: &str = "a PyTorch file: convert it with python3 -c \"import numpy, torch; \
     (x, y), (u, v) = torch.load('training.pt'), torch.load('test.pt'); \
     numpy.savez_compressed('mnist.npz', x_train=x, y_train=y, x_test=u, y_test=v)\"";

/// The pickle that a file by an old version of `torch.save` starts with: a number that stands for the format.
const TORCH: &[u8] = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.";

/// The name of the pickle in a file by `torch.save`, a zip archive of which it is the first member.
const TORCH_MEMBER: &[u8] = b"data.pkl";

/// Identifies a file in another format than IDX. Returns what it is and what to do, as the end of a sentence that begins with
/// `the file is` (`a zip archive: extract it with 'unzip'`), or `None` if the format is unknown.
///
/// `bytes` are the beginning of the file, at least 512 bytes if it is that long. If they are gzip, what they contain is
/// identified.
pub fn identify(bytes: &[u8]) -> Option<String> {
    if bytes.is_empty() {
        return Some("empty: download or copy it again".to_owned());
    }
    if bytes.starts_with(&GZIP) {
        let start = decompressed_start(bytes)?;
        let is_gzip = start.starts_with(&GZIP);
        return if is_gzip {
            Some(TWICE.to_owned())
        } else if is_table(&start) {
            Some(COMPRESSED_TABLE.to_owned())
        } else {
            identify(&start)
        };
    }
    if magic(bytes).is_some() {
        return Some("one of the four IDX files of a data set: give the folder that contains all of them".to_owned());
    }
    identify_format(bytes).map(str::to_owned).or_else(|| identify_text(bytes))
}

/// Identifies a file that is neither IDX nor text, as [`identify`] does.
pub(in crate::mnist) fn identify_format(bytes: &[u8]) -> Option<&'static str> {
    if bytes.starts_with(&GZIP) {
        return decompressed_start(bytes)
            .filter(|start| !start.starts_with(&GZIP))
            .and_then(|start| if is_table(&start) { Some(COMPRESSED_TABLE) } else { identify_format(&start) });
    }
    let is_torch = bytes.starts_with(TORCH) || is_torch_archive(bytes);
    let torch = is_torch.then_some(CONVERT_TORCH);
    let pickle = matches!(bytes, [0x80, 2..=5, ..]).then_some(CONVERT_PICKLE);
    let tar = (bytes.get(257..262) == Some(b"ustar")).then_some("a tar archive: extract it with 'tar xf'");
    let signature = SIGNATURES.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, found)| *found);
    torch.or(pickle).or(signature).or(tar)
}

/// Returns true if a file starts as a zip archive by `torch.save` does. `bytes` are the beginning of the file.
pub fn is_torch_archive(bytes: &[u8]) -> bool {
    bytes.starts_with(ZIP) && bytes.windows(TORCH_MEMBER.len()).take(FIRST_MEMBER).any(|name| name == TORCH_MEMBER)
}

/// Returns true if a text starts with a line of whole numbers or names that are separated by commas.
fn is_table(bytes: &[u8]) -> bool {
    let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let is_field = |byte: &u8| byte.is_ascii_alphanumeric() || b",.-_\" \r".contains(byte);
    line.iter().filter(|byte| **byte == b',').count() > 1 && line.iter().all(is_field)
}

/// Decompresses the beginning of a gzip file; `None` if it is damaged.
fn decompressed_start(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    // Of bytes that have been cut off, the decoder returns what precedes the error.
    let read = MultiGzDecoder::new(bytes).take(START).read_to_end(&mut start);
    (read.is_ok() || !start.is_empty()).then_some(start)
}

/// Identifies a text: a page from a server, or any other.
fn identify_text(bytes: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim_start();
    let shown: String = text.chars().take(SHOWN).collect();
    let is_binary = |character: char| {
        character == char::REPLACEMENT_CHARACTER || character.is_control() && !character.is_ascii_whitespace()
    };
    if shown.is_empty() || shown.contains(is_binary) {
        return None;
    }
    if text.starts_with('<') {
        return Some("an HTML or XML page, such as the error message of a server: download the file again".to_owned());
    }
    if let Some(found) = identify_table(text) {
        return Some(found.to_owned());
    }
    let shown = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    Some(format!("text that starts with '{shown}': download the file again"))
}

/// Identifies a text with the images of a data set.
fn identify_table(text: &str) -> Option<&'static str> {
    if text.to_ascii_lowercase().contains("@relation") {
        return Some(concat!("an ARFF file: read it with scipy.io.arff.loadarff; ", save_as_npz!()));
    }
    // A label, followed by the number and the value of each pixel that is not 0.
    let is_number = |text: &str| text.parse::<f64>().is_ok();
    let is_pair =
        |field: &str| field.split_once(':').is_some_and(|(index, value)| is_number(index) && is_number(value));
    if text.split_ascii_whitespace().nth(1).is_some_and(is_pair) {
        return Some(concat!(
            "a LIBSVM file: read it with sklearn.datasets.load_svmlight_file and .toarray(); ",
            save_as_npz!()
        ));
    }
    is_table(text.as_bytes()).then_some("a table: give the file itself with --data, not its folder")
}
