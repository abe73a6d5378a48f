//! Formats that are not read, identified by the first bytes of a file.

/// A format that is not read.
struct Format {
    name: &'static str,
    /// The step that turns such a file into a picture.
    step: &'static str,
    /// Positions and bytes, any of which identify the format.
    signatures: &'static [(usize, &'static [u8])],
}

/// The formats, with more specific signatures first.
const FORMATS: [Format; 16] = [
    Format {
        name: "a HEIC or HEIF picture",
        step: "convert it with 'heif-convert FILE digit.png', or on a Mac with 'sips -s format png FILE --out digit.png'",
        signatures: &[(4, b"ftyphe"), (4, b"ftypmif1"), (4, b"ftypmsf1")],
    },
    Format {
        name: "an AVIF picture",
        step: "convert it with 'avifdec FILE digit.png'",
        signatures: &[(4, b"ftypavi")],
    },
    Format {
        name: "a camera's raw picture",
        step: "extract its preview with 'exiftool -b -PreviewImage FILE > digit.jpg'",
        signatures: &[(4, b"ftypcrx"), (8, b"CR\x02"), (0, b"FUJIFILMCCD-RAW"), (0, b"IIRO"), (0, b"IIU\0")],
    },
    Format {
        name: "a video",
        step: "extract a frame with 'ffmpeg -i FILE -frames:v 1 digit.png'",
        signatures: &[(4, b"ftyp"), (4, b"moov"), (0, b"\x1aE\xdf\xa3")],
    },
    Format {
        name: "a JPEG XL picture",
        step: "convert it with 'djxl FILE digit.png'",
        signatures: &[(0, b"\xff\x0a"), (0, b"\0\0\0\x0cJXL ")],
    },
    Format {
        name: "a JPEG 2000 picture",
        step: "convert it with 'opj_decompress -i FILE -o digit.png'",
        signatures: &[(0, b"\0\0\0\x0cjP  "), (0, b"\xff\x4f\xff\x51")],
    },
    Format {
        name: "a picture in a format that is not read",
        step: "convert it with 'magick FILE digit.png'",
        signatures: &[
            (0, b"8BPS"),
            (0, b"gimp xcf"),
            (0, b"qoif"),
            (0, b"\0\0\x01\0"),
            (0, b"P1\n"),
            (0, b"P2\n"),
            (0, b"P3\n"),
            (0, b"P4\n"),
            (0, b"P5\n"),
            (0, b"P6\n"),
        ],
    },
    Format {
        name: "a PDF document",
        step: "convert a page with 'pdftoppm -png -singlefile FILE digit', and crop it to one digit",
        signatures: &[(0, b"%PDF")],
    },
    Format {
        name: "a PostScript document",
        step: "convert it with 'magick FILE digit.png', and crop it to one digit",
        signatures: &[(0, b"%!PS")],
    },
    Format {
        name: "an Office document",
        step: "save the picture in it as a PNG file",
        signatures: &[(0, b"\xd0\xcf\x11\xe0"), (30, b"[Content_Types].xml"), (30, b"mimetypeapplication/vnd.oasis")],
    },
    Format {
        name: "an archive of arrays from NumPy or PyTorch",
        step: "save its images as PNG or IDX files",
        signatures: &[(0, b"\x93NUMPY"), (0, b"\x89HDF"), (0, b"\x80\x02"), (0, b"\x80\x04")],
    },
    Format {
        name: "an archive",
        step: "unpack it, and give the files in it",
        signatures: &[
            (0, b"PK\x03\x04"),
            (0, b"Rar!"),
            (0, b"7z\xbc\xaf"),
            (257, b"ustar"),
            (0, b"BZh"),
            (0, b"\xfd7zXZ"),
        ],
    },
    Format {
        name: "a file compressed with gzip",
        step: "decompress it with 'gunzip'",
        signatures: &[(0, b"\x1f\x8b")],
    },
    Format {
        name: "a pointer of Git LFS in place of the file",
        step: "fetch the file with 'git lfs pull'",
        signatures: &[(0, b"version https://git-lfs")],
    },
    Format {
        name: "a file with parameters of a network",
        step: "give the network first, and pictures after it",
        signatures: &[(8, b"{\"")],
    },
    Format {
        name: "a text with a picture in Base64",
        step: "decode the part after the comma with 'base64 --decode'",
        signatures: &[(0, b"data:image/"), (0, b"iVBORw0KGgo"), (0, b"/9j/")],
    },
];

const SVG: Format = Format {
    name: "an SVG drawing",
    step: "convert it with 'rsvg-convert --background-color white FILE --output digit.png'",
    signatures: &[],
};

const HTML: Format = Format {
    name: "a web page, saved in place of a picture",
    step: "download the picture itself, not the page that shows it",
    signatures: &[],
};

/// Returns the name of a file's format and the step that helps, as in "this is a PDF document; convert …", or `None` if the
/// format is unknown or read.
pub(super) fn identify(bytes: &[u8]) -> Option<String> {
    let has =
        |&(position, signature): &(usize, &[u8])| bytes.get(position..).is_some_and(|rest| rest.starts_with(signature));
    let by_signature = || FORMATS.iter().find(|format| format.signatures.iter().any(has));
    let Format { name, step, .. } = by_signature().or_else(|| identify_markup(bytes))?;
    Some(format!("this is {name}; {step}"))
}

/// Returns the format of a text in a markup language, by an element near its beginning.
fn identify_markup(bytes: &[u8]) -> Option<&'static Format> {
    let beginning = String::from_utf8_lossy(bytes.get(..1024).unwrap_or(bytes)).to_ascii_lowercase();
    let is_markup = beginning.trim_start_matches('\u{feff}').trim_start().starts_with('<');
    let elements = [("<svg", &SVG), ("<html", &HTML), ("<!doctype html", &HTML)];
    elements.into_iter().find(|(element, _)| is_markup && beginning.contains(element)).map(|(_, format)| format)
}

#[cfg(test)]
mod tests {
    use super::identify;

    #[test]
    fn identify_names_format_and_step() {
        for (bytes, expected) in [
            (&b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"[..], "this is a HEIC or HEIF picture; convert it with 'heif-"),
            (b"\0\0\0\x1cftypavif", "this is an AVIF picture; convert it with 'avifdec"),
            (b"\0\0\0\x18ftypisom", "this is a video; extract a frame"),
            (b"%PDF-1.7\n", "this is a PDF document; convert a page with 'pdftoppm"),
            (
                b"PK\x03\x04\x14\0\x06\0\x08\0\0\0\x21\0aaaabbbbcccc\x13\0\0\0[Content_Types].xml",
                "this is an Office document",
            ),
            (b"PK\x03\x04\x14\0\0\0", "this is an archive; unpack it"),
            (b"version https://git-lfs.github.com/spec/v1\n", "'git lfs pull'"),
            (b"\xef\xbb\xbf<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'>", "this is an SVG drawing"),
            (b"\n<!DOCTYPE html>\n<html>", "this is a web page"),
        ] {
            let message = identify(bytes).unwrap_or_default();
            assert!(message.contains(expected), "{:?}: {message}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn identify_leaves_pictures_and_unknown_files_to_decoder() {
        for bytes in [&b"\x89PNG\r\n\x1a\n"[..], b"\xff\xd8\xff\xe0", b"BM", b"a letter about <svg", b""] {
            assert_eq!(identify(bytes), None);
        }
    }
}
