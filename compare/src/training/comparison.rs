//! The comparison of candidates from beginning to end: check suite, training runs, control or equivalence tests,
//! verdict.

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
use crate::check::{Case, NamedOptimizer, SuiteReport};
use crate::diagnosis;
use crate::statistics::{Degeneracy, Seeds};
use crate::{Candidate, NamedTraining, Result, Verdict};

/// A comparison of candidates: the implementations, the network, the training configurations and the data.
///
/// [`run`](Self::run) checks all candidates, trains them and returns the [`Outcome`]. All candidates start from the
/// same parameters and receive the same batches in the same order.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The implementations. The first one is compared with each of the others, and the control consists of its
    /// replicas.
    pub candidates: &'a [Candidate],
    /// The shape of the network.
    pub config: &'a MlpConfig,
    /// The training configurations. Every candidate is trained with each of them.
    pub trainings: &'a [NamedTraining],
    /// Number of seeds, at least 1: each training configuration is used with its own seed and those that follow. A seed
    /// determines the initial parameters ([`Parameters::glorot_uniform`]) and the order of the images.
    pub seeds: Seeds,
    /// Margin of the equivalence test over several seeds: accuracies that differ by less are equivalent. A fraction of
    /// the test images, such as [`MARGIN`](crate::statistics::MARGIN).
    pub margin: f64,
    /// Number of control replicas per training configuration. They are trained only if there is a single seed.
    pub replicas: usize,
    /// The training images.
    pub train: &'a Dataset,
    /// The test images.
    pub test: &'a Dataset,
    /// Number of training runs that take place at the same time, each on one thread.
    pub threads: usize,
}

