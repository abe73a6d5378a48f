//! Tests of networks that other programs have saved. `golden/networks.py` made the files.

use std::path::{Path, PathBuf};

use mlp_parity::storage::deserialize;
use mlp_parity::{Activation, Scalar};
use mlp_parity_compare::SavedNetwork;
use mlp_parity_scratch::Mlp;
use ndarray::Array2;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Largest error of a logit in single precision, the tolerance of the tests in the other direction (`golden/exchange.py`).
const TOLERANCE: f32 = 1e-5;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("golden/networks")
}

/// Returns the tensors of `expected.safetensors`: the images, and the logits for each file by its name.
fn expected() -> Vec<(String, Array2<f32>)> {
    let bytes = std::fs::read(folder().join("expected.safetensors")).unwrap();
    let (tensors, _) = deserialize(&bytes).unwrap();
    let matrix = |shape: &[usize], data: &[u8]| {
        Array2::from_shape_vec([shape[0], shape[1]], <f32 as Scalar>::from_le_bytes(data)).unwrap()
    };
    tensors.tensors().into_iter().map(|(name, tensor)| (name, matrix(tensor.shape(), tensor.data()))).collect()
}

/// Returns the path of the file with this stem.
fn path(stem: &str) -> PathBuf {
    let files = std::fs::read_dir(folder()).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().find(|path| path.file_stem().unwrap() == stem).unwrap_or_else(|| panic!("no file {stem}"))
}

#[test]
fn saved_networks_give_the_logits_of_their_programs() {
    let expected = expected();
    let (_, images) = expected.iter().find(|(name, _)| name == "images").unwrap();
    let mut count = 0;
    for (name, logits) in expected.iter().filter(|(name, _)| name != "images") {
        let saved = SavedNetwork::load(&path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let config = saved.config(Some(Activation::Tanh)).unwrap();
        let network = Mlp::new(config, &saved.parameters.cast()).unwrap();
        let actual = mlp_parity::Differentiable::logits(&network, images.view()).unwrap();
        let largest = actual.iter().zip(logits).map(|(actual, expected)| (actual - expected).abs()).fold(0.0, f32::max);
        assert!(largest <= TOLERANCE, "{name}: {largest}");
        count += 1;
    }
    assert!(count >= 16, "{count}");
}

#[test]
fn assumptions_about_saved_networks_are_stated() {
    for (name, assumption) in [
        ("attributes", "the layers are, in this order, fc1, fc2, out"),
        ("flax", "weights are [inputs, outputs]"),
        ("no-bias", "the network has no biases"),
        ("bfloat16", "the parameters are in bfloat16"),
        ("checkpoint", "entries that are no parameters are left out"),
        ("numpy-columns", "7 entries that are no parameters are left out"),
    ] {
        let saved = SavedNetwork::load(&path(name)).unwrap();
        assert!(saved.assumptions.iter().any(|stated| stated.contains(assumption)), "{name}: {:?}", saved.assumptions);
    }
    assert_eq!(SavedNetwork::load(&path("numpy-columns")).unwrap().activation, Some(Activation::Tanh));
}

#[test]
fn network_in_json_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.json");
    let text = r#"{"optimizer": "sgd", "losses": [2.3, 1.9], "activation": "sigmoid", "layers": [{"units": 2}],
        "W1": [[1, 2], [3, 4], [5, 6]], "b1": [0.5, -0.5], "W2": [[1, 0, 1], [2, 2, 0]], "b2": [0, 0, 1]}"#;
    std::fs::write(&path, text).unwrap();
    let SavedNetwork { parameters, activation, assumptions } = SavedNetwork::load(&path).unwrap();
    assert_eq!((parameters.sizes(), activation), (vec![3, 2, 3], Some(Activation::Sigmoid)));
    assert_eq!(parameters.layers()[0].weight, ndarray::array![[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]);
    assert!(assumptions.contains(&"3 entries that are no parameters are left out".to_owned()), "{assumptions:?}");
}

/// Damages each file in 200 ways: changed bytes, and a changed length.
#[test]
fn damaged_networks_are_read_or_rejected() {
    let mut generator = ChaCha8Rng::seed_from_u64(7);
    let mut random = |limit: usize| generator.next_u32() as usize % limit;
    let target = tempfile::tempdir().unwrap();
    let mut rejected = 0;
    for entry in std::fs::read_dir(folder()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        for _ in 0..200 {
            let mut damaged = bytes.clone();
            for _ in 0..=random(4) {
                let position = random(damaged.len());
                damaged[position] = random(256) as u8;
            }
            if random(4) == 0 {
                damaged.truncate(random(damaged.len()));
            }
            let path = target.path().join("network");
            std::fs::write(&path, damaged).unwrap();
            rejected += usize::from(SavedNetwork::load(&path).is_err());
        }
    }
    assert!(rejected > 500, "{rejected}");
}

