//! Tests of `predict`, with pictures of digits that the tests draw.

use std::f64::consts::TAU;
use std::path::Path;

use image::{DynamicImage, GrayImage, Rgba, RgbaImage};
use serde_json::Value;

use super::run::{assert_fails, json, run};

type Point = (f64, f64);

/// Returns points on an elliptic arc, given by its centre, its half axes in x and y, and its first and last angle in
/// turns (0 points right, ¼ points down).
fn arc((x, y): Point, (half_width, half_height): Point, [from, to]: [f64; 2]) -> Vec<Point> {
    let points = (0..=24).map(|index| (from + (to - from) * f64::from(index) / 24.0) * TAU);
    points.map(|angle| (x + half_width * angle.cos(), y + half_height * angle.sin())).collect()
}

/// Returns the strokes of a digit, each a sequence of points, in a unit square whose origin is the top left corner.
fn strokes(digit: usize) -> Vec<Vec<Point>> {
    let circle = |middle, radius| arc(middle, (radius, radius), [0.0, 1.0]);
    match digit {
        0 => vec![arc((0.5, 0.5), (0.28, 0.45), [0.0, 1.0])],
        1 => vec![vec![(0.55, 0.05), (0.45, 0.95)]],
        2 => vec![[arc((0.5, 0.3), (0.25, 0.25), [-0.5, 0.08]), vec![(0.22, 0.95), (0.8, 0.93)]].concat()],
        3 => vec![arc((0.45, 0.28), (0.25, 0.23), [-0.42, 0.25]), arc((0.45, 0.72), (0.27, 0.23), [-0.25, 0.42])],
        4 => vec![vec![(0.35, 0.05), (0.2, 0.55), (0.8, 0.5)], vec![(0.68, 0.1), (0.6, 0.95)]],
        5 => vec![
            [vec![(0.75, 0.05), (0.32, 0.07), (0.28, 0.42)], arc((0.45, 0.67), (0.28, 0.27), [-0.3, 0.4])].concat(),
        ],
        6 => vec![[vec![(0.62, 0.05), (0.35, 0.4)], arc((0.5, 0.7), (0.24, 0.24), [0.5, -0.5])].concat()],
        7 => vec![vec![(0.2, 0.1), (0.78, 0.08), (0.42, 0.95)]],
        8 => vec![circle((0.5, 0.27), 0.21), circle((0.48, 0.72), 0.23)],
        _ => vec![circle((0.48, 0.3), 0.23), vec![(0.71, 0.3), (0.6, 0.95)]],
    }
}

/// Returns the distance of a point from a line segment.
fn distance((x, y): Point, from: Point, to: Point) -> f64 {
    let (segment_x, segment_y) = (to.0 - from.0, to.1 - from.1);
    let squared_length = segment_x * segment_x + segment_y * segment_y;
    // Position of the nearest point of the segment, from 0 at its start to 1 at its end.
    let nearest = (((x - from.0) * segment_x + (y - from.1) * segment_y) / squared_length).clamp(0.0, 1.0);
    (x - from.0 - nearest * segment_x).hypot(y - from.1 - nearest * segment_y)
}

/// A picture of one digit.
struct Page {
    /// Width and height in pixels.
    size: (u32, u32),
    /// Left, top and side of the square in which the digit is drawn, in pixels.
    square: (f64, f64, f64),
    /// Half of the pen's width, as a fraction of the square's side.
    pen: f64,
    /// Colours in RGBA.
    ink: [u8; 4],
    paper: [u8; 4],
    file: &'static str,
}

