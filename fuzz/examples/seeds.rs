//! Writes the seed corpora into `corpus/`: small valid inputs for every fuzz target.

use std::io::{Cursor, Write};
use std::path::Path;
use std::sync::Mutex;

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{DynamicImage, GrayImage, ImageFormat, RgbaImage};
use mlp_parity::mnist::DataSource;
use mlp_parity::{
    Activation, Checkpoint, Dataset, Differentiable, MlpConfig, Optimizer, OptimizerState, ParameterFile, Parameters,
    SafetensorsFile, Scalar, TrainingConfig,
};
use mlp_parity_compare::check::{Case, NamedOptimizer, Trace};
use mlp_parity_compare::record::{DatasetRecord, Environment, RECORD_FORMAT, Record, Shard, ShardRecord};
use mlp_parity_compare::reproduction::{Grid, JobMonitor, Reproduction, Selection, jobs};
use mlp_parity_compare::{Candidate, Identity};
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};

/// The grid of the target `records`.
const GRID: &str = include_str!("../grid.toml");

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
    "train --implementation scratch --activation tanh --save network.safetensors",
    "train --implementation framework --optimizer adam --hidden 24,16",
    "evaluate network.safetensors --activation relu --test-size 200",
    "data --data embedded --json",
    "doctor --help",
];

/// Files for the target `config`: the command on the first line, and its options as TOML.
const OPTION_FILES: [&str; 6] = [
    "\nactivation = 'sigmoid'\nhidden = [500, 250]\nbackend = ['flex', 'wgpu']\nquiet = true\n",
    "\nseed = 3\ntrain-size = 6000\ntest-size = 1000\ndata = 'embedded'\n",
    "train\nimplementation = 'scratch'\nlearning-rate = 0.1\nnesterov = true\nmomentum = 0.9\nhidden = '30,20'\n",
    "check\noptimizer = 'adamw'\nweight-decay = 1e-4\nbatch-size = 64 # images\nschedule = 'one-cycle'\n",
    "trace\nsteps = 10\noutput = \"my-trace.safetensors\"\nimplementation = \"framework\"\n",
    "bench\nbatch-size = [16, 64]\njson = false\n",
];

fn main() -> Result<()> {
    let fuzz = Path::new(env!("CARGO_MANIFEST_DIR"));
    let corpus = fuzz.join("corpus");
    write(&corpus.join("idx"), idx()?)?;
    write(&corpus.join("tables"), tables()?)?;
    write(&corpus.join("parameters"), [parameters::<f32>()?, parameters::<f64>()?].concat())?;
    write(&corpus.join("checkpoints"), checkpoints()?)?;
    write(&corpus.join("trace"), traces()?)?;
    write(&corpus.join("pictures"), pictures()?)?;
    write(&corpus.join("records"), records()?)?;
    write(&corpus.join("grids"), [Grid::report()?.text, GRID.to_owned()].map(String::into_bytes))?;
    write(&corpus.join("options"), COMMAND_LINES.map(|line| line.replace(' ', "\n").into_bytes()))?;
    write(&corpus.join("config"), OPTION_FILES.map(|file| file.as_bytes().to_vec()))
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

/// Returns checkpoints of two small networks with every optimizer.
fn checkpoints() -> Result<Vec<Vec<u8>>> {
    let mut seeds = Vec::new();
    for hidden in [&[][..], &[3]] {
        let config = MlpConfig::new(4, hidden, 2, Activation::Tanh)?;
        for (moments, optimizer) in [(0, Optimizer::sgd()), (1, Optimizer::momentum(0.9)), (2, Optimizer::adam())] {
            let training = TrainingConfig::builder().optimizer(optimizer).batch_size(4).epochs(3).build()?;
            let parameters = Parameters::glorot_uniform(&config, 0);
            let optimizer = OptimizerState { steps: 12, moments: vec![parameters.clone(); moments] };
            let notes = serde_json::json!({"revision": "unknown"});
            let config = config.clone();
            seeds.push(Checkpoint { config, training, epochs: 2, parameters, optimizer, notes }.to_bytes()?);
        }
    }
    Ok(seeds)
}

/// Returns pictures of a digit in all formats (PNG in grey and with transparency), and an IDX file with two images, plain and
/// compressed.
fn pictures() -> Result<Vec<Vec<u8>>> {
    let [(_, images), ..] = DataSource::Embedded.files()?;
    let (header, side) = (16, 28);
    let digit = &images[header..header + 28 * 28];
    let grey = GrayImage::from_fn(side, side, |x, y| [digit[(y * side + x) as usize]].into());
    let transparent = RgbaImage::from_fn(side, side, |x, y| [0, 0, 0, digit[(y * side + x) as usize]].into());
    let mut seeds = Vec::new();
    let grey = DynamicImage::from(grey);
    for (picture, format) in [
        (&grey, ImageFormat::Png),
        (&grey, ImageFormat::Jpeg),
        (&grey, ImageFormat::Bmp),
        (&grey.to_rgba8().into(), ImageFormat::Gif),
        (&grey, ImageFormat::Tiff),
        (&grey, ImageFormat::WebP),
        (&grey.resize_exact(9, 31, image::imageops::Nearest).into_rgb8().into(), ImageFormat::Jpeg),
        (&transparent.into(), ImageFormat::Png),
    ] {
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format)?;
        seeds.push(bytes.into_inner());
    }
    let plain = [&[0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 2][..], &digit[300..308]].concat();
    let mut compressed = GzEncoder::new(Vec::new(), Compression::default());
    compressed.write_all(&plain)?;
    seeds.extend([compressed.finish()?, plain]);
    Ok(seeds)
}

