//! The check suite.

use maud::{Markup, html};

use super::strip_plot;
use super::table::blocks;
use crate::output::terminal::{SuitePart, all_checks, failed_checks, stages};

/// Returns the checks below one title: the table of stages, the strip plot, the failed checks, and all of them in tables that are
/// folded.
pub(super) fn part(part: &SuitePart<'_>) -> Markup {
    let checks = part.checks();
    html! {
        div class="part" {
            (blocks(|page| stages(page, part)))
            (strip_plot::plot(&part.title, &checks))
            (blocks(|page| failed_checks(page, part)))
            details {
                summary { "All " (checks.len()) " checks" span class="hidden" { ": " (part.title) } }
                (blocks(|page| all_checks(page, part)))
            }
        }
    }
}
