//! The main job: the same parameters, batches and plans for everyone; checks, training, control, verdict.

use std::collections::BTreeMap;

use mlp_parity::metrics::Evaluation;
use mlp_parity::{Dataset, MlpConfig, Parameters};

use super::control::{self, Control};
use super::monitor::Monitor;
use super::outcome::{self, Outcome};
use super::parallel;
use super::run::Run;
use super::trained::{Agreement, Degenerate, Equivalence, Names, Score};
use super::trial::Trial;
use crate::check::{self, Case, Ladder, Plan};
use crate::statistics::Degeneracy;
use crate::{NamedPlan, Participant, Result, Verdict};

/// Who is compared, and on what.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The first one is compared with each of the others, and its twins are the control.
    pub participants: &'a [Participant],
    /// The shape of the network.
    pub config: &'a MlpConfig,
    /// Everyone is trained under each.
    pub plans: &'a [NamedPlan],
    /// How many seeds everyone is trained with, from each plan's own on. A seed decides the initial parameters
    /// ([`Parameters::glorot_uniform`]) and the batches, and so is the same for everyone.
    pub seeds: usize,
    /// By how much the accuracies may differ over several seeds, as a share of the images.
    pub margin: f64,
    /// How many twins make the control of each plan, where there is one seed.
    pub twins: usize,
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
    /// What a participant reports before training. What happens later is in the outcome, with all that was complete.
    pub fn run(&self, monitor: &Monitor<'_>) -> Result<Outcome> {
        let mut outcome = Outcome {
            verdict: Verdict::Agree,
            reason: String::new(),
            ladder: self.check()?,
            runs: Vec::new(),
            agreements: Vec::new(),
            equivalences: Vec::new(),
            degenerate: Vec::new(),
            error: None,
        };
        if outcome.first_failure().is_some() {
            let reason = format!("{}. Nothing was trained", outcome.ladder.reason());
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
        let parameters = Parameters::glorot_uniform(self.config, first.seed());
        let case = Case::new(self.config.clone(), parameters, self.train, first.batch_size(), first.seed(), plans)?;
        Ok(check::check(&case, self.participants)?)
    }

    /// Trains everyone and the twins of the first participant under every plan, and judges; false if interrupted.
    fn train(&self, monitor: &Monitor<'_>, outcome: &mut Outcome) -> Result<bool> {
        let jobs = self.jobs();
        let runs = self.side_by_side(&jobs, monitor);
        let of_participants = runs.iter().filter(|(job, _)| matches!(job.role, Role::Participant(_)));
        outcome.runs.extend(of_participants.filter_map(|(_, run)| run.as_ref().ok()).cloned());

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
        for plan in 0..self.plans.len() {
            outcome.agreements.extend(self.agreements(plan, &evaluations));
            if self.seeds > 1 {
                outcome.equivalences.extend(self.equivalences(plan, &evaluations));
            }
        }
        outcome.degenerate.extend(evaluations.iter().filter_map(|(job, evaluation)| self.degenerate(*job, evaluation)));
        Ok(true)
    }

    /// Everyone beside the first participant, with each seed.
    fn agreements(&self, plan: usize, evaluations: &Evaluations) -> Vec<Agreement> {
        let one = |(seed, other): (usize, usize)| {
            let find = |role| evaluations.get(&Job { plan, seed, role });
            let (left, right) = (find(Role::Participant(0))?, find(Role::Participant(other))?);
            let names = self.names(plan, other);
            let (number, classes) = (self.plans[plan].with_seed(seed).plan.seed(), self.config.classes());
            let mut agreement = Agreement::of(names, number, left, right, self.test, classes);
            if self.seeds == 1 {
                let twins: Vec<&Evaluation> = (1..=self.twins).filter_map(|twin| find(Role::Twin(twin))).collect();
                agreement.control = Some(Control::judge(left, right, &twins));
            }
            Some(agreement)
        };
        let others = 1..self.participants.len();
        others.flat_map(|other| (0..self.seeds).map(move |seed| (seed, other))).filter_map(one).collect()
    }

    /// Everyone beside the first participant, over all seeds.
    fn equivalences(&self, plan: usize, evaluations: &Evaluations) -> Vec<Equivalence> {
        let over_seeds = |index| -> Vec<Score> {
            let role = Role::Participant(index);
            (0..self.seeds).filter_map(|seed| evaluations.get(&Job { plan, seed, role }).map(Score::from)).collect()
        };
        let others = 1..self.participants.len();
        let judge =
            |other| Equivalence::judge(self.names(plan, other), &over_seeds(0), &over_seeds(other), self.margin);
        others.map(judge).collect()
    }

    fn degenerate(&self, Job { plan, seed, role }: Job, evaluation: &Evaluation) -> Option<Degenerate> {
        let Role::Participant(index) = role else { return None };
        let plan = self.plans[plan].with_seed(seed);
        Some(Degenerate {
            degeneracy: Degeneracy::of(evaluation, self.test.labels())?,
            participant: self.participants[index].identity().to_string(),
            seed: plan.plan.seed(),
            plan: plan.name,
            accuracy: evaluation.accuracy,
        })
    }

    fn names(&self, plan: usize, other: usize) -> Names {
        let name = |index: usize| self.participants[index].identity().to_string();
        Names { plan: self.plans[plan].name.clone(), left: name(0), right: name(other) }
    }

    /// What is begun last decides when all is done, so the longest runs come first: everyone but the first participant,
    /// and of the report's plans Adam's.
    fn jobs(&self) -> Vec<Job> {
        let with_seeds = |plan, role| (0..self.seeds).map(move |seed| Job { plan, seed, role });
        let plans = || (0..self.plans.len()).rev();
        let others = (1..self.participants.len()).map(Role::Participant);
        let mut jobs: Vec<Job> = others.flat_map(|role| plans().flat_map(move |plan| with_seeds(plan, role))).collect();
        let twins = if self.seeds == 1 { self.twins } else { 0 };
        for plan in plans() {
            let first = with_seeds(plan, Role::Participant(0));
            jobs.extend(first.chain((1..=twins).flat_map(|twin| with_seeds(plan, Role::Twin(twin)))));
        }
        jobs
    }

    /// The runs of these jobs. After one that failed or was interrupted no other begins.
    fn side_by_side(&self, jobs: &[Job], monitor: &Monitor<'_>) -> BTreeMap<Job, Result<Run>> {
        let work = |&job: &Job| self.train_one(job, monitor);
        let goes_on = |run: &Result<Run>| run.as_ref().is_ok_and(|run| !run.stopped);
        let runs = parallel::side_by_side(jobs, self.threads, work, goes_on);
        runs.into_iter().map(|(index, run)| (jobs[index], run)).collect()
    }

    fn train_one(&self, Job { plan, seed, role }: Job, monitor: &Monitor<'_>) -> Result<Run> {
        let plan = &self.plans[plan].with_seed(seed);
        let mut parameters = Parameters::glorot_uniform(self.config, plan.plan.seed());
        let index = if let Role::Participant(index) = role { index } else { 0 };
        let identity = self.participants[index].identity();
        let mut name = identity.to_string();
        if let Role::Twin(number) = role {
            name += &format!(" twin {number}");
            parameters = parameters.ulps_away(control::twin_ulps(plan.plan.steps(self.train.len())), number as u64);
        }
        if self.seeds > 1 {
            name += &format!(" seed {}", plan.plan.seed());
        }
        let mut model = self.participants[index].create(self.config, &parameters)?;
        let is_twin = matches!(role, Role::Twin(_));
        let trial = Trial { plan, train: self.train, test: self.test, test_each_epoch: !is_twin };
        let run = trial.run(model.as_mut(), identity, &name, monitor)?;
        if !is_twin {
            monitor.run_ended(&run, model.as_ref())?;
        }
        Ok(run)
    }
}

type Evaluations = BTreeMap<Job, Evaluation>;

/// A run that is to be made, in the order of the outcome.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Job {
    /// Index into the plans.
    plan: usize,
    /// Counted from 0.
    seed: usize,
    role: Role,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    /// Index into the participants.
    Participant(usize),
    /// A twin of the first participant, counted from 1.
    Twin(usize),
}
