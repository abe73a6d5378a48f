//! Tests of reading MNIST: the embedded copy is identical to the original, and invalid files are rejected with a
//! message that names the file and the problem.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use mlp_parity::mnist::{Collection, DataSource, FILES, ORIGINAL_DIGEST, md5};

#[test]
fn embedded_mnist_matches_published_digests() {
    let files = DataSource::Embedded.files().unwrap();
    for ((name, bytes), expected) in files.iter().zip(Collection::MNIST.unpacked_md5.unwrap()) {
        assert_eq!(md5(bytes), expected, "{name}");
    }
    // The same files, read from a folder, have the same digest.
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &files.map(|(_, bytes)| bytes));
    assert_eq!(directory(folder.path()).load().unwrap().digest, ORIGINAL_DIGEST);
}

#[test]
fn embedded_mnist_is_complete_and_decompressed_once() {
    let mnist = DataSource::Embedded.load().unwrap();
    assert_eq!((mnist.train.len(), mnist.test.len(), mnist.train.image_shape()), (60_000, 10_000, [28, 28]));
    assert_eq!(mnist.digest, ORIGINAL_DIGEST);
    assert_eq!((mnist.train.labels()[..5].to_vec(), mnist.test.labels()[0]), (vec![5, 0, 4, 1, 9], 7));
    let again = DataSource::Embedded.load().unwrap();
    assert!(
        std::ptr::eq(mnist.train.image(0), again.train.image(0)),
        "the second load does not share the pixels of the first"
    );
}

/// Returns the bytes of an IDX file (MNIST's format) of unsigned bytes with these dimensions.
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

/// Returns four valid files: 3 training images and 2 test images of 2×2 pixels.
fn valid_files() -> [Vec<u8>; 4] {
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
fn data_source_detects_gzip_by_content() {
    let folder = tempfile::tempdir().unwrap();
    let files = valid_files();
    write(folder.path(), &[files[0].clone(), gzip(&files[1]), gzip(&files[2]), files[3].clone()]);
    std::fs::rename(folder.path().join(FILES[2]), folder.path().join(format!("{}.gz", FILES[2]))).unwrap();
    let mnist = directory(folder.path()).load().unwrap();
    assert_eq!((mnist.train.len(), mnist.test.len(), mnist.train.labels()), (3, 2, &[0, 1, 9][..]));
    assert_eq!(mnist.test.image(1), [8; 4]);
}

/// Loads four valid files, of which the one at `index` of [`FILES`] is replaced by `bytes`, and returns the error
/// message.
fn error_with_file(index: usize, bytes: Vec<u8>) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut files = valid_files();
    files[index] = bytes;
    write(folder.path(), &files);
    let message = directory(folder.path()).load().unwrap_err().to_string();
    assert!(message.contains(FILES[index]), "the message must name the file: {message}");
    message
}

#[test]
fn idx_reader_reports_reason_when_rejecting_invalid_file() {
    let [images, labels, ..] = valid_files();
    let huge = idx(&[u32::MAX, u32::MAX, u32::MAX], &[0; 9]);
    for (index, bytes, reason) in [
        (0, labels.clone(), "contains labels (magic number 0x00000801), but images are expected (0x00000803)"),
        (1, images.clone(), "contains images (magic number 0x00000803), but labels are expected (0x00000801)"),
        (
            0,
            b"\x01\x02\x03\x04".to_vec(),
            "magic number is 0x01020304, but an IDX file of images starts with 0x00000803",
        ),
        (0, images[..images.len() - 1].to_vec(), "truncated file: 27 bytes, but its header declares 28"),
        (
            0,
            images[..7].to_vec(),
            "truncated file: 7 bytes, but the header of an IDX file with 3 dimensions has 16 bytes",
        ),
        (0, images[..3].to_vec(), "truncated file: 3 bytes"),
        (1, [labels.clone(), vec![0]].concat(), "trailing data after the 11 bytes that its header declares"),
        (1, idx(&[4], &[0, 1, 2, 3]), "there are 3 images, but 4 labels"),
        (0, idx(&[0, 2, 2], &[]), "dimensions are [0, 2, 2]; each must be at least 1"),
        (0, idx(&[3, 0, 2], &[]), "dimensions are [3, 0, 2]; each must be at least 1"),
        (0, huge.clone(), "exceed the address space of this machine"),
        (0, gzip(&huge), "exceed the address space of this machine"),
        (
            2,
            idx(&[2, 1, 4], &[8; 8]),
            "test images have shape [1, 4], but training images have shape [2, 2]: use files of",
        ),
        (0, gzip(&images)[..20].to_vec(), "invalid gzip stream"),
        (0, [gzip(&images), vec![1]].concat(), "trailing data after the gzip stream (1 bytes)"),
        // The decompressor stops at the first byte after the declared length.
        (0, gzip(&[images.clone(), vec![1; 100]].concat()), "trailing data after the 28 bytes"),
    ] {
        let message = error_with_file(index, bytes);
        assert!(message.contains(reason), "expected '{reason}': {message}");
    }
}

