//! How long it still takes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::job::Job;

/// Follows the jobs of a grid. What a job costs is known only in proportion, and for each candidate on its own scale, which
/// is learned on the way.
#[derive(Clone, Debug)]
pub struct RemainingTime {
    jobs: Vec<Tracked>,
    threads: usize,
}

#[derive(Clone, Copy, Debug)]
struct Tracked {
    candidate: usize,
    cost: f64,
    /// Share that is done.
    done: f64,
    /// Time that this took, in seconds.
    seconds: f64,
}

impl RemainingTime {
    /// Nothing is done.
    pub fn new(jobs: &[Job], threads: usize) -> Self {
        let track = |job: &Job| Tracked { candidate: job.candidate, cost: job.cost(), done: 0.0, seconds: 0.0 };
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
        let mut of_all = Pace::default();
        let mut of_each: BTreeMap<usize, Pace> = BTreeMap::new();
        for job in &self.jobs {
            of_all.add(job);
            of_each.entry(job.candidate).or_default().add(job);
        }
        let overall = of_all.seconds_per_cost()?;
        let left = |job: &Tracked| {
            let own = of_each.get(&job.candidate).and_then(Pace::seconds_per_cost);
            job.cost * (1.0 - job.done) * own.unwrap_or(overall)
        };
        let rest: Vec<f64> = self.jobs.iter().map(left).collect();
        let longest = rest.iter().copied().fold(0.0, f64::max);
        let all = rest.iter().sum::<f64>() / self.threads.clamp(1, self.jobs.len().max(1)) as f64;
        Duration::try_from_secs_f64(all.max(longest)).ok()
    }
}

/// What was done, and the time that it took.
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

    /// `None` as long as nothing is done.
    fn seconds_per_cost(&self) -> Option<f64> {
        (self.cost > 0.0).then(|| self.seconds / self.cost)
    }
}
