//! Wording that all pages share.

/// The rule by which verdicts are given, in words.
pub(super) const RULE: &str = "A row is *reproduced* if what the report states lies where one more seed would, with a confidence of 95 % \
                    (mean ± t · s · √(1 + 1/n)), for the accuracy and for the training loss; else it *differs*, or is \
                    *explained* where a named cause reproduces it. It is *degenerate* if a network has learned nothing, and \
                    *inconclusive* with fewer than three seeds. The implementation that the report ran decides, and comes \
                    first; without runs of it a row is *inconclusive* too.";
