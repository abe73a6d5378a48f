//! Test of the HTML report in a browser.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::study::{Study, ok};

/// If this environment variable is set, the test fails instead of being skipped when there is no browser.
const REQUIRE_BROWSER: &str = "MLP_PARITY_REQUIRE_BROWSER";

/// Environment variable with the path of Chromium; the default is `chromium`.
const CHROMIUM: &str = "MLP_PARITY_CHROMIUM";

/// A script to insert into an HTML page. It counts the page's visible tables, figures and findings, the pixels by which
/// the page is wider than the window, the loaded resources, and the broken links within the page.
const MEASURE: &str = r##"<script>
addEventListener("load", () => {
  const seen = (selector) => [...document.querySelectorAll(selector)].filter((element) => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility() && box.width > 100 && box.height > 20;
  }).length;
  document.body.dataset.measured = JSON.stringify({
    tables: seen("table"), figures: seen("figure svg"), findings: seen(".findings li"),
    overflow: document.documentElement.scrollWidth - innerWidth,
    loaded: performance.getEntriesByType("resource").length,
    broken: [...document.querySelectorAll('a[href^="#"]')].filter((link) => !document.getElementById(link.hash.slice(1))).length,
  });
});
</script>"##;

fn browser() -> Command {
    Command::new(std::env::var_os(CHROMIUM).unwrap_or_else(|| "chromium".into()))
}

/// Opens a page, with the measuring script inserted, in a window of this width, and returns the script's measurements.
fn measure_page(page: &Path, width: u32, folder: &Path) -> Value {
    let mut command = browser();
    command.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=2000"]);
    command.arg(format!("--window-size={width},900")).arg(format!("--user-data-dir={}", folder.join("user").display()));
    let output = command.arg(format!("file://{}", page.display())).output().unwrap();
    let dom = String::from_utf8_lossy(&output.stdout).replace("&quot;", "\"");
    let start = dom.find("data-measured=\"").unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let text = &dom[start + "data-measured=\"".len()..];
    serde_json::from_str(&text[..=text.find('}').unwrap()]).unwrap()
}

#[test]
fn html_report_displays_without_external_resources() {
    if !browser().arg("--version").output().is_ok_and(|output| output.status.success()) {
        assert!(
            std::env::var_os(REQUIRE_BROWSER).is_none(),
            "{REQUIRE_BROWSER} is set, but Chromium was not found; set {CHROMIUM}"
        );
        eprintln!("SKIPPED: Chromium was not found; set {CHROMIUM} to its path");
        return;
    }
    let study = Study::new();
    ok(study.reproduce("done", &[]));
    let page = study.read("done/report.html");
    assert!(!page.contains("<script") && !page.contains("src="), "the page is self-contained");
    let probe = study.folder.path().join("probe.html");
    std::fs::write(&probe, page.replacen("</body>", &format!("{MEASURE}</body>"), 1)).unwrap();
    for width in [390, 1024, 1600] {
        let measured = measure_page(&probe, width, study.folder.path());
        let count = |name: &str| measured[name].as_i64().unwrap();
        // The visible tables are the overview, the pairs and the three tables of the grid; the tables of epochs are folded.
        assert_eq!((count("tables"), count("figures")), (5, 2), "at {width}: {measured}");
        assert!(count("findings") >= 3 && count("overflow") <= 0, "at {width}: {measured}");
        assert_eq!((count("loaded"), count("broken")), (0, 0), "at {width}: {measured}");
    }
}
