//! Sets the environment variable `MLP_PARITY_REVISION` for the compiler: the Git revision of the source, or `unknown`.

use std::process::Command;

fn main() {
    let output = Command::new("git").args(["describe", "--always", "--dirty", "--abbrev=12"]).output();
    let revision = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    let revision = String::from_utf8(revision.unwrap_or_default()).unwrap_or_default();
    let revision = match revision.trim() {
        "" => "unknown",
        revision => revision,
    };
    println!("cargo::rustc-env=MLP_PARITY_REVISION={revision}");
    // A commit or a checkout changes these files. They do not exist outside a Git checkout.
    println!("cargo::rerun-if-changed=../.git/HEAD");
    println!("cargo::rerun-if-changed=../.git/index");
}
