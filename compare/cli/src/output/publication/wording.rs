//! Wording that the Markdown and the HTML page share.

/// The rule by which rows get their verdicts. Words between asterisks are emphasized.
pub(super) const RULE: &str = "\
    A row is *reproduced* if the reported accuracy and the reported training loss both lie in the 95 % prediction \
    interval of the measured seeds, mean ± t · s · √(1 + 1/n), where one more seed would lie. Otherwise it *differs*, \
    or is *explained* if a known difference of the computation reproduces it. A row is *degenerate* if a network \
    learned nothing, and *inconclusive* with fewer than three seeds. The verdict is that of the implementation that \
    the report used, which is listed first; without runs of it, the row is *inconclusive*.";
