//! The extent of the first picture in a JPEG file.
//!
//! Cameras and telephones write more than one picture into a file: a preview, a depth map, or the video of a motion photo
//! follows the end marker, and interrupted copies end in zeros or without an end marker. All of it may contain bytes that
//! look like markers, so the end of the first picture follows from its segments.
//!
//! The end marker does not show that the pixels are complete: it may be missing behind complete pixels, or stand behind half
//! of them. The decoder tells: it reads on behind a picture if and only if pixels are missing. So the
//! pixels are complete if they do not depend on what is there; see [`Extent::continued`].

/// Marker of the start of a picture, behind the byte 0xFF.
const START: u8 = 0xd8;

/// Marker of the end of a picture.
const END: u8 = 0xd9;

/// Marker of the start of a scan.
const SCAN: u8 = 0xda;

/// Continuation of pixels that are incomplete. Its bits are as irregular as those of a picture.
const CONTINUATION: [u8; 16] = *b"\x5a\x36\xe9\x1d\xc2\x74\x8b\x4f\x93\x2e\xd5\x61\xb8\x07\xac\x39";

/// The part of a JPEG file that its first picture takes up.
pub(super) struct Extent<'a> {
    /// The bytes from the start marker to the end of the last scan.
    picture: &'a [u8],
    /// True if an end marker follows.
    pub(super) has_end_marker: bool,
    /// True if a frame is progressive, so that its coefficients are all kept in memory until the last scan.
    pub(super) is_progressive: bool,
}

impl<'a> Extent<'a> {
    /// Returns the extent of the first picture, or `None` if the bytes are not a JPEG file.
    pub(super) fn of(file: &'a [u8]) -> Option<Self> {
        let mut rest = file.strip_prefix(&[0xff, START])?;
        let mut extent = Self { picture: file, has_end_marker: false, is_progressive: false };
        while let [0xff, marker, after @ ..] = rest {
            match *marker {
                // A marker may be preceded by any number of fill bytes.
                0xff => rest = &rest[1..],
                START => break,
                END => {
                    extent.has_end_marker = true;
                    return Some(extent);
                }
                marker => {
                    extent.is_progressive |= matches!(marker, 0xc2 | 0xc6 | 0xca | 0xce);
                    // The length of a segment includes its own two bytes.
                    let length = after.first_chunk().map_or(2, |&length| usize::from(u16::from_be_bytes(length)));
                    rest = after.get(length..).unwrap_or_default();
                    if marker == SCAN {
                        rest = &rest[scan_length(rest)..];
                        extent.picture = &file[..file.len() - rest.len()];
                    }
                }
            }
        }
        extent.picture = without_filling(extent.picture);
        Some(extent)
    }

    /// Returns the picture with an end marker.
    pub(super) fn ended(&self) -> Vec<u8> {
        [self.picture, &[0xff, END]].concat()
    }

    /// Returns the picture with more bytes of a scan behind its last one, and an end marker. Decoders ignore these bytes
    /// if no pixels are missing.
    pub(super) fn continued(&self) -> Vec<u8> {
        [self.picture, &CONTINUATION.repeat(16), &[0xff, END]].concat()
    }
}

/// Returns the number of bytes up to the next marker that does not belong to a scan. Within a scan, 0xFF is followed by
/// zero, or by the number of a restart marker.
fn scan_length(bytes: &[u8]) -> usize {
    let is_end = |pair: &[u8]| pair[0] == 0xff && !matches!(pair[1], 0 | 0xd0..=0xd7);
    bytes.windows(2).position(is_end).unwrap_or(bytes.len())
}

/// Removes what is not part of a scan from its end: zeros, which a copy reserves for bytes that never arrive, and the first
/// byte of a marker. A zero behind 0xFF belongs to the scan.
fn without_filling(mut scan: &[u8]) -> &[u8] {
    while let [start @ .., 0] = scan
        && !start.ends_with(&[0xff])
    {
        scan = start;
    }
    scan.strip_suffix(&[0xff]).unwrap_or(scan)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file with a segment that contains markers, a scan with a restart marker, and these bytes behind the scan.
    fn file(behind: &[u8]) -> Vec<u8> {
        [b"\xff\xd8\xff\xe1\0\x08\xff\xd8\xff\xd9aa\xff\xff\xc0\0\x02\xff\xda\0\x03b\x12\xff\0\xff\xd0\x34", behind]
            .concat()
    }

    #[test]
    fn extent_ends_at_first_marker_behind_scan() {
        let expected = file(b"\xff\xd9");
        for (behind, has_end_marker) in [
            (&b"\xff\xd9"[..], true),
            (b"\xff\xd9\0\0\0\0", true),
            (b"\xff\xd9\xff\xd8\xff\xda\0\x02aa\xff\xd9", true),
            (b"\xff\xd9 a video with \xff\xda", true),
            (b"", false),
            (b"\xff", false),
            (b"\0\0\0\0", false),
            (b"\xff\xff\xff\xff", false),
            (b"\xff\xd8\xff\xd9", false),
        ] {
            let file = file(behind);
            let extent = Extent::of(&file).unwrap();
            assert_eq!(extent.ended(), expected, "{behind:x?}");
            assert!(extent.has_end_marker == has_end_marker && !extent.is_progressive, "{behind:x?}");
        }
        assert!(Extent::of(b"\x89PNG").is_none());
    }

    #[test]
    fn extent_contains_all_scans_and_keeps_zero_behind_ff() {
        let scans = file(b"\xff\xc4\0\x03t\xff\xda\0\x02c\xff\0");
        assert_eq!(Extent::of(&scans).unwrap().ended(), [&scans[..], b"\xff\xd9"].concat());
        let progressive: Vec<u8> = scans.iter().map(|&byte| if byte == 0xc0 { 0xc2 } else { byte }).collect();
        assert!(Extent::of(&progressive).unwrap().is_progressive);
    }
}
