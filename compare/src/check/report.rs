//! The results of checks.

use serde::Serialize;

use super::bounds::Unit;
use super::tensor_check::Check;
use crate::Verdict;

/// Who judges.
pub const ORACLE: &str = "oracle";

/// The version of the document of a check.
pub const FORMAT: &str = "mlp-parity-check/1";

/// What one participant's climb has shown.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Climb {
    /// Every comparison, up to the first rung that broke.
    pub checks: Vec<Check>,
    /// Hidden units of the first batch whose side of ReLU's kink rounding may decide.
    pub undecided: Vec<Unit>,
    /// Rules that the participant does not offer, and that were not checked.
    pub not_implemented: Vec<String>,
}

impl Climb {
    /// The first comparison that failed.
    pub fn first_failure(&self) -> Option<&Check> {
        self.checks.iter().find(|check| !check.passed)
    }

    /// Takes over comparisons; of the same tensor on the same rung, in one step and another, the one that is closest to
    /// what is allowed.
    pub(in crate::check) fn take(&mut self, checks: Vec<Check>) {
        for check in checks {
            let key = |check: &Check| (check.plan.clone(), check.rung, check.tensor.clone());
            match self.checks.iter_mut().find(|old| key(old) == key(&check)) {
                Some(old) if old.passed && old.share() < check.share() => *old = check,
                Some(_) => {}
                None => self.checks.push(check),
            }
        }
    }
}

/// What everyone's climbs have shown.
#[derive(Clone, Debug, Serialize)]
pub struct Ladder {
    /// One for each participant; first the trace, where there is one.
    pub climbs: Vec<Climb>,
    /// What is not in the trace, and so was not compared; `None` without a trace.
    pub missing: Option<Vec<String>>,
}

impl Ladder {
    /// The first comparison that failed.
    pub fn first_failure(&self) -> Option<&Check> {
        self.climbs.iter().find_map(Climb::first_failure)
    }

    /// *Agree*, or *disagree*.
    pub fn verdict(&self) -> Verdict {
        if self.first_failure().is_some() { Verdict::Disagree } else { Verdict::Agree }
    }

    /// The verdict's reason, in one sentence.
    pub fn reason(&self) -> String {
        match self.climbs.iter().find_map(|climb| Some((climb, climb.first_failure()?))) {
            Some((climb, check)) => format!("{check}; {}", check.hint(&climb.checks)),
            None => {
                let counts: Vec<usize> = self.climbs.iter().map(|climb| climb.checks.len()).collect();
                let own = match (&self.missing, counts.first()) {
                    (Some(_), Some(count)) => format!(", {count} of them of the trace"),
                    _ => String::new(),
                };
                let all: usize = counts.iter().sum();
                let without = match self.not_implemented().as_slice() {
                    [] => String::new(),
                    names => format!("; not implemented, and not checked: {}", names.join(", ")),
                };
                format!("every participant stays within what rounding may do, in {all} comparisons{own}{without}")
            }
        }
    }

    fn not_implemented(&self) -> Vec<&str> {
        self.climbs.iter().flat_map(|climb| &climb.not_implemented).map(String::as_str).collect()
    }

    /// The report as a JSON document.
    pub fn document(&self) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Document<'a> {
            format: &'static str,
            verdict: Verdict,
            reason: String,
            checks: Vec<&'a Check>,
            undecided: Vec<Unit>,
            not_implemented: Vec<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            missing: Option<&'a [String]>,
        }
        serde_json::to_string_pretty(&Document {
            format: FORMAT,
            verdict: self.verdict(),
            reason: self.reason(),
            checks: self.climbs.iter().flat_map(|climb| &climb.checks).collect(),
            undecided: self.climbs.first().map(|climb| climb.undecided.clone()).unwrap_or_default(),
            not_implemented: self.not_implemented(),
            missing: self.missing.as_deref(),
        })
    }
}
