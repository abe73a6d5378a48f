//! Colours of words that state a result. They repeat what the words say, and are left out unless standard output is a
//! terminal that shows them.

use std::borrow::Cow;

use anstyle::{AnsiColor, Style};

/// The meaning of a word that states a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// A success.
    Good,
    /// A failure.
    Bad,
    /// Neither success nor failure.
    Open,
}

impl Tone {
    /// Returns the meaning of a word; `None` for other texts.
    pub(crate) fn of(word: &str) -> Option<Self> {
        match word {
            "pass" | "agree" | "equivalent" => Some(Self::Good),
            "FAIL" | "disagree" | "different" | "failed" => Some(Self::Bad),
            "inconclusive" | "degenerate" | "interrupted" => Some(Self::Open),
            _ => None,
        }
    }
}

/// Returns the word, green if it is a success, red if it is a failure, yellow if it is neither; other texts are unchanged.
pub(super) fn styled(word: &str) -> Cow<'_, str> {
    let color = match Tone::of(word) {
        Some(Tone::Good) => AnsiColor::Green,
        Some(Tone::Bad) => AnsiColor::Red,
        Some(Tone::Open) => AnsiColor::Yellow,
        None => return Cow::Borrowed(word),
    };
    let style = Style::new().bold().fg_color(Some(color.into()));
    Cow::Owned(format!("{style}{word}{style:#}"))
}
