//! Estimation of the time until all jobs of a reproduction are done.

use std::collections::BTreeMap;
use std::time::Duration;

use super::job::Job;

/// Estimates the time until all jobs of a reproduction are done from their progress so far.
///
/// [`Job::cost`] gives only relative durations, so the estimator measures the seconds per unit of cost, separately for
/// each candidate, while the jobs run.
#[derive(Clone, Debug)]
pub struct RemainingTime {
    jobs: Vec<Tracked>,
    threads: usize,
}

/// The progress of one job.
#[derive(Clone, Copy, Debug)]
struct Tracked {
    candidate: usize,
    cost: f64,
    /// Fraction that is done, from 0 to 1.
    done: f64,
    /// Time spent on the job so far, in seconds.
    seconds: f64,
}

impl RemainingTime {
    /// Creates an estimator for jobs that have not begun and will run on `threads` threads.
    pub fn new(jobs: &[Job], threads: usize) -> Self {
        let track = |job: &Job| Tracked { candidate: job.candidate, cost: job.cost(), done: 0.0, seconds: 0.0 };
        Self { jobs: jobs.iter().map(track).collect(), threads }
    }

    /// Records that the given fraction of the `index`-th job is done after `elapsed`.
    pub fn advance(&mut self, index: usize, fraction: f64, elapsed: Duration) {
        if let Some(job) = self.jobs.get_mut(index) {
            (job.done, job.seconds) = (fraction, elapsed.as_secs_f64());
        }
    }

    /// Returns the estimated time until all jobs are done; `None` before the first progress.
    pub fn remaining(&self) -> Option<Duration> {
        let mut overall = Pace::default();
        let mut by_candidate: BTreeMap<usize, Pace> = BTreeMap::new();
        for job in &self.jobs {
            overall.add(job);
            by_candidate.entry(job.candidate).or_default().add(job);
        }
        let overall = overall.seconds_per_cost()?;
        let seconds_left = |job: &Tracked| {
            let pace = by_candidate.get(&job.candidate).and_then(Pace::seconds_per_cost);
            job.cost * (1.0 - job.done) * pace.unwrap_or(overall)
        };
        let rest: Vec<f64> = self.jobs.iter().map(seconds_left).collect();
        // A job runs on one thread, so the longest one is a lower limit, however many threads there are.
        let longest = rest.iter().copied().fold(0.0, f64::max);
        let balanced = rest.iter().sum::<f64>() / self.threads.clamp(1, self.jobs.len().max(1)) as f64;
        Duration::try_from_secs_f64(balanced.max(longest)).ok()
    }
}

/// The cost of the finished work, in the units of [`Job::cost`], and the time spent on it.
#[derive(Default)]
struct Pace {
    cost: f64,
    seconds: f64,
}

impl Pace {
    fn add(&mut self, job: &Tracked) {
        self.cost += job.cost * job.done;
        self.seconds += job.seconds;
    }

    /// Returns the measured time per unit of cost; `None` before the first progress.
    fn seconds_per_cost(&self) -> Option<f64> {
        (self.cost > 0.0).then(|| self.seconds / self.cost)
    }
}
