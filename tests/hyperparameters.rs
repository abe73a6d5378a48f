//! Property tests of writing optimizers as text and parsing them.

use mlp_parity::Optimizer;
use proptest::prelude::*;

/// Generates valid optimizers of every kind. Each setting is sometimes its default, which the text form omits.
fn optimizers() -> impl Strategy<Value = Optimizer> {
    let fraction = |default: f64| prop_oneof![Just(default), 0.0..1.0];
    let epsilon = prop_oneof![Just(1e-8), f64::MIN_POSITIVE..=f64::MAX];
    let weight_decay = prop_oneof![Just(0.0), 0.0..=f64::MAX, (-300.0..0.0).prop_map(|power| 10.0_f64.powf(power))];
    let settings = (fraction(0.9), any::<bool>(), fraction(0.9), fraction(0.999), epsilon, weight_decay);
    (0..4, settings).prop_map(|(kind, (momentum, nesterov, beta1, beta2, epsilon, weight_decay))| match kind {
        0 => Optimizer::Sgd { weight_decay },
        1 => Optimizer::Momentum { momentum, nesterov: nesterov && momentum > 0.0, weight_decay },
        2 => Optimizer::Adam { beta1, beta2, epsilon, weight_decay },
        _ => Optimizer::AdamW { beta1, beta2, epsilon, weight_decay },
    })
}

proptest! {
    #[test]
    fn optimizer_is_unchanged_by_formatting_and_parsing(optimizer in optimizers()) {
        optimizer.validate().unwrap();
        let text = optimizer.to_string();
        prop_assert_eq!(text.parse::<Optimizer>().unwrap(), optimizer, "{}", text);
    }

    #[test]
    fn optimizer_parser_ignores_case(optimizer in optimizers(), upper_case in any::<u64>()) {
        let random_case = |(index, letter): (usize, char)| {
            if (upper_case >> (index % 64)) & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
        };
        let text = optimizer.to_string();
        prop_assert_eq!(&text, &text.to_lowercase());
        let spelling: String = text.chars().enumerate().map(random_case).collect();
        prop_assert_eq!(spelling.parse::<Optimizer>().unwrap(), optimizer, "{}", spelling);
    }

    #[test]
    fn optimizer_parser_never_panics(
        text in "(sgd|momentum|Adam[Ww]?)?[ ,]{0,2}(beta[12]|Epsilon|weight decay|nesterov)?.{0,12}",
    ) {
        let parsed = text.parse::<Optimizer>();
        prop_assert!(parsed.is_err() || parsed.unwrap().validate().is_ok());
    }
}