/// Programs write the layers to JSON in several ways: by name, as lists of all weights and of all biases, or as nested objects.
#[test]
fn layers_in_json_may_be_lists_and_objects() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("network.json");
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        SavedNetwork::load(&path).map(|saved| saved.parameters)
    };
    let named = r#"{"W1": [[1, 2], [3, 4], [5, 6]], "b1": [0.5, -0.5], "W2": [[1, 0, 1], [2, 2, 0]], "b2": [0, 0, 1]}"#;
    let expected = read(named).unwrap();
    for text in [
        // Nielsen's network.py, with weights [outputs, inputs] and columns of biases.
        r#"{"sizes": [3, 2, 3], "cost": "CrossEntropyCost", "weights": [[[1, 3, 5], [2, 4, 6]], [[1, 2], [0, 2], [1, 0]]],
            "biases": [[[0.5], [-0.5]], [[0], [0], [1]]]}"#,
        // scikit-learn's attributes.
        r#"{"coefs_": [[[1, 2], [3, 4], [5, 6]], [[1, 0, 1], [2, 2, 0]]], "intercepts_": [[0.5, -0.5], [0, 0, 1]]}"#,
        r#"{"W": [[[1, 2], [3, 4], [5, 6]], [[1, 0, 1], [2, 2, 0]]], "b": [[[0.5, -0.5]], [[0, 0, 1]]]}"#,
        r#"{"layers": [{"weights": [[1, 2], [3, 4], [5, 6]], "biases": [0.5, -0.5], "activation": "tanh"},
            {"weights": [[1, 0, 1], [2, 2, 0]], "biases": [0, 0, 1], "activation": null}], "epoch": 3}"#,
        r#"{"model": {"fc1": {"weight": [[1, 2], [3, 4], [5, 6]], "bias": [0.5, -0.5]},
            "fc2": {"weight": [[1, 0, 1], [2, 2, 0]], "bias": [0, 0, 1]}}, "weight_decay": 0.01, "weight_init": "he"}"#,
    ] {
        assert_eq!(read(text).unwrap_or_else(|error| panic!("{error}: {text}")), expected, "{text}");
    }
    // The order of these layers follows from their shapes.
    let ends = r#"{"weights_ih": [[1, 3, 5, 7], [2, 4, 6, 8]], "bias_h": [[0.5], [-0.5]],
        "weights_ho": [[1, 2], [0, 2], [1, 0]], "bias_o": [[0], [0], [1]]}"#;
    let parameters = read(ends).unwrap();
    assert_eq!(parameters.sizes(), [4, 2, 3]);
    assert_eq!(parameters.layers()[0].bias, ndarray::array![0.5, -0.5]);
    let list = r#"[{"weights": [[1, 2], [3, 4], [5, 6]], "biases": [0.5, -0.5], "activation": "Tanh"},
        {"weights": [[1, 0, 1], [2, 2, 0]], "biases": [0, 0, 1], "activation": "softmax"}]"#;
    assert_eq!(read(list).unwrap(), expected);
    assert_eq!(SavedNetwork::load(&path).unwrap().activation, Some(Activation::Tanh));
    let one = read(r#"{"weights": [[[1, 2], [3, 4], [5, 6]]], "biases": [[0.5, -0.5]]}"#).unwrap();
    assert_eq!(one.layers(), &expected.layers()[..1]);
    for (text, message) in [
        (r#"{"weights": [[1, 2], [3]]}"#, "weights has rows of 2 and of 1 elements"),
        (r#"{"weights": [[[1, 2], [3]], [[1]]]}"#, "weights has rows of 2 and of 1 elements"),
        (&list.replace("softmax", "relu"), "different activations (relu, tanh)"),
        (r#"{"layers": [{"W": [[1, 2]]}], "layers": []}"#, "'layers' occurs twice"),
        (&format!(r#"{{"weights": [{}[[1]]]}}"#, "[[1]],".repeat(1000)), "1001 tensors; at most 1000"),
        (&format!(r#"{{"weights": [{}[[1]]]}}"#, "[[1]],[[2, 3]],".repeat(501)), "more than 1000 shapes"),
        (&format!(r#"{{"{}": 1}}"#, "a".repeat(5000)), "a name is longer than 4096 bytes"),
    ] {
        assert!(read(text).unwrap_err().to_string().contains(message), "{message}: {}", read(text).unwrap_err());
    }
}
