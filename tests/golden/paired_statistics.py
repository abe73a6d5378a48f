"""Writes paired_statistics.json, the expected values of compare/tests/statistics.rs, computed with SciPy and statsmodels.

    pip install scipy statsmodels
    python paired_statistics.py
"""

import itertools
import json
from pathlib import Path

import numpy
import scipy
import statsmodels
import statsmodels.api
from scipy import integrate, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.weightstats import DescrStatsW, ttost_paired

LEVEL = 0.05


def paired(left, right, margin):
    """Returns the statistics of paired accuracies: differences are right minus left."""
    left, right = numpy.array(left), numpy.array(right)
    differences = right - left
    statistics = DescrStatsW(differences)
    # The probability of an absolute mean as large as this one, if the true mean is an end of the margin.
    away = "larger" if differences.mean() > 0 else "smaller"
    from_ends = [statistics.ttest_mean(end, alternative=away)[1] for end in (margin, -margin)]
    count, freedom = len(differences), len(differences) - 1
    resamples = numpy.array(list(itertools.product(differences, repeat=len(differences)))).mean(axis=1)
    return {
        "left": left.tolist(),
        "right": right.tolist(),
        "margin": margin,
        "mean": differences.mean(),
        "standard_deviation": differences.std(ddof=1),
        "interval_95": statistics.tconfint_mean(0.05),
        # The prediction interval of a regression on a constant.
        "prediction_95": statsmodels.api.OLS(differences, numpy.ones(len(differences)))
        .fit()
        .get_prediction([1.0])
        .conf_int(obs=True, alpha=0.05)[0]
        .tolist(),
        "equivalence_p": ttost_paired(right, left, -margin, margin)[0],
        "difference_p": min(sum(from_ends), 1),
        "detectable": (stats.t.ppf(0.975, freedom) + stats.t.ppf(0.9, freedom)) * differences.std(ddof=1) / count**0.5,
        # The exact bootstrap distribution, from all possible resamples. An interval from 10,000 random resamples must end
        # between these percentiles: five standard errors of the fraction 5 % are 1.1 %.
        "bootstrap_90": numpy.percentile(resamples, [[3.9, 6.1], [93.9, 96.1]], method="inverted_cdf").tolist(),
    }


def power(count, difference, standard_deviation, margin):
    """Returns the probability that `count` pairs show equivalence, by numerical integration over the sample deviation."""
    freedom = count - 1
    error = standard_deviation / count**0.5
    quantile = stats.t.ppf(1 - LEVEL, freedom)

    def integrand(chi):
        room = margin / error - quantile * chi / freedom**0.5
        center = difference / error
        return max(stats.norm.cdf(room - center) - stats.norm.cdf(-room - center), 0) * stats.chi.pdf(chi, freedom)

    end = margin / error * freedom**0.5 / quantile
    near = [x for x in (freedom**0.5 - 3, freedom**0.5, freedom**0.5 + 3) if 0 < x < end]
    return integrate.quad(integrand, 0, min(end, freedom**0.5 + 12), points=near, epsabs=1e-12, limit=500)[0]


def seeds_needed(difference, standard_deviation, margin):
    """Returns the smallest number of pairs, at least 3, with a power of 90 %."""
    count = 3
    while power(count, difference, standard_deviation, margin) < 0.9:
        count += 1
    return count


def kappa(left, right, classes):
    """Returns Cohen's kappa of two lists of labels, together with its input."""
    table = numpy.zeros((classes, classes))
    for one, other in zip(left, right):
        table[one, other] += 1
    return {"left": left, "right": right, "classes": classes, "kappa": cohens_kappa(table).kappa}


PAIRS = [
    ([0.973, 0.9712, 0.9741, 0.9726, 0.9733], [0.9731, 0.9711, 0.9743, 0.9724, 0.9733], 0.005),
    ([0.9643, 0.958, 0.9611, 0.9575, 0.964], [0.9552, 0.961, 0.957, 0.9622, 0.9581], 0.005),
    ([0.951, 0.9522, 0.9498], [0.973, 0.9719, 0.9741], 0.001),
    ([0.97, 0.98], [0.9702, 0.9799], 0.005),
]
POWERS = [(3, 0.0, 0.001, 0.005), (5, 0.001, 0.004, 0.005), (20, 0.0, 0.006, 0.005), (60, -0.0015, 0.01, 0.005)]
NEEDED = [(0.0, 0.0001, 0.005), (0.0, 0.006, 0.005), (0.002, 0.008, 0.005), (-0.001, 0.02, 0.005)]
TABLES = [(0, 0), (1, 0), (3, 9), (12, 12), (40, 71), (300, 250)]
LABELS = [int(value) for value in numpy.random.default_rng(0).integers(0, 10, 60)]
OTHERS = [(label + (index % 7 == 0)) % 10 for index, label in enumerate(LABELS)]

written = {
    "made_by": f"SciPy {scipy.__version__}, statsmodels {statsmodels.__version__}, NumPy {numpy.__version__}",
    "paired": [paired(*arguments) for arguments in PAIRS],
    "power": [{"arguments": arguments, "power": power(*arguments)} for arguments in POWERS],
    "seeds_needed": [{"arguments": arguments, "count": seeds_needed(*arguments)} for arguments in NEEDED],
    "mcnemar": [{"only": [a, b], "p": mcnemar([[0, a], [b, 0]], exact=True).pvalue} for a, b in TABLES],
    "kappa": [kappa(LABELS, OTHERS, 10), kappa([0, 0, 1, 1], [1, 1, 0, 0], 2), kappa([2, 2, 1], [2, 2, 2], 3)],
}
Path(__file__).with_suffix(".json").write_text(json.dumps(written) + "\n")
