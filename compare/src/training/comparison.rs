//! The main job: the same parameters, batches and trainings for everyone; checks, training, control, verdict.

use std::collections::BTreeMap;

use mlp_parity::metrics::Evaluation;
use mlp_parity::{Dataset, MlpConfig, Parameters};

use super::control::{self, Control};
use super::monitor::Monitor;
use super::outcome::{self, Outcome};
use super::parallel;
use super::run::Run;
use super::trained::{Agreement, Degenerate, Equivalence, Score, TrainedPair};
use super::trial::Trial;
use crate::check::{self, Case, NamedOptimizer, SuiteReport};
use crate::statistics::Degeneracy;
use crate::{Candidate, NamedTraining, Result, Verdict};

/// Who is compared, and on what.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The first one is compared with each of the others, and its replicas are the control.
    pub candidates: &'a [Candidate],
    /// The shape of the network.
    pub config: &'a MlpConfig,
    /// Everyone is trained under each.
    pub trainings: &'a [NamedTraining],
    /// How many seeds everyone is trained with, from each training's own on. A seed decides the initial parameters
    /// ([`Parameters::glorot_uniform`]) and the batches, and so is the same for everyone.
    pub seeds: usize,
    /// By how much the accuracies may differ over several seeds, as a share of the images.
    pub margin: f64,
    /// How many replicas make the control of each training, where there is one seed.
    pub replicas: usize,
    /// The images to train with.
    pub train: &'a Dataset,
    /// The images to test with.
    pub test: &'a Dataset,
    /// How many runs go on side by side, each on one thread.
    pub threads: usize,
}

