//! Line plots with logarithmic axes, in panels one below the other.

use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::{DrawingBackend, IntoLogRange};
use plotters::series::LineSeries;
use plotters::style::{BLACK, Color};

use super::canvas::{Drawn, GREY, Label, Layout, PALETTE, Plot, draw_labels};

/// Panels one below the other, with the same vertical scale. There must be at least one panel, and at least one line
/// overall.
pub(super) struct Panels {
    pub(super) panels: Vec<Panel>,
    pub(super) layout: Layout,
}

/// One panel: a caption, axis labels and lines.
pub(super) struct Panel {
    pub(super) caption: String,
    /// Label of the horizontal axis.
    pub(super) x_label: &'static str,
    /// The ratio of neighbouring ticks of the horizontal axis.
    pub(super) x_base: f64,
    /// Label of the vertical axis.
    pub(super) y_label: &'static str,
    pub(super) lines: Vec<Line>,
}

/// A line through points with positive coordinates, from left to right.
pub(super) struct Line {
    pub(super) name: String,
    /// True for reference lines, which are thin and grey.
    pub(super) is_in_background: bool,
    pub(super) points: Vec<(f64, f64)>,
}

impl Plot for Panels {
    fn size(&self) -> (u32, u32) {
        let width = if self.layout == Layout::Narrow { 380 } else { 720 };
        (width, 340 * self.panels.len() as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let [lowest, highest] = range(&self.panels, |&(_, y)| y);
        // Extend the vertical axis to whole powers of ten, at least one decade apart.
        let decades = [lowest.log10().floor(), highest.log10().ceil().max(lowest.log10().floor() + 1.0)];
        // For the labels of the lines.
        let margin = if self.layout == Layout::Narrow { 125 } else { 150 };
        let areas = area.split_evenly((self.panels.len(), 1));
        areas.iter().zip(&self.panels).try_for_each(|(area, panel)| panel.draw(area, decades, margin))
    }
}

/// Returns the smallest and the largest coordinate of all points.
fn range(panels: &[Panel], coordinate: fn(&(f64, f64)) -> f64) -> [f64; 2] {
    let points = panels.iter().flat_map(|panel| &panel.lines).flat_map(|line| &line.points);
    points.map(coordinate).fold([f64::INFINITY, 0.0], |[low, high], value| [low.min(value), high.max(value)])
}

impl Panel {
    /// Draws the panel. The vertical axis extends from 10 to the power `low` to 10 to the power `high`; `margin` pixels to the right
    /// of it are for the labels of the lines.
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, [low, high]: [f64; 2], margin: u32) -> Drawn<B> {
        let [first, last] = range(std::slice::from_ref(self), |&(x, _)| x);
        // A single point still needs an axis of some length.
        let last = last.max(2.0 * first);
        let mut chart = ChartBuilder::on(area)
            .caption(&self.caption, ("sans-serif", 17))
            .margin(12)
            .margin_right(margin)
            .x_label_area_size(42)
            .y_label_area_size(62)
            .build_cartesian_2d(
                (first..last).log_scale().base(self.x_base),
                (10.0_f64.powf(low)..10.0_f64.powf(high)).log_scale(),
            )?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(BLACK.mix(0.0))
            .bold_line_style(BLACK.mix(0.12))
            .label_style(("sans-serif", 13))
            .axis_desc_style(("sans-serif", 14))
            .x_desc(self.x_label)
            .y_desc(self.y_label)
            .x_labels(((last / first).ln() / self.x_base.ln()).ceil() as usize + 1)
            .y_labels((high - low) as usize + 1)
            .x_label_formatter(&|x| format!("{x:.0}"))
            .y_label_formatter(&|y| power_of_ten(*y))
            .draw()?;

        let mut labels = Vec::new();
        let mut colors = PALETTE.iter().cycle();
        for Line { name, is_in_background, points } in &self.lines {
            let (color, width) = match is_in_background {
                true => (GREY, 1),
                false => (*colors.next().unwrap_or(&BLACK), 2),
            };
            chart.draw_series(LineSeries::new(points.iter().copied(), color.stroke_width(width)))?;
            if let Some(end) = points.last() {
                labels.push(Label { y: chart.backend_coord(end).1, text: name.clone(), color });
            }
        }
        let (right, bottom) = chart.backend_coord(&(last, 10.0_f64.powf(low)));
        draw_labels(area, right, bottom, labels)
    }
}

/// Formats a power of ten: `10⁻⁷`.
fn power_of_ten(value: f64) -> String {
    let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let superscript = |character: char| match character.to_digit(10) {
        Some(digit) => digits[digit as usize],
        None => '⁻',
    };
    let exponent: String = format!("{:.0}", value.log10()).chars().map(superscript).collect();
    format!("10{exponent}")
}

#[cfg(test)]
mod tests {
    use super::power_of_ten;

    #[test]
    fn power_of_ten_formats_exponent() {
        assert_eq!([1.0, 1e-7, 1e12].map(power_of_ten), ["10⁰", "10⁻⁷", "10¹²"]);
    }
}
