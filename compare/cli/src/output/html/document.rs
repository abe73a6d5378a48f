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
pub(crate) fn plot(svg: &str, label: &str) -> Markup {
    let label = html! { (label) }.into_string();
    PreEscaped(svg.replacen("<svg ", &format!("<svg role=\"img\" aria-label=\"{label}\" "), 1))
}

/// Returns a plot of losses in two layouts; the width of the screen decides which of them is shown.
#[cfg(feature = "full")]
pub(crate) fn losses_plot(losses: &Losses, label: &str) -> Result<Markup> {
    let wide = plot(&losses.svg(Layout::Wide)?, label);
    let narrow = plot(&losses.svg(Layout::Narrow)?, label);
    Ok(html! {
        div class="on-wide-screen" { (wide) }
        div class="on-narrow-screen" { (narrow) }
    })
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
