//! Progress of the check suite: on a terminal one spinner per candidate, otherwise one line per stage of a check that takes
//! long.

use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use mlp_parity_compare::Candidate;

use super::runs::Progress;
use crate::output::print::eprint_line;

/// Time after which a check takes long.
const LONG: Duration = Duration::from_secs(5);

/// Time between two frames of a spinner.
const FRAME: Duration = Duration::from_millis(100);

impl Progress {
    /// Returns the candidates such that their progress in the check suite is displayed.
    pub(crate) fn observe_checks(&self, candidates: Vec<Candidate>) -> Vec<Candidate> {
        candidates.into_iter().map(|candidate| self.observe_check(candidate)).collect()
    }

    fn observe_check(&self, candidate: Candidate) -> Candidate {
        let name = candidate.identity().to_string();
        if let Some(spinner) = self.spinner(&name) {
            return candidate.on_stage(move |stage| match stage {
                Some(stage) => {
                    spinner.enable_steady_tick(FRAME);
                    spinner.set_message(format!("checking {stage}"));
                }
                None => spinner.finish_and_clear(),
            });
        }
        if self.is_quiet() {
            return candidate;
        }
        let start = Instant::now();
        candidate.on_stage(move |stage| {
            if let Some(stage) = stage.filter(|_| start.elapsed() > LONG) {
                eprint_line(format_args!("{name:<18} {:>4.0} s  checking {stage}", start.elapsed().as_secs_f64()));
            }
        })
    }

    /// Calls a function that takes long, while a spinner displays what it does.
    pub(crate) fn spin<T>(&self, title: &str, message: &'static str, work: impl FnOnce() -> T) -> T {
        let spinner = self.spinner(title);
        if let Some(spinner) = &spinner {
            spinner.enable_steady_tick(FRAME);
            spinner.set_message(message);
        }
        let result = work();
        spinner.iter().for_each(ProgressBar::finish_and_clear);
        result
    }

    /// Creates a spinner; `None` unless standard error is a terminal that shows progress.
    fn spinner(&self, title: &str) -> Option<ProgressBar> {
        let style = ProgressStyle::with_template("{spinner} {prefix:<18} {elapsed:>4}  {msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        Some(self.bars()?.add(ProgressBar::new_spinner().with_style(style).with_prefix(title.to_owned())))
    }
}
