//! Magic numbers of IDX files, which state the type of the elements and the number of dimensions.

/// Largest number of dimensions: images with colour channels.
const MAX_DIMENSIONS: usize = 4;

/// Type of the elements of an IDX file, which the third byte of its magic number states.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Element {
    UnsignedByte,
    SignedByte,
    Short,
    Int,
    Float,
    Double,
}

impl Element {
    const ALL: [Self; 6] = [Self::UnsignedByte, Self::SignedByte, Self::Short, Self::Int, Self::Float, Self::Double];

    /// Returns the third byte of the magic number.
    const fn code(self) -> u8 {
        match self {
            Self::UnsignedByte => 0x08,
            Self::SignedByte => 0x09,
            Self::Short => 0x0b,
            Self::Int => 0x0c,
            Self::Float => 0x0d,
            Self::Double => 0x0e,
        }
    }

    /// Returns the size of an element in bytes.
    pub(super) const fn size(self) -> usize {
        match self {
            Self::UnsignedByte | Self::SignedByte => 1,
            Self::Short => 2,
            Self::Int | Self::Float => 4,
            Self::Double => 8,
        }
    }

    /// Returns the type as a plural noun, for messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::UnsignedByte => "unsigned bytes",
            Self::SignedByte => "signed bytes",
            Self::Short => "16-bit integers",
            Self::Int => "32-bit integers",
            Self::Float => "32-bit floating-point numbers",
            Self::Double => "64-bit floating-point numbers",
        }
    }

    /// Returns the magic number of a file with elements of this type.
    pub(super) fn magic(self, dimensions: usize) -> u32 {
        u32::from_be_bytes([0, 0, self.code(), dimensions as u8])
    }

    /// Returns the integer at the start of `bytes`, which have at least the size of an element.
    pub(super) fn integer(self, bytes: &[u8]) -> i32 {
        match (self, bytes) {
            (Self::SignedByte, &[a, ..]) => i32::from(a as i8),
            (Self::Short, &[a, b, ..]) => i32::from(i16::from_be_bytes([a, b])),
            (Self::Int, &[a, b, c, d, ..]) => i32::from_be_bytes([a, b, c, d]),
            (_, bytes) => bytes.first().copied().map_or(0, i32::from),
        }
    }
}

/// Returns the type of the elements and the number of dimensions that the magic number at the start of `bytes` states;
/// `None` if the bytes do not start with a magic number of IDX.
pub(super) fn magic(bytes: &[u8]) -> Option<(Element, usize)> {
    let &[0, 0, code, count, ..] = bytes else { return None };
    let element = Element::ALL.into_iter().find(|element| element.code() == code)?;
    let count = usize::from(count);
    (1..=MAX_DIMENSIONS).contains(&count).then_some((element, count))
}

/// Contents of an IDX file, which determine its type and dimensions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Images,
    Labels,
}

impl Kind {
    /// Returns the usual magic number: unsigned bytes in three dimensions for images, in one for labels.
    pub(super) const fn magic(self) -> u32 {
        match self {
            Self::Images => 0x0803,
            Self::Labels => 0x0801,
        }
    }

    /// Returns the contents as a plural noun, for messages.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    /// Returns the error for a file whose magic number belongs to the other kind.
    pub(super) fn other(self, found: Self, magic: u32) -> String {
        format!(
            "contains {} (magic number {magic:#010x}), but {} are expected ({:#010x}): if the files of images and labels have \
             each other's names, exchange them",
            found.name(),
            self.name(),
            self.magic()
        )
    }
}
