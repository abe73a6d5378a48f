//! The data: the embedded copy is MNIST to the byte, and files that are not what they should be are refused by name.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use mlp_parity::mnist::{Collection, DataSource, FILES, ORIGINAL_DIGEST, md5};

#[test]
fn the_embedded_files_are_the_originals() {
    let files = DataSource::Embedded.files().unwrap();
    for ((name, bytes), expected) in files.iter().zip(Collection::MNIST.unpacked_md5.unwrap()) {
        assert_eq!(md5(bytes), expected, "{name}");
    }
    // From a folder they are the same data.
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files.map(|(_, bytes)| bytes));
    assert_eq!(directory(folder.path()).load().unwrap().digest, ORIGINAL_DIGEST);
}

#[test]
fn the_embedded_sets_are_complete_and_read_once() {
    let mnist = DataSource::Embedded.load().unwrap();
    assert_eq!((mnist.train.len(), mnist.test.len(), mnist.train.image_shape()), (60_000, 10_000, [28, 28]));
    assert_eq!(mnist.digest, ORIGINAL_DIGEST);
    assert_eq!((mnist.train.labels()[..5].to_vec(), mnist.test.labels()[0]), (vec![5, 0, 4, 1, 9], 7));
    let again = DataSource::Embedded.load().unwrap();
    assert!(std::ptr::eq(mnist.train.image(0), again.train.image(0)), "unpacked once in a process");
}

fn idx(dimensions: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = (0x0800 + dimensions.len() as u32).to_be_bytes().to_vec();
    dimensions.iter().for_each(|length| bytes.extend(length.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Four good files, 3 images of 2×2 to train with and 2 to test with.
fn good() -> [Vec<u8>; 4] {
    [idx(&[3, 2, 2], &[7; 12]), idx(&[3], &[0, 1, 9]), idx(&[2, 2, 2], &[8; 8]), idx(&[2], &[4, 5])]
}

fn write(folder: &Path, files: &[Vec<u8>; 4]) {
    for (name, bytes) in FILES.iter().zip(files) {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

fn directory(folder: &Path) -> DataSource {
    format!("dir:{}", folder.display()).parse().unwrap()
}

#[test]
fn a_folder_is_read_gzipped_or_plain_by_content() {
    let folder = tempfile::tempdir().unwrap();
    let files = good();
    write(folder.path(), &[files[0].clone(), gzip(&files[1]), gzip(&files[2]), files[3].clone()]);
    std::fs::rename(folder.path().join(FILES[2]), folder.path().join(format!("{}.gz", FILES[2]))).unwrap();
    let mnist = directory(folder.path()).load().unwrap();
    assert_eq!((mnist.train.len(), mnist.test.len(), mnist.train.labels()), (3, 2, &[0, 1, 9][..]));
    assert_eq!(mnist.test.image(1), [8; 4]);
}

/// The error for `bytes` in the place of file `index`.
fn refused(index: usize, bytes: Vec<u8>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut files = good();
    files[index] = bytes;
    write(folder.path(), &files);
    let message = directory(folder.path()).load().unwrap_err().to_string();
    assert!(message.contains(FILES[index]), "names the file: {message}");
    message
}

#[test]
fn files_that_are_not_what_they_should_be_are_refused_with_the_reason() {
    let [images, labels, ..] = good();
    let huge = idx(&[u32::MAX, u32::MAX, u32::MAX], &[0; 9]);
    for (index, bytes, reason) in [
        (0, labels.clone(), "magic number is 0x00000801; IDX images of bytes start with 0x00000803"),
        (1, images.clone(), "magic number is 0x00000803; IDX labels of bytes start with 0x00000801"),
        (0, b"<html>not found</html>".to_vec(), "magic number"),
        (0, images[..images.len() - 1].to_vec(), "is truncated: its header promises 28 bytes, but it has 27"),
        (0, images[..7].to_vec(), "is truncated"),
        (2, Vec::new(), "is truncated"),
        (1, [labels.clone(), vec![0]].concat(), "has 1 bytes after its end"),
        (1, idx(&[2], &[0, 1]), "has 3 images but 2 labels"),
        (1, idx(&[3], &[0, 10, 1]), "label 1 is 10; the data set has 10 classes (0–9)"),
        (0, idx(&[0, 2, 2], &[]), "there is nothing in it"),
        (0, idx(&[3, 0, 2], &[]), "there is nothing in it"),
        (0, huge.clone(), "more than this machine can address"),
        (0, gzip(&huge), "more than this machine can address"),
        (2, idx(&[2, 1, 4], &[8; 8]), "they must be equal"),
        (0, gzip(&images)[..20].to_vec(), "the gzip stream is broken"),
        (0, [gzip(&images), vec![1]].concat(), "has 1 bytes after the end of its gzip stream"),
        // Whatever follows, one byte of it is read.
        (0, gzip(&[images.clone(), vec![1; 100]].concat()), "has 1 bytes after its end"),
    ] {
        let message = refused(index, bytes);
        assert!(message.contains(reason), "expected '{reason}': {message}");
    }
}

#[test]
fn every_truncation_of_a_gzipped_file_is_refused() {
    let pixels: Vec<u8> = (0..1200).map(|pixel| (pixel * pixel % 251) as u8).collect();
    let whole = gzip(&idx(&[3, 20, 20], &pixels));
    for length in 0..whole.len() {
        refused(0, whole[..length].to_vec());
    }
}

#[test]
fn a_folder_with_three_files_names_the_fourth() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &good());
    std::fs::remove_file(folder.path().join(FILES[3])).unwrap();
    let message = directory(folder.path()).load().unwrap_err().to_string();
    assert!(message.contains("t10k-labels-idx1-ubyte missing"), "{message}");
    let absent = directory(&folder.path().join("absent")).load().unwrap_err().to_string();
    assert!(absent.contains("there is no such folder"), "{absent}");
}

#[test]
fn sources_are_read_from_their_names() {
    assert_eq!("embedded".parse::<DataSource>().unwrap(), DataSource::Embedded);
    assert_eq!("./some/where".parse::<DataSource>().unwrap(), DataSource::Directory("./some/where".into()));
    assert_eq!("support".parse::<DataSource>().unwrap(), DataSource::Directory("support".into()));
    for name in ["embedded", "dir:./some/where"] {
        assert_eq!(name.parse::<DataSource>().unwrap().to_string(), name);
    }
    let message = "embeded".parse::<DataSource>().unwrap_err().to_string();
    assert!(message.contains("no source 'embeded'"), "{message}");
}

proptest::proptest! {
    /// Whatever the files hold: an error or a data set, and no memory that they do not justify.
    #[test]
    fn noise_in_the_files_never_panics(noise: Vec<u8>, dimensions: [u32; 3]) {
        let mut images = vec![0, 0, 8, 3];
        images.extend(dimensions.iter().flat_map(|size| size.to_be_bytes()));
        images.extend(&noise);
        let folder = tempfile::tempdir().unwrap();
        for name in FILES {
            let bytes = if name.contains("images") { &images } else { &noise };
            std::fs::write(folder.path().join(name), bytes).unwrap();
        }
        let source = DataSource::Directory(folder.path().to_owned());
        let used = allocation_counter::measure(|| drop(source.load()));
        proptest::prop_assert!(used.bytes_max < 1_000_000, "{} bytes", used.bytes_max);
    }
}
