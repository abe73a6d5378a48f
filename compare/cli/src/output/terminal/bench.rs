//! Terminal output of benchmarks.

use mlp_parity_compare::bench::{Bench, Spread, TimeToAccuracy};
use mlp_parity_compare::record::Environment;

use super::table::table_of_numbers;

/// Formats the measurements of all candidates, the dense floor (the time of an epoch if all matrix products ran at the
/// machine's peak rate), and the machine.
pub(crate) fn bench(bench: &Bench, environment: &Environment) -> String {
    let header = [
        "candidate",
        "batch size",
        "epoch",
        "images/s",
        "GFLOP/s",
        "vs. dense floor",
        "vs. first",
        "all test images",
        "single image",
    ];
    let mut table = table_of_numbers(&header, 1);
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
    let memory = bench.peak_memory.map_or(String::new(), |bytes| format!("; peak memory {} MiB", bytes >> 20));
    let mut text = format!(
        "{table}\n\n\
         Values are medians, with minimum and maximum in parentheses. The dense floor is the time an epoch would take, \
         {:.3} s, if all matrix products were computed in full at the peak rate of this machine, {:.0} GFLOP/s.\n\
         {}{memory}",
        bench.dense_floor,
        bench.product_gflops.maximum,
        machine(environment, bench.processor.as_deref()),
    );
    if !bench.is_stable() {
        text += "\nnoisy: a ratio is not shown if its interquartile range exceeds 10 % of its median; repeat on an \
                 idle machine, or with more rounds";
    }
    text
}

/// Formats the time to an accuracy: one row per process, the total, and the command that each process ran.
pub(crate) fn time_to(accuracy: f64, recipe: &str, total: &Spread, runs: &[TimeToAccuracy], machine: &str) -> String {
    let mut table = table_of_numbers(&["seed", "test accuracy", "time"], 0);
    for TimeToAccuracy { seed, accuracy, seconds } in runs {
        table.add_row([seed.to_string(), format!("{:.2} %", 100.0 * accuracy), format!("{seconds:.2} s")]);
    }
    let reached = runs.iter().filter(|run| run.accuracy >= accuracy).count();
    format!(
        "{table}\n\n\
         {reached} of {} runs reach {} %. Median time from process start to exit: {}.\n\
         Command: compare {recipe} --seed SEED\n\
         {machine}",
        runs.len(),
        100.0 * accuracy,
        seconds(total),
    )
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