/// One picture of each digit, of different sizes, positions, colours and file formats.
#[rustfmt::skip]
const PAGES: [Page; 10] = [
    Page { size: (400, 400), square: (80.0, 60.0, 260.0), pen: 0.05, ink: [0, 0, 0, 255], paper: [255, 255, 255, 255], file: "zero.png" },
    Page { size: (200, 300), square: (20.0, 120.0, 150.0), pen: 0.05, ink: [255, 255, 255, 255], paper: [0, 0, 0, 255], file: "one.png" },
    Page { size: (1600, 1200), square: (900.0, 300.0, 600.0), pen: 0.04, ink: [20, 30, 140, 255], paper: [240, 235, 210, 255], file: "two.jpg" },
    Page { size: (64, 64), square: (20.0, 10.0, 40.0), pen: 0.06, ink: [0, 0, 0, 255], paper: [0, 0, 0, 0], file: "three.png" },
    Page { size: (500, 350), square: (30.0, 20.0, 300.0), pen: 0.05, ink: [120, 120, 120, 255], paper: [220, 220, 220, 255], file: "four.png" },
    Page { size: (300, 300), square: (150.0, 150.0, 130.0), pen: 0.05, ink: [255, 240, 80, 255], paper: [20, 60, 40, 255], file: "five.png" },
    Page { size: (120, 90), square: (10.0, 5.0, 80.0), pen: 0.06, ink: [255, 255, 255, 255], paper: [0, 0, 0, 0], file: "six.png" },
    Page { size: (800, 800), square: (500.0, 40.0, 240.0), pen: 0.045, ink: [90, 20, 20, 255], paper: [250, 250, 250, 255], file: "seven.jpg" },
    Page { size: (256, 256), square: (40.0, 40.0, 180.0), pen: 0.045, ink: [60, 60, 60, 255], paper: [130, 130, 130, 255], file: "eight.png" },
    Page { size: (700, 400), square: (350.0, 50.0, 320.0), pen: 0.05, ink: [10, 10, 10, 255], paper: [200, 210, 255, 255], file: "nine.png" },
];

/// Draws a digit, saves the picture in a folder, and returns its path.
fn draw(digit: usize, page: &Page, folder: &Path) -> String {
    let (left, top, side) = page.square;
    let strokes = strokes(digit);
    let is_inked = |x: u32, y: u32| {
        let point = ((f64::from(x) + 0.5 - left) / side, (f64::from(y) + 0.5 - top) / side);
        let mut lines = strokes.iter().flat_map(|stroke| stroke.windows(2));
        lines.any(|line| distance(point, line[0], line[1]) < page.pen)
    };
    let picture =
        RgbaImage::from_fn(page.size.0, page.size.1, |x, y| Rgba(if is_inked(x, y) { page.ink } else { page.paper }));
    let path = folder.join(page.file);
    match page.file.ends_with("jpg") {
        true => DynamicImage::from(picture).to_rgb8().save(&path).unwrap(),
        false => picture.save(&path).unwrap(),
    }
    path.to_str().unwrap().to_owned()
}

/// Checks that unusable pictures are rejected, and that the other pictures of the same call are classified.
fn check_unusable_pictures(parameters: &str, pictures: &[&str], folder: &Path) {
    let broken = folder.join("broken.png");
    let whole = std::fs::read(pictures[0]).unwrap();
    std::fs::write(&broken, &whole[..whole.len() / 2]).unwrap();
    assert_fails(
        &["predict", parameters, broken.to_str().unwrap()],
        3,
        &["broken.png", "not a valid picture or IDX file"],
    );
    // The other pictures are classified nevertheless.
    let mixed = run(&["predict", parameters, broken.to_str().unwrap(), pictures[1]]);
    assert!(
        mixed.code == Some(3) && mixed.out.contains("one.png") && mixed.err.contains("broken.png"),
        "{}",
        mixed.out
    );
    let photograph = std::fs::read(pictures[7]).unwrap();
    let truncated = folder.join("truncated.jpg");
    std::fs::write(&truncated, &photograph[..photograph.len() / 2]).unwrap();
    assert_fails(&["predict", parameters, truncated.to_str().unwrap()], 3, &["truncated.jpg", "truncated JPEG"]);
    std::fs::write(&broken, "a letter").unwrap();
    assert_fails(
        &["predict", parameters, broken.to_str().unwrap()],
        3,
        &["broken.png", "not a valid picture or IDX file"],
    );
    let empty = folder.join("empty.png");
    RgbaImage::from_pixel(90, 70, Rgba([250, 250, 250, 255])).save(&empty).unwrap();
    assert_fails(&["predict", parameters, empty.to_str().unwrap()], 3, &["empty.png", "no digit found"]);
    assert_fails(&["predict", parameters, "nowhere.png"], 3, &["nowhere.png"]);
    assert_fails(&["predict", parameters], 2, &["IMAGE"]);
}