/// Returns the records of a reproduction of the grid of the target `records` with two seeds: each of them alone, and
/// some together.
fn records() -> Result<Vec<Vec<u8>>> {
    let grid = Grid::from_toml(GRID, "grid.toml")?;
    let candidates = [scratch("scratch", None), scratch("framework", Some("flex"))];
    let train = Dataset::synthetic(8, [1, 2], 10, 0)?;
    let selection = Selection { only: Vec::new(), seeds: 2 };
    let jobs = jobs(&grid, &selection, &candidates, &train)?;
    let shard = ShardRecord { shard: Shard { index: 1, count: 1 }, jobs: jobs.len() };
    let dataset = DatasetRecord { source: "embedded".into(), digest: "0".into(), train: 8, test: 8 };
    let environment = Environment { revision: "unknown".into(), ..Environment::current(1) };
    let lines = Mutex::new(Vec::new());
    let monitor = JobMonitor {
        job_started: &|_, _| Box::new(()),
        job_finished: &|index, job, content| {
            let (config, shard) = (job.config.clone(), (index % 2 == 0).then_some(shard));
            let (dataset, environment) = (dataset.clone(), environment.clone());
            let record = Record {
                format: RECORD_FORMAT.into(),
                config,
                content,
                dataset,
                environment,
                shard,
                deviation: None,
                max_seeds: None,
            };
            lines.lock().expect("a job panicked").push(record.to_line().expect("a record cannot be written"));
            Ok(())
        },
        interrupted: &|| false,
    };
    Reproduction { candidates: &candidates, train: &train, test: &train, threads: 1 }.run(&jobs, monitor)?;
    let mut seeds = lines.into_inner()?;
    seeds.extend(seeds.clone().chunks(3).map(<[Vec<u8>]>::concat));
    Ok(seeds)
}

/// Returns the hand-written implementation under the given name.
fn scratch(implementation: &str, backend: Option<&str>) -> Candidate {
    let backend = backend.map(str::to_owned);
    let identity = Identity { implementation: implementation.into(), backend, device: "cpu".into(), kernels: None };
    Candidate::new(identity, |config, parameters| {
        Ok(Box::new(mlp_parity_scratch::Mlp::new(config.clone(), parameters)?) as Box<dyn Differentiable>)
    })
}

/// Returns traces of the hand-written implementation on a few tiny images, with every optimizer, in both precisions, and in
/// every container.
/// They resemble those in `tests/golden/traces`, but have a fifth of the size.
fn traces() -> Result<Vec<Vec<u8>>> {
    let scratch = scratch("scratch", None);
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
        seeds.extend([in_double_precision(&trace)?, in_json(&trace)?, in_npz(&trace)?, trace]);
    }
    Ok(seeds)
}