impl Comparison<'_> {
    /// Runs the check suite and, if all checks pass, the training runs, and reaches a verdict.
    ///
    /// [`Verdict`] lists the rules that decide.
    ///
    /// # Errors
    ///
    /// The errors of [`check`](Self::check). If the monitor has a checkpoint store, also the errors of
    /// [`CheckpointStore::restore`](super::CheckpointStore::restore) for each run, before anything is computed. An error
    /// during training leads to an outcome with [`Verdict::Failed`] instead, which contains the error and all other
    /// runs.
    pub fn run(&self, monitor: &Monitor<'_>) -> Result<Outcome> {
        self.check_checkpoints(monitor)?;
        let mut outcome = Outcome {
            verdict: Verdict::Agree,
            reason: String::new(),
            suite: self.check()?,
            after_training: SuiteReport { reports: Vec::new(), trace: None },
            runs: Vec::new(),
            replicas: Vec::new(),
            agreements: Vec::new(),
            equivalences: Vec::new(),
            degenerate: Vec::new(),
            error: None,
        };
        if outcome.first_failure().is_some() {
            let reason = format!("{}; no network was trained", outcome.suite.reason());
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
        let (verdict, reason) = outcome::trained_verdict(&outcome);
        Ok(outcome.conclude(verdict, reason))
    }

    /// Runs the check suite on all candidates, with the first images of the training set, and the batch size and seed
    /// of the first training configuration. Without a training configuration, nothing is checked.
    ///
    /// # Errors
    ///
    /// [`Error::Contract`](crate::Error::Contract) with the first error that a candidate returns, or if the images do
    /// not fit the network.
    pub fn check(&self) -> Result<SuiteReport> {
        let Some(NamedTraining { config: first, .. }) = self.trainings.first() else {
            return Ok(SuiteReport { reports: Vec::new(), trace: None });
        };
        let trainings = self.trainings.iter().map(NamedOptimizer::from).collect();
        let parameters = Parameters::glorot_uniform(self.config, first.seed());
        let case = Case::new(self.config.clone(), parameters, self.train, first.batch_size(), first.seed(), trainings)?;
        Ok(diagnosis::check(&case, self.candidates)?)
    }

    /// Checks that every run can be restored from its checkpoint, if there is one.
    fn check_checkpoints(&self, monitor: &Monitor<'_>) -> Result<()> {
        let Some(store) = monitor.checkpoints else { return Ok(()) };
        // Restoring changes a network, so these are used for nothing else.
        let zeros = Parameters::zeros(self.config);
        let create = |candidate: &Candidate| candidate.create(self.config, &zeros);
        let mut models = self.candidates.iter().map(create).collect::<mlp_parity::Result<Vec<_>>>()?;
        for job in self.jobs(&vec![self.seeds.most(); self.trainings.len()]) {
            let (training, name) = self.title(job);
            let candidate = &self.candidates[job.role.candidate()];
            store.restore(&training, candidate.identity(), &name, models[job.role.candidate()].as_mut())?;
        }
        Ok(())
    }

    /// Trains all candidates and control replicas, and adds the runs and their comparisons to `outcome`. Returns false
    /// if a run was stopped by its observer, or the monitor reports an interrupt.
    fn train(&self, monitor: &Monitor<'_>, outcome: &mut Outcome) -> Result<bool> {
        monitor.training_changed(true);
        let (runs, seeds) = self.run_rounds(monitor);
        monitor.training_changed(false);
        // The outcome contains all runs without an error, even if another one failed.
        for (job, run) in &runs {
            match (job.role, run) {
                (Role::Candidate(_), Ok(run)) => outcome.runs.push(run.clone()),
                (Role::Replica(_), Ok(run)) if !run.stopped => outcome.replicas.push(run.clone()),
                _ => {}
            }
        }
        outcome.after_training.reports.extend(outcome.runs.iter().filter_map(|run| run.checks.clone()));

        let mut evaluations = Evaluations::new();
        let scores = scores(&runs);
        for (job, run) in runs {
            let run = run?;
            if let Some(evaluation) = run.evaluation.filter(|_| !run.stopped) {
                evaluations.insert(job, evaluation);
            }
        }
        if evaluations.len() < self.jobs(&seeds).len() || monitor.interrupted() {
            return Ok(false);
        }
        for (training, seeds) in seeds.into_iter().enumerate() {
            outcome.agreements.extend(self.agreements(training, seeds, &evaluations));
            if !self.is_single() {
                outcome.equivalences.extend(self.equivalences(training, &scores));
            }
        }
        outcome.degenerate.extend(evaluations.iter().filter_map(|(job, evaluation)| self.degenerate(*job, evaluation)));
        Ok(true)
    }

    /// Compares the predictions of the first candidate with those of every other candidate, seed by seed.
    fn agreements(&self, training: usize, seeds: usize, evaluations: &Evaluations) -> Vec<Agreement> {
        let compare = |(seed, other): (usize, usize)| {
            let find = |role| evaluations.get(&RunKey { training, seed, role });
            let (first, second) = (find(Role::Candidate(0))?, find(Role::Candidate(other))?);
            let pair = self.pair(training, other);
            let seed_value = self.trainings[training].with_seed(seed).config.seed();
            let mut agreement = Agreement::new(pair, seed_value, first, second, self.test, self.config.classes());
            if self.is_single() {
                let replicas: Vec<&Evaluation> =
                    (1..=self.replicas).filter_map(|replica| find(Role::Replica(replica))).collect();
                agreement.control = Some(Control::new(first, second, &replicas));
            }
            Some(agreement)
        };
        let others = 1..self.candidates.len();
        others.flat_map(|other| (0..seeds).map(move |seed| (seed, other))).filter_map(compare).collect()
    }

    /// Tests the equivalence of the first candidate and every other candidate over all seeds, with the scores of complete
    /// runs.
    fn equivalences(&self, training: usize, scores: &BTreeMap<RunKey, Score>) -> Vec<Equivalence> {
        let over_seeds = |index| -> Vec<Score> {
            let role = Role::Candidate(index);
            (0..).map_while(|seed| scores.get(&RunKey { training, seed, role }).copied()).collect()
        };
        let test = |other| {
            let (pair, first, second) = (self.pair(training, other), over_seeds(0), over_seeds(other));
            match self.seeds {
                Seeds::Fixed(_) => Equivalence::test(pair, &first, &second, self.margin),
                Seeds::Auto(plan) => Equivalence::sequential(pair, &first, &second, self.margin, plan),
            }
        };
        (1..self.candidates.len()).map(test).collect()
    }

    /// Returns true if there is a single seed, so that control replicas show the effect of chance.
    fn is_single(&self) -> bool {
        self.seeds.most() == 1
    }

    /// Examines a candidate's trained network for signs that it learned nothing; returns `None` if there are none.
    /// Control replicas are not examined.
    fn degenerate(&self, RunKey { training, seed, role }: RunKey, evaluation: &Evaluation) -> Option<Degenerate> {
        let Role::Candidate(index) = role else { return None };
        let training = self.trainings[training].with_seed(seed);
        Some(Degenerate {
            degeneracy: Degeneracy::detect(evaluation, self.test.labels())?,
            candidate: self.candidates[index].identity().to_string(),
            seed: training.config.seed(),
            training: training.name,
            accuracy: evaluation.accuracy,
        })
    }

    /// Returns the names of the training configuration with the index `training`, of the first candidate, and of the
    /// candidate with the index `other`.
    fn pair(&self, training: usize, other: usize) -> TrainedPair {
        let name = |index: usize| self.candidates[index].identity().to_string();
        TrainedPair { training: self.trainings[training].name.clone(), first: name(0), second: name(other) }
    }

    /// Lists all runs in the order in which they start. The longest come first, because the runs that start last
    /// determine when all are complete: the other candidates before the first one and its replicas, and of the training
    /// configurations the last one, which for the report's two is Adam.
    ///
    /// `seeds` is the number of seeds of each training configuration.
    fn jobs(&self, seeds: &[usize]) -> Vec<RunKey> {
        let with_seeds = |training: usize, role| {
            let seeds = seeds.get(training).copied().unwrap_or(0);
            (0..seeds).map(move |seed| RunKey { training, seed, role })
        };
        let trainings = || (0..self.trainings.len()).rev();
        let others = (1..self.candidates.len()).map(Role::Candidate);
        let mut jobs: Vec<RunKey> =
            others.flat_map(|role| trainings().flat_map(move |training| with_seeds(training, role))).collect();
        let replicas = if self.is_single() { self.replicas } else { 0 };
        for training in trainings() {
            let first = with_seeds(training, Role::Candidate(0));
            jobs.extend(first.chain((1..=replicas).flat_map(|replica| with_seeds(training, Role::Replica(replica)))));
        }
        jobs
    }

    /// Trains all networks and, if the number of seeds is not fixed, adds seeds to the training configurations of which a
    /// pair is not decided. Returns the runs, and the number of seeds of each training configuration.
    fn run_rounds(&self, monitor: &Monitor<'_>) -> (BTreeMap<RunKey, Result<Run>>, Vec<usize>) {
        let mut seeds = vec![self.seeds.fewest(); self.trainings.len()];
        let mut runs = BTreeMap::new();
        loop {
            let jobs: Vec<RunKey> = self.jobs(&seeds).into_iter().filter(|job| !runs.contains_key(job)).collect();
            runs.extend(self.run_all(&jobs, monitor));
            if jobs.iter().any(|job| !runs.get(job).is_some_and(is_complete)) || monitor.interrupted() {
                return (runs, seeds);
            }
            let scores = scores(&runs);
            let next = (0..self.trainings.len()).map(|training| {
                let pairs = self.equivalences(training, &scores);
                pairs.iter().map(Equivalence::next_look).max().unwrap_or_default().max(self.seeds.fewest())
            });
            let next: Vec<usize> = next.collect();
            if self.seeds.plan().is_none() || next == seeds {
                return (runs, seeds);
            }
            seeds = next;
        }
    }

    /// Trains all networks in parallel. Once a run has failed or was stopped, or the monitor reports an interrupt, no
    /// further run starts. The interrupt stops only those runs that have batches left.
    fn run_all(&self, jobs: &[RunKey], monitor: &Monitor<'_>) -> BTreeMap<RunKey, Result<Run>> {
        let work = |&job: &RunKey| self.train_one(job, monitor);
        let keep_going = |run: &Result<Run>| is_complete(run) && !monitor.interrupted();
        let runs = parallel::run_parallel(jobs, self.threads, work, keep_going);
        runs.into_iter().map(|(index, run)| (jobs[index], run)).collect()
    }

    /// Returns the training configuration of a run, with its seed, and the name of the network: that of the candidate,
    /// with the number of a control replica and, if there are several seeds, the seed.
    fn title(&self, RunKey { training, seed, role }: RunKey) -> (NamedTraining, String) {
        let training = self.trainings[training].with_seed(seed);
        let mut name = self.candidates[role.candidate()].identity().to_string();
        if let Role::Replica(number) = role {
            name += &format!(" replica {number}");
        }
        if !self.is_single() {
            name += &format!(" seed {}", training.config.seed());
        }
        (training, name)
    }

    /// Trains one network and reports it to the monitor, unless it is a control replica.
    fn train_one(&self, job: RunKey, monitor: &Monitor<'_>) -> Result<Run> {
        let (training, name) = &self.title(job);
        let mut parameters = Parameters::glorot_uniform(self.config, training.config.seed());
        if let Role::Replica(number) = job.role {
            let ulps = control::perturbation_ulps(training.config.steps(self.train.len()));
            parameters = parameters.perturbed(ulps, number as u64);
        }
        // From here on, candidates and replicas differ only in that replicas are tested once, and not reported.
        let candidate = &self.candidates[job.role.candidate()];
        let mut model = candidate.create(self.config, &parameters)?;
        let is_replica = matches!(job.role, Role::Replica(_));
        let check_after_training = !is_replica && job.seed == 0;
        let (train, test) = (self.train, self.test);
        let trial = Trial { training, train, test, test_each_epoch: !is_replica, check_after_training };
        let run = trial.run(model.as_mut(), candidate.identity(), name, monitor)?;
        if !is_replica {
            monitor.run_ended(&run, model.as_ref())?;
        }
        Ok(run)
    }
}

