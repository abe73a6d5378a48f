//! The parts that all pages have in common.

use maud::{DOCTYPE, Markup, PreEscaped, html};

#[cfg(feature = "full")]
use crate::error::Result;
#[cfg(feature = "full")]
use crate::output::plots::{Layout, Losses};
use crate::output::terminal::Tone;

/// The style sheet of all pages.
pub(crate) const STYLE: &str = include_str!("style.css");

/// Returns a page with these style sheets.
pub(crate) fn document(title: &str, styles: &[&str], body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { @for style in styles { (PreEscaped(style)) } }
            }
            body { (body) }
        }
    }
}

/// Returns a plot that was drawn as SVG text, with a label that describes it to screen readers.
#[cfg(feature = "full")]
fn plot(svg: &str, label: &str) -> Markup {
    let label = html! { (label) }.into_string();
    PreEscaped(svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{label}\" "), 1))
}

/// Returns a plot of losses in the layouts of [`in_layouts`].
#[cfg(feature = "full")]
pub(crate) fn losses_plot(losses: &Losses, label: &str) -> Result<Markup> {
    Ok(in_layouts([&losses.svg(Layout::Wide)?, &losses.svg(Layout::Narrow)?], label))
}

/// Returns a plot for wide and for narrow screens; the width of the screen decides which of them is shown.
#[cfg(feature = "full")]
pub(super) fn in_layouts([wide, narrow]: [&str; 2], label: &str) -> Markup {
    html! {
        div class="on-wide-screen" { (plot(wide, label)) }
        div class="on-narrow-screen" { (plot(narrow, label)) }
    }
}

/// Returns content that scrolls sideways where it is wider than the page.
pub(super) fn wide(label: &str, content: &Markup) -> Markup {
    html! { div class="wide" tabindex="0" role="group" aria-label=(label) { (content) } }
}

/// Returns the CSS class of a meaning.
pub(super) fn tone_class(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "good",
        Tone::Bad => "bad",
        Tone::Open => "open",
    }
}
