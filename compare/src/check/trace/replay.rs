//! Recording of a trace, and its comparison with the oracle.

use mlp_parity::{Arithmetic, Batch, Error, Result};

use super::model::{Step, Trace};
use super::read;
use crate::Participant;
use crate::check::bounds::Expected;
use crate::check::case::{Case, Plan};
use crate::check::follower::{Follower, Gradients};
use crate::check::judge::{self, scalar, tensors};
use crate::check::report::{Climb, Ladder, ORACLE};
use crate::check::suite::check;
use crate::check::tensor_check::{Rung, Title};

impl Trace {
    /// What a participant computes on the first batches of a case, under its first plan.
    ///
    /// # Errors
    ///
    /// What the participant reports.
    pub fn record(case: &Case, participant: &Participant, steps: usize) -> Result<Self> {
        case.validate()?;
        let mut model = participant.create(&case.config, &case.parameters)?;
        let Plan { optimizer, learning_rate, .. } = case.first_plan()?;
        let logits = model.logits(case.batches[0].images())?;
        let (loss, gradients) = model.loss_and_gradients(&case.batches[0])?;
        model.set_optimizer(&optimizer)?;
        // Logits, loss and gradients are of the first batch, which so belongs to a trace without steps too.
        let batches = &case.batches[..steps.clamp(1, case.batches.len())];
        let mut taken = vec![Step::default(); batches.len()];
        for (step, batch) in taken.iter_mut().zip(batches).take(steps) {
            step.loss = Some(f64::from(model.step(batch, learning_rate)?));
            step.parameters = tensors(&model.parameters()?);
        }
        Ok(Self {
            producer: format!("mlp-parity {}", participant.identity()),
            config: case.config.clone(),
            optimizer,
            learning_rate,
            is_double: false,
            initial: case.parameters.cast(),
            batches: batches.iter().map(Batch::cast).collect(),
            logits: Some(logits.mapv(f64::from)),
            loss: Some(f64::from(loss)),
            gradients: tensors(&gradients),
            steps: taken,
        })
    }

    /// The trace's own values, and everyone's from the same start on the same batches.
    ///
    /// # Errors
    ///
    /// What a participant reports.
    pub fn check(&self, participants: &[Participant]) -> Result<Ladder> {
        let own = self.climb()?;
        if own.checks.is_empty() {
            let reason = "has nothing to compare: no logits, loss, gradient or step";
            return Err(Error::parameters(format!("the trace ({})", self.producer), reason));
        }
        let mut ladder = Ladder { climbs: vec![own], missing: Some(self.missing()) };
        ladder.climbs.extend(check(&self.case(), participants)?.climbs);
        Ok(ladder)
    }

    /// What is not in the trace, and so is not compared.
    pub fn missing(&self) -> Vec<String> {
        let names = || self.initial.tensors().map(|(name, _)| name);
        let mut missing = Vec::new();
        missing.extend(self.logits.is_none().then(|| "logits".to_owned()));
        missing.extend(self.loss.is_none().then(|| "loss".to_owned()));
        missing
            .extend(names().filter(|name| !self.gradients.contains_key(name)).map(|name| format!("gradient.{name}")));
        for (number, step) in self.steps.iter().enumerate() {
            missing.extend(step.loss.is_none().then(|| format!("step.{number}.loss")));
            let incomplete = names().filter(|name| !step.parameters.contains_key(name));
            missing.extend(incomplete.map(|name| format!("step.{number}.{name}")));
        }
        missing
    }

    /// For participants, which compute in single precision, from the nearest values.
    fn case(&self) -> Case {
        Case {
            config: self.config.clone(),
            parameters: self.initial.cast(),
            batches: self.batches.iter().map(Batch::cast).collect(),
            dataset: None,
            plans: vec![Plan {
                name: self.optimizer.to_string(),
                optimizer: self.optimizer,
                learning_rate: self.learning_rate,
            }],
        }
    }

    /// Where the trace does not tell how its optimizer keeps its numbers, either way is right.
    fn climb(&self) -> Result<Climb> {
        let arithmetic =
            Arithmetic { sigmoid: [8.0, 2.0], ..if self.is_double { Arithmetic::DOUBLE } else { Arithmetic::SINGLE } };
        let climb = self.climb_with(&arithmetic)?;
        if self.is_double || climb.first_failure().is_none() {
            return Ok(climb);
        }
        let other = self.climb_with(&Arithmetic { single_hyper_parameters: true, ..arithmetic })?;
        Ok(if other.first_failure().is_none() { other } else { climb })
    }

    fn climb_with(&self, arithmetic: &Arithmetic) -> Result<Climb> {
        let name = format!("trace ({})", self.producer);
        let plan = self.optimizer.to_string();
        let title = Title {
            plan: "",
            rung: Rung::Logits,
            left: ORACLE,
            right: &name,
            step: None,
            unit_roundoff: arithmetic.unit_roundoff,
        };
        let expected = Expected::new(&self.config, &self.initial, &self.batches[0], arithmetic)?;
        let mut climb = Climb::default();
        let logits = self.logits.as_ref().map(|logits| logits.view());
        climb.take(judge::passes(&title, &expected, logits, self.loss, &self.gradients));
        climb.undecided = expected.undecided;

        let mut follower = Follower::new(&self.config, &self.optimizer, arithmetic)?;
        let mut before = Some(self.initial.clone());
        for (number, (step, batch)) in self.steps.iter().zip(&self.batches).enumerate() {
            let title = Title { plan: &plan, rung: Rung::Trajectory, step: Some(number), ..title };
            // Without all parameters before a step nothing can be said of it, nor, with an optimizer that remembers, of later ones.
            let Some(parameters) = &before else { break };
            let expected = Expected::new(&self.config, parameters, batch, arithmetic)?;
            climb.take(step.loss.map(|loss| scalar(&title, &expected.loss, loss)).into_iter().collect());
            let stepped = follower.step(parameters, &Gradients::of(expected), self.learning_rate)?;
            for one in stepped.iter().rev() {
                climb
                    .take(step.parameters.get(&one.name).map(|has| one.checks(&title, has.view())).unwrap_or_default());
            }
            if climb.first_failure().is_some() {
                // What follows from a wrong step is no other mistake.
                break;
            }
            before = read::parameters(&step.parameters).ok();
        }
        Ok(climb)
    }
}
