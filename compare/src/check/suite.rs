//! Checking of all participants, and the assertion for tests.

use mlp_parity::{Differentiable, Result};

use super::case::Case;
use super::report::{Climb, Ladder};
use super::stages::climb;
use crate::Participant;

/// Lets everyone climb.
///
/// # Errors
///
/// What a participant reports.
pub fn check(case: &Case, participants: &[Participant]) -> Result<Ladder> {
    case.validate()?;
    let climb = |participant: &Participant| {
        let mut model = participant.create(&case.config, &case.parameters)?;
        climb(case, &participant.identity().to_string(), model.as_mut())
    };
    Ok(Ladder { climbs: participants.iter().map(climb).collect::<Result<_>>()?, missing: None })
}

/// Checks one network: a test of your own implementation in one line. It must have the parameters of the case. Returns what
/// was compared; [`Climb::not_implemented`] names the optimizers that it does not have, and that were skipped.
///
/// # Panics
///
/// If it leaves what rounding may do, naming the rung, the tensor and the element, or reports an error.
#[track_caller]
#[allow(clippy::panic, reason = "an assertion fails by panicking")]
pub fn assert_agreement(model: &mut dyn Differentiable, case: &Case) -> Climb {
    match climb(case, "the model", model) {
        Ok(climb) => match climb.first_failure() {
            Some(check) => panic!("{check}; {}", check.hint(&climb.checks)),
            None => climb,
        },
        Err(error) => panic!("the model cannot be checked: {error}"),
    }
}
