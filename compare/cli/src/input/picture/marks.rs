//! Marks on the paper: connected areas of ink.

/// Largest size of dust, as a fraction of the largest mark's longer side.
const DUST: f64 = 0.125;

/// Pixels that touch each other, also diagonally.
pub(super) struct Mark {
    /// Coordinates of the pixels, x and y.
    pub(super) pixels: Vec<(u32, u32)>,
    /// The smallest and the largest x of a pixel.
    pub(super) columns: (u32, u32),
    /// The smallest and the largest y of a pixel.
    pub(super) rows: (u32, u32),
}

impl Mark {
    /// Creates a mark from its pixels, of which there must be at least one.
    pub(super) fn new(pixels: Vec<(u32, u32)>) -> Self {
        let range = |values: &mut dyn Iterator<Item = u32>| {
            values.fold((u32::MAX, 0), |(low, high), value| (low.min(value), high.max(value)))
        };
        let columns = range(&mut pixels.iter().map(|&(x, _)| x));
        let rows = range(&mut pixels.iter().map(|&(_, y)| y));
        Self { pixels, columns, rows }
    }

    /// Returns the connected areas of the pixels that `is_ink` selects.
    pub(super) fn all((width, height): (u32, u32), is_ink: impl Fn(u32, u32) -> bool) -> Vec<Self> {
        let mut remaining: Vec<bool> =
            (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).map(|(x, y)| is_ink(x, y)).collect();
        let mut take = |x: u32, y: u32| std::mem::take(&mut remaining[(y * width + x) as usize]);
        let mut marks = Vec::new();
        for start in (0..height).flat_map(|y| (0..width).map(move |x| (x, y))) {
            if !take(start.0, start.1) {
                continue;
            }
            let mut pixels = vec![start];
            let mut next = 0;
            while let Some(&(x, y)) = pixels.get(next) {
                next += 1;
                for y in y.saturating_sub(1)..(y + 2).min(height) {
                    for x in x.saturating_sub(1)..(x + 2).min(width) {
                        if take(x, y) {
                            pixels.push((x, y));
                        }
                    }
                }
            }
            marks.push(Self::new(pixels));
        }
        marks
    }

    pub(super) fn width(&self) -> u32 {
        self.columns.1 - self.columns.0 + 1
    }

    pub(super) fn height(&self) -> u32 {
        self.rows.1 - self.rows.0 + 1
    }

    /// Returns the longer side of the bounding box.
    pub(super) fn longest(&self) -> u32 {
        self.width().max(self.height())
    }

    /// Returns true if a mark is much smaller than another one, whose longer side is `longest`.
    pub(super) fn is_dust(&self, longest: u32) -> bool {
        f64::from(self.longest()) < DUST * f64::from(longest)
    }

    /// Returns the fraction of the bounding box that is ink.
    pub(super) fn density(&self) -> f64 {
        self.pixels.len() as f64 / (f64::from(self.width()) * f64::from(self.height()))
    }

    /// Returns the first and the last x of a pixel in each row; `None` for a row without any.
    pub(super) fn extents(&self) -> Vec<Option<(u32, u32)>> {
        let mut rows = vec![None; self.height() as usize];
        for &(x, y) in &self.pixels {
            let (first, last) = rows[(y - self.rows.0) as usize].get_or_insert((x, x));
            (*first, *last) = ((*first).min(x), (*last).max(x));
        }
        rows
    }

    /// Returns the number of pixels between the first and the last one of each row.
    pub(super) fn filled(&self) -> u32 {
        self.extents().into_iter().flatten().map(|(first, last)| last - first + 1).sum()
    }

    /// Returns the mark with x and y exchanged.
    pub(super) fn transposed(&self) -> Self {
        Self::new(self.pixels.iter().map(|&(x, y)| (y, x)).collect())
    }

    /// Returns the thickness of the strokes: the median over all pixels of the shorter of the two runs of ink, horizontal and
    /// vertical, that a pixel belongs to.
    pub(super) fn thickness(&self) -> u32 {
        let width = self.width();
        let index = |x: u32, y: u32| ((y - self.rows.0) * width + x - self.columns.0) as usize;
        let mut shorter = vec![u32::MAX; (width * self.height()) as usize];
        for is_vertical in [false, true] {
            let swap = |(x, y)| if is_vertical { (x, y) } else { (y, x) };
            let mut positions: Vec<(u32, u32)> = self.pixels.iter().map(|&pixel| swap(pixel)).collect();
            positions.sort_unstable();
            for run in positions.chunk_by(|one, other| one.0 == other.0 && one.1 + 1 == other.1) {
                for &(line, position) in run {
                    let (x, y) = if is_vertical { (line, position) } else { (position, line) };
                    let length = &mut shorter[index(x, y)];
                    *length = (*length).min(run.len() as u32);
                }
            }
        }
        median(self.pixels.iter().map(|&(x, y)| shorter[index(x, y)]).collect())
    }
}

/// Returns the median, or 0 if there are no values.
pub(super) fn median(mut values: Vec<u32>) -> u32 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or(0)
}

/// Returns the number of pixels between two ranges, 0 if they overlap or adjoin.
pub(super) fn gap(one: (u32, u32), other: (u32, u32)) -> u32 {
    one.0.max(other.0).saturating_sub(one.1.min(other.1) + 1)
}

/// Returns the number of pixels that two ranges share.
pub(super) fn overlap(one: (u32, u32), other: (u32, u32)) -> u32 {
    (one.1.min(other.1) + 1).saturating_sub(one.0.max(other.0))
}
