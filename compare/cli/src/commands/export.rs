//! `compare export`: converts saved parameters to ONNX or safetensors for other programs.

use mlp_parity::storage::write_atomically;
use mlp_parity::{ParameterFile, SafetensorsFile};

use crate::args::ExportOptions;
use crate::error::{Error, Result};
use crate::input::network::{Network, embedded_test_images};
use crate::output::export::onnx;
use crate::output::folder;

/// Runs `compare export` and returns the exit code.
pub(crate) fn run(options: &ExportOptions) -> Result<u8> {
    let path = &options.output;
    folder::check_output_file(path, Some(&options.saved.file))?;
    let Network { config, parameters, .. } = options.saved.network(false, embedded_test_images)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("onnx") => write_atomically(path, &onnx::bytes(&config, &parameters))?,
        Some("safetensors") => ParameterFile { parameters, activation: Some(config.activation()) }.save(path)?,
        _ => {
            let reason = "unknown output format; expected a file name that ends in .onnx or .safetensors";
            return Err(Error::Usage(format!("{}: {reason}", path.display())));
        }
    }
    Ok(0)
}
