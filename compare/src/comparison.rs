//! The main job: the same parameters, batches and plans for everyone; checks, training, control, verdict.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use mlp_parity::metrics::Evaluation;
use mlp_parity::{Dataset, MlpConfig, Parameters};

use crate::agreement::{self, Case, Check, Ladder, Plan};
use crate::control::{self, Agreement, Names};
use crate::{Error, NamedPlan, Participant, Result, Run, Trial, Verdict, Watcher};

/// Who is compared, and on what.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The first one is compared with each of the others, and its twins are the control.
    pub participants: &'a [Participant],
    /// The shape of the network.
    pub config: &'a MlpConfig,
    /// Everyone is trained under each.
    pub plans: &'a [NamedPlan],
    /// What everyone starts from.
    pub parameters: &'a Parameters<f32>,
    /// The images to train with.
    pub train: &'a Dataset,
    /// The images to test with.
    pub test: &'a Dataset,
    /// How many twins make the control of each plan.
    pub twins: usize,
    /// How many runs go on side by side, each on one thread.
    pub threads: usize,
}

/// What a comparison came to, and all that led there.
#[derive(Debug)]
pub struct Outcome {
    /// The answer.
    pub verdict: Verdict,
    /// Why.
    pub reason: String,
    /// How far everyone came on the ladder.
    pub ladder: Ladder,
    /// Every run of a participant, by plan, without the twins.
    pub runs: Vec<Run>,
    /// Every judgement of trained networks.
    pub agreements: Vec<Agreement>,
    /// What made the verdict *failed*.
    pub error: Option<Error>,
}

impl Outcome {
    /// The program's exit code.
    pub fn exit_code(&self) -> u8 {
        self.error.as_ref().map_or(self.verdict.exit_code(), Error::exit_code)
    }

    /// The first check that failed.
    pub fn first_failure(&self) -> Option<&Check> {
        self.ladder.first_failure()
    }

    fn conclude(mut self, verdict: Verdict, reason: impl Into<String>) -> Self {
        self.verdict = verdict;
        self.reason = reason.into();
        self
    }
}