#[test]
fn predict_recognizes_drawn_digits_with_both_implementations() {
    let folder = tempfile::tempdir().unwrap();
    let parameters = folder.path().join("network.safetensors");
    let parameters = parameters.to_str().unwrap();
    let recipe = ["--optimizer", "momentum", "--nesterov", "--learning-rate", "0.1", "--schedule", "one-cycle"];
    let train = ["train", "--implementation", "scratch", "--epochs", "2", "--save", parameters];
    assert_eq!(run(&[&train[..], &recipe].concat()).code, Some(0));

    let pictures: Vec<String> =
        PAGES.iter().enumerate().map(|(digit, page)| draw(digit, page, folder.path())).collect();
    let pictures: Vec<&str> = pictures.iter().map(String::as_str).collect();
    let predict = [&["predict", parameters], &pictures[..], &["--implementation", "scratch,framework"]].concat();
    let shown = run(&predict);
    assert!(shown.out.contains("seven.jpg") && shown.out.contains("0123456789"), "{}{}", shown.out, shown.err);
    let document = json(&run(&[&predict[..], &["--json"]].concat()));
    let predictions = document["predictions"].as_array().unwrap();
    let digit = |answer: &Value| answer["digit"].as_u64().unwrap() as usize;
    let mut correct = 0;
    for (index, prediction) in predictions.iter().enumerate() {
        let [scratch, framework] = [&prediction["answers"][0], &prediction["answers"][1]];
        assert_eq!(digit(scratch), digit(framework), "{}", shown.out);
        correct += usize::from(digit(scratch) == index);
    }
    assert!(predictions.len() == 10 && correct >= 9, "{correct} of 10 are correct: {}", shown.out);

    // Images of MNIST saved as PNG files of 28 × 28 pixels.
    let test = mlp_parity::mnist::DataSource::Embedded.load().unwrap().test;
    let files: Vec<String> = (0..40)
        .map(|index| {
            let path = folder.path().join(format!("{index}.png"));
            GrayImage::from_raw(28, 28, test.image(index).to_vec()).unwrap().save(&path).unwrap();
            path.to_str().unwrap().to_owned()
        })
        .collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let document = json(&run(&[&["predict", parameters, "--json"], &files[..]].concat()));
    let answers = document["predictions"].as_array().unwrap().iter().map(|prediction| digit(&prediction["answers"][0]));
    let correct = answers.zip(test.labels()).filter(|&(answer, &label)| answer == label).count();
    assert!(correct >= 38, "{correct} of 40 are correct");

    check_unusable_pictures(parameters, &pictures, folder.path());
}

/// The picture of a 7 in other formats, and followed by other data, gives the same image as the PNG file.
#[test]
fn predict_reads_picture_formats_alike() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let parameters = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/report.safetensors");
    let png = draw(7, &Page { file: "seven.png", ..PAGES[7] }, folder.path());
    let shown = |picture: &str| {
        let sheet = path("sheet.png");
        #[rustfmt::skip]
        let result = run(&[
            "predict", parameters.to_str().unwrap(), picture, "--activation", "relu", "--show", &sheet,
        ]);
        assert_eq!(result.code, Some(0), "{picture}: {}", result.err);
        (image::open(&sheet).unwrap().to_luma8(), result.err)
    };
    let (expected, _) = shown(&png);
    assert_eq!(expected.dimensions(), (28, 28));
    let picture = image::open(&png).unwrap().to_rgb8();
    for name in ["seven.bmp", "seven.gif", "seven.tiff", "seven.webp"] {
        picture.save(path(name)).unwrap();
        assert_eq!(shown(&path(name)).0, expected, "{name}");
    }
    let jpeg = std::fs::read(draw(7, &PAGES[7], folder.path())).unwrap();
    let (expected, _) = shown(&path("seven.jpg"));
    for (behind, warns) in [(&[0; 5000][..], false), (&jpeg, false), (b"a video \xff\xda", false), (b"", true)] {
        let end = jpeg.len() - if warns { 2 } else { 0 };
        std::fs::write(path("behind.jpg"), [&jpeg[..end], behind].concat()).unwrap();
        let (image, messages) = shown(&path("behind.jpg"));
        assert!(
            image == expected && messages.contains("the end marker of the JPEG file is missing") == warns,
            "{messages}"
        );
    }
}