/// Returns true if a run was neither stopped nor failed.
fn is_complete(run: &Result<Run>) -> bool {
    run.as_ref().is_ok_and(|run| !run.stopped)
}

/// Returns the scores of the candidates' complete runs.
fn scores(runs: &BTreeMap<RunKey, Result<Run>>) -> BTreeMap<RunKey, Score> {
    let complete = runs.iter().filter(|(key, run)| matches!(key.role, Role::Candidate(_)) && is_complete(run));
    complete.filter_map(|(key, run)| Some((*key, Score::after(&run.as_ref().ok()?.record.epochs)?))).collect()
}

/// The evaluations of all runs that are complete.
type Evaluations = BTreeMap<RunKey, Evaluation>;

/// Identifies a training run. The order of the fields is the order of the runs in the [`Outcome`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct RunKey {
    /// Index of the training configuration in [`Comparison::trainings`].
    training: usize,
    /// Index of the seed, counted from 0.
    seed: usize,
    /// The network that is trained.
    role: Role,
}

/// The network that a run trains: a candidate or a control replica.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// The candidate with this index.
    Candidate(usize),
    /// The control replica with this number, counted from 1.
    Replica(usize),
}

impl Role {
    /// Returns the index of the candidate that computes the network. Replicas are those of the first candidate.
    fn candidate(self) -> usize {
        match self {
            Self::Candidate(index) => index,
            Self::Replica(_) => 0,
        }
    }
}
