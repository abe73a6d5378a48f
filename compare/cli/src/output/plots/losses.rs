//! Plot of training losses over epochs: the figures of the report, and those of single runs.

use std::borrow::Cow;
use std::iter;
use std::path::Path;

use mlp_parity_compare::Run;
use mlp_parity_compare::record::RunRecord;
use mlp_parity_compare::reproduction::display::seed_range;
use mlp_parity_compare::reproduction::{FigureTitle, Results, RowResult, TableResult};
use mlp_parity_compare::statistics::Summary;
use plotters::chart::{ChartBuilder, ChartContext};
use plotters::coord::Shift;
use plotters::coord::cartesian::Cartesian2d;
use plotters::coord::types::RangedCoordf64;
use plotters::drawing::DrawingArea;
use plotters::element::{Circle, Polygon, Text};
use plotters::prelude::DrawingBackend;
use plotters::series::{DashedLineSeries, LineSeries};
use plotters::style::{BLACK, Color, IntoFont, RGBColor, ShapeStyle};

use super::canvas::{Drawn, GREY, Label, Layout, PALETTE, Plot, draw_labels, svg, write};
use crate::error::Result;

/// Number of characters in a line of the explanation below the plot.
const LINE_CHARACTERS: usize = 110;

/// Height of such a line, in pixels.
const LINE_HEIGHT: u32 = 18;

/// A plot of training losses: one curve per training configuration and candidate, and the reported losses as rings.
#[derive(Debug)]
pub(crate) struct Losses {
    /// Name of the files, without extension: `figure-1`.
    pub(crate) name: String,
    /// Title for display.
    pub(crate) title: String,
    /// Meaning of lines, areas and rings; empty if each curve is a single run.
    pub(crate) explanation: String,
    curves: Vec<Curve>,
    marks: Vec<Mark>,
}

/// The losses of one candidate with one training configuration.
#[derive(Debug)]
struct Curve {
    /// Label at the end of the curve; `None` if another candidate's curve for the same training configuration
    /// already has it.
    label: Option<String>,
    color: RGBColor,
    stroke: Stroke,
    /// The losses of each epoch, summarized over seeds.
    losses: Vec<Summary>,
}

/// Stroke of a curve. Candidates have different strokes, so that coinciding curves can be told apart.
#[derive(Clone, Copy, Debug)]
enum Stroke {
    Wide,
    Thin,
    Dashed,
}

impl Stroke {
    /// Returns the stroke of the candidate with this index.
    fn of_candidate(index: usize) -> Self {
        match index {
            0 => Self::Wide,
            1 => Self::Thin,
            _ => Self::Dashed,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Thin => "thin",
            Self::Dashed => "dashed",
        }
    }
}

/// A training loss that the report states.
#[derive(Debug)]
struct Mark {
    epoch: usize,
    loss: f64,
    color: RGBColor,
}

