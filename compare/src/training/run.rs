//! The result of a run.

use mlp_parity::metrics::Evaluation;

use crate::record::RunRecord;

/// A run that came to its end, or was interrupted.
#[derive(Clone, Debug)]
pub struct Run {
    /// Its figures.
    pub record: RunRecord,
    /// On the test images, after the last complete epoch.
    pub evaluation: Option<Evaluation>,
    /// Whether it was interrupted.
    pub stopped: bool,
}
