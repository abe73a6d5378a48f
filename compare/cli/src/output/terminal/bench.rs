//! What was measured of speed.

use mlp_parity_compare::bench::{Bench, Spread, TimeToAccuracy};
use mlp_parity_compare::record::Environment;

use super::table::table_of_numbers;

/// The table, and what it was measured on.
pub(crate) fn bench(bench: &Bench, environment: &Environment) -> String {
    let header =
        ["", "batch", "epoch", "images/s", "GFLOP/s", "of dense floor", "of the first", "test images", "one image"];
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
    let memory = bench.peak_memory.map_or(String::new(), |bytes| format!("; at most {} MB of memory", bytes >> 20));
    let mut text = format!(
        "{table}\n\n\
         Medians, in brackets the least and the most. The dense floor is an epoch of {:.3} s: every product at the {:.0} \
         GFLOP/s of this machine's matrix product.\n\
         {}{memory}",
        bench.dense_floor,
        bench.product_gflops.maximum,
        machine(environment, bench.processor.as_deref()),
    );
    if !bench.is_steady() {
        text += "\nnoisy: ratios that differ by more than a tenth from round to round are not stated; try again on an idle \
                 machine, or with more rounds";
    }
    text
}

/// How long every process took to an accuracy, and what it was told.
pub(crate) fn time_to(accuracy: f64, recipe: &str, total: &Spread, runs: &[TimeToAccuracy], machine: &str) -> String {
    let mut table = table_of_numbers(&["seed", "test accuracy", "from start to end"], 0);
    for TimeToAccuracy { seed, accuracy, seconds } in runs {
        table.add_row([seed.to_string(), format!("{:.2} %", 100.0 * accuracy), format!("{seconds:.2} s")]);
    }
    let reached = runs.iter().filter(|run| run.accuracy >= accuracy).count();
    format!(
        "{table}\n\n\
         {reached} of {} reach {} %, after {} from the start of the process to its end.\n\
         Each is: compare {recipe} --seed SEED\n\
         {machine}",
        runs.len(),
        100.0 * accuracy,
        seconds(total),
    )
}

/// Which program ran where.
pub(crate) fn machine(environment: &Environment, processor: Option<&str>) -> String {
    let Environment { version, revision, os, arch, threads } = environment;
    let processor = processor.unwrap_or("a processor without a name");
    let threads = if *threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") };
    format!("compare {version} ({revision}) on {processor}, {os} {arch}, {threads}")
}

fn seconds(spread: &Spread) -> String {
    format!("{:.3} s ({:.3}–{:.3})", spread.median, spread.minimum, spread.maximum)
}

fn ratio(spread: &Spread) -> String {
    spread.steady().map_or("noisy".to_owned(), |ratio| format!("{ratio:.2}×"))
}
