//! Grids of cells as SVG paths: one path for all cells of the same colour, so that a page with several grids stays small.

use std::collections::BTreeMap;
use std::fmt::Write;

use maud::{Markup, html};

/// Number of levels of opacity.
const LEVELS: u8 = 8;

/// The colour of a cell: a CSS class, and an opacity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Color {
    pub(super) class: &'static str,
    level: u8,
}

impl Color {
    /// Returns the colour of a share from 0 to 1; `None` for a share that rounds to zero, which has no colour.
    pub(super) fn of_share(class: &'static str, share: f64) -> Option<Self> {
        let level = (share.clamp(0.0, 1.0) * f64::from(LEVELS)).round() as u8;
        (level > 0).then_some(Self { class, level })
    }

    /// Returns the colours of a class, from the faintest to the strongest.
    pub(super) fn levels(class: &'static str) -> impl DoubleEndedIterator<Item = Self> {
        (1..=LEVELS).map(move |level| Self { class, level })
    }

    /// Returns the opacity, from 0 to 1.
    pub(super) fn opacity(self) -> f64 {
        f64::from(self.level) / f64::from(LEVELS)
    }
}

/// Returns the paths of a grid of cells, each of which is a square with sides of length 1. Cells without a colour are left out.
pub(super) fn paths(rows: impl IntoIterator<Item = impl IntoIterator<Item = Option<Color>>>) -> Markup {
    let mut paths: BTreeMap<Color, String> = BTreeMap::new();
    for (row, cells) in rows.into_iter().enumerate() {
        let cells: Vec<Option<Color>> = cells.into_iter().collect();
        let mut column = 0;
        for run in cells.chunk_by(|first, second| first == second) {
            if let Some(color) = run.first().copied().flatten() {
                let path = paths.entry(color).or_default();
                let length = run.len();
                // Writing to a string cannot fail.
                write!(path, "M{column} {row}h{length}v1h-{length}z").unwrap_or_default();
            }
            column += run.len();
        }
    }
    html! { @for (color, path) in paths { path class=(color.class) fill-opacity=(color.opacity()) d=(path) {} } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_of_equal_color_are_one_path() {
        let [strong, faint] = [1.0, 0.25].map(|share| Color::of_share("ink", share));
        let rows = [vec![strong, strong, None], vec![None, faint, strong]];
        let expected = "<path class=\"ink\" fill-opacity=\"0.25\" d=\"M1 1h1v1h-1z\"></path>\
                        <path class=\"ink\" fill-opacity=\"1\" d=\"M0 0h2v1h-2zM2 1h1v1h-1z\"></path>";
        assert_eq!(paths(rows).into_string(), expected);
    }

    #[test]
    fn color_has_levels_of_opacity() {
        let opacity = |share| Color::of_share("ink", share).map(Color::opacity);
        assert_eq!(
            [0.0, 0.06, 0.07, 0.5, 1.0, 9.0].map(opacity),
            [None, None, Some(0.125), Some(0.5), Some(1.0), Some(1.0)]
        );
        assert_eq!(Color::levels("ink").map(Color::opacity).sum::<f64>(), 4.5);
    }
}
