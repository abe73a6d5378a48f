//! Decoding of pictures from files that are not trusted. A few bytes can claim a picture of many gigabytes, so the
//! dimensions are checked before any memory is allocated for them.

use std::io::Cursor;

use image::error::ImageFormatHint;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbaImage};

use super::{formats, jpeg};

/// Longest side of a picture in pixels, the maximum of the JPEG format. It keeps the buffers for single rows small.
const MAX_SIDE: u32 = 65_535;

/// Memory in bytes for the metadata of a picture, such as texts and the colour profile, which a PNG file can contain in
/// compressed form.
const MAX_METADATA: u64 = 64 << 20;

/// Largest number of decoded bytes per allowed pixel: four channels of 8 bits.
const BYTES_PER_PIXEL: u64 = 4;

/// Formats that are read, for messages.
const FORMATS: &str = "PNG, JPEG, WebP, GIF, BMP or TIFF";

/// The largest picture that is decoded, in megapixels of 2²⁰ pixels, as `--max-megapixels` gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PixelLimit(pub(crate) u32);

impl PixelLimit {
    /// Returns the limit in pixels.
    fn pixels(self) -> u64 {
        u64::from(self.0) << 20
    }

    /// Returns the largest length of a file in bytes: two per pixel. Compression saves half of the four bytes or more,
    /// except in pictures of pure noise.
    pub(crate) fn file_length(self) -> u64 {
        2 * self.pixels()
    }

    /// Checks the number of pixels of a picture or a list of images. `claim` says what the file claims to contain.
    ///
    /// # Errors
    ///
    /// A message with the claim, the limit, and the option that raises it.
    pub(crate) fn check(self, claim: &str, pixels: u64) -> Result<(), String> {
        if pixels <= self.pixels() {
            return Ok(());
        }
        let megapixels = pixels as f64 / f64::from(1 << 20);
        let limit = self.0;
        Err(format!(
            "the file claims {claim} ({megapixels:.1} megapixels), but the limit is {limit}; set it with --max-megapixels"
        ))
    }
}

/// Bytes that the decoder needs for each decoded byte of a progressive JPEG: a coefficient of 16 bits.
const COEFFICIENT_BYTES: u64 = 2;

/// A decoded picture.
#[derive(Debug)]
pub(super) struct Decoded {
    pub(super) pixels: RgbaImage,
    /// A defect of the file that leaves its pixels complete.
    pub(super) warning: Option<&'static str>,
}

/// Decodes a picture, the first one if there are several, and applies its Exif orientation, if it has one.
///
/// # Errors
///
/// A message if the bytes are not a valid picture in a supported format, pixels are missing, or the picture exceeds `limit`
/// or the available memory.
pub(super) fn decode(bytes: Vec<u8>, limit: PixelLimit) -> Result<Decoded, String> {
    if bytes.is_empty() {
        return Err("the file is empty; copy or download it again".to_owned());
    }
    if let Some(format) = formats::identify(&bytes) {
        return Err(format);
    }
    let Some(extent) = jpeg::Extent::of(&bytes) else {
        check_png(&bytes, limit)?;
        return Ok(Decoded { pixels: pixels(bytes, 1, limit)?, warning: None });
    };
    let bytes_per_byte = if extent.is_progressive { 1 + COEFFICIENT_BYTES } else { 1 };
    let picture = pixels(extent.ended(), bytes_per_byte, limit)?;
    let is_complete = pixels(extent.continued(), bytes_per_byte, limit).is_ok_and(|continued| continued == picture);
    if !is_complete {
        let reason = "truncated JPEG: the rest of its pixels is missing; copy or download the file again";
        return Err(reason.to_owned());
    }
    let warning = "the end marker of the JPEG file is missing, but its pixels are complete";
    Ok(Decoded { pixels: picture, warning: (!extent.has_end_marker).then_some(warning) })
}

