//! Strip plot of the error ratios of all checks, on a logarithmic scale. Positions are percentages of the width, so that text
//! and dots keep their size in a plot of any width.

use maud::{Markup, html};
use mlp_parity_compare::check::Check;

use crate::output::grouped::grouped;
use crate::output::terminal::brief;

/// Height of the axis at the top, in CSS pixels.
const TOP: usize = 44;

/// Height of a stage, in CSS pixels: its name, and the dots below it.
const ROW: usize = 70;

/// Distance from the top of a stage to the middle of its dots, in CSS pixels.
const MIDDLE: i32 = 43;

/// Distances of dots from the middle of their row, in CSS pixels. A dot that would hide the one before it is moved.
const LANES: [i32; 7] = [0, -6, 6, -12, 12, -18, 18];

/// Smallest distance of dots in a lane, in percent of the width.
const DISTANCE: f64 = 1.0;

/// Largest number of labelled powers of ten.
const TICKS: i32 = 6;

/// Places of a ratio of 0 and of an infinite one, in percent of the width.
const ENDS: [f64; 2] = [2.0, 98.0];

/// Places of the smallest and the largest power of ten, in percent of the width. They leave space for the labels of the ends.
const RANGE: [f64; 2] = [13.0, 90.0];

/// The logarithmic scale.
struct Scale {
    /// Exponents of the first and the last power of ten.
    exponents: [i32; 2],
    has_zero: bool,
    has_infinity: bool,
}

impl Scale {
    /// Creates a scale for error ratios. It contains 1, the ratio of an error that equals its bound.
    fn new(ratios: &[f64]) -> Self {
        let exponents = ratios.iter().filter(|ratio| **ratio > 0.0 && ratio.is_finite()).map(|ratio| ratio.log10());
        let [low, high] = exponents.fold([-2.0, 1.0], |[low, high], exponent| [exponent.min(low), exponent.max(high)]);
        Self {
            exponents: [low.floor() as i32, high.ceil() as i32],
            has_zero: ratios.contains(&0.0),
            has_infinity: ratios.iter().any(|ratio| !ratio.is_finite()),
        }
    }

    /// Returns the place of a ratio, in percent of the width.
    fn place(&self, ratio: f64) -> f64 {
        if ratio <= 0.0 {
            return ENDS[0];
        }
        if !ratio.is_finite() {
            return ENDS[1];
        }
        let [low, high] = self.exponents.map(f64::from);
        RANGE[0] + (RANGE[1] - RANGE[0]) * (ratio.log10() - low) / (high - low)
    }

    /// Returns the places and the labels of the axis.
    fn ticks(&self) -> Vec<(f64, String)> {
        let [low, high] = self.exponents;
        let step = ((high - low) / TICKS).max(0) + 1;
        // Multiples of the step, so that 1 is among them.
        let powers = (low..=high).filter(|exponent| exponent.rem_euclid(step) == 0).map(|exponent| {
            let ratio = 10.0_f64.powi(exponent);
            let label = if exponent.abs() <= 3 { ratio.to_string() } else { format!("1e{exponent}") };
            (self.place(ratio), label)
        });
        let zero = self.has_zero.then(|| (ENDS[0], "0".to_owned()));
        let infinity = self.has_infinity.then(|| (ENDS[1], "∞".to_owned()));
        zero.into_iter().chain(powers).chain(infinity).collect()
    }
}

/// Returns the plot, with one row for each stage and one dot for each check.
pub(super) fn plot(title: &str, checks: &[&Check]) -> Markup {
    let scale = Scale::new(&checks.iter().map(|check| check.error_ratio).collect::<Vec<_>>());
    let mut stages = grouped(checks.iter().copied(), |check| check.stage);
    stages.sort_by_key(|checks| checks.first().map(|check| check.stage));
    let height = TOP + ROW * stages.len();
    let failed = checks.iter().filter(|check| !check.passed).count();
    let label = format!("{title}: error ratios of {} checks, {failed} of them above the bound", checks.len());
    html! {
        figure class="strip" {
            svg role="img" aria-label=(label) width="100%" height=(height) {
                @for (place, text) in scale.ticks() {
                    line x1=(percent(place)) x2=(percent(place)) y1=(TOP - 6) y2=(height) {}
                    text class="quiet" x=(percent(place)) y=(TOP - 12) text-anchor="middle" { (text) }
                }
                @let bound = scale.place(1.0);
                line class="bound" x1=(percent(bound)) x2=(percent(bound)) y1=(TOP - 6) y2=(height) {}
                // On the side with more space.
                text class="bound" x=(percent(bound)) y="13" text-anchor=(if bound > 50.0 { "end" } else { "start" }) {
                    "error bound (ratio 1)"
                }
                @for (index, checks) in stages.iter().enumerate() { (row(&scale, TOP + ROW * index, checks)) }
            }
            figcaption {
                "Error ratio (error / error bound) of each check, on a logarithmic scale. "
                span class="entry" { span class="key pass" {} "within the bound" }
                @if failed > 0 { " " span class="entry" { span class="key fail" {} "above the bound" } }
            }
        }
    }
}

