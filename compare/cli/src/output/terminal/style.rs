//! Colours of words that state a result. They repeat what the words say, and are left out unless standard output is a
//! terminal that shows them.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

/// Returns the word, green if it is a success, red if it is a failure, yellow if it is neither; other texts are unchanged.
pub(super) fn styled(word: &str) -> Cow<'_, str> {
    let color = match word {
        "pass" | "agree" | "equivalent" => AnsiColor::Green,
        "FAIL" | "disagree" | "different" | "failed" => AnsiColor::Red,
        "inconclusive" | "degenerate" | "interrupted" => AnsiColor::Yellow,
        _ => return Cow::Borrowed(word),
    };
    let style = Style::new().bold().fg_color(Some(color.into()));
    Cow::Owned(format!("{style}{word}{style:#}"))
}
