//! The names of tensors in files of trained networks: the layer and the role of each tensor.

/// Names of weights, in lower case, with the order of axes that they imply: true for `[inputs, outputs]`.
const WEIGHTS: [(&str, Option<bool>); 8] = [
    ("weight", None),
    ("weights", None),
    ("kernel", Some(true)),
    ("coefs", Some(true)),
    ("coef", None),
    ("w", None),
    ("theta", None),
    ("matrix", None),
];

/// Names of biases, in lower case.
const BIASES: [&str; 6] = ["bias", "biases", "b", "intercepts", "intercept", "offset"];

/// Parts of a name, or beginnings of parts, that belong to the state of an optimizer, in lower case.
const OPTIMIZER: [&str; 15] = [
    "optim",
    "opt_state",
    "exp_avg",
    "max_exp_avg",
    "momentum",
    "square_avg",
    "velocity",
    "moment1",
    "moment2",
    "first_moment",
    "second_moment",
    "adam",
    "grad",
    "lr_scheduler",
    "ema_",
];

/// Parts of a name that belong to other layers than fully connected ones, with the kind of the layer and what to do about it.
const OTHER_LAYERS: [(&str, &str); 15] = [
    ("running_mean", NORMALIZATION),
    ("running_var", NORMALIZATION),
    ("moving_mean", NORMALIZATION),
    ("moving_variance", NORMALIZATION),
    ("gamma", NORMALIZATION),
    ("conv", "a convolution"),
    ("weight_ih", "a recurrent layer"),
    ("weight_hh", "a recurrent layer"),
    ("recurrent_kernel", "a recurrent layer"),
    ("in_proj", "an attention layer"),
    ("embedding", "an embedding"),
    (
        "parametrizations",
        "a parametrized weight; call torch.nn.utils.parametrize.remove_parametrizations before saving",
    ),
    ("weight_g", "a normalized weight; call torch.nn.utils.remove_weight_norm before saving"),
    ("weight_orig", "a pruned weight; call torch.nn.utils.prune.remove before saving"),
    ("lora_", "a low-rank adapter; merge it into the weights before saving"),
];

const NORMALIZATION: &str = "a normalization layer; fold batch normalization that follows a layer into it with \
     torch.nn.utils.fusion.fuse_linear_bn_eval before saving";

/// The role of a tensor in its layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// The weight. If the name implies the order of axes, true for `[inputs, outputs]`.
    Weight(Option<bool>),
    Bias,
    /// The weight or the bias, whichever comes next in a list of all tensors: `arr_0`, `arr_1`, …
    Listed,
}

/// Returns the layer and the role that a name states; `None` if it states none.
pub(super) fn layer_and_role(name: &str) -> Option<(String, Role)> {
    let name = name.trim_end_matches(":0").replace('/', ".");
    let (parent, leaf) = name.rsplit_once('.').unwrap_or(("", &name));
    let within = |layer: &str| if parent.is_empty() { layer.to_owned() } else { format!("{parent}.{layer}") };
    if let Some(role) = role(leaf) {
        return Some((parent.to_owned(), role));
    }
    let number = leaf.trim_start_matches(|character: char| !character.is_ascii_digit());
    if !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit()) {
        let word = leaf[..leaf.len() - number.len()].trim_end_matches(['_', '-']);
        // W1, b_1, coefs_0
        if let Some(role) = role(word) {
            return Some((within(number), role));
        }
        if ["", "arr", "param", "tensor"].contains(&word) {
            return Some((within(number), Role::Listed));
        }
    }
    // fc1_weight, hidden_b; W_out, b_out
    let (before, after) = leaf.rsplit_once('_')?;
    let by_end = role(after).map(|role| (within(before), role));
    by_end.or_else(|| role(before).map(|role| (within(after), role)))
}

