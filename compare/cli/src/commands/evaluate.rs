//! `compare evaluate`: computes the test accuracy and loss of saved parameters.

use mlp_parity_compare::training;
use serde_json::json;

use crate::args::EvaluateOptions;
use crate::args::values;
use crate::error::Result;
use crate::implementation;
use crate::memory::ensure_loadable;
use crate::output::print::print_json;
use crate::output::terminal::Page;

/// Runs `compare evaluate` and returns the exit code.
pub(crate) fn run(options: &EvaluateOptions) -> Result<u8> {
    options.common.use_threads()?;
    ensure_loadable(&options.saved.file)?;
    let (config, parameters) = options.saved.network()?;
    let candidate = implementation::selected(options.implementation, &options.framework)?;
    let images = values::load(&options.source.data, None, options.test_size)?;
    let model = candidate.create(&config, &parameters)?;
    let evaluation = training::evaluate(model.as_ref(), &images.test)?;
    if options.common.json {
        let document = json!({
            "format": "mlp-parity-evaluation/2",
            "config": config,
            "dataset": images.record,
            "candidate": candidate.identity(),
            "test_accuracy": evaluation.accuracy,
            "test_loss": evaluation.loss,
        });
        print_json(serde_json::to_string_pretty(&document))?;
    } else {
        let mut page = Page::new();
        page.paragraph(&format!(
            "{}: {config}, by {}: accuracy {:.2} % of {} test images, loss {:.4}",
            options.saved.file.display(),
            candidate.identity(),
            evaluation.accuracy * 100.0,
            images.test.len(),
            evaluation.loss
        ));
        page.print()?;
    }
    Ok(0)
}
