//! Recognition of files that cannot be read, by their first bytes, with what to do about them.

use std::borrow::Cow;

use super::ParseResult;

/// First bytes of a ZIP archive, the container of `.npz` files.
pub(super) const ZIP_SIGNATURE: &[u8] = b"PK\x03\x04";

/// Number of bytes of a text that a message shows.
const SHOWN: usize = 40;

/// Number of bytes in which the marks of a text format are searched for.
const BEGINNING: usize = 1000;

/// Advice to the owner of a file that this program cannot read.
#[derive(Clone, Copy)]
enum Advice {
    /// Advice for any file.
    General(&'static str),
    /// Advice for the file of a network.
    OfNetwork(&'static str),
    /// There is no way to use the file.
    None,
}

/// The kind of a file that cannot be read, such as `an ONNX file`, and what to do about it.
type Foreign = (&'static str, Advice);

/// Kinds of binary files by their first bytes.
const BINARY: [(&[u8], Foreign); 10] = [
    (
        b"\x89HDF",
        (
            "an HDF5 file, as Keras writes",
            Advice::OfNetwork("in Python: numpy.savez('network.npz', *model.get_weights())"),
        ),
    ),
    (
        b"MATLAB",
        (
            "a MATLAB file",
            Advice::OfNetwork("in Python: numpy.savez('network.npz', **scipy.io.loadmat('network.mat'))"),
        ),
    ),
    (b"\x89PNG", PICTURE),
    (b"\xff\xd8\xff", PICTURE),
    (b"\x93NUMPY", ("a single NumPy array", Advice::General("save all tensors in one file with numpy.savez"))),
    (b"\x1f\x8b", ("compressed with gzip", Advice::General("decompress it with gunzip"))),
    (b"BZh", ("compressed with bzip2", Advice::General("decompress it with bunzip2"))),
    (b"\xfd7zXZ", ("compressed with xz", Advice::General("decompress it with unxz"))),
    (b"GGUF", ("a GGUF file, which contains a language model", Advice::None)),
    (b"%PDF", ("a PDF file", Advice::None)),
];

const PICTURE: Foreign = ("a picture", Advice::OfNetwork("give the network first, and pictures after it"));

/// A dictionary that `numpy.save` has written, as an array of one object.
const PICKLED_DICTIONARY: Foreign = (
    "a pickled dictionary",
    Advice::General("in Python: numpy.savez('new.npz', **numpy.load('old.npy', allow_pickle=True).item())"),
);

/// A list of arrays that `numpy.save` has written, as an array of objects.
const PICKLED_LIST: Foreign = (
    "a pickled list",
    Advice::OfNetwork("in Python: numpy.savez('network.npz', *numpy.load('network.npy', allow_pickle=True))"),
);

/// An ONNX file, which starts with a number and the tag of the next field.
const ONNX: Foreign = (
    "an ONNX file",
    Advice::OfNetwork(
        "in Python: numpy.savez('network.npz', **{i.name: onnx.numpy_helper.to_array(i) for i in \
         onnx.load('network.onnx').graph.initializer})",
    ),
);

/// A MessagePack file, which starts with the number of the entries of a map.
const MESSAGE_PACK: Foreign = (
    "a MessagePack file, as Flax writes",
    Advice::OfNetwork("in Python: numpy.savez('network.npz', **flax.traverse_util.flatten_dict(params, sep='/'))"),
);

/// Kinds of texts by a part of their beginning, in lower case.
const TEXTS: [(&str, Foreign); 5] = [
    (
        "https://git-lfs.github.com/spec",
        ("a Git LFS pointer, not the file that it stands for", Advice::General("run 'git lfs pull' in its repository")),
    ),
    (
        "<html",
        (
            "an HTML page, probably the error page of a download",
            Advice::General("open its address in a browser, and download it again"),
        ),
    ),
    ("<?xml", ("an XML document, probably the error message of a download", Advice::General("download it again"))),
    (
        "\"class_name\"",
        (
            "the architecture of a Keras model without its parameters",
            Advice::OfNetwork("in Python: numpy.savez('network.npz', *model.get_weights())"),
        ),
    ),
    (
        "\"weight_map\"",
        (
            "the index of a network in several files",
            Advice::OfNetwork(
                "in Python, merge what safetensors.torch.load_file returns for each of them, and save it with \
                 safetensors.torch.save_file",
            ),
        ),
    ),
];

/// The end of messages about files that are no traces.
const TRACE: &str = "expected a trace, a safetensors, npz or JSON file whose contents docs/trace-format.md describes";

/// Advice on converting a pickle. The code in pickles is never run.
pub(super) const PICKLE: &str = "in Python, convert tensors of PyTorch with \
     safetensors.torch.save_file(model.state_dict(), 'network.safetensors'), and arrays of NumPy with \
     numpy.savez('network.npz', **dictionary) or numpy.savez('network.npz', *list), where each entry must be one array";

/// Rejects a file of a known kind that cannot be read.
///
/// # Errors
///
/// A message with the kind of the file, and what to do about it.
pub(super) fn reject_foreign(bytes: &[u8]) -> ParseResult<()> {
    match foreign(bytes) {
        _ if bytes.is_empty() => Err("the file is empty".to_owned()),
        None => Ok(()),
        Some((kind, Advice::None)) => Err(format!("the file is {kind}")),
        Some((kind, Advice::General(advice) | Advice::OfNetwork(advice))) => {
            Err(format!("the file is {kind}; {advice}"))
        }
    }
}

/// Rejects a file that is no trace.
///
/// # Errors
///
/// A message with the kind of the file, or its beginning, and what is expected.
pub(crate) fn reject_other_than_trace(bytes: &[u8]) -> ParseResult<()> {
    let kind = match foreign(bytes) {
        Some((kind, Advice::OfNetwork(_) | Advice::None)) => kind,
        Some((_, Advice::General(_))) => return reject_foreign(bytes),
        None if bytes.is_empty() => return reject_foreign(bytes),
        None if is_pickle(bytes) => "a Python pickle",
        None if bytes.starts_with(ZIP_SIGNATURE) && has(bytes, b"data.pkl") => "a file of torch.save",
        None if bytes.starts_with(ZIP_SIGNATURE) && has(bytes, b"config.json") => "a Keras model",
        None => {
            return beginning(bytes).map_or(Ok(()), |start| Err(format!("the file starts with '{start}'; {TRACE}")));
        }
    };
    Err(format!("the file is {kind}; {TRACE}"))
}

/// Returns true if the beginning of the file contains these bytes.
fn has(bytes: &[u8], part: &[u8]) -> bool {
    bytes[..bytes.len().min(BEGINNING)].windows(part.len()).any(|bytes| bytes == part)
}

/// Returns the kind of a file that cannot be read.
fn foreign(bytes: &[u8]) -> Option<Foreign> {
    if may_be_safetensors(bytes) {
        return None;
    }
    let beginning = &bytes[..bytes.len().min(BEGINNING)];
    let object = if has(bytes, b"'shape': ()") { PICKLED_DICTIONARY } else { PICKLED_LIST };
    let protocol = match bytes {
        // The version of the format as the first field of a message, followed by a text or the graph.
        [0x08, 3..=20, 0x12 | 0x1a | 0x22 | 0x3a | 0x42, ..] => Some(ONNX),
        // A map with up to 15 entries, whose first key is a short text.
        [0x81..=0x8f, 0xa1..=0xbf, ..] => Some(MESSAGE_PACK),
        [b'\x93', b'N', b'U', b'M', b'P', b'Y', ..] if has(bytes, b"'|O'") => Some(object),
        _ => None,
    };
    let by_start = || BINARY.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, kind)| *kind);
    let beginning = String::from_utf8_lossy(beginning).to_lowercase();
    let by_text = || TEXTS.iter().find(|(part, _)| beginning.contains(part)).map(|(_, kind)| *kind);
    protocol.or_else(by_start).or_else(|| by_text().filter(|_| is_text(&bytes[..8.min(bytes.len())])))
}

/// Returns true if a file starts as a safetensors file does: with the length of its header in eight bytes, the last of which
/// are zero, and a JSON object. Any other format may begin with the bytes of some length.
pub(super) fn may_be_safetensors(bytes: &[u8]) -> bool {
    bytes.get(5..9) == Some(b"\0\0\0{")
}

/// Returns true if the file is a JSON object, or a list of them.
pub(super) fn is_json(bytes: &[u8]) -> bool {
    let mut start = bytes.iter().filter(|byte| !byte.is_ascii_whitespace());
    match start.next() {
        Some(b'[') => start.next() == Some(&b'{'),
        first => first == Some(&b'{'),
    }
}

/// Returns true if the file is a pickle, as older versions of `torch.save` write.
pub(super) fn is_pickle(bytes: &[u8]) -> bool {
    bytes.first() == Some(&b'\x80') && !may_be_safetensors(bytes)
}

/// Returns the error for a file that no reader knows, which shows its beginning if it is a text.
pub(super) fn unknown(bytes: &[u8]) -> Option<String> {
    beginning(bytes).map(|start| {
        format!(
            "the file starts with '{start}'; expected a safetensors file, an npz file from numpy.savez, a .pt or .pth file \
             from torch.save, or a JSON object such as {{\"W1\": [[…], …], \"b1\": […], …}}"
        )
    })
}

/// Returns the beginning of a text other than JSON; `None` if the file is no such text.
fn beginning(bytes: &[u8]) -> Option<String> {
    let start = &bytes[..bytes.len().min(SHOWN)];
    let is_other = is_text(start) && !is_json(bytes);
    is_other.then(|| String::from_utf8_lossy(start).trim().replace('\n', " "))
}

/// Returns the error for a ZIP archive with a member that is not a NumPy array.
pub(super) fn foreign_archive(members: &[Cow<'_, str>]) -> String {
    let has = |end: &str| members.iter().any(|member| member.ends_with(end));
    if has("data.pkl") {
        return format!("the file was written by torch.save, and this build has no reader for it; {PICKLE}");
    }
    if has("model.weights.h5") {
        return "the file is a Keras model; in Python: numpy.savez('network.npz', \
                *keras.models.load_model('model.keras').get_weights())"
            .to_owned();
    }
    let member = members.iter().find(|member| !member.ends_with(".npy")).map_or("", Cow::as_ref);
    format!(
        "'{member}' is not a NumPy array; expected an npz file, whose members all end with .npy, or unpack the archive"
    )
}

/// Returns true if all bytes are printable ASCII characters or white space.
fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reject_foreign_names_kind_and_cure() {
        let message = |bytes: &[u8]| reject_foreign(bytes).unwrap_err();
        assert_eq!(message(b""), "the file is empty");
        assert!(message(b"\x89HDF\r\n\x1a\n\0\0\0\0").contains("model.get_weights()"));
        assert!(message(b"\x93NUMPY\x01\x00v\x00{'descr'").starts_with("the file is a single NumPy array"));
        assert!(message(b"version https://git-lfs.github.com/spec/v1\noid sha256:aa").contains("git lfs pull"));
        assert!(message(b"\n<!DOCTYPE HTML>\n<HTML><head>").contains("an HTML page"));
        assert!(message(br#"{"metadata": {}, "weight_map": {"a": "b"}}"#).contains("save_file"));
        assert!(message(b"GGUF\x03\0\0\0\x01\0\0\0").contains("a language model"));
        assert!(message(b"\x08\x0a\x12\x07pytorch").contains("onnx.load('network.onnx')"));
        assert!(message(b"\x08\x08:\xa6\x01\x0a\x0a\x0a\x01x\x12\x01").contains("onnx.load('network.onnx')"));
        assert!(message(b"\x81\xa6params\x82\xa6kernel").contains("MessagePack"));
        assert!(message(b"MATLAB 5.0 MAT-file").contains("scipy.io.loadmat"));
        assert!(message(b"\x89PNG\r\n\x1a\n").contains("give the network first"));
        let pickled = b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (4,), }";
        assert!(message(pickled).contains("*numpy.load") && !message(pickled).contains("item()"));
        assert!(message(br#"{"class_name": "Sequential", "config": {}}"#).contains("model.get_weights()"));
        // The length of a safetensors header may begin with the bytes of any other format.
        assert!(reject_foreign(b"BZh\0\0\0\0\0{\"a\":1}").is_ok());
        assert!(reject_foreign(br#"{"fc1.weight": [[1]]}"#).is_ok());
    }

    #[test]
    fn files_that_are_no_traces_are_named() {
        let message = |bytes: &[u8]| reject_other_than_trace(bytes).unwrap_err();
        for (bytes, kind) in [
            (&b"\x89PNG\r\n\x1a\n"[..], "is a picture"),
            (b"\x89HDF\r\n\x1a\n\0\0\0\0", "is an HDF5 file, as Keras writes"),
            (b"%PDF-1.7", "is a PDF file"),
            (b"\x80\x04\x95\x10", "is a Python pickle"),
            (b"PK\x03\x04\0\0network/data.pkl", "is a file of torch.save"),
            (b"PK\x03\x04\0\0metadata.json{}PK\x03\x04config.json", "is a Keras model"),
            (b"import numpy as np\n", "starts with 'import numpy as np'"),
        ] {
            assert_eq!(message(bytes), format!("the file {kind}; {TRACE}"));
        }
        assert!(message(b"version https://git-lfs.github.com/spec/v1\n").contains("git lfs pull"));
        assert!(message(b"\x1f\x8b\x08").contains("gunzip"));
        assert_eq!(message(b""), "the file is empty");
        for trace in [&b"PK\x03\x04\0\0batch.0.images.npy"[..], br#"{"format": 1}"#, b"\x80\0\0\0\0\0\0\0{"] {
            assert_eq!(reject_other_than_trace(trace), Ok(()));
        }
    }

    #[test]
    fn unknown_shows_beginning_of_text() {
        assert!(
            unknown(b"epoch 0\nloss 2.3\n{\"format\"").unwrap().starts_with("the file starts with 'epoch 0 loss 2.3")
        );
        assert_eq!(unknown(b"\x80\x00\x00\x00\x00\x00\x00\x00{}"), None);
    }

    #[test]
    fn foreign_archive_names_program() {
        assert!(foreign_archive(&["archive/data.pkl".into(), "archive/version".into()]).contains("torch.save"));
        assert!(foreign_archive(&["config.json".into(), "model.weights.h5".into()]).contains("Keras"));
        assert!(foreign_archive(&["a.npy".into(), "readme.txt".into()]).contains("'readme.txt' is not a NumPy array"));
    }
}