/// Returns the role that a word states.
fn role(word: &str) -> Option<Role> {
    let word = word.to_ascii_lowercase();
    let weight = WEIGHTS.iter().find(|(name, _)| *name == word);
    let bias = || BIASES.contains(&word.as_str()).then_some(Role::Bias);
    weight.map(|(_, inputs_first)| Role::Weight(*inputs_first)).or_else(bias)
}

/// Returns true if a tensor belongs to the state of an optimizer, or is a gradient. `all` has the names of all tensors.
pub(super) fn is_optimizer_state(name: &str, all: &[&str]) -> bool {
    let lower = name.to_ascii_lowercase().replace('/', ".");
    let has_part = lower
        .split('.')
        .any(|part| OPTIMIZER.iter().any(|start| part.starts_with(start)) || ["mu", "nu", "opt"].contains(&part));
    // mW1, vW1 and dW1 beside W1; m.fc1.weight and v.fc1.weight beside fc1.weight.
    let rest = ["m", "v", "s", "d", "vd", "sd"].iter().filter_map(|letter| name.strip_prefix(letter));
    let has_counterpart = rest.map(|rest| rest.trim_start_matches(['_', '.'])).any(|rest| all.contains(&rest));
    has_part || has_counterpart
}

/// Returns the kind of another layer than a fully connected one that a tensor belongs to, by its name and its number of
/// dimensions.
pub(super) fn other_layer(name: &str, dimensions: usize) -> Option<&'static str> {
    let lower = name.to_ascii_lowercase();
    let by_name = OTHER_LAYERS.iter().find(|(part, _)| lower.contains(part)).map(|(_, kind)| *kind);
    let by_dimensions = || match dimensions {
        0..=2 => None,
        _ => Some("a convolution"),
    };
    by_name.or_else(by_dimensions)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_usual_programs_state_layer_and_role() {
        let weight = Role::Weight(None);
        let kernel = Role::Weight(Some(true));
        for (name, layer, role) in [
            ("fc1.weight", "fc1", weight),
            ("0.bias", "0", Role::Bias),
            ("_orig_mod.net.2.weight", "_orig_mod.net.2", weight),
            ("params/Dense_0/kernel", "params.Dense_0", kernel),
            ("dense_1/kernel:0", "dense_1", kernel),
            ("mlp/~/linear_0/w", "mlp.~.linear_0", weight),
            ("W1", "1", weight),
            ("b_2", "2", Role::Bias),
            ("model.coefs_0", "model.0", kernel),
            ("intercepts_1", "1", Role::Bias),
            ("fc1_weight", "fc1", weight),
            ("hidden_b", "hidden", Role::Bias),
            ("W_out", "out", weight),
            ("arr_0", "0", Role::Listed),
            ("3", "3", Role::Listed),
        ] {
            assert_eq!(layer_and_role(name), Some((layer.to_owned(), role)), "{name}");
        }
        for name in ["epoch", "layer1", "scale"] {
            assert_eq!(layer_and_role(name), None, "{name}");
        }
    }

    #[test]
    fn optimizer_state_is_told_from_parameters() {
        let all = ["W1", "mW1", "dW1", "fc1.weight", "m.fc1.weight", "model.weight"];
        for name in ["mW1", "dW1", "m.fc1.weight", "optimizer.state.0.exp_avg", "opt_state.0.mu.Dense_0.kernel"] {
            assert!(is_optimizer_state(name, &all), "{name}");
        }
        for name in ["W1", "fc1.weight", "model.weight", "mlp.0.weight", "mid.weight"] {
            assert!(!is_optimizer_state(name, &all), "{name}");
        }
    }

    #[test]
    fn other_layers_are_identified() {
        assert!(other_layer("bn1.running_mean", 1).unwrap().contains("fuse_linear_bn_eval"));
        assert!(other_layer("features.0.weight", 4).unwrap().contains("convolution"));
        assert!(other_layer("rnn.weight_ih_l0", 2).unwrap().contains("recurrent"));
        assert_eq!(other_layer("h.0.mlp.weight", 2), None);
    }
}
