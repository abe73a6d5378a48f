//! The gradient that is written by hand is right, and so are the steps.

use mlp_parity::{Activation, MlpConfig};
use mlp_parity_compare::check::{Case, assert_agreement};
use third_party::linear::Linear;

#[test]
fn the_linear_classifier_agrees_with_the_oracle() -> mlp_parity::Result<()> {
    let config = MlpConfig::new(28 * 28, &[], 10, Activation::Relu)?;
    let case = Case::made_up(&config, 0)?;
    assert_agreement(&mut Linear::new(&config, &case.parameters)?, &case);
    Ok(())
}
