"""The words of the standard signals, by name and version: meaning, collection, rationale of hints.

Each meaning says the sum exactly, so that two teams that adopt an entry measure the same thing.
"""

from typing import Final, NamedTuple


class Words(NamedTuple):
    """The words of one version of an entry."""

    meaning: str
    collection: str
    rationale: str


_LABELLED: Final = (
    "Beside inference, once a day: join the day's predictions with the outcomes that have come in, "
    "and report the number of joined rows as the sample size. When later outcomes change a day, "
    "correct its observation."
)
_ESTIMATED: Final = (
    "Once a day from the predictions alone, by an estimator that was fitted on labelled reference "
    "rows (such as confidence-based performance estimation, or direct loss estimation). Report it "
    "as estimated."
)
_FEATURES: Final = (
    "Once a day from the feature rows that the model was given, against the rows that it was "
    "trained on. The bins are those of the reference and stay fixed for a version of the model. "
    "Report the number of compared rows as the sample size."
)
_PREDICTIONS: Final = (
    "Once a day from the model's outputs, against its outputs on the reference rows; no outcome is "
    "needed. Report the number of compared rows as the sample size."
)
_GATEWAY: Final = "From the log of the serving gateway, in five-minute or hourly windows."
_ROWS: Final = "Where rows enter the pipeline, for each run or hour. The sample size is the rows."
_OWN_SCALE: Final = (
    "No hint: what is healthy depends on the share of each class and on the task. Take the value "
    "on the holdout of the version in service as baseline, and as critical the one at which the "
    "model is of no more use than what it replaced."
)
_RELATIVE: Final = (
    "By construction 1 is the error that the version in service had on its holdout. A quarter "
    "more is usually seen by those who use the model."
)
_PSI: Final = (
    "The common reading of the index: below 0.1 nothing moved, from 0.25 on the two distributions "
    "differ in earnest. Samples of some thousand rows alone give a few hundredths."
)
_P: Final = (
    "1 is p = 0.1, which honest samples show one day in ten; 6 is one in a million. With very "
    "many rows tiny differences pass any critical: sample a fixed number, or use a distance."
)

