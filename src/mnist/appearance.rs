//! Signs that images are stored otherwise than MNIST's: bright background, exchanged axes, or pixels of 0 and 1.

use crate::Dataset;

/// Number of images that are looked at.
const SAMPLE: usize = 1000;

/// Fraction of the images that must have a sign.
const MAJORITY: f64 = 0.7;

/// Smallest grey level of a pixel that counts as ink, and of a bright background.
const BRIGHT: u8 = 128;

/// Describes signs that the images are inverted, transposed, or not scaled from 0 to 255.
///
/// Digits are tall: in MNIST, 6 % are wider than tall and 86 % are taller than wide, so most transposed ones are wider. Fewer
/// than half of the images of Fashion-MNIST are.
pub(super) fn notes(images: &Dataset) -> Vec<String> {
    let sample = images.len().min(SAMPLE);
    let are_most = |has_sign: &dyn Fn(&[u8]) -> bool| {
        let count = (0..sample).filter(|&index| has_sign(images.image(index))).count();
        count as f64 > MAJORITY * sample as f64
    };
    let [rows, columns] = images.image_shape();
    let mut notes = Vec::new();
    if are_most(&|image| is_inverted(image, columns)) {
        notes.push(
            "the images look inverted: most have a bright border, but MNIST's background is 0; if ink is dark, replace each \
             pixel by 255 minus the pixel"
                .to_owned(),
        );
    } else if rows == columns && are_most(&|image| is_wide(image, columns)) {
        notes.push(
            "the images look transposed or turned: most are wider than tall, but written characters are taller than wide; \
             EMNIST's images are stored with rows and columns exchanged"
                .to_owned(),
        );
    }
    match images.pixels().iter().max() {
        Some(0) => notes.push("every pixel of the training images is 0: the images are empty".to_owned()),
        Some(1) => notes.push(
            "no pixel of the training images is greater than 1, but white is 255: if they are binary, multiply by 255"
                .to_owned(),
        ),
        _ => {}
    }
    notes
}

/// Returns true if the mean of the border of an image is bright.
fn is_inverted(image: &[u8], columns: usize) -> bool {
    let rows = image.len() / columns;
    let is_border = |index: usize| {
        let (row, column) = (index / columns, index % columns);
        row == 0 || row + 1 == rows || column == 0 || column + 1 == columns
    };
    let border: Vec<u64> =
        image.iter().enumerate().filter(|&(index, _)| is_border(index)).map(|(_, &pixel)| pixel.into()).collect();
    // A border that is most of the image says nothing about the background.
    2 * border.len() < image.len() && border.iter().sum::<u64>() >= u64::from(BRIGHT) * border.len() as u64
}

/// Returns true if the box around the ink is wider than tall.
fn is_wide(image: &[u8], columns: usize) -> bool {
    let ink = || image.iter().enumerate().filter(|&(_, &pixel)| pixel >= BRIGHT).map(|(index, _)| index);
    let extent = |coordinate: fn(usize, usize) -> usize| {
        let coordinates = || ink().map(|index| coordinate(index, columns));
        coordinates().max().zip(coordinates().min()).map_or(0, |(last, first)| last - first)
    };
    extent(|index, columns| index % columns) > extent(|index, columns| index / columns)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the notes on 20 images of 12×12 pixels, of which one in `every` has another look than the others.
    fn notes_on(pixel: impl Fn(usize, usize) -> u8, every: usize) -> String {
        let image = |index: usize| {
            let is_exception = index.is_multiple_of(every);
            (0..144)
                .map(|place| if is_exception { 200 * u8::from(place == 78) } else { pixel(place / 12, place % 12) })
                .collect()
        };
        let pixels: Vec<Vec<u8>> = (0..20).map(image).collect();
        notes(&Dataset::new(pixels.concat(), vec![1; 20], [12, 12], 10).unwrap()).join("; ")
    }

    fn bar(along: usize, across: usize) -> bool {
        (2..10).contains(&along) && (5..7).contains(&across)
    }

    #[test]
    fn upright_digits_are_not_noted() {
        assert_eq!(notes_on(|row, column| 255 * u8::from(bar(row, column)), 5), "");
    }

    #[test]
    fn transposed_digits_are_noted() {
        let note = notes_on(|row, column| 255 * u8::from(bar(column, row)), 5);
        assert!(note.starts_with("the images look transposed or turned"), "{note}");
        assert_eq!(notes_on(|row, column| 255 * u8::from(bar(column, row)), 3), "");
    }

    #[test]
    fn inverted_digits_are_noted() {
        let note = notes_on(|row, column| 255 * u8::from(!bar(column, row)), 5);
        assert!(note.starts_with("the images look inverted") && !note.contains("transposed"), "{note}");
        assert_eq!(notes_on(|row, column| 255 * u8::from(!bar(row, column)), 3), "");
    }

    #[test]
    fn binary_images_are_noted() {
        let note = notes_on(|row, column| u8::from(bar(row, column)), 21);
        assert_eq!(note, "");
        let binary = Dataset::new(vec![0, 1, 1, 0], vec![1], [2, 2], 10).unwrap();
        assert!(notes(&binary).join("").starts_with("no pixel of the training images is greater than 1"));
        let empty = Dataset::new(vec![0; 4], vec![1], [2, 2], 10).unwrap();
        assert_eq!(notes(&empty), ["every pixel of the training images is 0: the images are empty"]);
    }
}