/// Decodes the pixels of a picture. `bytes_per_byte` is the number of bytes that the decoder needs for each decoded one.
fn pixels(bytes: Vec<u8>, bytes_per_byte: u64, limit: PixelLimit) -> Result<RgbaImage, String> {
    let invalid = |error: ImageError| match error {
        ImageError::Limits(_) => format!("the metadata of the picture exceed {} MiB", MAX_METADATA >> 20),
        ImageError::Unsupported(error) if error.format_hint() != ImageFormatHint::Unknown => {
            format!("unsupported variant of the format ({error}); convert the file with 'magick FILE digit.png'")
        }
        error if is_truncated(&error) => "truncated picture: copy or download the file again".to_owned(),
        error => format!("not a valid picture or IDX file ({error}); expected {FORMATS}"),
    };
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_METADATA);
    let mut reader =
        ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|error| invalid(error.into()))?;
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(invalid)?;
    let (width, height) = decoder.dimensions();
    check_size(limit, width, height, decoder.total_bytes().saturating_mul(bytes_per_byte))?;
    // Some decoders count the pixels, too.
    limits.max_alloc = Some(MAX_METADATA.saturating_add(decoder.total_bytes()));
    decoder.set_limits(limits).map_err(invalid)?;
    let orientation = decoder.orientation().map_err(invalid)?;
    // 8 bits per channel are enough. With fewer bytes, changing the orientation takes less memory.
    let mut picture = DynamicImage::from(DynamicImage::from_decoder(decoder).map_err(invalid)?.into_rgba8());
    picture.apply_orientation(orientation);
    Ok(picture.into_rgba8())
}

/// Returns true if a decoder reached the end of the file.
fn is_truncated(error: &ImageError) -> bool {
    let errors = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    let kinds = errors.filter_map(|error| Some(error.downcast_ref::<std::io::Error>()?.kind()));
    kinds.into_iter().any(|kind| kind == std::io::ErrorKind::UnexpectedEof)
}

/// Checks the header of a PNG file. Other files, and headers that are not valid, are left to the decoder of `image`.
///
/// That decoder would reject some large dimensions without stating them. It would also panic at a palette whose length
/// is not a multiple of 3, an error of `png` 0.18.1 (<https://github.com/image-rs/image-png/pull/682>).
fn check_png(bytes: &[u8], limit: PixelLimit) -> Result<(), String> {
    if !image::guess_format(bytes).is_ok_and(|format| format == ImageFormat::Png) {
        return Ok(());
    }
    let mut decoder = png::Decoder::new_with_limits(Cursor::new(bytes), png::Limits { bytes: MAX_METADATA as usize });
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    let Ok(header) = decoder.read_header_info() else { return Ok(()) };
    check_size(limit, header.width, header.height, 0)?;
    let palette = decoder.read_info().ok().and_then(|reader| Some(reader.info().palette.as_ref()?.len()));
    match palette {
        Some(length) if !length.is_multiple_of(3) => {
            Err(format!("not a valid PNG file: its palette has {length} bytes; expected a multiple of 3"))
        }
        _ => Ok(()),
    }
}

/// Checks the dimensions of a picture and its number of bytes when decoded, and that these bytes fit into memory: the
/// decoder would end the program otherwise.
fn check_size(limit: PixelLimit, width: u32, height: u32, bytes: u64) -> Result<(), String> {
    let pixels = u64::from(width) * u64::from(height);
    limit.check(&format!("{width} × {height} pixels"), pixels)?;
    let allowed = BYTES_PER_PIXEL * limit.pixels();
    if bytes > allowed {
        return Err(format!(
            "the file claims {width} × {height} pixels, which take {} MiB to decode, but the limit is {} MiB; set it \
             with --max-megapixels",
            bytes >> 20,
            allowed >> 20
        ));
    }
    if width.max(height) > MAX_SIDE {
        return Err(format!("the file claims {width} × {height} pixels, but a side may have at most {MAX_SIDE}"));
    }
    let needed = usize::try_from(bytes).unwrap_or(usize::MAX);
    let fits = Vec::<u8>::new().try_reserve_exact(needed).is_ok();
    if fits { Ok(()) } else { Err(format!("its {width} × {height} pixels do not fit into the available memory")) }
}

#[cfg(test)]
mod tests {
    use image::{ExtendedColorType, ImageEncoder, Rgba};

    use super::*;