impl Losses {
    /// Creates the figure of a table; `None` if the table has none.
    pub(crate) fn new(results: &Results<'_>, table: &TableResult<'_>) -> Option<Self> {
        let FigureTitle { name, title } = table.table.figure.clone()?;
        let longest = table.rows.iter().map(|row| row.row.epochs).max()?;
        let trainings = trainings(table);
        let color = |training: &str| {
            let index = trainings.iter().position(|(name, _)| name == training).unwrap_or(0);
            PALETTE[index % PALETTE.len()]
        };
        let mut curves = Vec::new();
        for (training, label) in &trainings {
            let runs = results.candidates.iter().map(|candidate| results.runs_of(training, candidate));
            for (index, runs) in runs.filter(|runs| !runs.is_empty()).enumerate() {
                let (label, stroke) = ((index == 0).then(|| label.clone()), Stroke::of_candidate(index));
                curves.push(Curve { label, color: color(training), stroke, losses: by_epoch(&runs, longest) });
            }
        }
        let mark = |row: &RowResult<'_>| {
            let (epoch, loss) = (row.row.epochs, row.row.training_loss?);
            Some(Mark { epoch, loss, color: color(&row.row.hyperparameters.name()) })
        };
        let marks = table.rows.iter().filter_map(mark).collect();
        Some(Self { name, title, explanation: explanation(results), curves, marks })
    }

    /// Creates a figure with one curve per run.
    pub(crate) fn from_runs(name: String, runs: &[&RunRecord]) -> Self {
        let curve = |(index, run): (usize, &&RunRecord)| Curve {
            label: Some(run.identity.to_string()),
            color: PALETTE[index % PALETTE.len()],
            stroke: Stroke::of_candidate(index),
            losses: by_epoch(&[run], usize::MAX),
        };
        let curves = runs.iter().enumerate().map(curve).collect();
        Self { title: "Training losses".to_owned(), explanation: String::new(), name, curves, marks: Vec::new() }
    }

    /// Adds the losses of control replicas in the background, which must have been trained from their first epoch.
    pub(crate) fn with_control(mut self, replicas: &[&Run]) -> Self {
        let curve = |(index, run): (usize, &&Run)| Curve {
            label: (index == 0).then(|| "control replicas".to_owned()),
            color: GREY,
            stroke: Stroke::Thin,
            losses: run.trained_epochs.iter().map(|epoch| Summary::of(&[epoch.train_loss])).collect(),
        };
        self.curves.splice(0..0, replicas.iter().enumerate().map(curve));
        self
    }

    /// Returns the figure as SVG text, to be embedded in a page.
    pub(crate) fn svg(&self, layout: Layout) -> Result<String> {
        svg(&Figure { losses: self, layout })
    }

    /// Writes the figure as an SVG and a PNG file.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        write(&Figure { losses: self, layout: Layout::File }, folder, &self.name)
    }
}

/// Returns the meaning of the lines, areas and rings of a table's figure.
fn explanation(results: &Results<'_>) -> String {
    let line = |(index, name): (usize, &String)| format!("{}: {name}", Stroke::of_candidate(index).name());
    let lines: Vec<String> = results.candidates.iter().enumerate().map(line).collect();
    format!(
        "Lines are means over {} ({}), shaded areas show the range over seeds, and rings the values that the report states.",
        seed_range(results.seed_counts().unwrap_or_default()),
        lines.join("; ")
    )
}

/// Returns the name and the curve label of each training configuration that a table's rows or their explanations use,
/// without duplicates.
fn trainings(table: &TableResult<'_>) -> Vec<(String, String)> {
    let mut trainings: Vec<(String, String)> = Vec::new();
    for result in &table.rows {
        let training = &result.row.hyperparameters;
        // Rows that differ only in epochs share a curve, which is labelled with the activation instead of a row's name.
        let is_shared = table.rows.iter().filter(|other| other.row.hyperparameters == *training).count() > 1;
        let label = if is_shared { training.activation.to_string() } else { result.name.to_owned() };
        let cause = result.explanation.first().map(|measured| (measured.training.clone(), result.explanation_name()));
        for (name, label) in iter::once((training.name(), label)).chain(cause) {
            if trainings.iter().all(|(known, _)| *known != name) {
                trainings.push((name, label));
            }
        }
    }
    trainings
}

/// Summarizes the losses of each epoch over the seeds, up to `longest` epochs. A run may be longer because another
/// table needs more epochs.
fn by_epoch(runs: &[&RunRecord], longest: usize) -> Vec<Summary> {
    let epochs = runs.iter().map(|run| run.epochs.len()).max().unwrap_or(0).min(longest);
    let summarize = |epoch: usize| {
        let losses = runs.iter().filter_map(|run| run.epochs.get(epoch)).map(|epoch| epoch.train_loss);
        Summary::of(&losses.collect::<Vec<_>>())
    };
    (0..epochs).map(summarize).collect()
}

type Chart<'a, B> = ChartContext<'a, B, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

/// A plot of losses in a layout.
struct Figure<'a> {
    losses: &'a Losses,
    layout: Layout,
}

impl Figure<'_> {
    /// Returns the lines of title and explanation below the plot.
    fn lines(&self) -> Vec<String> {
        let Losses { title, explanation, .. } = self.losses;
        let text = if explanation.is_empty() { title.clone() } else { format!("{title}. {explanation}") };
        match self.layout {
            Layout::File => textwrap::wrap(&text, LINE_CHARACTERS).into_iter().map(Cow::into_owned).collect(),
            Layout::Wide | Layout::Narrow => Vec::new(),
        }
    }

    /// Returns the width reserved for curve labels on the right, in pixels.
    fn label_width(&self) -> u32 {
        if self.layout == Layout::Narrow { 110 } else { 150 }
    }
}

