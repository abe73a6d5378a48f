//! Drawings of images in Braille characters, which have two columns and four rows of dots.

use mlp_parity::Dataset;

use super::table::{Column, Table};

/// Largest number of dots side by side in an image. Larger images are reduced.
const MAX_DOTS: usize = 32;

/// Columns and rows of dots in a character.
const CELL: [usize; 2] = [2, 4];

/// The Braille character without dots.
const EMPTY: u32 = 0x2800;

/// Bits of the dots of a Braille character, by row and column.
const DOTS: [[u32; CELL[0]]; CELL[1]] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];

/// Returns a table with a drawing of the first image of each class, below its label. A narrow terminal leaves out the last
/// ones.
pub(crate) fn images(images: &Dataset) -> Table {
    let first = |class: usize| images.labels().iter().position(|&label| label == class);
    let shown: Vec<usize> = (0..images.classes()).filter_map(first).collect();
    let column =
        |(rank, &index): (u8, &usize)| Column::text(format!("label {}", images.labels()[index])).optional(rank);
    let mut table = Table::new((0..=u8::MAX).zip(&shown).map(column));
    let [_, columns] = images.image_shape();
    let drawings: Vec<Vec<String>> = shown.iter().map(|&index| drawing(images.image(index), columns)).collect();
    for row in 0..drawings.first().map_or(0, Vec::len) {
        table.add_row(drawings.iter().map(|drawing| &drawing[row]));
    }
    table
}

/// Draws an image with this number of columns. A dot is a pixel that is brighter than the mean of the darkest and the brightest.
fn drawing(pixels: &[u8], columns: usize) -> Vec<String> {
    let rows = pixels.len() / columns;
    let side = columns.max(rows).div_ceil(MAX_DOTS);
    let [dot_rows, dot_columns] = [rows, columns].map(|length| length.div_ceil(side));
    // Mean of the pixels that a dot stands for.
    let level = |row: usize, column: usize| {
        let rows = (row * side..rows.min((row + 1) * side))
            .flat_map(|row| pixels[row * columns..][..columns].chunks(side).nth(column));
        let (count, sum) = rows.flatten().fold((0, 0_u64), |(count, sum), &pixel| (count + 1, sum + u64::from(pixel)));
        sum / count.max(1)
    };
    let levels: Vec<Vec<u64>> =
        (0..dot_rows).map(|row| (0..dot_columns).map(|column| level(row, column)).collect()).collect();
    let all = || levels.iter().flatten().copied();
    let threshold = all().min().unwrap_or(0).midpoint(all().max().unwrap_or(0));
    let is_dot = |row: usize, column: usize| {
        levels.get(row).and_then(|row| row.get(column)).is_some_and(|&level| level > threshold)
    };
    let character = |row: usize, column: usize| {
        let bits = DOTS.iter().enumerate().flat_map(|(down, bits)| {
            bits.iter().enumerate().filter(move |(right, _)| is_dot(row + down, column + *right)).map(|(_, bit)| bit)
        });
        char::from_u32(EMPTY + bits.sum::<u32>()).unwrap_or(' ')
    };
    let line = |row: usize| (0..dot_columns).step_by(CELL[0]).map(|column| character(row, column)).collect();
    (0..dot_rows).step_by(CELL[1]).map(line).collect()
}

#[cfg(test)]
mod tests {
    use mlp_parity::Dataset;

    use super::{drawing, images};

    #[test]
    fn drawing_has_dot_for_each_bright_pixel() {
        assert_eq!(drawing(&[255, 0, 0, 0, 0, 0, 0, 255], 2), ["⢁"]);
        assert_eq!(drawing(&[0, 9, 0, 0, 9, 9], 3), ["⠘⠂"]);
        assert_eq!(drawing(&[7; 8], 2), ["⠀"]);
        let ramp: Vec<u8> = (0..28 * 28).map(|pixel| if pixel % 28 < 14 { 200 } else { 30 }).collect();
        assert_eq!(drawing(&ramp, 28), vec![format!("{}{}", "⣿".repeat(7), "⠀".repeat(7)); 7]);
    }

    #[test]
    fn drawing_reduces_large_images() {
        let large: Vec<u8> = (0..64 * 64).map(|pixel| if pixel / 64 < 32 { 255 } else { 0 }).collect();
        let lines = drawing(&large, 64);
        assert_eq!((lines.len(), lines[3].as_str(), lines[4].as_str()), (8, &*"⣿".repeat(16), &*"⠀".repeat(16)));
        assert_eq!(drawing(&[9; 33 * 2], 33).len(), 1);
    }

    #[test]
    fn images_show_first_of_each_class_as_far_as_they_fit() {
        let data = Dataset::new(vec![0; 28 * 28 * 12], (0..12).map(|index| index % 6).collect(), [28, 28], 10).unwrap();
        let headers = |width| images(&data).lines(width).remove(0);
        assert_eq!(headers(80).split("label ").skip(1).map(str::trim).collect::<Vec<_>>(), ["0", "1", "2", "3", "4"]);
        assert_eq!(headers(1000).matches("label").count(), 6);
        assert_eq!(headers(10).matches("label").count(), 1);
    }
}
