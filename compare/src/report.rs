//! Tables for a person to read: functions of records alone.

use comfy_table::{CellAlignment, ContentArrangement, LineStyle, Table, TableStyle};
use mlp_parity::mnist::ORIGINAL_DIGEST;
use mlp_parity::{Activation, MlpConfig};
use mlp_parity_compare::agreement::{Check, Climb, Ladder, Rung};
use mlp_parity_compare::control::Agreement;
use mlp_parity_compare::record::{RunRecord, Setting};
use mlp_parity_compare::{Outcome, Run};

use crate::options::{FRAMEWORK, FROM_SCRATCH};

/// One line below the titles, and nothing else.
const STYLE: TableStyle = TableStyle::new().header_separator(LineStyle::new('─', '─', '─', '─'));

/// An empty table with these column titles.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(STYLE).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

/// Everything that a comparison found.
pub(crate) fn outcome(setting: &Setting<'_>, outcome: &Outcome) -> String {
    let mut parts =
        vec![format!("Step by step, against the oracle in double precision\n{}", closest(&outcome.ladder.climbs))];
    if !outcome.runs.is_empty() {
        parts.push(format!("After training\n{}", trained(outcome)));
    }
    if is_setting_of_the_report(setting) && !outcome.agreements.is_empty() {
        parts.push(format!("Beside the report\n{}", pairing(&outcome.runs)));
    }
    parts.push(format!("verdict: {}\n{}", outcome.verdict, outcome.reason));
    parts.join("\n\n")
}

/// What a check found.
pub(crate) fn ladder(ladder: &Ladder, verbose: bool) -> String {
    let every = || table_of(ladder.climbs.iter().flat_map(|climb| &climb.checks), true);
    let table = match (&ladder.missing, ladder.climbs.as_slice()) {
        _ if verbose => every().to_string(),
        // Of a trace everything.
        (Some(missing), [own, others @ ..]) => {
            let missing = match missing.as_slice() {
                [] => String::new(),
                missing => format!("\n\nnot in the trace, and not compared: {}", missing.join(", ")),
            };
            let own = table_of(own.checks.iter(), false);
            format!("The trace\n{own}{missing}\n\nFrom its parameters, on its batches\n{}", closest(others))
        }
        (_, climbs) => closest(climbs).to_string(),
    };
    format!("{table}\n\n{}verdict: {}\n{}", undecided(ladder), ladder.verdict(), ladder.reason())
}

/// The hidden units at ReLU's kink, if there are any.
fn undecided(ladder: &Ladder) -> String {
    /// More are only counted.
    const NAMED: usize = 3;
    let units = ladder.climbs.iter().map(|climb| &climb.undecided).max_by_key(|units| units.len());
    let Some(units) = units.filter(|units| !units.is_empty()) else { return String::new() };
    let names: Vec<String> = units
        .iter()
        .take(NAMED)
        .map(|unit| format!("unit {} of layer {} on image {}", unit.unit, unit.layer, unit.image))
        .collect();
    let more = if units.len() > NAMED { ", …" } else { "" };
    format!("undecided at ReLU's kink, so that either side is right: {} ({}{more})\n\n", units.len(), names.join(", "))
}

/// For each tensor and rung, and each plan of an update or trajectory, the participant closest to what is allowed.
fn closest(climbs: &[Climb]) -> Table {
    let checks: Vec<&Check> = climbs.iter().flat_map(|climb| &climb.checks).collect();
    let mut groups: Vec<(String, Vec<&Check>)> = Vec::new();
    for check in checks {
        let name = group(check);
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, checks)) => checks.push(check),
            None => groups.push((name, vec![check])),
        }
    }
    groups.sort_by_key(|(_, checks)| checks[0].rung);
    let worst = groups.into_iter().filter_map(|(_, checks)| {
        // The first that failed, as in the verdict's reason.
        let worse = |worst: &Check, other: &Check| worst.passed && other.share() > worst.share();
        checks.into_iter().reduce(|worst, other| if worse(worst, other) { other } else { worst })
    });
    table_of(worst, false)
}

/// What shares a row.
fn group(check: &Check) -> String {
    match check.rung {
        Rung::Gradients if check.plan.is_empty() => format!("{} {}", check.rung, check.tensor),
        _ => format!("{} {}", check.rung, check.plan),
    }
}

/// Two decimals, or a power of ten.
fn brief(value: f64) -> String {
    if value < 1e5 { format!("{value:.2}") } else { format!("{value:.0e}") }
}