impl Plot for Figure<'_> {
    fn size(&self) -> (u32, u32) {
        let (width, height) = if self.layout == Layout::Narrow { (380, 340) } else { (760, 440) };
        (width, height + LINE_HEIGHT * self.lines().len() as u32)
    }

    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>) -> Drawn<B> {
        let lines = self.lines();
        let (plot, below) = area.split_vertically(self.size().1 - LINE_HEIGHT * lines.len() as u32);
        for (line, top) in lines.iter().zip((0..).step_by(LINE_HEIGHT as usize)) {
            below.draw(&Text::new(line.as_str(), (12, top), ("sans-serif", 12).into_font()))?;
        }
        self.losses.draw(&plot, self.label_width())
    }
}

impl Losses {
    fn draw<B: DrawingBackend>(&self, area: &DrawingArea<B, Shift>, label_width: u32) -> Drawn<B> {
        let epochs = self.curves.iter().map(|curve| curve.losses.len()).max().unwrap_or(1).max(2);
        let highest = self.curves.iter().flat_map(|curve| &curve.losses).map(|loss| loss.maximum).fold(0.0, f64::max);
        let mut chart = ChartBuilder::on(area)
            .margin(12)
            .margin_right(label_width)
            .x_label_area_size(42)
            .y_label_area_size(54)
            .build_cartesian_2d(1.0..epochs as f64, 0.0..highest * 1.05)?;
        chart
            .configure_mesh()
            .disable_x_mesh()
            .light_line_style(BLACK.mix(0.0))
            .bold_line_style(BLACK.mix(0.12))
            .axis_style(BLACK.mix(0.6))
            .label_style(("sans-serif", 13))
            .axis_desc_style(("sans-serif", 14))
            .x_desc("epoch")
            .y_desc("training loss")
            .x_labels(epochs.min(13))
            .x_label_formatter(&|epoch| format!("{epoch:.0}"))
            .y_label_formatter(&|loss| if highest < 1.0 { format!("{loss:.2}") } else { format!("{loss:.1}") })
            .draw()?;
        let mut labels = Vec::new();
        for curve in &self.curves {
            labels.extend(draw_curve(&mut chart, curve)?);
        }
        for Mark { epoch, loss, color } in &self.marks {
            let place = (*epoch as f64, *loss);
            let ring = |radius, style: ShapeStyle| Circle::new(place, radius, style);
            chart.draw_series([ring(5, plotters::style::WHITE.filled()), ring(5, color.stroke_width(2))])?;
        }
        let (right, bottom) = chart.backend_coord(&(epochs as f64, 0.0));
        draw_labels(area, right, bottom, labels)
    }
}

/// Draws the range over seeds as a band and the mean as a line, and returns the label at its end.
fn draw_curve<B: DrawingBackend>(
    chart: &mut Chart<'_, B>,
    curve: &Curve,
) -> Result<Option<Label>, plotters::drawing::DrawingAreaErrorKind<B::ErrorType>> {
    let points = |value: fn(&Summary) -> f64| {
        curve.losses.iter().enumerate().map(move |(index, loss)| ((index + 1) as f64, value(loss)))
    };
    let band: Vec<(f64, f64)> = points(|loss| loss.maximum).chain(points(|loss| loss.minimum).rev()).collect();
    chart.draw_series([Polygon::new(band, curve.color.mix(0.15))])?;
    let mean = points(|loss| loss.mean);
    let color = curve.color;
    match curve.stroke {
        Stroke::Wide => chart.draw_series(LineSeries::new(mean, color.mix(0.4).stroke_width(7)))?,
        Stroke::Thin => chart.draw_series(LineSeries::new(mean, color.stroke_width(2)))?,
        Stroke::Dashed => chart.draw_series(DashedLineSeries::new(mean, 6, 6, color.stroke_width(2)))?,
    };
    if let [only] = curve.losses[..] {
        chart.draw_series([Circle::new((1.0, only.mean), 4, color.filled())])?;
    }
    let (Some(text), Some(end)) = (curve.label.clone(), points(|loss| loss.mean).next_back()) else { return Ok(None) };
    Ok(Some(Label { y: chart.backend_coord(&end).1, text, color: curve.color }))
}
