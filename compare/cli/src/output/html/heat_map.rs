//! Heat maps of the tensors that failed a check.

use maud::{Markup, html};
use mlp_parity_compare::check::{Check, DifferenceMap, SuiteReport};
use mlp_parity_compare::significant;

use super::raster::{Color, paths};

/// Number of heat maps on a page.
const MAPS: usize = 6;

/// Largest width and height of a heat map, in CSS pixels, which fit on a phone.
const SIDE: usize = 288;

/// Largest side of a cell, in CSS pixels.
const CELL: usize = 28;

/// Smallest height of a heat map, in CSS pixels.
const MIN_HEIGHT: usize = 20;

/// CSS class of values that are too large.
const POSITIVE: &str = "positive";

/// CSS class of values that are too small.
const NEGATIVE: &str = "negative";

/// CSS class of values that are NaN or infinite.
const NOT_FINITE: &str = "not-finite";

/// Returns the section with the differences of the first failed tensors; nothing if there are none.
pub(super) fn section(suite: &SuiteReport) -> Markup {
    let failed = suite.checks().filter_map(|check| Some((check, check.difference.as_deref()?)));
    let failed: Vec<(&Check, &DifferenceMap)> = failed.take(MAPS).collect();
    html! {
        @if !failed.is_empty() {
            section {
                h2 id="differences" { "Differences of the failed tensors" }
                p {
                    "Actual − expected value of each element, in the order of the failed checks. An outline marks the element "
                    "with the largest error ratio."
                }
                div class="maps" { @for (check, map) in failed { (figure(check, map)) } }
            }
        }
    }
}

fn figure(check: &Check, map: &DifferenceMap) -> Markup {
    let (largest, [rows, columns], [row_name, column_name]) = (map.largest(), map.shape, axes(&check.tensor));
    let [block_rows, block_columns] = map.block;
    let title = title(check);
    html! {
        figure class="map" {
            figcaption { strong { (title) } br; span class="quiet" { (check.candidate) } }
            div class="grid" {
                div class="vertical" { (axis(row_name, rows)) }
                (drawing(check, map, &title))
                div class="horizontal" { (axis(column_name, columns)) }
            }
            (legend(largest, map.values.iter().any(|value| !value.is_finite())))
            p class="quiet" {
                (grouped_digits(map.exceeding)) " of " (grouped_digits(rows * columns))
                @if map.exceeding == 1 { " elements exceeds its error bound." }
                @else { " elements exceed their error bounds." }
                @if block_rows * block_columns > 1 {
                    " Each cell stands for " (block_rows) " × " (block_columns) " elements, and shows the one that "
                    "differs most."
                }
            }
        }
    }
}

/// Returns the title of a map: `gradients of layer1.weight`, `update of layer1.weight (adam) after step 2`.
fn title(check: &Check) -> String {
    let Check { stage, tensor, scenario, step, .. } = check;
    let name = if *tensor == stage.to_string() { tensor.clone() } else { format!("{stage} of {tensor}") };
    let scenario = if scenario.is_empty() { String::new() } else { format!(" ({scenario})") };
    let step = step.map_or_else(String::new, |step| format!(" after step {step}"));
    format!("{name}{scenario}{step}")
}

/// Returns the names of the axes of a tensor.
fn axes(tensor: &str) -> [&'static str; 2] {
    match tensor.rsplit('.').next() {
        Some("weight") => ["input", "unit"],
        Some("bias") => ["", "unit"],
        _ => ["image", "class"],
    }
}

/// Returns the labels of an axis: the first index, the name, and the last index.
fn axis(name: &str, length: usize) -> Markup {
    html! {
        @if !name.is_empty() {
            span { "0" }
            span class="axis" { (name) }
            @if length > 1 { span { (length - 1) } }
        }
    }
}

fn drawing(check: &Check, map: &DifferenceMap, title: &str) -> Markup {
    let (rows, columns) = map.values.dim();
    let cell = (SIDE / rows.max(columns)).clamp(1, CELL);
    let (width, height) = (columns * cell, (rows * cell).max(MIN_HEIGHT));
    let largest = map.largest();
    let cells = map.values.rows().into_iter().map(|row| row.to_vec().into_iter().map(|value| color(value, largest)));
    let label =
        format!("{title}: {} × {} differences of at most {}", map.shape[0], map.shape[1], significant(largest, 2));
    html! {
        svg role="img" aria-label=(label) width=(width) height=(height) viewBox={ "0 0 " (columns) " " (rows) }
            preserveAspectRatio="none" shape-rendering="crispEdges" {
            (paths(cells))
            @if let Some([row, column]) = map.block_of(&check.index) {
                rect class="worst" x=(column) y=(row) width="1" height="1" vector-effect="non-scaling-stroke" {}
            }
        }
    }
}

/// Returns the colour of a difference; `None` for one that is small against the largest.
fn color(value: f64, largest: f64) -> Option<Color> {
    if !value.is_finite() {
        return Color::of_share(NOT_FINITE, 1.0);
    }
    Color::of_share(if value > 0.0 { POSITIVE } else { NEGATIVE }, value.abs() / largest)
}

/// Returns the scale of the colours, from the smallest to the largest difference.
fn legend(largest: f64, has_not_finite: bool) -> Markup {
    let colors: Vec<Option<Color>> =
        Color::levels(NEGATIVE).rev().map(Some).chain([None]).chain(Color::levels(POSITIVE).map(Some)).collect();
    let end = significant(largest, 2);
    html! {
        div class="scale" {
            @if largest > 0.0 {
                span { "−" (end) }
                svg role="img" aria-label={ "Colours from −" (end) " to " (end) } viewBox={ "0 0 " (colors.len()) " 1" }
                    preserveAspectRatio="none" shape-rendering="crispEdges" { (paths([colors])) }
                span { "+" (end) }
            }
            @if has_not_finite { span class="entry" { span class="swatch" {} " not finite" } }
        }
    }
}

/// Formats a whole number with a comma between groups of three digits.
fn grouped_digits(number: usize) -> String {
    let digits = number.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|group| std::str::from_utf8(group).ok()).collect();
    groups.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn color_shows_sign_and_share_of_largest_difference() {
        let class = |value: f64| color(value, 2.0).map(|color| (color.class, color.opacity()));
        assert_eq!([2.0, -1.0, 0.1].map(class), [Some((POSITIVE, 1.0)), Some((NEGATIVE, 0.5)), None]);
        assert_eq!(class(f64::NAN), Some((NOT_FINITE, 1.0)));
        assert_eq!(color(0.0, 0.0), None);
    }

    #[test]
    fn digits_are_grouped() {
        assert_eq!([0, 999, 1000, 78_400, 1_234_567].map(grouped_digits), ["0", "999", "1,000", "78,400", "1,234,567"]);
    }

    #[test]
    fn axes_are_named_after_their_tensor() {
        let axes = ["moment1.layer1.weight", "layer1.bias", "logits"].map(axes);
        assert_eq!(axes, [["input", "unit"], ["", "unit"], ["image", "class"]]);
    }
}
