//! Writes the seed corpora into `corpus/`: small valid inputs for every fuzz target.

use std::io::Write;
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use mlp_parity::mnist::DataSource;
use mlp_parity::{
    Activation, Dataset, Differentiable, MlpConfig, Optimizer, ParameterFile, Parameters, SafetensorsFile, Scalar,
};
use mlp_parity_compare::check::{Case, NamedOptimizer, Trace};
use mlp_parity_compare::{Candidate, Identity};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// Command lines for the target `options`, with arguments separated by spaces.
const COMMAND_LINES: [&str; 15] = [
    "",
    "--backend flex --backend wgpu --quiet",
    "--activation sigmoid --hidden 500,250,100 --output results",
    "--hidden none --optimizer adamw --learning-rate 0.001 --weight-decay 1e-4",
    "--optimizer momentum --momentum 0.9 --nesterov --batch-size 64 --epochs 15 --seed 0",
    "--data dir:mnist --train-size 6000 --test-size 1000 --threads 2 --json",
    "--learning-rate=-1 --weight-decay=NaN",
    "check --verbose --activation tanh",
    "check --trace my-trace.safetensors",
    "trace --output my-trace.safetensors --implementation framework --backend flex --steps 10",
    "train --implementation scratch --activation tanh-as-printed --save network.safetensors",
    "train --implementation framework --optimizer adam --hidden 24,16",
    "evaluate network.safetensors --activation relu --test-size 200",
    "data --data embedded --json",
    "doctor --help",
];

fn main() -> Result<()> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = fuzz.join("corpus");
    write(&corpus.join("idx"), idx()?)?;
    write(&corpus.join("parameters"), [parameters::<f32>()?, parameters::<f64>()?].concat())?;
    write(&corpus.join("trace"), traces()?)?;
    write(&corpus.join("options"), COMMAND_LINES.map(|line| line.replace(' ', "\n").into_bytes()))
}

/// Writes each seed into a file of its own.
fn write(folder: &Path, seeds: impl IntoIterator<Item = Vec<u8>>) -> Result<()> {
    std::fs::create_dir_all(folder)?;
    for (number, seed) in seeds.into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{number}")), seed)?;
    }
    Ok(())
}

/// Returns seeds for each of MNIST's four files: the original truncated after the second image or label, and valid
/// files with two images of 28×28 or 2×2 pixels (or their labels), plain and compressed.
fn idx() -> Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for (choice, (_, file)) in (0..).zip(DataSource::Embedded.files()?) {
        let [header, image] = if choice % 2 == 0 { [16, 28 * 28] } else { [8, 1] };
        let cut = &file[..header + 2 * image];
        let whole = [&cut[..4], &2_u32.to_be_bytes(), &cut[8..]].concat();
        let mut small = whole.clone();
        if choice % 2 == 0 {
            small[8..header].copy_from_slice(&[0, 0, 0, 2, 0, 0, 0, 2]);
            small.truncate(header + 2 * 2 * 2);
        }
        seeds.push([&[choice], cut].concat());
        for plain in [whole, small] {
            let mut compressed = GzEncoder::new(vec![choice], Compression::default());
            compressed.write_all(&plain)?;
            seeds.extend([compressed.finish()?, [&[choice], plain.as_slice()].concat()]);
        }
    }
    Ok(seeds)
}

/// Returns parameter files of two small networks, with and without metadata.
fn parameters<F: Scalar>() -> Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for hidden in [&[][..], &[3, 2]] {
        let parameters = Parameters::<F>::glorot_uniform(&MlpConfig::new(4, hidden, 2, Activation::Relu)?, 0);
        for activation in [None, Some(Activation::Relu)] {
            seeds.push(ParameterFile { parameters: parameters.clone(), activation }.to_bytes()?);
        }
    }
    Ok(seeds)
}

/// Returns traces of the hand-written implementation on a few tiny images, with every optimizer and in both precisions.
/// They resemble those in `tests/golden/traces`, but have a fifth of the size.
fn traces() -> Result<Vec<Vec<u8>>> {
    let identity =
        Identity { implementation: "scratch".to_owned(), backend: None, device: "cpu".to_owned(), kernels: None };
    let scratch = Candidate::new(identity, |config, parameters| {
        Ok(Box::new(mlp_parity_scratch::Mlp::new(config.clone(), parameters)?) as Box<dyn Differentiable>)
    });
    let images = Dataset::synthetic(4, [1, 2], 10, 0)?;
    let config = MlpConfig::new(images.inputs(), &[2], images.classes(), Activation::Sigmoid)?;
    let parameters = Parameters::glorot_uniform(&config, 0);
    let optimizers = [
        Optimizer::sgd().with_weight_decay(0.1),
        Optimizer::momentum(0.9).with_nesterov()?,
        Optimizer::adam(),
        Optimizer::adamw().with_weight_decay(0.1),
    ];
    let mut seeds = Vec::new();
    for optimizer in optimizers {
        let trainings = vec![NamedOptimizer { name: optimizer.to_string(), optimizer, learning_rate: 0.1 }];
        let case = Case::new(config.clone(), parameters.clone(), &images, 2, 0, trainings)?;
        let trace = Trace::record(&case, &scratch, 2)?.to_bytes()?;
        seeds.extend([in_double_precision(&trace)?, trace]);
    }
    Ok(seeds)
}

/// Converts every F32 tensor of a safetensors file to F64.
fn in_double_precision(file: &[u8]) -> Result<Vec<u8>> {
    let (_, header) = SafeTensors::read_metadata(file)?;
    let mut tensors = Vec::new();
    for (name, tensor) in SafeTensors::deserialize(file)?.tensors() {
        let (dtype, bytes) = match tensor.dtype() {
            Dtype::F32 => {
                let values = <f32 as Scalar>::from_le_bytes(tensor.data()).into_iter();
                (Dtype::F64, values.flat_map(|value| f64::from(value).to_le_bytes()).collect())
            }
            other => (other, tensor.data().to_vec()),
        };
        tensors.push((name, dtype, tensor.shape().to_vec(), bytes));
    }
    let mut views = Vec::new();
    for (name, dtype, shape, bytes) in &tensors {
        views.push((name, TensorView::new(*dtype, shape.clone(), bytes)?));
    }
    Ok(safetensors::serialize(views, header.metadata().clone())?)
}
