//! `compare evaluate`: computes the test accuracy and loss of saved parameters.

use mlp_parity_compare::training;
use serde_json::json;

use crate::args::EvaluateOptions;
use crate::args::values;
use crate::error::Result;
use crate::implementation;
use crate::output::print::print_json;
use crate::output::terminal::Page;

/// Runs `compare evaluate` and returns the exit code.
pub(crate) fn run(options: &EvaluateOptions) -> Result<u8> {
    options.common.use_threads()?;
    let candidate = implementation::selected(options.implementation, &options.framework)?;
    let images = values::load(&options.source.data, None, options.test_size)?;
    let network = options.saved.network(options.common.quiet, || Ok(images.test.clone()))?;
    network.check_classes(&images.test)?;
    let model = candidate.create(&network.config, &network.parameters)?;
    let evaluation = training::evaluate(model.as_ref(), &images.test)?;
    let config = &network.config;
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
        if let Some((name, accuracy)) = network.better_scaling(evaluation.accuracy, &images.test)? {
            page.paragraph(&format!(
                "With --pixels {name}, the accuracy is {:.2} %: the network was probably trained with pixels scaled that way.",
                accuracy * 100.0
            ));
        }
        page.print()?;
    }
    Ok(0)
}
