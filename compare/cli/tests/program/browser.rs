//! Tests of HTML pages in a browser.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use super::html::{comparison_page, failing_trace_page};
use super::study::{Study, ok};

/// If this environment variable is set, the tests fail instead of being skipped when there is no browser, or no axe-core.
const REQUIRE_BROWSER: &str = "MLP_PARITY_REQUIRE_BROWSER";

/// Environment variable with the path of Chromium; the default is `chromium`.
const CHROMIUM: &str = "MLP_PARITY_CHROMIUM";

/// Environment variable with the path of `axe.min.js`, the script of axe-core, which tests the accessibility of a page.
const AXE: &str = "MLP_PARITY_AXE";

/// A script to insert into an HTML page. It counts the page's visible tables, figures and findings, the pixels by which
/// the page is wider than the window, the loaded resources, and the broken links within the page, and lists the rules of axe-core
/// that the page violates, if that script is there.
const MEASURE: &str = r##"<script>
addEventListener("load", async () => {
  const seen = (selector) => [...document.querySelectorAll(selector)].filter((element) => {
    const box = element.getBoundingClientRect();
    return element.checkVisibility() && box.width > 100 && box.height > 20;
  }).length;
  const violations = window.axe ? (await axe.run()).violations : [];
  document.body.dataset.measured = JSON.stringify({
    tables: seen("table"), figures: seen("figure svg"), findings: seen(".findings li"),
    overflow: document.documentElement.scrollWidth - innerWidth,
    loaded: performance.getEntriesByType("resource").length,
    broken: [...document.querySelectorAll('a[href^="#"]')].filter((link) => !document.getElementById(link.hash.slice(1))).length,
    violations: violations.map((violation) => `${violation.id}: ${violation.nodes.map((node) => node.target).join(", ")}`),
  });
});
</script>"##;

/// A browser with the scripts that are inserted into pages.
struct Browser {
    folder: TempDir,
    scripts: String,
}

impl Browser {
    /// Finds Chromium and axe-core. Returns `None` if there is no browser; without axe-core, accessibility is not tested.
    fn find() -> Option<Self> {
        if !chromium().arg("--version").output().is_ok_and(|output| output.status.success()) {
            skip(&format!("Chromium was not found; set {CHROMIUM} to its path"));
            return None;
        }
        let axe = std::env::var_os(AXE).map(PathBuf::from);
        let axe = axe
            .map(|path| std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())));
        if axe.is_none() {
            skip(&format!("accessibility is not tested; set {AXE} to the path of axe.min.js"));
        }
        let axe = axe.map_or_else(String::new, |script| {
            format!("<script>{}</script>", script.replace("</script", "<\\/script"))
        });
        Some(Self { folder: tempfile::tempdir().unwrap(), scripts: axe + MEASURE })
    }

    /// Opens a page in windows of three widths, with light and dark colours. Asserts that it has no scripts of its own, loads
    /// nothing, is not wider than the window, and has neither broken links nor violations of axe-core's rules. Returns the
    /// measurements in the widest window.
    #[track_caller]
    fn assert_displays(&self, page: &str) -> Value {
        assert!(!page.contains("<script") && !page.contains("src="), "the page is self-contained");
        let probe = self.folder.path().join("probe.html");
        std::fs::write(&probe, page.replacen("</body>", &format!("{}</body>", self.scripts), 1)).unwrap();
        let mut measured = Value::Null;
        for (width, color_scheme) in [(390, 0), (1024, 1), (1600, 0), (1600, 1)] {
            measured = self.measure(&probe, width, color_scheme);
            let count = |name: &str| measured[name].as_i64().unwrap();
            assert!(count("overflow") <= 0, "at {width}: {measured}");
            assert_eq!((count("loaded"), count("broken")), (0, 0), "at {width}: {measured}");
            assert_eq!(measured["violations"], Value::Array(Vec::new()), "at {width}, colour scheme {color_scheme}");
        }
        measured
    }

    /// Opens a page in a window of this width, and returns the measurements of the scripts. The colour scheme 0 is dark, 1 light.
    fn measure(&self, page: &Path, width: u32, color_scheme: u32) -> Value {
        let mut command = chromium();
        command.args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom", "--virtual-time-budget=20000"]);
        command.arg(format!("--window-size={width},900"));
        command.arg(format!("--blink-settings=preferredColorScheme={color_scheme}"));
        command.arg(format!("--user-data-dir={}", self.folder.path().join("user").display()));
        let output = command.arg(format!("file://{}", page.display())).output().unwrap();
        let dom = String::from_utf8_lossy(&output.stdout).replace("&quot;", "\"");
        let start =
            dom.find("data-measured=\"").unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&output.stderr)));
        let text = &dom[start + "data-measured=\"".len()..];
        serde_json::from_str(&text[..=text.find('}').unwrap()]).unwrap()
    }
}

fn chromium() -> Command {
    Command::new(std::env::var_os(CHROMIUM).unwrap_or_else(|| "chromium".into()))
}

/// Prints what is skipped, or fails if it must not be skipped.
#[track_caller]
fn skip(reason: &str) {
    assert!(std::env::var_os(REQUIRE_BROWSER).is_none(), "{REQUIRE_BROWSER} is set, but {reason}");
    eprintln!("SKIPPED: {reason}");
}

#[test]
fn html_report_displays_without_external_resources() {
    let Some(browser) = Browser::find() else { return };
    let study = Study::new();
    ok(study.reproduce("done", &[]));
    let measured = browser.assert_displays(&study.read("done/report.html"));
    let count = |name: &str| measured[name].as_i64().unwrap();
    // The visible tables are the overview, the pairs and the three tables of the grid; the tables of epochs are folded.
    assert_eq!((count("tables"), count("figures")), (5, 2), "{measured}");
    assert!(count("findings") >= 3, "{measured}");
}

#[test]
fn check_and_comparison_pages_display_without_external_resources() {
    let Some(browser) = Browser::find() else { return };
    let folder = tempfile::tempdir().unwrap();
    let measured = browser.assert_displays(&failing_trace_page(folder.path()));
    assert_eq!(measured["findings"], 1, "{measured}");
    // Stages and failed checks of the trace; this program's own implementations cannot be checked on it.
    assert!(measured["tables"].as_i64().unwrap() >= 2 && measured["figures"].as_i64().unwrap() >= 2, "{measured}");
    let (_, page) = comparison_page(folder.path(), &["--optimizer", "adam"]);
    let measured = browser.assert_displays(&page);
    // Stages before and after training, results, and two confusion matrices; strip plots before and after training, losses and
    // divergence.
    assert_eq!((measured["tables"].as_i64(), measured["figures"].as_i64()), (Some(5), Some(4)), "{measured}");
}
