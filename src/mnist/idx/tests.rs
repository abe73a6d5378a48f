//! Tests of the forms of IDX files, and of the identification of other files.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

/// Returns an IDX file with this magic number.
fn idx(magic: u32, dimensions: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = magic.to_be_bytes().to_vec();
    dimensions.iter().for_each(|length| bytes.extend(length.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn images_message(bytes: Vec<u8>) -> String {
    parse_images(bytes, "images").unwrap_err().to_string()
}

fn labels_message(bytes: Vec<u8>) -> String {
    parse_labels(bytes, "labels").unwrap_err().to_string()
}

#[test]
fn image_reader_accepts_flattened_images_and_single_channel() {
    let flat = read_images(idx(0x0802, &[2, 9], &[7; 18]), "images").unwrap();
    assert_eq!(flat.shape, [2, 3, 3]);
    assert_eq!(flat.note.unwrap(), "images are stored as rows of 9 pixels: read as 3 × 3 pixels");
    for dimensions in [[2, 1, 3, 2], [2, 3, 2, 1]] {
        let images = read_images(idx(0x0804, &dimensions, &[7; 12]), "images").unwrap();
        assert_eq!((images.shape, images.note), ([2, 3, 2], None));
    }
}

#[test]
fn image_reader_identifies_other_arrays() {
    for (bytes, reason) in [
        (idx(0x0804, &[2, 2, 2, 3], &[7; 24]), "images have colour channels (dimensions [2, 2, 2, 3])"),
        (idx(0x0802, &[2, 8], &[7; 16]), "images are rows of 8 pixels, which are not square"),
        (
            idx(0x0903, &[1, 2, 2], &[7; 4]),
            "its pixels are signed bytes (magic number 0x00000903); expected unsigned bytes (0x00000803)",
        ),
        (idx(0x0d03, &[1, 1, 2], &[7; 8]), "its pixels are 32-bit floating-point numbers (magic number 0x00000d03)"),
        (idx(0x0c02, &[1, 8], &[7; 32]), "contains labels (magic number 0x00000c02)"),
    ] {
        let message = images_message(bytes);
        assert!(message.contains(reason), "expected '{reason}': {message}");
    }
}

#[test]
fn label_reader_accepts_integers_of_every_type() {
    for bytes in [
        idx(0x0801, &[3], &[3, 0, 200]),
        idx(0x0b01, &[3], &[0, 3, 0, 0, 0, 200]),
        idx(0x0c01, &[3], &[0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 200]),
        idx(0x0802, &[3, 1], &[3, 0, 200]),
    ] {
        assert_eq!(parse_labels(bytes, "labels").unwrap(), [3, 0, 200]);
    }
    assert_eq!(parse_labels(idx(0x0901, &[2], &[3, 0]), "labels").unwrap(), [3, 0]);
}

#[test]
fn label_reader_takes_first_column_of_qmnist() {
    let row = |label: u8| [[0, 0, 0, label], [0, 0, 1, 1], [0, 0, 9, 9]].concat().into_iter().chain([5; 20]);
    let bytes = idx(0x0c02, &[2, 8], &row(7).chain(row(2)).collect::<Vec<_>>());
    assert_eq!(parse_labels(bytes, "labels").unwrap(), [7, 2]);
}

#[test]
fn label_reader_identifies_other_arrays() {
    for (bytes, reason) in [
        (idx(0x0803, &[1, 1, 1], &[7]), "contains images (magic number 0x00000803)"),
        (idx(0x0802, &[1, 10], &[0; 10]), "its labels have 10 columns; expected one class index per image"),
        (idx(0x0d01, &[1], &[0; 4]), "its labels are 32-bit floating-point numbers"),
        (idx(0x0901, &[2], &[3, 255]), "label -1 of image 1 is out of range: expected 0 to 255"),
        (idx(0x0c01, &[1], &[0, 0, 1, 0]), "label 256 of image 0 is out of range"),
    ] {
        let message = labels_message(bytes);
        assert!(message.contains(reason), "expected '{reason}': {message}");
    }
}

#[test]
fn decompress_reads_every_member() {
    let file = idx(0x0801, &[40], &[5; 40]);
    let members = [gzip(&file[..3]), gzip(&[]), gzip(&file[3..20]), gzip(&file[20..])].concat();
    assert_eq!(decompress(members.clone(), false, "labels").unwrap(), file);
    let trailing = decompress([members, vec![0; 9]].concat(), false, "labels").unwrap_err().to_string();
    assert_eq!(trailing, "labels: trailing data after the gzip stream (9 bytes)");
}

#[test]
fn decompress_stops_at_declared_length_in_later_member() {
    let zeros = vec![0; 10 << 20];
    let members = [gzip(&idx(0x0801, &[40], &[5; 20])), gzip(&zeros)].concat();
    let decompressed = decompress(members, false, "labels").unwrap();
    assert_eq!((decompressed.len(), decompressed.capacity()), (49, 49));
}

#[test]
fn foreign_files_are_identified_also_in_gzip() {
    let mut tar = vec![b'a'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let html = b"\xef\xbb\xbf\n  <!DOCTYPE html>\n<html>".to_vec();
    for (bytes, found) in [
        (html, "an HTML or XML page"),
        (
            b"version https://git-lfs.github.com/spec/v1\noid".to_vec(),
            "a Git LFS pointer, not the file itself: run 'git lfs pull'",
        ),
        (b"PK\x03\x04\x14\0".to_vec(), "a zip archive: extract it with 'unzip'"),
        (b"\x80\x04\x95\x10".to_vec(), "a Python pickle: convert it with python3"),
        (b"{\"message\":\n\"Not Found\"}".to_vec(), "text that starts with '{\"message\": \"Not Found\"}'"),
        (tar, "a tar archive"),
        (b"PK\x03\x04\x14\0training/data.pkl".to_vec(), "a PyTorch file: convert it"),
        (b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19.".to_vec(), "a PyTorch file: convert it"),
        (b"% MNIST\n@RELATION mnist".to_vec(), "an ARFF file: read it with scipy.io.arff"),
        (b"5 153:3 154:18 155:0.5\n".to_vec(), "a LIBSVM file: read it with sklearn"),
        (Vec::new(), "empty"),
    ] {
        for bytes in [gzip(&bytes), bytes] {
            let identified = identify(&bytes).unwrap();
            assert!(identified.starts_with(found), "expected '{found}': {identified}");
            let read = decompress(bytes, true, "images").and_then(|bytes| parse_images(bytes, "images"));
            assert_eq!(read.unwrap_err().to_string(), format!("images: the file is {identified}"));
        }
    }
    assert_eq!(identify(&gzip(&gzip(b"a"))).unwrap(), "compressed with gzip twice: run 'gunzip' on it once");
    let twice = decompress(gzip(&gzip(&idx(0x0803, &[1, 1, 1], &[1]))), true, "images").unwrap_err();
    assert!(twice.to_string().contains("gzip twice"), "{twice}");
    assert!(identify(&gzip(b"label,pixel0,pixel1\n5,0,0\n")).unwrap().starts_with("a compressed table"));
    assert!(identify(b"5,0,0\n7,0,0\n").unwrap().starts_with("a table: give the file itself"));
    assert!(identify(&idx(0x0803, &[1, 1, 1], &[1])).unwrap().starts_with("one of the four IDX files"));
    assert_eq!([identify(b"\x01\x02\x03\x04"), identify(b"\x1f\x8b\x08")], [None, None]);
}
