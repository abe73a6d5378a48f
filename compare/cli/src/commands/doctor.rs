//! `compare doctor`: lists the available implementations and backends, and why the others are unavailable.

use mlp_parity_compare::record::Environment;
use mlp_parity_framework::Backend;
use serde_json::json;

use crate::args::DoctorOptions;
use crate::error::Result;
use crate::output::print::{print, print_json};
use crate::output::terminal;

/// The availability of an implementation on this machine.
struct Availability {
    /// Name of the implementation and, for the framework, of its backend: `scratch`, `framework/flex`.
    name: String,
    /// Description of the device that the implementation runs on, or the reason why it cannot run.
    device: Result<String, String>,
}

/// Runs `compare doctor` and returns the exit code.
pub(crate) fn run(options: &DoctorOptions) -> Result<u8> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let environment = Environment::current(threads);
    let kernels = mlp_parity_scratch::kernels::instruction_set();
    let device = kernels.map(|kernels| format!("cpu ({kernels})")).map_err(|error| error.to_string());
    let mut implementations = vec![Availability { name: "scratch".to_owned(), device }];
    implementations.extend(Backend::ALL.map(|backend| {
        let device = backend.open().map(|open| open.description).map_err(|error| error.to_string());
        Availability { name: format!("framework/{backend}"), device }
    }));
    if options.json {
        let implementations: Vec<_> = implementations
            .into_iter()
            .map(|Availability { name, device }| {
                let problem = device.as_ref().err().cloned();
                json!({"name": name, "device": device.ok(), "problem": problem})
            })
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
    let mut table = terminal::table(&["implementation", "available", "device, or reason why unavailable"]);
    for Availability { name, device } in implementations {
        let available = if device.is_ok() { "yes" } else { "no" };
        table.add_row([name, available.to_owned(), device.unwrap_or_else(|problem| problem)]);
    }
    print(&table)?;
    Ok(0)
}
