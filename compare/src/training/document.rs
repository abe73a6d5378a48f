//! The JSON document of training runs and their comparison.

use mlp_parity::MlpConfig;
use serde::Serialize;

use super::outcome::Outcome;
use super::trained::{Agreement, Degenerate, Equivalence};
use crate::check::Check;
use crate::record::{DatasetRecord, Environment, RunContext, RunRecord};
use crate::{NamedTraining, Verdict};

/// Format and version of the document that [`document()`] writes, in its key `format`.
pub const RESULT_FORMAT: &str = "mlp-parity-result/2";

/// Returns training runs as a JSON document. If `outcome` is given, the document also contains the verdict, the checks
/// and the comparisons of the trained networks.
///
/// `compare/schemas/result.schema.json` describes the document.
///
/// # Errors
///
/// Any error that the serializer returns.
pub fn document(
    context: &RunContext<'_>,
    runs: &[&RunRecord],
    outcome: Option<&Outcome>,
) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Document<'a> {
        format: &'static str,
        #[serde(flatten)]
        verdict: Option<VerdictRecord<'a>>,
        config: &'a MlpConfig,
        dataset: &'a DatasetRecord,
        environment: &'a Environment,
        trainings: &'a [NamedTraining],
        #[serde(skip_serializing_if = "Option::is_none")]
        checks: Option<Vec<&'a Check>>,
        #[serde(skip_serializing_if = "Option::is_none")]
        checks_after_training: Option<Vec<&'a Check>>,
        runs: &'a [&'a RunRecord],
        #[serde(flatten)]
        trained: Option<Trained<'a>>,
    }
    #[derive(Serialize)]
    struct Trained<'a> {
        agreements: &'a [Agreement],
        equivalences: &'a [Equivalence],
        degenerate: &'a [Degenerate],
    }
    #[derive(Serialize)]
    struct VerdictRecord<'a> {
        verdict: Verdict,
        reason: &'a str,
    }
    serde_json::to_string_pretty(&Document {
        format: RESULT_FORMAT,
        verdict: outcome.map(|outcome| VerdictRecord { verdict: outcome.verdict, reason: &outcome.reason }),
        config: context.config,
        dataset: context.dataset,
        environment: context.environment,
        trainings: context.trainings,
        checks: outcome.map(|outcome| outcome.suite.checks().collect()),
        checks_after_training: outcome.map(|outcome| outcome.after_training.checks().collect()),
        runs,
        trained: outcome.map(|Outcome { agreements, equivalences, degenerate, .. }| Trained {
            agreements,
            equivalences,
            degenerate,
        }),
    })
}