    /// Encodes a PNG file with these chunks between header and pixels. The pixels are `data`, which must be compressed.
    fn png(width: u32, height: u32, color: png::ColorType, chunks: &[(png::chunk::ChunkType, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, width, height);
        encoder.set_color(color);
        // The encoder requires a palette; the chunk that it writes is ignored below.
        encoder.set_palette(vec![0; 3]);
        let mut writer = encoder.write_header().unwrap();
        chunks.iter().for_each(|(name, data)| writer.write_chunk(*name, data).unwrap());
        writer.finish().unwrap();
        bytes
    }

    /// Returns the message with which a file is rejected.
    fn rejection(bytes: Vec<u8>, megapixels: u32) -> String {
        decode(bytes, PixelLimit(megapixels)).unwrap_err()
    }

    #[test]
    fn decode_rejects_png_that_claims_too_many_pixels() {
        let huge = png(50_000, 50_000, png::ColorType::Rgba, &[(png::chunk::IDAT, &[])]);
        let message = rejection(huge, 64);
        let expected =
            "the file claims 50000 × 50000 pixels (2384.2 megapixels), but the limit is 64; set it with --max-";
        assert!(message.starts_with(expected), "{message}");
        let longest = i32::MAX as u32;
        let message = rejection(png(longest, longest, png::ColorType::Rgba, &[]), 4096);
        assert!(message.contains("2147483647 × 2147483647 pixels"), "{message}");
        let strip = rejection(png(70_000, 1, png::ColorType::Rgba, &[]), 64);
        assert!(strip.contains("a side may have at most 65535"), "{strip}");
    }

    #[test]
    fn decode_rejects_jpeg_that_claims_too_many_pixels() {
        let mut bytes = Vec::new();
        image::GrayImage::new(8, 8).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Jpeg).unwrap();
        // The frame header: marker, length, precision, height, width.
        let frame = bytes.windows(2).position(|window| window == [0xff, 0xc0]).unwrap();
        bytes[frame + 5..frame + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
        let message = rejection(bytes, 64);
        assert!(message.contains("65500 × 65500 pixels (4091.5 megapixels)"), "{message}");
    }

    #[test]
    fn decode_limits_coefficients_of_progressive_jpeg() {
        let mut bytes = Vec::new();
        image::RgbImage::new(8, 8).write_to(&mut Cursor::new(&mut bytes), ImageFormat::Jpeg).unwrap();
        // The frame header: marker, length, precision, height, width.
        let frame = bytes.windows(2).position(|window| window == [0xff, 0xc0]).unwrap();
        bytes[frame + 1] = 0xc2;
        bytes[frame + 5..frame + 9].copy_from_slice(&[0x04, 0, 0x04, 0]);
        let message = rejection(bytes, 1);
        assert!(
            message.contains("1024 × 1024 pixels, which take 9 MiB to decode, but the limit is 4 MiB"),
            "{message}"
        );
    }

    #[test]
    fn decode_limits_decoded_bytes() {
        let deep = |height| {
            let mut bytes = Vec::new();
            let pixels = vec![0; 1024 * height as usize * 8];
            let encoder = image::codecs::png::PngEncoder::new(&mut bytes);
            encoder.write_image(&pixels, 1024, height, ExtendedColorType::Rgba16).unwrap();
            bytes
        };
        let message = rejection(deep(513), 1);
        assert!(message.contains("1024 × 513 pixels, which take 4 MiB to decode, but the limit is 4 MiB"), "{message}");
        assert_eq!(decode(deep(512), PixelLimit(1)).unwrap().pixels.dimensions(), (1024, 512));
    }

    #[test]
    fn decode_rejects_palette_of_invalid_length() {
        let valid = png(2, 2, png::ColorType::Indexed, &[(png::chunk::IDAT, &[])]);
        assert!(!rejection(valid.clone(), 1).contains("palette"));
        // Replace the palette of 3 bytes by one of 4; the length precedes the name of the chunk, the checksum follows.
        let start = valid.windows(4).position(|window| window == b"PLTE").unwrap();
        let mut chunk = Vec::new();
        let mut encoder = png::Encoder::new(&mut chunk, 2, 2);
        encoder.set_color(png::ColorType::Grayscale);
        encoder.write_header().unwrap().write_chunk(png::chunk::PLTE, &[0; 4]).unwrap();
        let replacement = chunk.windows(4).position(|window| window == b"PLTE").unwrap();
        let bytes =
            [&valid[..start - 4], &chunk[replacement - 4..replacement + 12], &valid[start + 4 + 3 + 4..]].concat();
        assert!(rejection(bytes, 1).contains("its palette has 4 bytes; expected a multiple of 3"));
    }

    #[test]
    fn decode_applies_exif_orientation() {
        let picture = image::RgbaImage::from_fn(3, 2, |x, y| Rgba([40 * x as u8, 90 * y as u8, 7, 200 + x as u8]));
        let mut bytes = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        // Orientation 6 in an Exif block with this entry only: rotate by 90° clockwise.
        encoder.set_exif_metadata(b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0".to_vec()).unwrap();
        encoder.write_image(&picture, 3, 2, ExtendedColorType::Rgba8).unwrap();
        let expected = DynamicImage::from(picture).rotate90().into_rgba8();
        assert_eq!(decode(bytes, PixelLimit(1)).unwrap().pixels, expected);
    }
}
