//! A trained network, for other programs.

use mlp_parity::storage::write_atomically;
use mlp_parity::{ParameterFile, SafetensorsFile};

use crate::args::ExportOptions;
use crate::error::{Error, Result};
use crate::output::onnx;
use crate::output::writable::writable;

pub(crate) fn run(options: &ExportOptions) -> Result<u8> {
    let (config, parameters) = options.saved.network()?;
    let path = &options.output;
    writable(path)?;
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("onnx") => write_atomically(path, &onnx::bytes(&config, &parameters))?,
        Some("safetensors") => ParameterFile { parameters, activation: Some(config.activation()) }.save(path)?,
        _ => {
            let reason = "ends neither in .onnx nor in .safetensors, which tells what to write";
            return Err(Error::Usage(format!("{} {reason}", path.display())));
        }
    }
    Ok(0)
}