fn table_of<'a>(checks: impl Iterator<Item = &'a Check>, verbose: bool) -> Table {
    let mut header = vec![
        "",
        "",
        "tensor",
        "at",
        "participant",
        "has",
        "right is",
        "off by",
        "relative",
        "ulps",
        "allowed",
        "share",
        "",
    ];
    if verbose {
        header.extend(["worst case", "undecided"]);
    }
    let mut rows = table(&header);
    for check in checks {
        let mut row = vec![
            check.rung.to_string(),
            check.plan.clone(),
            check.tensor.clone(),
            if check.index.is_empty() { String::new() } else { format!("{:?}", check.index) },
            check.right.clone(),
            format!("{:.3e}", check.right_value),
            format!("{:.3e}", check.left_value),
            format!("{:.1e}", check.max_abs),
            format!("{:.1e}", check.max_rel),
            brief(check.ulps),
            format!("{:.1e}", check.allowed),
            brief(check.share()),
            if check.passed { "ok" } else { "FAILS" }.to_owned(),
        ];
        if verbose {
            row.push(check.worst_case.map_or_else(String::new, |bound| format!("{bound:.1e}")));
            row.push(check.undecided.to_string());
        }
        rows.add_row(row);
    }
    rows
}

fn trained(outcome: &Outcome) -> Table {
    let header =
        ["plan", "implementation", "test accuracy", "test loss", "training loss", "other predictions", "s an epoch"];
    let mut rows = table(&header);
    for run in outcome.runs.iter().map(|run| &run.record) {
        let name = run.identity.to_string();
        let agreement = outcome.agreements.iter().find(|found| found.plan == run.plan && found.right == name);
        let Some(last) = run.epochs.last() else { continue };
        rows.add_row([
            run.plan.clone(),
            name,
            format!("{:.2} %", last.test_accuracy * 100.0),
            format!("{:.4}", last.test_loss),
            format!("{:.4}", last.train_loss),
            agreement.map_or_else(String::new, |agreement| {
                format!("{} (allowed {:.0})", agreement.disagreements, agreement.allowed_disagreements)
            }),
            format!("{:.2}", run.seconds_per_epoch().unwrap_or(f64::NAN)),
        ]);
        let of_this_plan =
            outcome.agreements.iter().find(|found| found.plan == run.plan && found.left == run.identity.to_string());
        for row in of_this_plan.map(twins).unwrap_or_default() {
            rows.add_row(row);
        }
    }
    for column in 2..header.len() {
        if let Some(column) = rows.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    rows
}

/// One row for each twin of the first participant.
fn twins(agreement: &Agreement) -> Vec<Vec<String>> {
    let figures = agreement.control_disagreements.iter().zip(&agreement.control_accuracy_differences);
    let row = |(index, (disagreements, difference)): (usize, (&usize, &f64))| {
        vec![
            agreement.plan.clone(),
            format!("{} twin {}", agreement.left, index + 1),
            format!("{:+.2}", difference * 100.0),
            String::new(),
            String::new(),
            disagreements.to_string(),
            String::new(),
        ]
    };
    figures.enumerate().map(row).collect()
}

/// The report trained each implementation with its own plan only.
fn pairing(runs: &[Run]) -> Table {
    let mut rows = table(&["", "report", "here"]);
    for run in runs.iter().map(|run| &run.record) {
        let Some(last) = run.epochs.last() else { continue };
        let (title, paper) = match (run.plan.as_str(), run.identity.implementation.as_str()) {
            (plan, "scratch") if plan == FROM_SCRATCH.0 => ("by hand, SGD", "97.12 %"),
            (plan, "framework") if plan == FRAMEWORK.0 => ("framework, Adam, weight decay 1e-4", "95.94 %"),
            _ => continue,
        };
        rows.add_row([
            format!("{title} ({})", run.identity),
            paper.to_owned(),
            format!("{:.2} %", last.test_accuracy * 100.0),
        ]);
    }
    rows
}

/// Whether all that the report says of its runs is so here.
fn is_setting_of_the_report(setting: &Setting<'_>) -> bool {
    let Setting { config, plans, dataset, .. } = setting;
    dataset.digest == ORIGINAL_DIGEST
        && (dataset.train, dataset.test) == (60_000, 10_000)
        && config.hidden() == MlpConfig::REPORT_HIDDEN
        && config.activation() == Activation::Relu
        && plans.iter().map(|plan| plan.name.as_str()).eq([FROM_SCRATCH.0, FRAMEWORK.0])
        && plans.iter().all(|plan| (plan.plan.batch_size(), plan.plan.epochs()) == (64, 15))
}

/// Every epoch of some runs.
pub(crate) fn epochs(runs: &[&RunRecord]) -> Table {
    let mut rows = table(&["epoch", "training loss", "test loss", "test accuracy", "seconds"]);
    for epoch in runs.iter().flat_map(|run| &run.epochs) {
        rows.add_row([
            epoch.epoch.to_string(),
            format!("{:.4}", epoch.train_loss),
            format!("{:.4}", epoch.test_loss),
            format!("{:.2} %", epoch.test_accuracy * 100.0),
            format!("{:.2}", epoch.seconds),
        ]);
    }
    for column in 0..5 {
        if let Some(column) = rows.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    rows
}
