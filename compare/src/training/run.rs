//! The result of a training run.

use mlp_parity::metrics::{Epoch, Evaluation};

use crate::check::CheckReport;
use crate::record::RunRecord;

/// The result of a training run that was completed, or stopped by its observer.
#[derive(Clone, Debug)]
pub struct Run {
    /// The results that are stored: losses, accuracies and times of the epochs, and the confusion matrix.
    pub record: RunRecord,
    /// The epochs that were trained by this process, also those after which the network was not tested.
    pub trained_epochs: Vec<Epoch>,
    /// Evaluation on the test images after the last epoch that was tested; `None` if the run was stopped before.
    pub evaluation: Option<Evaluation>,
    /// The checks from the trained state; `None` if there were none.
    pub checks: Option<CheckReport>,
    /// True if the observer stopped the run before its last epoch was complete.
    pub stopped: bool,
}