#[test]
fn predict_refuses_two_digits_and_to_replace_a_picture() {
    let folder = tempfile::tempdir().unwrap();
    let parameters = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/report.safetensors");
    let parameters = parameters.to_str().unwrap();
    let [one, two] = [draw(4, &PAGES[4], folder.path()), draw(9, &Page { file: "two.png", ..PAGES[4] }, folder.path())];
    let [left, right] = [&one, &two].map(|path| image::open(path).unwrap().to_rgb8());
    let mut both = image::RgbImage::new(left.width() + right.width(), left.height());
    image::imageops::replace(&mut both, &left, 0, 0);
    image::imageops::replace(&mut both, &right, left.width().into(), 0);
    let path = folder.path().join("both.png");
    both.save(&path).unwrap();
    let predict = ["predict", parameters, "--activation", "relu"];
    assert_fails(&[&predict[..], &[path.to_str().unwrap()]].concat(), 3, &["both.png", "2 digits; crop it to one"]);
    assert_fails(&[&predict[..], &[&one, &two, "--show", &two]].concat(), 2, &["would replace the input"]);
    assert_eq!(image::open(&two).unwrap().to_rgb8(), right);
}

#[test]
fn predict_reads_all_images_of_idx_file() {
    let folder = tempfile::tempdir().unwrap();
    let [_, _, (_, images), _] = mlp_parity::mnist::DataSource::Embedded.files().unwrap();
    // An IDX file with the first three test images: magic number, number of images, image shape, pixels.
    let header = [&images[..4], &3_u32.to_be_bytes(), &images[8..16]].concat();
    let path = folder.path().join("three");
    std::fs::write(&path, [&header, &images[16..16 + 3 * 784]].concat()).unwrap();
    let parameters = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/report.safetensors");
    let predict = ["predict", parameters.to_str().unwrap(), path.to_str().unwrap(), "--activation", "relu"];
    let result = run(&predict);
    assert_eq!(result.code, Some(0), "{}", result.err);
    assert!(
        result.out.contains("three[0]") && result.out.contains("three[2]") && !result.out.contains("three[3]"),
        "{}",
        result.out
    );
}

#[test]
fn predict_limits_the_size_of_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let parameters = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/report.safetensors");
    let predict = ["predict", parameters.to_str().unwrap(), "--activation", "relu"];
    let with = |arguments: &[&str]| run(&[&predict[..], arguments].concat());
    let [zero, two] = [draw(0, &PAGES[0], folder.path()), draw(2, &PAGES[2], folder.path())];
    // A picture of 1600 × 1200 pixels. The other picture of the call is classified nevertheless.
    let limited = with(&[&two, &zero, "--max-megapixels", "1"]);
    assert!(limited.code == Some(3) && limited.out.contains("zero.png"), "{}", limited.err);
    let reason = "two.jpg: the file claims 1600 × 1200 pixels (1.8 megapixels), but the limit is 1; set it with --max-megapixels";
    assert!(limited.err.contains(reason), "{}", limited.err);
    assert_eq!(with(&[&two, &zero, "--max-megapixels", "2"]).code, Some(0));

    // An IDX file is limited by all of its images together.
    let images = folder.path().join("images");
    let bytes = [&[0, 0, 8, 3, 0, 0, 5, 58, 0, 0, 0, 28, 0, 0, 0, 28][..], &vec![0; 1338 * 784]].concat();
    std::fs::write(&images, bytes).unwrap();
    let limited = with(&[images.to_str().unwrap(), "--max-megapixels", "1"]);
    assert!(limited.code == Some(3) && limited.err.contains("1338 images of 28 × 28 pixels"), "{}", limited.err);
    for invalid in ["0", "4097", "many"] {
        assert_eq!(with(&[&zero, "--max-megapixels", invalid]).code, Some(2));
    }
}
