//! The program under diagnosis, which may be asked for more results than those that disagree.

use mlp_parity::{Differentiable, Optimizer, Result};

use crate::check::{
    Case, Check, Computation, LARGE_LOGITS, NAN_PROPAGATION, NamedOptimizer, Results, Stage, all_optimizers,
    with_large_logits,
};

/// Smallest number of steps that are observed.
const STEPS: usize = 3;

/// The program that computed the results.
pub(super) enum Program<'a> {
    /// A program that has left a trace, and cannot be asked.
    Recorded,
    /// A network in this process, with the optimizer of the results.
    Running(&'a mut dyn Differentiable, Optimizer),
}

impl<'a> Program<'a> {
    /// Returns the program of a network that failed a check, with the computation that shows the failure, and its results. `None`
    /// if the failure is not one of a forward pass, a backward pass or a step.
    ///
    /// # Errors
    ///
    /// Any error that the network returns.
    pub(super) fn running(
        model: &'a mut dyn Differentiable,
        case: &Case,
        failure: &Check,
    ) -> Result<Option<(Self, Computation, Results)>> {
        let Some(NamedOptimizer { optimizer, learning_rate, .. }) = optimizer(model, case, failure) else {
            return Ok(None);
        };
        let mut case = case.clone();
        if failure.scenario == LARGE_LOGITS {
            case.parameters = with_large_logits(&case.parameters);
        }
        // One step after the failure, for the state of the optimizer.
        let steps = failure.step.map_or(STEPS, |step| STEPS.max(step + 2));
        let computation = Computation::of_case(&case, &optimizer, learning_rate, steps, model.arithmetic());
        let mut program = Self::Running(model, optimizer);
        let results = program.observe(&computation)?;
        Ok(results.map(|results| (program, computation, results)))
    }

    /// Returns the results of a computation of the contract; `None` if the program cannot be asked.
    ///
    /// # Errors
    ///
    /// Any error that the network returns.
    pub(super) fn observe(&mut self, computation: &Computation) -> Result<Option<Results>> {
        match self {
            Self::Recorded => Ok(None),
            Self::Running(model, optimizer) => {
                Results::observe(*model, optimizer, computation, computation.batches.len()).map(Some)
            }
        }
    }
}

/// Returns the optimizer with which the failure shows; `None` if it does not show in logits, losses, gradients or steps.
fn optimizer(model: &mut dyn Differentiable, case: &Case, failure: &Check) -> Option<NamedOptimizer> {
    let named = |optimizer: &NamedOptimizer| optimizer.name == failure.scenario;
    match failure.stage {
        Stage::Parameters | Stage::TrainingLoop => None,
        Stage::Logits if failure.scenario == NAN_PROPAGATION => None,
        // Any optimizer that the network has: the first mistake may not be the only one.
        Stage::Logits | Stage::Loss | Stage::Gradients => {
            let plain = all_optimizers();
            let mut optimizers = case.optimizers.iter().chain(&plain);
            optimizers.find(|optimizer| model.set_optimizer(&optimizer.optimizer).is_ok()).cloned()
        }
        Stage::Update => all_optimizers().into_iter().find(named),
        Stage::Trajectory => case.optimizers.iter().find(|optimizer| named(optimizer)).cloned(),
    }
}
