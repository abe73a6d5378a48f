//! Terminal output of benchmarks.

use mlp_parity_compare::bench::{Bench, Spread, TimeToAccuracy};
use mlp_parity_compare::record::Environment;

use super::page::Page;
use super::table::{Column, Table};

/// Adds the measurements of all candidates, the dense floor (the time of an epoch if all matrix products ran at the machine's
/// peak rate), and the machine.
pub(crate) fn bench(page: &mut Page, bench: &Bench, environment: &Environment) {
    let mut table = Table::new([
        Column::name("candidate"),
        Column::number("batch"),
        Column::number("epoch"),
        Column::number("images/s").optional(3),
        Column::number("GFLOP/s").optional(4),
        Column::number("vs. floor").optional(1),
        Column::number("vs. first"),
        Column::number("test images").optional(5),
        Column::number("one image").optional(2),
    ]);
    for measurement in &bench.measurements {
        table.add_row([
            measurement.identity.to_string(),
            measurement.batch_size.to_string(),
            seconds(&measurement.epoch),
            format!("{:.0}", measurement.images_per_second),
            format!("{:.0}", measurement.gflops),
            ratio(&measurement.ratio_to_floor),
            ratio(&measurement.ratio_to_first),
            format!("{:.1} ms", measurement.inference.median * 1e3),
            format!("{:.0} µs", measurement.latency.median * 1e6),
        ]);
    }
    page.table("", table);
    page.paragraph(&format!(
        "Values are medians, with minimum and maximum in parentheses. The dense floor is the time an epoch would take, \
         {:.3} s, if all matrix products were computed in full at the peak rate of this machine, {:.0} GFLOP/s.",
        bench.dense_floor, bench.product_gflops.maximum,
    ));
    let memory = bench.peak_memory.map_or(String::new(), |bytes| format!("; peak memory {} MiB", bytes >> 20));
    page.paragraph(&format!("{}{memory}", machine(environment, bench.processor.as_deref())));
    if !bench.is_stable() {
        page.paragraph(
            "noisy: a ratio is not shown if its interquartile range exceeds 10 % of its median; repeat on an idle machine, or \
             with more rounds",
        );
    }
}

/// Adds the time to an accuracy: one row per process, the total, and the command that each process ran.
pub(crate) fn time_to(
    page: &mut Page,
    accuracy: f64,
    recipe: &str,
    total: &Spread,
    runs: &[TimeToAccuracy],
    machine: &str,
) {
    let mut table = Table::new(["seed", "test accuracy", "time"].map(Column::number));
    for TimeToAccuracy { seed, accuracy, seconds } in runs {
        table.add_row([seed.to_string(), format!("{:.2} %", 100.0 * accuracy), format!("{seconds:.2} s")]);
    }
    page.table("", table);
    let reached = runs.iter().filter(|run| run.accuracy >= accuracy).count();
    let (count, percent, seconds) = (runs.len(), 100.0 * accuracy, seconds(total));
    page.lines([
        format!("{reached} of {count} runs reach {percent} %. Median time from process start to exit: {seconds}."),
        format!("Command: compare {recipe} --seed SEED"),
        machine.to_owned(),
    ]);
}

/// Describes the program and the machine that it ran on.
pub(crate) fn machine(environment: &Environment, processor: Option<&str>) -> String {
    let Environment { version, revision, os, arch, threads } = environment;
    let processor = processor.unwrap_or("an unknown processor");
    let threads = if *threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    format!("compare {version} ({revision}) on {processor}, {os} {arch}, {threads}")
}

fn seconds(spread: &Spread) -> String {
    format!("{:.3} s ({:.3}–{:.3})", spread.median, spread.minimum, spread.maximum)
}

fn ratio(spread: &Spread) -> String {
    spread.stable_median().map_or("noisy".to_owned(), |ratio| format!("{ratio:.2}×"))
}
