//! Saved parameters on the test images.

use mlp_parity_compare::Result;
use serde_json::json;

use super::{print, print_json};
use crate::cli::EvaluateOptions;
use crate::{implementation, options};

pub(crate) fn run(options: &EvaluateOptions) -> Result<u8> {
    options.common.use_threads()?;
    let (config, parameters) = options.saved.network()?;
    let participant = implementation::named(options.implementation, &options.framework, config.activation())?;
    let images = options::load(&options.source.data, None, options.test_size)?;
    let evaluation = participant.create(&config, &parameters)?.evaluate(&images.test)?;
    if options.common.json {
        let document = json!({
            "format": "mlp-parity-evaluation/1",
            "config": config,
            "dataset": images.record,
            "participant": participant.identity(),
            "test_accuracy": evaluation.accuracy,
            "test_loss": if evaluation.loss.is_finite() { json!(evaluation.loss) } else { json!(evaluation.loss.to_string()) },
        });
        print_json(serde_json::to_string_pretty(&document))?;
    } else {
        print(format_args!(
            "{}: {config}, by {}: accuracy {:.2} % of {} test images, loss {:.4}",
            options.saved.file.display(),
            participant.identity(),
            evaluation.accuracy * 100.0,
            images.test.len(),
            evaluation.loss
        ))?;
    }
    Ok(0)
}