impl Comparison<'_> {
    /// Checks; where they hold, trains; judges.
    ///
    /// # Errors
    ///
    /// What a candidate reports before training. What happens later is in the outcome, with all that was complete.
    pub fn run(&self, monitor: &Monitor<'_>) -> Result<Outcome> {
        let mut outcome = Outcome {
            verdict: Verdict::Agree,
            reason: String::new(),
            suite: self.check()?,
            runs: Vec::new(),
            agreements: Vec::new(),
            equivalences: Vec::new(),
            degenerate: Vec::new(),
            error: None,
        };
        if outcome.first_failure().is_some() {
            let reason = format!("{}. Nothing was trained", outcome.suite.reason());
            return Ok(outcome.conclude(Verdict::Disagree, reason));
        }
        match self.train(monitor, &mut outcome) {
            Ok(true) => {}
            Ok(false) => return Ok(outcome.conclude(Verdict::Interrupted, "interrupted before all runs were complete")),
            Err(error) => {
                let reason = error.to_string();
                outcome.error = Some(error);
                return Ok(outcome.conclude(Verdict::Failed, reason));
            }
        }
        let (verdict, reason) = outcome::of_trained(&outcome);
        Ok(outcome.conclude(verdict, reason))
    }

    /// Lets everyone report the suite, on the first images of the training set.
    ///
    /// # Errors
    ///
    /// What a candidate reports.
    pub fn check(&self) -> Result<SuiteReport> {
        let Some(NamedTraining { config: first, .. }) = self.trainings.first() else {
            return Ok(SuiteReport { reports: Vec::new(), missing: None });
        };
        let trainings = self.trainings.iter().map(NamedOptimizer::from).collect();
        let parameters = Parameters::glorot_uniform(self.config, first.seed());
        let case = Case::new(self.config.clone(), parameters, self.train, first.batch_size(), first.seed(), trainings)?;
        Ok(check::check(&case, self.candidates)?)
    }

    /// Trains everyone and the replicas of the first candidate under every training, and judges; false if interrupted.
    fn train(&self, monitor: &Monitor<'_>, outcome: &mut Outcome) -> Result<bool> {
        let jobs = self.jobs();
        let runs = self.side_by_side(&jobs, monitor);
        let of_candidates = runs.iter().filter(|(job, _)| matches!(job.role, Role::Candidate(_)));
        outcome.runs.extend(of_candidates.filter_map(|(_, run)| run.as_ref().ok()).cloned());

        let mut evaluations = Evaluations::new();
        for (job, run) in runs {
            let run = run?;
            if let Some(evaluation) = run.evaluation.filter(|_| !run.stopped) {
                evaluations.insert(job, evaluation);
            }
        }
        if evaluations.len() < jobs.len() {
            return Ok(false);
        }
        for training in 0..self.trainings.len() {
            outcome.agreements.extend(self.agreements(training, &evaluations));
            if self.seeds > 1 {
                outcome.equivalences.extend(self.equivalences(training, &evaluations));
            }
        }
        outcome.degenerate.extend(evaluations.iter().filter_map(|(job, evaluation)| self.degenerate(*job, evaluation)));
        Ok(true)
    }

    /// Everyone beside the first candidate, with each seed.
    fn agreements(&self, training: usize, evaluations: &Evaluations) -> Vec<Agreement> {
        let one = |(seed, other): (usize, usize)| {
            let find = |role| evaluations.get(&RunKey { training, seed, role });
            let (left, right) = (find(Role::Candidate(0))?, find(Role::Candidate(other))?);
            let pair = self.pair(training, other);
            let (number, classes) = (self.trainings[training].with_seed(seed).config.seed(), self.config.classes());
            let mut agreement = Agreement::of(pair, number, left, right, self.test, classes);
            if self.seeds == 1 {
                let replicas: Vec<&Evaluation> =
                    (1..=self.replicas).filter_map(|replica| find(Role::Replica(replica))).collect();
                agreement.control = Some(Control::new(left, right, &replicas));
            }
            Some(agreement)
        };
        let others = 1..self.candidates.len();
        others.flat_map(|other| (0..self.seeds).map(move |seed| (seed, other))).filter_map(one).collect()
    }

    /// Everyone beside the first candidate, over all seeds.
    fn equivalences(&self, training: usize, evaluations: &Evaluations) -> Vec<Equivalence> {
        let over_seeds = |index| -> Vec<Score> {
            let role = Role::Candidate(index);
            (0..self.seeds)
                .filter_map(|seed| evaluations.get(&RunKey { training, seed, role }).map(Score::from))
                .collect()
        };
        let others = 1..self.candidates.len();
        let judge =
            |other| Equivalence::test(self.pair(training, other), &over_seeds(0), &over_seeds(other), self.margin);
        others.map(judge).collect()
    }

    fn degenerate(&self, RunKey { training, seed, role }: RunKey, evaluation: &Evaluation) -> Option<Degenerate> {
        let Role::Candidate(index) = role else { return None };
        let training = self.trainings[training].with_seed(seed);
        Some(Degenerate {
            degeneracy: Degeneracy::of(evaluation, self.test.labels())?,
            candidate: self.candidates[index].identity().to_string(),
            seed: training.config.seed(),
            training: training.name,
            accuracy: evaluation.accuracy,
        })
    }

    fn pair(&self, training: usize, other: usize) -> TrainedPair {
        let name = |index: usize| self.candidates[index].identity().to_string();
        TrainedPair { training: self.trainings[training].name.clone(), first: name(0), second: name(other) }
    }

    /// What is begun last decides when all is done, so the longest runs come first: everyone but the first candidate,
    /// and of the report's trainings Adam's.
    fn jobs(&self) -> Vec<RunKey> {
        let with_seeds = |training, role| (0..self.seeds).map(move |seed| RunKey { training, seed, role });
        let trainings = || (0..self.trainings.len()).rev();
        let others = (1..self.candidates.len()).map(Role::Candidate);
        let mut jobs: Vec<RunKey> =
            others.flat_map(|role| trainings().flat_map(move |training| with_seeds(training, role))).collect();
        let replicas = if self.seeds == 1 { self.replicas } else { 0 };
        for training in trainings() {
            let first = with_seeds(training, Role::Candidate(0));
            jobs.extend(first.chain((1..=replicas).flat_map(|replica| with_seeds(training, Role::Replica(replica)))));
        }
        jobs
    }

    /// The runs of these jobs. After one that failed or was interrupted no other begins.
    fn side_by_side(&self, jobs: &[RunKey], monitor: &Monitor<'_>) -> BTreeMap<RunKey, Result<Run>> {
        let work = |&job: &RunKey| self.train_one(job, monitor);
        let goes_on = |run: &Result<Run>| run.as_ref().is_ok_and(|run| !run.stopped);
        let runs = parallel::side_by_side(jobs, self.threads, work, goes_on);
        runs.into_iter().map(|(index, run)| (jobs[index], run)).collect()
    }

    fn train_one(&self, RunKey { training, seed, role }: RunKey, monitor: &Monitor<'_>) -> Result<Run> {
        let training = &self.trainings[training].with_seed(seed);
        let mut parameters = Parameters::glorot_uniform(self.config, training.config.seed());
        let index = if let Role::Candidate(index) = role { index } else { 0 };
        let identity = self.candidates[index].identity();
        let mut name = identity.to_string();
        if let Role::Replica(number) = role {
            name += &format!(" replica {number}");
            parameters = parameters
                .ulps_away(control::perturbation_ulps(training.config.steps(self.train.len())), number as u64);
        }
        if self.seeds > 1 {
            name += &format!(" seed {}", training.config.seed());
        }
        let mut model = self.candidates[index].create(self.config, &parameters)?;
        let is_replica = matches!(role, Role::Replica(_));
        let trial = Trial { training, train: self.train, test: self.test, test_each_epoch: !is_replica };
        let run = trial.run(model.as_mut(), identity, &name, monitor)?;
        if !is_replica {
            monitor.run_ended(&run, model.as_ref())?;
        }
        Ok(run)
    }
}

type Evaluations = BTreeMap<RunKey, Evaluation>;

/// A run that is to be made, in the order of the outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RunKey {
    /// Index into the trainings.
    training: usize,
    /// Counted from 0.
    seed: usize,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// Index into the candidates.
    Candidate(usize),
    /// A replica of the first candidate, counted from 1.
    Replica(usize),
}
