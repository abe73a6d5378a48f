//! Checks and judgements as test cases, for a CI server.

use std::path::Path;

use mlp_parity::storage::write_atomically;
use mlp_parity_compare::check::{Check, Climb, Ladder};
use mlp_parity_compare::training::{Finding, Names};
use mlp_parity_compare::{Outcome, Verdict};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::error::Result;

/// Writes a check: one suite for each participant.
pub(crate) fn ladder(ladder: &Ladder, path: &Path) -> Result<()> {
    write(suites(ladder), path)
}

/// Writes everything that a comparison found: the checks, and one more suite of the trained networks.
pub(crate) fn outcome(outcome: &Outcome, path: &Path) -> Result<()> {
    let mut suites = suites(&outcome.ladder);
    suites.push(trained(outcome));
    write(suites, path)
}

fn write(suites: Vec<TestSuite>, path: &Path) -> Result<()> {
    let mut report = Report::new("mlp-parity");
    report.add_test_suites(suites);
    let text =
        report.to_string().map_err(|error| mlp_parity::Error::io("write", path)(std::io::Error::other(error)))?;
    let text = text.replacen(&format!(" skipped=\"{}\"", report.skipped), "", 1);
    Ok(write_atomically(path, text.as_bytes())?)
}

fn suites(ladder: &Ladder) -> Vec<TestSuite> {
    ladder.climbs.iter().map(suite).collect()
}

fn suite(climb: &Climb) -> TestSuite {
    let participant = climb.checks.first().map_or("nobody", |check| check.right.as_str());
    let mut suite = TestSuite::new(format!("checks of {participant}"));
    suite.add_test_cases(climb.checks.iter().map(|check| {
        let status = match check.passed {
            true => TestCaseStatus::success(),
            false => failure("disagree", format!("{check}; {}", check.hint(&climb.checks))),
        };
        case(participant, title(check), status)
    }));
    suite
}

/// `gradients of layer1.weight`, `update of layer1.weight (adam)`
fn title(Check { plan, rung, tensor, .. }: &Check) -> String {
    let plan = if plan.is_empty() { String::new() } else { format!(" ({plan})") };
    format!("{rung} of {tensor}{plan}")
}

/// What is not shown, and not refuted either, is skipped: it must not look like success, nor break a build.
fn trained(outcome: &Outcome) -> TestSuite {
    let mut suite = TestSuite::new("trained networks");
    let name = |Names { plan, left, right }: &Names| (right.clone(), format!("beside {left}, plan {plan}"));
    for equivalence in &outcome.equivalences {
        let (participant, title) = name(&equivalence.names);
        suite.add_test_case(case(
            &participant,
            format!("{title}, {} seeds", equivalence.seeds),
            match equivalence.finding {
                Finding::Equivalent => TestCaseStatus::success(),
                Finding::Different => failure("disagree", equivalence.to_string()),
                Finding::Open => skipped(equivalence.to_string()),
            },
        ));
    }
    let judged = outcome.agreements.iter().filter_map(|found| Some((found, found.control.as_ref()?)));
    suite.add_test_cases(judged.map(|(agreement, control)| {
        let (participant, title) = name(&agreement.names);
        let status = match control.passed {
            true => TestCaseStatus::success(),
            false => skipped(format!(
                "{} test images are classified differently, where the control allows {:.0}",
                agreement.disagreements, control.allowed_disagreements
            )),
        };
        case(&participant, title, status)
    }));
    suite.add_test_cases(outcome.degenerate.iter().map(|found| {
        let title = format!("has learned something, plan {}, seed {}", found.plan, found.seed);
        case(&found.participant, title, skipped(found.to_string()))
    }));
    let verdict = match outcome.verdict {
        Verdict::Agree => TestCaseStatus::success(),
        Verdict::Disagree => failure("disagree", outcome.reason.clone()),
        Verdict::Inconclusive | Verdict::Degenerate => skipped(outcome.reason.clone()),
        Verdict::Failed | Verdict::Interrupted => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_type(outcome.verdict.to_string()).set_message(outcome.reason.clone());
            status
        }
    };
    suite.add_test_case(case("mlp-parity", "verdict".to_owned(), verdict));
    suite
}

fn case(participant: &str, title: String, status: TestCaseStatus) -> TestCase {
    let mut case = TestCase::new(title, status);
    case.set_classname(participant);
    case
}

fn failure(kind: &str, message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_type(kind).set_message(message);
    status
}

fn skipped(message: String) -> TestCaseStatus {
    let mut status = TestCaseStatus::skipped();
    status.set_message(message);
    status
}
