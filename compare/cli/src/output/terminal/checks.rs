//! Checks, for a person to read.

use comfy_table::Table;
use mlp_parity_compare::check::{Check, Climb, Ladder, Rung};

use super::table::table;
use crate::output::grouped::grouped;

/// What a check found.
pub(crate) fn ladder(ladder: &Ladder, verbose: bool) -> String {
    let table = match (&ladder.missing, ladder.climbs.as_slice()) {
        _ if verbose => every(ladder).to_string(),
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

/// Every comparison.
pub(super) fn every(ladder: &Ladder) -> Table {
    table_of(ladder.climbs.iter().flat_map(|climb| &climb.checks), true)
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
pub(super) fn closest(climbs: &[Climb]) -> Table {
    let mut groups = grouped(climbs.iter().flat_map(|climb| &climb.checks), |check| group(check));
    groups.sort_by_key(|checks| checks[0].rung);
    let worst = groups.into_iter().filter_map(|checks| {
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
            check.place(),
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