/// Returns the row of a stage, which begins `top` pixels below the top of the plot.
fn row(scale: &Scale, top: usize, checks: &[&Check]) -> Markup {
    let failed = checks.iter().filter(|check| !check.passed).count();
    let mut dots: Vec<(f64, &Check)> = checks.iter().map(|check| (scale.place(check.error_ratio), *check)).collect();
    // Dots of failed checks are drawn last, above the others.
    dots.sort_by(|(first, _), (second, _)| first.total_cmp(second));
    let lanes = lanes(&dots.iter().map(|(place, _)| *place).collect::<Vec<_>>());
    html! {
        line x1="0" x2="100%" y1=(top) y2=(top) {}
        text class="stage" x="0" y=(top + 16) {
            @if let Some(check) = checks.first() { (check.stage) }
            tspan class="quiet" dx="8" { (count(checks.len(), "check")) }
            @if failed > 0 { tspan class="fail" dx="8" { (failed) " failed" } }
        }
        @for ((place, check), lane) in dots.iter().zip(lanes) {
            @let (y, title) = (top as i32 + MIDDLE + lane, title(check));
            @if check.passed {
                circle class="pass" cx=(percent(*place)) cy=(y) r="3.5" { title { (title) } }
            } @else {
                svg x=(percent(*place)) y=(y) overflow="visible" {
                    path class="fail" d="M0-5.5 5.5 0 0 5.5-5.5 0z" { title { (title) } }
                }
            }
        }
    }
}

/// Returns the distance of each dot from the middle of the row, given their places from left to right: that of the first lane in
/// which it hides no other dot or, if there is none, of the lane whose last dot is the farthest away.
fn lanes(places: &[f64]) -> Vec<i32> {
    let mut last = [f64::NEG_INFINITY; LANES.len()];
    let lane = |&place: &f64| {
        let farthest = || last.iter().enumerate().min_by(|(_, first), (_, second)| first.total_cmp(second));
        let free = last.iter().position(|last| place - last >= DISTANCE);
        let lane = free.or_else(|| farthest().map(|(lane, _)| lane)).unwrap_or_default();
        last[lane] = place;
        LANES[lane]
    };
    places.iter().map(lane).collect()
}

fn title(check: &Check) -> String {
    let Check { tensor, scenario, candidate, error_ratio, .. } = check;
    let scenario = if scenario.is_empty() { String::new() } else { format!(" ({scenario})") };
    format!("{tensor}{scenario}, {candidate}: error ratio {}", brief(*error_ratio))
}

fn percent(place: f64) -> String {
    format!("{place:.2}%")
}

/// Formats a number of things: `1 check`, `2 checks`.
fn count(count: usize, name: &str) -> String {
    if count == 1 { format!("1 {name}") } else { format!("{count} {name}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_has_places_for_zero_and_infinity() {
        let scale = Scale::new(&[0.0, 1e-5, 3e6, f64::INFINITY]);
        assert_eq!(scale.exponents, [-5, 7]);
        let places = [0.0, 1e-5, 1.0, 1e7, f64::INFINITY].map(|ratio| scale.place(ratio));
        assert_eq!([places[0], places[1], places[3], places[4]], [ENDS[0], RANGE[0], RANGE[1], ENDS[1]]);
        assert!((places[2] - (13.0 + 77.0 * 5.0 / 12.0)).abs() < 1e-9, "{}", places[2]);
        let labels: Vec<String> = scale.ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0", "0.001", "1", "1000", "1e6", "∞"]);
        let labels: Vec<String> = Scale::new(&[0.5]).ticks().into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0.01", "0.1", "1", "10"]);
    }

    #[test]
    fn crowded_dots_are_spread_over_lanes() {
        assert_eq!(lanes(&[10.0, 10.1, 10.2, 12.0, 12.1]), [0, -6, 6, 0, -6]);
        assert_eq!(lanes(&[5.0, 5.0, 5.1, 5.2, 5.3, 5.4, 5.5, 5.6, 5.7]), [0, -6, 6, -12, 12, -18, 18, 0, -6]);
    }
}