/// Returns the elements of a floating-point tensor, or its labels.
fn values(tensor: &TensorView<'_>) -> Vec<f64> {
    match tensor.dtype() {
        Dtype::F32 => <f32 as Scalar>::from_le_bytes(tensor.data()).into_iter().map(f64::from).collect(),
        _ => tensor.data().as_chunks().0.iter().map(|&label| i64::from_le_bytes(label) as f64).collect(),
    }
}

/// Returns the tensors of a trace that its other containers get: inputs, logits and loss, which fit an input of 4 kB.
fn smallest(file: &[u8]) -> Result<Vec<(String, TensorView<'_>)>> {
    let tensors = SafeTensors::deserialize(file)?.tensors().into_iter();
    let is_kept =
        |name: &str| ["initial.", "batch.0."].iter().any(|start| name.starts_with(start)) || !name.contains('.');
    Ok(tensors.filter(|(name, _)| is_kept(name)).collect())
}

/// Converts a safetensors file to JSON.
fn in_json(file: &[u8]) -> Result<Vec<u8>> {
    let (_, header) = SafeTensors::read_metadata(file)?;
    let mut entries = serde_json::Map::new();
    entries.extend(header.metadata().iter().flatten().map(|(key, value)| (key.clone(), value.clone().into())));
    for (name, tensor) in smallest(file)? {
        let values = values(&tensor);
        let value = match tensor.shape() {
            &[_, columns] => values.chunks(columns).map(serde_json::Value::from).collect(),
            _ => serde_json::Value::from(values),
        };
        entries.insert(name, value);
    }
    Ok(serde_json::to_vec(&entries)?)
}

/// Converts a safetensors file to an uncompressed npz file.
fn in_npz(file: &[u8]) -> Result<Vec<u8>> {
    let (_, header) = SafeTensors::read_metadata(file)?;
    let mut arrays = Vec::new();
    for (key, value) in header.metadata().iter().flatten() {
        let text: Vec<u8> = value.chars().flat_map(|character| u32::from(character).to_le_bytes()).collect();
        arrays.push((key.clone(), format!("<U{}", value.chars().count()), String::new(), text));
    }
    for (name, tensor) in smallest(file)? {
        let shape: String = tensor.shape().iter().map(|length| format!("{length}, ")).collect();
        let dtype = if tensor.dtype() == Dtype::F32 { "<f4" } else { "<i8" };
        arrays.push((name, dtype.to_owned(), shape, tensor.data().to_vec()));
    }
    npz(&arrays)
}

/// Returns an uncompressed npz file with these arrays: name, type, shape and elements of each.
fn npz(arrays: &[(String, String, String, Vec<u8>)]) -> Result<Vec<u8>> {
    let mut archive = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, dtype, shape, elements) in arrays {
        let options = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
        archive.start_file(format!("{name}.npy"), options)?;
        let header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({shape}), }}\n");
        archive.write_all(b"\x93NUMPY\x01\x00")?;
        archive.write_all(&u16::try_from(header.len())?.to_le_bytes())?;
        archive.write_all(header.as_bytes())?;
        archive.write_all(elements)?;
    }
    Ok(archive.finish()?.into_inner())
}

/// Returns data sets of images of 2×2 pixels: CSV files with and without a header, and npz files with all four arrays and with
/// two.
fn tables() -> Result<Vec<Vec<u8>>> {
    let rows = "3,0,255,51,1\n1,128,2,127,254\n0,1,1,1,1\n";
    let array = |name: &str, dtype: &str, shape: &str, elements: &[u8]| {
        (name.to_owned(), dtype.to_owned(), shape.to_owned(), elements.to_vec())
    };
    let [x, y] = [("|u1", "2, 2, 2", [0, 255, 51, 1, 128, 2, 127, 254]), ("<i4", "2,", [3, 0, 0, 0, 1, 0, 0, 0])];
    let arrays = |names: &[[&str; 2]]| {
        let pair = |&[images, labels]: &[&str; 2]| [array(images, x.0, x.1, &x.2), array(labels, y.0, y.1, &y.2)];
        npz(&names.iter().flat_map(pair).collect::<Vec<_>>())
    };
    let header = format!("label,pixel0,pixel1,pixel2,pixel3\n{rows}").into_bytes();
    let divided = arrays(&[["x_train", "y_train"], ["x_test", "y_test"]])?;
    Ok(vec![rows.into(), header, divided, arrays(&[["X", "y"]])?])
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