#[test]
fn gzip_file_that_declares_more_than_its_limit_is_rejected_before_decompression() {
    // 12,755,102 images of 28×28 pixels: 10 GB.
    let message = error_with_file(0, gzip(&idx(&[12_755_102, 28, 28], &[0; 9])));
    assert!(message.contains("its header declares 9999999984 bytes"), "{message}");
    assert!(message.contains("bytes of gzip may decompress to at most 268435456"), "{message}");
    // The largest allowed length, in a file that is too short to contain it: no memory is reserved.
    let message = error_with_file(0, gzip(&idx(&[1, 1, (256 << 20) - 16], &[0; 9])));
    assert!(message.contains("truncated file: its header declares 268435456 bytes, but "), "{message}");
    // A length that is possible, in a file that is shorter.
    let message = error_with_file(0, gzip(&idx(&[1, 1, 10_000], &[0; 9])));
    assert!(message.contains("truncated file: 25 bytes, but its header declares 10016"), "{message}");
    // Bytes that gzip compresses by almost the largest factor.
    let zeros = gzip(&idx(&[1000, 100, 100], &vec![0; 10_000_000]));
    assert!(zeros.len() < 10_000_000 / 900, "{}", zeros.len());
    let message = error_with_file(0, zeros);
    assert!(message.contains("there are 1000 images, but 3 labels"), "{message}");
}

#[test]
fn data_source_rejects_file_that_is_longer_than_any_data_set() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &valid_files());
    std::fs::File::create(folder.path().join(FILES[0])).unwrap().set_len(100_000_000_000).unwrap();
    let message = directory(folder.path()).load().unwrap_err().to_string();
    assert!(message.contains(FILES[0]) && message.contains("100000000000 bytes; at most 1073741824"), "{message}");
}

#[test]
fn idx_reader_rejects_gzip_file_truncated_anywhere() {
    let pixels: Vec<u8> = (0..1200).map(|pixel| (pixel * pixel % 251) as u8).collect();
    let whole = gzip(&idx(&[3, 20, 20], &pixels));
    for length in 0..whole.len() {
        error_with_file(0, whole[..length].to_vec());
    }
}

#[test]
fn data_source_error_names_missing_file_and_folder() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), &valid_files());
    std::fs::remove_file(folder.path().join(FILES[3])).unwrap();
    let message = directory(folder.path()).load().unwrap_err().to_string();
    assert!(message.contains("missing t10k-labels-idx1-ubyte (with or without .gz)"), "{message}");
    let absent = directory(&folder.path().join("absent")).load().unwrap_err().to_string();
    assert!(absent.contains("the folder does not exist"), "{absent}");
}

#[test]
fn data_source_parses_keywords_and_paths() {
    assert_eq!("embedded".parse::<DataSource>().unwrap(), DataSource::Embedded);
    assert_eq!("./some/where".parse::<DataSource>().unwrap(), DataSource::Directory("./some/where".into()));
    assert_eq!("support".parse::<DataSource>().unwrap(), DataSource::Directory("support".into()));
    for name in ["embedded", "dir:./some/where"] {
        assert_eq!(name.parse::<DataSource>().unwrap().to_string(), name);
    }
    let message = "embeded".parse::<DataSource>().unwrap_err().to_string();
    let expected =
        "unknown data source 'embeded'; expected one of: embedded, mnist, fashion-mnist, kmnist, or a folder";
    assert!(message.contains(expected), "{message}");
}

#[test]
fn data_source_keywords_ignore_case_but_paths_do_not() {
    let parse = |text: &str| text.parse::<DataSource>().unwrap();
    for keyword in ["Embedded", "EMBEDDED"] {
        assert_eq!(parse(keyword), DataSource::Embedded);
    }
    for (keyword, collection) in
        [("MNIST", &Collection::MNIST), ("Download", &Collection::MNIST), ("Fashion-MNIST", &Collection::FASHION_MNIST)]
    {
        assert_eq!(parse(keyword), DataSource::Downloaded(collection));
    }
    assert_eq!(parse("DIR:Some/Where"), DataSource::Directory("Some/Where".into()));
    assert_eq!(parse("./MNIST"), DataSource::Directory("./MNIST".into()));
}

proptest::proptest! {
    /// Loading arbitrary files returns a data set or an error, and allocates no more memory than their size justifies.
    #[test]
    fn data_source_never_panics_on_arbitrary_files(noise: Vec<u8>, dimensions: [u32; 3]) {
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
        proptest::prop_assert!(used.bytes_max < 1_000_000, "allocated {} bytes", used.bytes_max);
    }
}
