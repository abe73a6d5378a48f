//! Export of checks and comparisons as JUnit test cases, for CI servers.

use std::path::Path;

use mlp_parity::storage::write_atomically;
use mlp_parity_compare::check::{Check, CheckReport, SuiteReport};
use mlp_parity_compare::training::{EquivalenceVerdict, TrainedPair};
use mlp_parity_compare::{Outcome, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::error::Result;
use crate::output::escape;

/// Writes the results of the check suite, as one JUnit test suite per candidate.
pub(crate) fn write_suite(suite: &SuiteReport, path: &Path) -> Result<()> {
    write(test_suites(suite, ""), path)
}

/// Writes the results of a comparison: the checks of each candidate, and one more test suite for the trained networks.
pub(crate) fn write_outcome(outcome: &Outcome, path: &Path) -> Result<()> {
    let mut suites = test_suites(&outcome.suite, "");
    suites.extend(test_suites(&outcome.after_training, " after training"));
    suites.push(trained_networks(outcome));
    write(suites, path)
}

fn write(suites: Vec<TestSuite>, path: &Path) -> Result<()> {
    let mut report = Report::new("mlp-parity");
    report.add_test_suites(suites);
    let text =
        report.to_string().map_err(|error| mlp_parity::Error::io("write", path)(std::io::Error::other(error)))?;
    // The strict schemas of CI servers allow this attribute on <testsuite>, but not on <testsuites>.
    let text = text.replacen(&format!(" skipped=\"{}\"", report.skipped), "", 1);
    Ok(write_atomically(path, text.as_bytes())?)
}

/// Returns one test suite per candidate. `suffix` is the end of their names.
fn test_suites(suite: &SuiteReport, suffix: &str) -> Vec<TestSuite> {
    suite.reports.iter().map(|report| test_suite(report, suffix)).collect()
}

fn test_suite(report: &CheckReport, suffix: &str) -> TestSuite {
    let candidate = report.checks.first().map_or("no candidate", |check| check.candidate.as_str());
    let mut suite = TestSuite::new(plain(&format!("checks of {candidate}{suffix}")));
    let first_failure = report.first_failure();
    suite.add_test_cases(report.checks.iter().map(|check| {
        let is_first = first_failure.is_some_and(|first| std::ptr::eq(first, check));
        let text = report.first_failure_text().filter(|_| is_first).unwrap_or_else(|| check.to_string());
        let status = match check.passed {
            true => TestCaseStatus::success(),
            false => failure("disagree", text),
        };
        case(candidate, check_title(check), status)
    }));
    suite
}

/// Returns the title of a check's test case: `gradients of layer1.weight`, `update of layer1.weight (adam)`.
fn check_title(Check { scenario, stage, tensor, .. }: &Check) -> String {
    let scenario = if scenario.is_empty() { String::new() } else { format!(" ({scenario})") };
    if *tensor == stage.to_string() { format!("{stage}{scenario}") } else { format!("{stage} of {tensor}{scenario}") }
}

/// Returns the test suite of the trained networks. Inconclusive and degenerate results are marked as skipped: they must
/// not look like a success, and must not break a build.
fn trained_networks(outcome: &Outcome) -> TestSuite {
    let mut suite = TestSuite::new("trained networks");
    let pair_title = |TrainedPair { training, first, second }: &TrainedPair| {
        (second.clone(), format!("agrees with {first}, training {training}"))
    };
    for equivalence in &outcome.equivalences {
        let (candidate, title) = pair_title(&equivalence.pair);
        suite.add_test_case(case(
            &candidate,
            format!("{title}, {} seeds", equivalence.seeds),
            match equivalence.verdict {
                EquivalenceVerdict::Equivalent => TestCaseStatus::success(),
                EquivalenceVerdict::Different => failure("disagree", equivalence.to_string()),
                EquivalenceVerdict::Inconclusive => skipped(equivalence.to_string()),
            },
        ));
    }
    let controlled = outcome.agreements.iter().filter_map(|agreement| Some((agreement, agreement.control.as_ref()?)));
    suite.add_test_cases(controlled.map(|(agreement, control)| {
        let (candidate, title) = pair_title(&agreement.pair);
        let status = match control.passed {
            true => TestCaseStatus::success(),
            false => skipped(format!(
                "the candidates disagree on {} of {} test images (limit from the control replicas: {:.0})",
                agreement.disagreements, agreement.images, control.disagreement_limit
            )),
        };
        case(&candidate, title, status)
    }));
    suite.add_test_cases(outcome.degenerate.iter().map(|degenerate| {
        let title = format!("learned something, training {}, seed {}", degenerate.training, degenerate.seed);
        case(&degenerate.candidate, title, skipped(degenerate.to_string()))
    }));
    let verdict = match outcome.verdict {
        Verdict::Agree => TestCaseStatus::success(),
        Verdict::Disagree => failure("disagree", outcome.reason.clone()),
        Verdict::Inconclusive | Verdict::Degenerate => skipped(outcome.reason.clone()),
        Verdict::Failed | Verdict::Interrupted => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type(outcome.verdict.to_string()).set_message(plain(&outcome.reason));
            status
        }
    };
    suite.add_test_case(case("mlp-parity", "verdict".to_owned(), verdict));
    suite
}

fn case(candidate: &str, title: String, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(plain(&title), status);
    case.set_classname(plain(candidate));
    case
}

fn failure(kind: &str, message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(kind).set_message(plain(&message));
    status
}

fn skipped(message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(plain(&message));
    status
}

/// Returns a text that XML can represent.
fn plain(text: &str) -> String {
    escape::line(text).into_owned()
}
