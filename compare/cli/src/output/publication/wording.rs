//! Wording that the Markdown and the HTML page share.

/// Explanation of the verdicts on the rows of the report. Words between asterisks are emphasized.
pub(super) const RULE: &str = "\
    A row is *reproduced* if the reported accuracy and the reported training loss both lie in the 95 % prediction \
    interval for one more seed, mean ± t · s · √(1 + 1/n), where n is the number of measured seeds, s their standard \
    deviation, and t the 97.5 % quantile of Student's t distribution with n − 1 degrees of freedom. Otherwise it \
    *differs*, or is *explained* if a known difference in the computation reproduces the reported values. A row is \
    *degenerate* if a network learned nothing, and *inconclusive* with fewer than three seeds. The implementation that \
    the report used, which is listed first, decides the verdict; without runs of it, the row is *inconclusive*.";
