//! What this machine can run, and why not.

use mlp_parity_compare::record::Environment;
use mlp_parity_framework::Backend;
use serde_json::json;

use crate::args::DoctorOptions;
use crate::error::Result;
use crate::output::print::{print, print_json};
use crate::output::terminal;

/// An implementation, what it runs on, and why it does not run.
type Finding = (String, Option<String>, Option<String>);

pub(crate) fn run(options: &DoctorOptions) -> Result<u8> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let environment = Environment::here(threads);
    let mut findings: Vec<Finding> = vec![match mlp_parity_scratch::kernels::instruction_set() {
        Ok(kernels) => ("scratch".to_owned(), Some(format!("cpu ({kernels})")), None),
        Err(error) => ("scratch".to_owned(), None, Some(error.to_string())),
    }];
    findings.extend(Backend::ALL.map(|backend| {
        let name = format!("framework/{backend}");
        match backend.open() {
            Ok(open) => (name, Some(open.description), None),
            Err(error) => (name, None, Some(error.to_string())),
        }
    }));
    if options.json {
        let implementations: Vec<_> = findings
            .iter()
            .map(|(name, device, problem)| json!({"name": name, "device": device, "problem": problem}))
            .collect();
        let document = json!({
            "format": "mlp-parity-doctor/1",
            "environment": environment,
            "implementations": implementations,
        });
        print_json(serde_json::to_string_pretty(&document))?;
        return Ok(0);
    }
    let Environment { version, revision, os, arch, threads } = environment;
    print(format_args!("compare {version} ({revision}) on {os} {arch}, {threads} threads"))?;
    let mut table = terminal::table(&["implementation", "runs here", "device, or why not"]);
    for (name, device, problem) in findings {
        let runs = if device.is_some() { "yes" } else { "no" };
        table.add_row([name, runs.to_owned(), device.or(problem).unwrap_or_default()]);
    }
    print(&table)?;
    Ok(0)
}
