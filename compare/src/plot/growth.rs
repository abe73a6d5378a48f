//! How far apart networks drift in training.

use std::path::Path;

use mlp_parity::file::write_atomically;
use mlp_parity_compare::Result;
use mlp_parity_compare::growth::Drift;
use plotters::chart::ChartBuilder;
use plotters::coord::Shift;
use plotters::drawing::DrawingArea;
use plotters::prelude::{DrawingBackend, IntoLogRange};
use plotters::series::LineSeries;
use plotters::style::{BLACK, Color};

use super::{Drawn, GREY, Label, PALETTE, Plot, draw_labels, write};

/// Of one panel, in pixels.
const PANEL: (u32, u32) = (620, 420);

/// What labels take on the right, in pixels.
const LABELS: u32 = 150;

/// Writes `growth.csv`, `growth.svg` and `growth.png`.
pub(crate) fn growth(drifts: &[Drift], folder: &Path) -> Result<()> {
    let mut table = "plan,implementation,step,distance\n".to_owned();
    for Drift { plan, name, step, distance, .. } in drifts {
        table += &format!("{plan},{name},{step},{distance:e}\n");
    }
    write_atomically(&folder.join("growth.csv"), table.as_bytes())?;
    // On a logarithmic scale there is no zero: who is equal to the bit has no line.
    let drifts: Vec<&Drift> =
        drifts.iter().filter(|drift| drift.distance > 0.0 && drift.distance.is_finite()).collect();
    if drifts.is_empty() {
        return Ok(());
    }
    write(&Growth { panels: grouped(&drifts, |drift| &drift.plan) }, folder, "growth")
}

/// Values with the same key, in the order in which keys appear.
fn grouped<'a>(drifts: &[&'a Drift], key: fn(&Drift) -> &String) -> Vec<Vec<&'a Drift>> {
    let mut groups: Vec<Vec<&Drift>> = Vec::new();
    for &drift in drifts {
        match groups.iter_mut().find(|group| key(group[0]) == key(drift)) {
            Some(group) => group.push(drift),
            None => groups.push(vec![drift]),
        }
    }
    groups
}

/// One panel for each plan.
struct Growth<'a> {
    panels: Vec<Vec<&'a Drift>>,
}

impl Plot for Growth<'_> {
    fn size(&self) -> (u32, u32) {
        (PANEL.0 * self.panels.len() as u32, PANEL.1)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let all = || self.panels.iter().flatten();
        let lowest = all().map(|drift| drift.distance).fold(f64::INFINITY, f64::min);
        let highest = all().map(|drift| drift.distance).fold(0.0, f64::max);
        // Whole decades, so that every panel has the same scale.
        let decades = [lowest.log10().floor(), highest.log10().ceil().max(lowest.log10().floor() + 1.0)];
        let panels = area.split_evenly((1, self.panels.len()));
        panels.iter().zip(&self.panels).try_for_each(|(area, drifts)| draw_panel(area, drifts, decades))
    }
}

fn draw_panel<B: DrawingBackend>(area: &DrawingArea<B, Shift>, drifts: &[&Drift], [low, high]: [f64; 2]) -> Drawn<B> {
    let last = drifts.iter().map(|drift| drift.step).max().unwrap_or(1).max(2);
    let steps = (1.0..last as f64).log_scale();
    let distances = (10.0_f64.powf(low)..10.0_f64.powf(high)).log_scale();
    let mut chart = ChartBuilder::on(area)
        .caption(format!("plan {}", drifts[0].plan), ("sans-serif", 17))
        .margin(12)
        .margin_right(LABELS)
        .x_label_area_size(42)
        .y_label_area_size(62)
        .build_cartesian_2d(steps, distances)?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .light_line_style(BLACK.mix(0.0))
        .bold_line_style(BLACK.mix(0.12))
        .label_style(("sans-serif", 13))
        .axis_desc_style(("sans-serif", 14))
        .x_desc("training step")
        .y_desc("distance from scratch, |θ − θ₁| / |θ₁|")
        .x_labels(4)
        .y_labels((high - low) as usize + 1)
        .x_label_formatter(&|step| format!("{step:.0}"))
        .y_label_formatter(&|distance| power_of_ten(*distance))
        .draw()?;

    let mut labels = Vec::new();
    let mut colors = PALETTE.iter().cycle();
    for line in grouped(drifts, |drift| &drift.name) {
        let (color, width) = match line[0].is_twin {
            true => (GREY, 1),
            false => (*colors.next().unwrap_or(&BLACK), 2),
        };
        let points = || line.iter().map(|drift| (drift.step as f64, drift.distance));
        chart.draw_series(LineSeries::new(points(), color.stroke_width(width)))?;
        if let Some(end) = points().next_back() {
            labels.push(Label { height: chart.backend_coord(&end).1, text: line[0].name.clone(), color });
        }
    }
    let (right, bottom) = chart.backend_coord(&(last as f64, 10.0_f64.powf(low)));
    draw_labels(area, right, bottom, labels)
}

/// `10⁻⁷`
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
    fn powers_of_ten_are_written_as_such() {
        assert_eq!([1.0, 1e-7, 1e12].map(power_of_ten), ["10⁰", "10⁻⁷", "10¹²"]);
    }
}