impl Comparison<'_> {
    /// Checks; where they hold, trains; judges.
    ///
    /// # Errors
    ///
    /// What a participant reports before training. What happens later is in the outcome, with all that was complete.
    pub fn run(&self, watcher: &dyn Watcher) -> Result<Outcome> {
        let mut outcome = Outcome {
            verdict: Verdict::Agree,
            reason: String::new(),
            ladder: self.check()?,
            runs: Vec::new(),
            agreements: Vec::new(),
            error: None,
        };
        if outcome.first_failure().is_some() {
            let reason = format!("{}. Nothing was trained", outcome.ladder.reason());
            return Ok(outcome.conclude(Verdict::Disagree, reason));
        }
        match self.train(watcher, &mut outcome) {
            Ok(Some(agreements)) => outcome.agreements = agreements,
            Ok(None) => return Ok(outcome.conclude(Verdict::Interrupted, "interrupted before all runs were complete")),
            Err(error) => {
                let reason = error.to_string();
                outcome.error = Some(error);
                return Ok(outcome.conclude(Verdict::Failed, reason));
            }
        }
        let apart = outcome.agreements.iter().find(|agreement| !agreement.passed).map(inconclusive_reason);
        Ok(match apart {
            Some(reason) => outcome.conclude(Verdict::Inconclusive, reason),
            None => outcome.conclude(
                Verdict::Agree,
                format!(
                    "every check holds, and the trained networks differ by no more than {} times what chance does to twins \
                     that start √steps ulps apart",
                    control::FACTOR
                ),
            ),
        })
    }

    /// Lets everyone climb the ladder, on the first images of the training set.
    ///
    /// # Errors
    ///
    /// What a participant reports.
    pub fn check(&self) -> Result<Ladder> {
        let Some(NamedPlan { plan: first, .. }) = self.plans.first() else {
            return Ok(Ladder { climbs: Vec::new(), missing: None });
        };
        let plans = self.plans.iter().map(Plan::from).collect();
        let parameters = self.parameters.clone();
        let case = Case::new(self.config.clone(), parameters, self.train, first.batch_size(), first.seed(), plans)?;
        Ok(agreement::check(&case, self.participants)?)
    }

    /// Trains everyone and the twins of the first participant under every plan, and judges; `None` if interrupted.
    fn train(&self, watcher: &dyn Watcher, outcome: &mut Outcome) -> Result<Option<Vec<Agreement>>> {
        let jobs = self.jobs();
        let runs = self.side_by_side(&jobs, watcher);
        let of_participants = runs.iter().filter(|(job, _)| matches!(job.role, Role::Participant(_)));
        outcome.runs.extend(of_participants.filter_map(|(_, run)| run.as_ref().ok()).cloned());

        let mut evaluations = BTreeMap::new();
        for (job, run) in runs {
            let run = run?;
            if let Some(evaluation) = run.evaluation.filter(|_| !run.stopped) {
                evaluations.insert(job, evaluation);
            }
        }
        let complete = evaluations.len() == jobs.len();
        Ok(complete.then(|| (0..self.plans.len()).flat_map(|plan| self.judge(plan, &evaluations)).collect()))
    }

    fn judge(&self, plan: usize, evaluations: &BTreeMap<Job, Evaluation>) -> Vec<Agreement> {
        let find = |role| evaluations.get(&Job { plan, role });
        let twins: Vec<&Evaluation> = (1..=self.twins).filter_map(|number| find(Role::Twin(number))).collect();
        let names: Vec<String> = self.participants.iter().map(|one| one.identity().to_string()).collect();
        let (Some(left), Some((left_name, others))) = (find(Role::Participant(0)), names.split_first()) else {
            return Vec::new();
        };
        let one = |(index, right_name): (usize, &String)| {
            let names = Names { plan: &self.plans[plan].name, left: left_name, right: right_name };
            Some(control::judge(names, left, find(Role::Participant(index + 1))?, &twins))
        };
        others.iter().enumerate().filter_map(one).collect()
    }

    /// What is begun last decides when all is done, so the longest runs come first: everyone but the first participant,
    /// and of the report's plans Adam's.
    fn jobs(&self) -> Vec<Job> {
        let of = |role: Role| (0..self.plans.len()).rev().map(move |plan| Job { plan, role });
        let mut jobs: Vec<Job> = (1..self.participants.len()).map(Role::Participant).flat_map(of).collect();
        for plan in (0..self.plans.len()).rev() {
            let twins = (1..=self.twins).map(Role::Twin);
            jobs.extend([Role::Participant(0)].into_iter().chain(twins).map(|role| Job { plan, role }));
        }
        jobs
    }

    /// The runs of these jobs, as many at a time as there are threads, each on one thread. After one that failed or was
    /// interrupted no other begins.
    fn side_by_side(&self, jobs: &[Job], watcher: &dyn Watcher) -> BTreeMap<Job, Result<Run>> {
        let runs = Mutex::new(BTreeMap::new());
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some(&job) = jobs.get(next.fetch_add(1, Ordering::Relaxed)) {
                let run = self.train_one(job, watcher);
                if !run.as_ref().is_ok_and(|run| !run.stopped) {
                    next.store(jobs.len(), Ordering::Relaxed);
                }
                runs.lock().unwrap_or_else(PoisonError::into_inner).insert(job, run);
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.threads.clamp(1, jobs.len().max(1)) {
                // An implementation that uses rayon finds one thread: its neighbour has the other ones.
                scope.spawn(|| match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
                    Ok(pool) => pool.install(work),
                    Err(_) => work(),
                });
            }
        });
        runs.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn train_one(&self, Job { plan, role }: Job, watcher: &dyn Watcher) -> Result<Run> {
        let (index, twin) = match role {
            Role::Participant(index) => (index, None),
            Role::Twin(number) => (0, Some(number)),
        };
        let (participant, plan) = (&self.participants[index], &self.plans[plan]);
        let identity = participant.identity();
        let (name, parameters) = match twin {
            Some(number) => {
                let ulps = control::twin_ulps(plan.plan.steps(self.train.len()));
                (format!("{identity} twin {number}"), self.parameters.ulps_away(ulps, number as u64))
            }
            None => (identity.to_string(), self.parameters.clone()),
        };
        let mut model = participant.create(self.config, &parameters)?;
        let trial = Trial { plan, train: self.train, test: self.test, test_each_epoch: twin.is_none() };
        trial.run(model.as_mut(), identity, &name, watcher)
    }
}

/// A run that is to be made, in the order of the outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Job {
    /// Index into the plans.
    plan: usize,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// Index into the participants.
    Participant(usize),
    /// A twin of the first participant, counted from 1.
    Twin(usize),
}

fn inconclusive_reason(agreement: &Agreement) -> String {
    let Agreement { plan, left, right, disagreements, accuracy_difference, .. } = agreement;
    format!(
        "every check holds, but under plan {plan} {right} differs from {left} on {disagreements} test images and by \
         {:+.2} points of accuracy, where the control allows {:.0} images and {:.2} points",
        accuracy_difference * 100.0,
        agreement.allowed_disagreements,
        agreement.allowed_accuracy_difference * 100.0,
    )
}