TEXTS: Final[dict[tuple[str, int], Words]] = {
    ("accuracy", 1): Words(
        "Share of predictions whose class was the outcome's.",
        _LABELLED,
        _OWN_SCALE,
    ),
    ("accuracy-estimated", 1): Words(
        "Share of predictions whose class is expected to be the outcome's, before outcomes exist.",
        _ESTIMATED,
        f"{_OWN_SCALE} An estimate does not see that the relation of inputs to outcomes changed: "
        "give it less weight than the realised accuracy.",
    ),
    ("roc-auc", 1): Words(
        "Area under the ROC curve: the chance that a positive row is ranked above a negative one.",
        _LABELLED,
        "0.5 is chance. Many tabular models begin near 0.8, and at 0.65 half of their distance to "
        "chance is lost. Put your holdout's value in the place of the baseline.",
    ),
    ("roc-auc-estimated", 1): Words(
        "Area under the ROC curve as it is expected to be, before outcomes exist.",
        _ESTIMATED,
        "The limits of the realised area, so that the two can be read beside each other.",
    ),
    ("f1", 1): Words(
        "Harmonic mean of precision and recall of the positive class at the threshold in service.",
        _LABELLED,
        _OWN_SCALE,
    ),
    ("log-loss", 1): Words(
        "Mean negative logarithm (base e) of the probability that was given to the true outcome.",
        _LABELLED,
        f"{_OWN_SCALE} A constant forecast of a share s loses -s ln s - (1-s) ln(1-s): critical "
        "should lie below that.",
    ),
    ("log-loss-estimated", 1): Words(
        "Mean logarithmic loss as it is expected to be, before outcomes exist.",
        _ESTIMATED,
        f"{_OWN_SCALE} An estimate takes the model to be calibrated.",
    ),
    ("relative-rmse", 1): Words(
        "Root of the mean squared error, divided by that of the version in service on its holdout.",
        _LABELLED,
        _RELATIVE,
    ),
    ("relative-mae", 1): Words(
        "Mean absolute error, divided by that of the version in service on its holdout.",
        _LABELLED,
        _RELATIVE,
    ),
    ("relative-mae-estimated", 1): Words(
        "Mean absolute error as it is expected to be before outcomes exist, divided by that of the "
        "version in service on its holdout.",
        _ESTIMATED,
        f"{_RELATIVE} The estimate has the limits of the realised error.",
    ),
    ("calibration-error", 1): Words(
        "Expected calibration error: over ten bins of equal count, the mean distance between the "
        "mean forecast of a bin and its share of positive outcomes, weighted by the bins' rows.",
        _LABELLED,
        "A calibrated model with a thousand rows a day shows about 0.02 by chance alone; forecasts "
        "that are off by 0.1 on average mislead every threshold that is set on them.",
    ),
    ("brier-score", 1): Words(
        "Mean squared distance between the forecast probability and the outcome as 0 or 1.",
        _LABELLED,
        f"{_OWN_SCALE} A constant forecast of a share s has s(1-s).",
    ),
    ("psi", 1): Words(
        "Population stability index of one feature, or the largest over all: the sum over ten bins "
        "of (now - then) ln(now / then), an empty bin counted as one row in ten thousand.",
        _FEATURES,
        _PSI,
    ),
    ("js-distance", 1): Words(
        "Jensen-Shannon distance (the root of the divergence, base 2) of one feature, or the "
        "largest over all: 0 for equal distributions, 1 for disjoint ones.",
        _FEATURES,
        "0.1 is what many monitors alert at; half of it is within chance for some thousand rows, "
        "twice as much is drift that people see in a chart.",
    ),
    ("wasserstein", 1): Words(
        "Wasserstein-1 distance of one numeric feature, or the largest over all, divided by the "
        "standard deviation of the reference.",
        _FEATURES,
        "0.1 deviations is what many monitors alert at; at 0.3 the bulk of the values has moved.",
    ),
    ("ks-p", 1): Words(
        "Minus the decimal logarithm of the p-value of the two-sample Kolmogorov-Smirnov test of a "
        "numeric feature.",
        _FEATURES,
        _P,
    ),
    ("chi-squared-p", 1): Words(
        "Minus the decimal logarithm of the p-value of the chi-squared test of a categorical "
        "feature.",
        _FEATURES,
        _P,
    ),
    ("drifted-features", 1): Words(
        "Share of features that a drift test, the same for every feature, calls drifted.",
        _FEATURES,
        "A test at 5 % calls one feature in twenty drifted where nothing moved; where half of "
        "all features moved, the rows are of another population.",
    ),
    ("prediction-psi", 1): Words(
        "Population stability index of the model's outputs over the deciles of the reference.",
        _PREDICTIONS,
        _PSI,
    ),
    ("prediction-ks-p", 1): Words(
        "Minus the decimal logarithm of the p-value of the two-sample Kolmogorov-Smirnov test of "
        "the model's outputs.",
        _PREDICTIONS,
        _P,
    ),
    ("missing-values", 1): Words(
        "Share of missing values of one required feature, or the largest over all.",
        _ROWS,
        "One in a hundred is common where sources fail now and then; at one in ten a feature no "
        "longer says what the model learned from it. Subtract what was missing in training.",
    ),
    ("schema-violations", 1): Words(
        "Share of rows that break the schema: wrong type, unknown category, value out of range.",
        _ROWS,
        "Rows that fit the schema are the contract of a pipeline, so healthy is none; one in a "
        "hundred is a fault of a release or a source.",
    ),
    ("data-age", 1): Words(
        "Age of the newest row that the model's features are made of, at the time of inference.",
        _ROWS,
        "For features that are made once a day: one day is on time, three days are two runs "
        "that failed. Scale both with the rhythm of your pipeline.",
    ),
    ("label-delay", 1): Words(
        "Time from a prediction to its outcome, at the 95th percentile of the outcomes of a day.",
        _LABELLED,
        "No hint: outcomes may take minutes or months. Take what was usual when the policy was "
        "written as baseline, and the time after which retraining would come too late as critical.",
    ),
    ("latency-p95", 1): Words(
        "Time from request to answer at the 95th percentile.",
        _GATEWAY,
        "For interactive use: a tenth of a second feels immediate, half a second does not. Put "
        "the objective of your service in the place of critical.",
    ),
    ("volume-ratio", 1): Words(
        "Number of requests, divided by the usual number for that hour of the week.",
        _GATEWAY,
        "By construction 1 is usual; at half of it a caller is lost, or traffic goes elsewhere. "
        "A surge is not degradation: measure it as latency and cost.",
    ),
    ("parity-gap", 1): Words(
        "Demographic parity gap: largest less smallest share of positive decisions over the groups "
        "that are watched.",
        _PREDICTIONS,
        "0.02 is within chance for a thousand rows in a group. A ratio of four fifths between "
        "rates is the known rule of thumb; at a rate of one that is a gap of 0.2. Which gap is "
        "lawful is for your counsel to say.",
    ),
    ("opportunity-gap", 1): Words(
        "Equal opportunity gap: largest less smallest true positive rate over the groups that are "
        "watched.",
        _LABELLED,
        "0.02 is within chance for a thousand positive rows in a group; at 0.1 one person in "
        "ten is missed because of the group. Which gap is lawful is for your counsel to say.",
    ),
    ("cost-ratio", 1): Words(
        "Cost of serving a thousand predictions, divided by the cost that was planned for them.",
        "Once a day from the bill or the meter of the platform, divided by the day's predictions.",
        "By construction 1 is as planned; half as much again breaks most budgets.",
    ),
}
