//! How long it still takes.

use std::time::Duration;

use super::job::Job;

/// Follows the jobs of a grid. What a job costs is known only in proportion, and for each participant on its own scale, which
/// is learned on the way.
#[derive(Clone, Debug)]
pub struct Estimate {
    jobs: Vec<Tracked>,
    threads: usize,
}

#[derive(Clone, Copy, Debug)]
struct Tracked {
    participant: usize,
    cost: f64,
    /// Share that is done.
    done: f64,
    /// Time that this took, in seconds.
    seconds: f64,
}

impl Estimate {
    /// Nothing is done.
    pub fn new(jobs: &[Job], threads: usize) -> Self {
        let track = |job: &Job| Tracked { participant: job.participant, cost: job.cost(), done: 0.0, seconds: 0.0 };
        Self { jobs: jobs.iter().map(track).collect(), threads }
    }

    /// Of the `index`-th job this share is done, after so long.
    pub fn advance(&mut self, index: usize, share: f64, time: Duration) {
        if let Some(job) = self.jobs.get_mut(index) {
            (job.done, job.seconds) = (share, time.as_secs_f64());
        }
    }

    /// How long the rest will take; `None` as long as nothing is known.
    pub fn left(&self) -> Option<Duration> {
        let pace = |of: &dyn Fn(&&Tracked) -> bool| {
            let known = || self.jobs.iter().filter(|job| of(job) && job.done > 0.0);
            let cost: f64 = known().map(|job| job.cost * job.done).sum();
            (cost > 0.0).then(|| known().map(|job| job.seconds).sum::<f64>() / cost)
        };
        let overall = pace(&|_| true)?;
        let left = |job: &Tracked| {
            let own = pace(&|other| other.participant == job.participant).unwrap_or(overall);
            job.cost * (1.0 - job.done) * own
        };
        let rest: Vec<f64> = self.jobs.iter().map(left).collect();
        let longest = rest.iter().copied().fold(0.0, f64::max);
        let all = rest.iter().sum::<f64>() / self.threads.clamp(1, self.jobs.len().max(1)) as f64;
        Duration::try_from_secs_f64(all.max(longest)).ok()
    }
}
