//! Tests of the limits on files: a file with an excessive header or very many tensors is rejected with a short message,
//! and the time for a large valid file grows linearly.

use std::time::{Duration, Instant};

use mlp_parity::{Activation, MlpConfig, ParameterFile, Parameters, SafetensorsFile};
use mlp_parity_compare::Verdict;
use mlp_parity_compare::check::{Case, Trace};

/// Returns a safetensors file with empty tensors of these names.
fn empty_tensors(names: impl Iterator<Item = String>) -> Vec<u8> {
    let tensors: Vec<String> =
        names.map(|name| format!(r#""{name}":{{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}"#)).collect();
    let header = format!("{{{}}}", tensors.join(","));
    [&(header.len() as u64).to_le_bytes(), header.as_bytes()].concat()
}

fn rejection(bytes: &[u8]) -> String {
    let message = ParameterFile::<f32>::from_bytes(bytes, "file").unwrap_err().to_string();
    assert!(message.len() < 500, "{} bytes: {message}", message.len());
    message
}

#[test]
fn parameter_file_with_many_unknown_tensors_gives_short_message() {
    let message = rejection(&empty_tensors((0..10_000).map(|index| format!("t{index}"))));
    assert!(message.contains("'output_layer.weight' is missing; found t0, t1, t10,"), "{message}");
    assert!(message.ends_with(" and 9990 more"), "{message}");
}

#[test]
fn parameter_file_with_long_tensor_name_gives_short_message() {
    let message = rejection(&empty_tensors(["n".repeat(257)].into_iter()));
    assert!(message.contains("has 257 bytes; at most 256 are allowed"), "{message}");
    // The error of the safetensors parser quotes the file.
    let unknown = format!(r#"{{"a":{{"dtype":"{}","shape":[0],"data_offsets":[0,0]}}}}"#, "d".repeat(100_000));
    rejection(&[&(unknown.len() as u64).to_le_bytes(), unknown.as_bytes()].concat());
}

#[test]
fn safetensors_header_that_claims_too_many_bytes_is_rejected() {
    let message = rejection(&[&(1_u64 << 40).to_le_bytes()[..], b"{}"].concat());
    assert!(message.contains("its header claims 1099511627776 bytes; at most 25165824 are allowed"), "{message}");
}

/// Returns a trace of this many training steps of a tiny network.
fn trace(steps: usize) -> Trace {
    let config = MlpConfig::new(2, &[2], 2, Activation::Tanh).unwrap();
    let mut case = Case::synthetic(&config, 1).unwrap();
    case.parameters = Parameters::glorot_uniform(&config, 1);
    case.batches = case.batches.iter().cycle().take(steps).cloned().collect();
    Trace::record(&case, &support::all_candidates()[0], steps).unwrap()
}

/// Returns the time for reading and checking a trace.
fn duration(trace: &[u8]) -> Duration {
    let start = Instant::now();
    let suite = Trace::from_bytes(trace, "trace").unwrap().check(&support::all_candidates()[..1]).unwrap();
    assert_eq!(suite.verdict(), Verdict::Agree, "{}", suite.reason());
    start.elapsed()
}

#[test]
fn time_for_trace_grows_linearly_with_its_steps() {
    let [few, many] = [200, 4_000].map(|steps| trace(steps).to_bytes().unwrap());
    // 20 times the steps take 20 times the time; with a quadratic part it would approach 400 times. Other programs can
    // slow down a measurement, so one of several is enough.
    assert!((0..5).any(|_| duration(&many) < 60 * duration(&few)));
}
