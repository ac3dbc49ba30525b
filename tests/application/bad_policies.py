"""Policies that must be refused: malformed ones, and dangerous ones that read well.

Each row changes the default policy in one way, or is a text by itself (`old` is empty). It names
the code that must be found, and the line and column of the text that must be blamed. All are judged
against the signals, sources and persons of `bad_policy`: under
format policy/2, where all but `ADVICE` is refused, and as they are written, most under policy/1.
"""

from typing import Final

from tests.application.bad_jobs_part import OF_JOBS
from tests.application.bad_policy import Bad
from tests.application.policy_texts import DEFAULT

WHEN: Final = 'when: priority >= 400000 && signals["log-loss"].sustained'
GOVERNED: Final = """\
format: policy/2
title: Governed
rationale: x
scoring:
  signals:
    - {signal: log-loss, baseline: 0.4, critical: 0.6, rationale: x}
decision:
  rules:
    - {id: bad, when: priority >= 40%, action: INVESTIGATE, tier: one, rationale: x}
tiers:
  - {name: one, next: two}
  - {name: two}
governance:
  approvals:
    - {role: policy-approver, count: 2}
"""
LAST: Final = "rationale: x}\ndecision"
QUOTAS: Final = GOVERNED.replace("scoring:\n", "scoring:\n  kernel: bucketed/2\n")
HOLD: Final = "      hold: priority >= 300000\n"
BOTH: Final = f"{WHEN}\n{HOLD}"
RULES: Final = DEFAULT[DEFAULT.index("  rules:\n") : DEFAULT.index("  otherwise:")]

# fmt: off
BAD: Final = (
    Bad("empty", "DOCUMENT_EMPTY", 1, 1, "", ""),
    Bad("only a comment", "DOCUMENT_EMPTY", 1, 1, "", "# nothing\n"),
    Bad("two documents", "DOCUMENTS_SEVERAL", 2, 1, "", "a: 1\n---\nb: 2\n"),
    Bad("a tab indents", "DOCUMENT_UNREADABLE", 2, 1, "", "a:\n\tb: 1\n"),
    Bad("an open bracket", "DOCUMENT_UNREADABLE", 2, 1, "", "a: [1, 2\n"),
    Bad("an open quotation", "DOCUMENT_UNREADABLE", 2, 1, "", "a: 'b\n"),
    Bad("a colon too many", "DOCUMENT_UNREADABLE", 1, 5, "", "a: b: c\n"),
    Bad("a control character", "DOCUMENT_UNREADABLE", 1, 4, "", "a: \u0007\n"),
    Bad("half a character", "DOCUMENT_UNREADABLE", 1, 4, "", "a: \ud800\n"),
    Bad("a list at the top", "VALUE_TYPE", 1, 1, "", "- 1\n"),
    Bad("a word at the top", "VALUE_TYPE", 1, 1, "", "policy\n"),
    Bad("a list as a key", "KEY_FORM", 1, 3, "", "? [a]\n: b\n"),
    Bad("a look-alike key", "KEY_FORM", 1, 1, "", "titl\u0435: x\n"),
    Bad("an alias", "ALIAS_REFUSED", 2, 4, "", "a: 1\nb: *x\n"),
    Bad("a tag", "TAG_REFUSED", 1, 4, "", "a: !!python/object:os.system 1\n"),
    Bad("JSON with NaN", "DOCUMENT_UNREADABLE", 1, 7, "", '{"a": NaN}'),
    Bad("JSON with a comma too many", "DOCUMENT_UNREADABLE", 1, 9, "", '{"a": 1,}'),
    Bad("JSON with a bare key", "DOCUMENT_UNREADABLE", 1, 10, "", '{"a": 1, b: 2}'),
    Bad("JSON with a key twice", "KEY_TWICE", 1, 10, "", '{"a": 1, "a": 2}'),
    Bad("JSON with text behind it", "DOCUMENT_UNREADABLE", 1, 10, "", '{"a": 1} x'),
    Bad("levels without end", "DOCUMENT_TOO_LARGE", 1, 17, "", "[" * 60 + "]" * 60),
    Bad("levels of JSON without end", "DOCUMENT_TOO_LARGE", 1, 77,
        "", '{"a":' * 60 + "1" + "}" * 60),
    Bad("more bytes than are read", "DOCUMENT_TOO_LARGE", 1, 1, "", "#" * 600_000),
    Bad("more values than are read", "DOCUMENT_TOO_LARGE", 1, 40000,
        "", "[" + "1," * 30_000 + "1]"),
    Bad("no format", "VALUE_MISSING", 2, 1, "format: policy/1\n", ""),
    Bad("an unknown format", "WORD_UNKNOWN", 2, 9, "policy/1", "policy/9"),
    Bad("no title", "VALUE_MISSING", 2, 1, "title: Default retraining policy\n", ""),
    Bad("a title of 129 characters", "TEXT_LENGTH", 3, 8, "Default retraining policy", "x" * 129),
    Bad("a misspelt part", "VALUE_MISSING", 2, 1, "scoring:", "scorin:"),
    Bad("a misspelt key", "KEY_UNKNOWN", 18, 7, "      breach: 0.3", "      brech: 0.3"),
    Bad("a key of another part", "KEY_UNKNOWN", 34, 3, "  cool_down: 24h", "  interval: 24h"),
    Bad("a key twice", "KEY_TWICE", 18, 7, "      breach: 0.3", "      weight: 70%"),
    Bad("an anchor", "ALIAS_REFUSED", 12, 15, "weight: 80%", "weight: &w 80%"),
    Bad("a tag on a weight", "TAG_REFUSED", 12, 15, "weight: 80%", "weight: !!int 80"),
    Bad("a list for a weight", "VALUE_TYPE", 12, 15, "weight: 80%", "weight: [80%]"),
    Bad("a mapping for a baseline", "VALUE_TYPE", 13, 17,
        "baseline: 0.40", "baseline: {value: 0.40}"),
    Bad("a word for the evaluation", "VALUE_TYPE", 53, 13, "{interval: 1m, silence: 1h}", "often"),
    Bad("a list for the planning", "VALUE_TYPE", 52, 3,
        "planning:\n  loss_signal: log-loss", "planning:\n  - loss_signal: log-loss"),
    Bad("a word for the rules", "KEY_UNKNOWN", 35, 3,
        "  cool_down: 24h\n  rules:\n", "  cool_down: 24h\n  rulez:\n"),
    Bad("a mapping for the tiers", "VALUE_TYPE", 55, 3,
        '  - {name: data-science, route: "the weekly review", acknowledge: 24h}',
        "  {name: data-science}"),
    Bad("a word for a signal", "VALUE_TYPE", 26, 7,
        ("    - signal: input-stability\n"
         "      weight: 0.2\n"
         "      baseline: 0.05\n"
         "      critical: 0.25\n"), ("    - input-stability\n"
         "    - signal: input-stability\n"
         "      weight: 0.2\n"
         "      baseline: 0.05\n"
         "      critical: 0.25\n")),
    Bad("a capital in a name", "NAME_INVALID", 11, 15,
        "signal: log-loss\n      weight", "signal: Log-Loss\n      weight"),
    Bad("a blank in a name", "NAME_INVALID", 11, 15,
        "signal: log-loss\n      weight", "signal: log loss\n      weight"),
    Bad("a signal without a name", "VALUE_MISSING", 11, 7,
        "    - signal: log-loss\n      weight", "    - weight"),
    Bad("a signal twice", "NAME_TWICE", 26, 15, "signal: input-stability\n", "signal: log-loss\n"),
    Bad("weights that sum to zero", "VALUE_OUT_OF_RANGE", 12, 15, "weight: 80%", "weight: 0%"),
    Bad("a weight of zero beside another", "VALUE_OUT_OF_RANGE", 6, 42, "",
        "format: policy/1\ntitle: A\nrationale: x\nscoring:\n  signals:\n"
        "    - {baseline: 0, critical: 1, weight: 0, signal: log-loss}\n"
        "    - {baseline: 0, critical: 1, signal: latency}\n"),
    Bad("a weight too small to count", "VALUE_OUT_OF_RANGE", 27, 15,
        "weight: 0.2\n", "weight: 0.0%\n"),
    Bad("a weight over 100%", "VALUE_OUT_OF_RANGE", 12, 15, "weight: 80%", "weight: 180%"),
    Bad("a weight below 0", "VALUE_OUT_OF_RANGE", 12, 15, "weight: 80%", "weight: -10%"),
    Bad("a weight in words", "NUMBER_INVALID", 12, 15, "weight: 80%", "weight: high"),
    Bad("a weight in exponents", "NUMBER_INVALID", 12, 15, "weight: 80%", "weight: 8e-1"),
    Bad("a weight of seven places", "NUMBER_INVALID", 12, 15, "weight: 80%", "weight: 0.8000001"),
    Bad("a weight without end", "NUMBER_INVALID", 12, 15, "weight: 80%", "weight: .inf"),
    Bad("no baseline", "VALUE_MISSING", 11, 7, "      baseline: 0.40\n", ""),
    Bad("no critical", "VALUE_MISSING", 11, 7, "      critical: 0.60\n", ""),
    Bad("a baseline that is no number", "NUMBER_INVALID", 13, 17,
        "baseline: 0.40", "baseline: NaN"),
    Bad("a baseline without end", "NUMBER_INVALID", 13, 17, "baseline: 0.40", "baseline: -.inf"),
    Bad("a baseline as per cent", "NUMBER_INVALID", 13, 17, "baseline: 0.40", "baseline: 40%"),
    Bad("a baseline of 13 digits", "NUMBER_INVALID", 13, 17,
        "baseline: 0.40", "baseline: 1234567890123"),
    Bad("a baseline with a comma", "NUMBER_INVALID", 13, 17, "baseline: 0.40", "baseline: '0,40'"),
    Bad("critical at the baseline", "CRITICAL_EQUALS_BASELINE", 14, 17,
        "critical: 0.60", "critical: 0.4"),
    Bad("critical on the wrong side", "THRESHOLD_SIDE", 14, 17, "critical: 0.60", "critical: 0.20"),
    Bad("drift critical on the wrong side", "THRESHOLD_SIDE", 29, 17,
        "critical: 0.25", "critical: 0.01"),
    Bad("a loss that is worst below 0", "THRESHOLD_SIDE", 14, 17,
        "critical: 0.60", "critical: -0.60"),
    Bad("a bucket without its unit", "SPAN_INVALID", 15, 15, "bucket: 1d", "bucket: 1"),
    Bad("a bucket of nothing", "VALUE_OUT_OF_RANGE", 15, 15, "bucket: 1d", "bucket: 0s"),
    Bad("a bucket in words", "SPAN_INVALID", 15, 15, "bucket: 1d", "bucket: daily"),
    Bad("a window that is no multiple of the bucket", "WINDOW_NOT_WHOLE_BUCKETS", 16, 15,
        "window: 28d", "window: 36h"),
    Bad("a window shorter than the bucket", "WINDOW_NOT_WHOLE_BUCKETS", 16, 15,
        "window: 28d", "window: 12h"),
    Bad("a bucket longer than the window", "WINDOW_NOT_WHOLE_BUCKETS", 16, 15,
        "bucket: 1d", "bucket: 29d"),
    Bad("a bucket that leaves a rest of the window", "WINDOW_NOT_WHOLE_BUCKETS", 16, 15,
        "bucket: 1d", "bucket: 5d"),
    Bad("a window one second too long", "WINDOW_NOT_WHOLE_BUCKETS", 16, 15,
        "window: 28d", "window: 28d1s"),
    Bad("a window of 672 buckets", "WINDOW_TOO_LONG", 16, 15, "bucket: 1d", "bucket: 1h"),
    Bad("a window of months", "SPAN_INVALID", 16, 15, "window: 28d", "window: 1mo"),
    Bad("a window of centuries", "VALUE_OUT_OF_RANGE", 16, 15, "window: 28d", "window: 999999d"),
    Bad("a half-life without its unit", "SPAN_INVALID", 17, 18, "half_life: 7d", "half_life: 7"),
    Bad("a half-life that decays nothing", "HALF_LIFE_TOO_LONG", 17, 18,
        "half_life: 7d", "half_life: 449d"),
    Bad("a breach over 100%", "VALUE_OUT_OF_RANGE", 18, 15, "breach: 0.3", "breach: 130%"),
    Bad("a breach of 30", "VALUE_OUT_OF_RANGE", 18, 15, "breach: 0.3", "breach: 30"),
    Bad("a breach at 0", "BREACH_ZERO", 18, 15, "breach: 0.3", "breach: 0%"),
    Bad("sustained without a breach", "SUSTAIN_ZERO", 19, 16, "sustain: 0.5", "sustain: 0%"),
    Bad("a transient over 100%", "VALUE_OUT_OF_RANGE", 20, 18, "transient: 0.2", "transient: 2"),
    Bad("no buckets needed", "VALUE_OUT_OF_RANGE", 21, 20, "min_buckets: 3", "min_buckets: 0"),
    Bad("more buckets needed than the window has", "MIN_BUCKETS_BEYOND_WINDOW", 21, 20,
        "min_buckets: 3", "min_buckets: 29"),
    Bad("half a bucket", "NUMBER_INVALID", 21, 20, "min_buckets: 3", "min_buckets: 2.5"),
    Bad("a sample cap of 0", "VALUE_OUT_OF_RANGE", 22, 19, "sample_cap: 1000", "sample_cap: 0"),
    Bad("a sample cap with a blank", "NUMBER_INVALID", 22, 19,
        "sample_cap: 1000", "sample_cap: 1 000"),
    Bad("a prior that is true", "NUMBER_INVALID", 23, 22,
        "prior_samples: 50", "prior_samples: true"),
    Bad("sources below 0", "VALUE_OUT_OF_RANGE", 24, 23, "sources_needed: 0", "sources_needed: -1"),
    Bad("101 sources", "VALUE_OUT_OF_RANGE", 24, 23, "sources_needed: 0", "sources_needed: 101"),
    Bad("sources that do not exist", "SOURCES_TOO_FEW", 24, 23,
        "sources_needed: 0", "sources_needed: 3"),
    Bad("two sources where there is none", "SOURCES_TOO_FEW", 26, 81,
        "      rationale: Loss is what the business pays for.\n",
        ("      rationale: Loss is what the business pays for.\n"
         "    - {signal: latency, baseline: 0, critical: 1, rationale: x, sources_needed: 2}\n")),
    Bad("100 sources", "SOURCES_TOO_FEW", 24, 23, "sources_needed: 0", "sources_needed: 100"),
    Bad("a signal that the ledger does not know", "EXPRESSION_INVALID", 45, 16,
        "signal: input-stability\n", "signal: input-stabilty\n      # misspelt\n"),
    Bad("a scored signal that the ledger does not know", "SIGNAL_UNKNOWN", 26, 16,
        "      rationale: Loss is what the business pays for.\n",
        ("      rationale: Loss is what the business pays for.\n"
         "    - {signal: los-loss, baseline: 0, critical: 1, rationale: x}\n")),
    Bad("a signal of another spelling", "SIGNAL_UNKNOWN", 26, 16,
        "      rationale: Loss is what the business pays for.\n",
        ("      rationale: Loss is what the business pays for.\n"
         "    - {signal: log_loss, baseline: 0, critical: 1, rationale: x}\n")),
    Bad("reports_every under rules/1", "REPORTS_EVERY_UNUSED", 5, 63,
        "", "format: policy/1\ntitle: A\nscoring:\n  signals:\n"
        "    - {signal: loss, baseline: 0, critical: 1, reports_every: 1d}\n"
        "decision: {procedure: rules/1}\n"),
    Bad("no signals", "ENTRIES_COUNT", 10, 12,
        "  signals:\n    - signal: log-loss", "  signals: []\n  x:\n    - signal: log-loss"),
    Bad("an unknown kernel", "WORD_UNKNOWN", 6, 11, "bucketed/1", "bucketed/9"),
    Bad("an unknown combination", "WORD_UNKNOWN", 7, 12, "weighted_mean", "mean"),
    Bad("a gain of 11", "VALUE_OUT_OF_RANGE", 8, 16, "impact_gain: 1.0", "impact_gain: 11"),
    Bad("a limit of ten decimals", "DECIMALS_ROUNDED", 13, 17,
        "baseline: 0.40", "baseline: 0.4000000001"),
    Bad("a weight without a rationale", "RATIONALE_MISSING", 11, 7,
        "      rationale: Loss is what the business pays for.\n", ""),
    Bad("an unknown procedure", "WORD_UNKNOWN", 34, 14,
        "decision:\n", "decision:\n  procedure: rules/3\n"),
    Bad("a cool-down without its unit", "SPAN_INVALID", 34, 14, "cool_down: 24h", "cool_down: 24"),
    Bad("a cool-down of half an hour", "SPAN_INVALID", 34, 14, "cool_down: 24h", "cool_down: 90m"),
    Bad("a cool-down longer than the window", "COOL_DOWN_BEYOND_WINDOW", 34, 14,
        "cool_down: 24h", "cool_down: 29d"),
    Bad("a cool-down one hour longer than the window", "COOL_DOWN_BEYOND_WINDOW", 34, 14,
        "cool_down: 24h", "cool_down: 673h"),
    Bad("a cool-down of a year", "COOL_DOWN_BEYOND_WINDOW", 34, 14,
        "cool_down: 24h", "cool_down: 365d"),
    Bad("a step over 100%", "VALUE_OUT_OF_RANGE", 35, 22,
        "cool_down: 24h", "cool_down: 24h\n  max_priority_step: 101%"),
    Bad("a priority that never moves", "PRIORITY_NEVER_MOVES", 35, 22,
        "cool_down: 24h", "cool_down: 24h\n  max_priority_step: 0%"),
    Bad("an unknown action", "WORD_UNKNOWN", 39, 15,
        "action: SCHEDULE_RETRAINING", "action: RETRAIN"),
    Bad("a rule without an action", "VALUE_MISSING", 36, 7,
        "      action: SCHEDULE_RETRAINING\n", ""),
    Bad("hold without when", "VALUE_MISSING", 36, 7,
        '      when: priority >= 400000 && signals["log-loss"].sustained\n', ""),
    Bad("a rule twice", "NAME_TWICE", 42, 11, "id: drift-alone", "id: sustained-loss"),
    Bad("a rule without a rationale", "RATIONALE_MISSING", 36, 7,
        "      rationale: Sustained loss on a model that matters.\n", ""),
    Bad("a tier that is not declared", "TIER_UNDECLARED", 40, 13,
        "tier: data-science\n      rationale: Sus", "tier: on-call\n      rationale: Sus"),
    Bad("an error tier that is not declared", "TIER_UNDECLARED", 50, 15,
        "error_tier: data-science", "error_tier: on-call"),
    Bad("a tier that nothing leads to", "TIER_UNUSED", 56, 12,
        "acknowledge: 24h}",
        "acknowledge: 24h}\n  - {name: board, route: yearly, acknowledge: 1h}"),
    Bad("a tier twice", "NAME_TWICE", 56, 12,
        "acknowledge: 24h}", "acknowledge: 24h}\n  - {name: data-science}"),
    Bad("an answer within half an hour", "SPAN_INVALID", 55, 67,
        "acknowledge: 24h", "acknowledge: 30m"),
    Bad("an empty condition", "TEXT_LENGTH", 37, 13, WHEN, "when: ''"),
    Bad("a huge condition", "TEXT_LENGTH", 37, 13,
        WHEN, "when: " + "priority >= 1 && " * 130 + "risk > 1"),
    Bad("a condition of too many parts", "EXPRESSION_INVALID", 37, 447,
        WHEN, "when: " + " || ".join(f"priority == {n}" for n in range(40))),
    Bad("an unknown variable", "EXPRESSION_INVALID", 37, 13, WHEN, "when: prioritty >= 40%"),
    Bad("an unknown field of a signal", "EXPRESSION_INVALID", 37, 32,
        WHEN, 'when: signals["log-loss"].sustaned'),
    Bad("an unknown signal in a rule", "EXPRESSION_INVALID", 37, 20,
        WHEN, 'when: signals["log-los"].sustained'),
    Bad("a signal after a dot", "EXPRESSION_INVALID", 37, 29,
        WHEN, "when: signals.log-loss.sustained"),
    Bad("a signal by a variable name", "EXPRESSION_INVALID", 37, 20,
        WHEN, "when: signals[in_force].sustained"),
    Bad("a float in a rule", "EXPRESSION_INVALID", 37, 22, WHEN, "when: priority >= 0.4"),
    Bad("a number for a condition", "EXPRESSION_INVALID", 37, 13, WHEN, "when: priority"),
    Bad("a word beside a number", "EXPRESSION_INVALID", 37, 23, WHEN, "when: \"priority >= 'a'\""),
    Bad("half a condition", "EXPRESSION_INVALID", 37, 24, WHEN, "when: priority >="),
    Bad("one equals sign", "EXPRESSION_INVALID", 37, 22, WHEN, "when: priority = 40%"),
    Bad("a condition in words", "EXPRESSION_INVALID", 37, 33,
        WHEN, "when: priority >= 40% and risk >= 10%"),
    Bad("a regular expression", "EXPRESSION_INVALID", 37, 32,
        WHEN, 'when: model.owner.matches("a+")'),
    Bad("the time of day", "EXPRESSION_INVALID", 37, 23,
        WHEN, "when: \"timestamp('2026-01-01T00:00:00Z') < now\""),
    Bad("a comprehension", "EXPRESSION_INVALID", 37, 28,
        WHEN, "when: '[1, 2].exists(x, x > priority)'"),
    Bad("a percentage beside a count", "SHARE_MISPLACED", 37, 30,
        WHEN, "when: hours_in_force > 20%"),
    Bad("a percentage that could be a remainder", "EXPRESSION_INVALID", 37, 13,
        WHEN, "when: priority > 20%-1"),
    Bad("a limit in parts per million that was meant as per cent", "LIMIT_IS_PPM", 37, 22,
        WHEN, "when: priority >= 40"),
    Bad("a misspelt variable in hold", "EXPRESSION_INVALID", 38, 13,
        HOLD, "      hold: prioriti >= 1\n"),
    Bad("a priority beyond 100%", "RULE_NEVER_TRUE", 37, 13, WHEN, "when: priority > 100%"),
    Bad("a range that is empty", "RULE_NEVER_TRUE", 37, 13,
        WHEN, "when: priority >= 60% && priority < 50%"),
    Bad("a range that is empty in every case", "RULE_NEVER_TRUE", 37, 13,
        WHEN, "when: risk > 50% && (risk < 20% || risk == 30%)"),
    Bad("a count below 0", "RULE_NEVER_TRUE", 37, 13,
        WHEN, 'when: signals["log-loss"].buckets < 0'),
    Bad("a part and its opposite", "RULE_NEVER_TRUE", 37, 13,
        WHEN, 'when: signals["log-loss"].sustained && !signals["log-loss"].sustained'),
    Bad("two actions in force at once", "RULE_NEVER_TRUE", 37, 13,
        WHEN, 'when: in_force == "INVESTIGATE" && in_force == "NO_ACTION"'),
    Bad("a condition that is false", "RULE_NEVER_TRUE", 37, 13, WHEN, 'when: "false"'),
    Bad("a hold that is never true", "HOLD_NEVER_TRUE", 38, 13,
        HOLD, "      hold: priority > 100%\n"),
    Bad("a hold that is always true", "HOLD_ALWAYS_TRUE", 38, 13,
        HOLD, "      hold: priority >= 0%\n"),
    Bad("a hold that asks for more", "HOLD_NARROWER", 38, 13,
        BOTH, "when: priority >= 40%\n      hold: priority >= 50%\n"),
    Bad("a rule behind one that is always true", "RULE_UNREACHABLE", 41, 7,
        BOTH, "when: priority >= 0%\n"),
    Bad("a rule behind a wider one", "RULE_UNREACHABLE", 41, 7,
        BOTH, 'when: signals["input-stability"].sustained\n'),
    Bad("a rule behind two that share what it is for", "RULE_UNREACHABLE", 46, 7,
        BOTH,
        ('when: "!signals[\\"input-stability\\"].present"\n'
         "      action: INVESTIGATE\n"
         "      tier: none\n"
         "      rationale: First.\n"
         "    - id: other\n"
         '      when: signals["input-stability"].breaches > 2 || '
         'signals["input-stability"].present\n')),
    Bad("the same condition twice", "RULE_TWICE", 42, 13,
        ('when: priority >= 400000 && signals["log-loss"].sustained\n'
         "      hold: priority >= 300000\n"
         "      action: SCHEDULE_RETRAINING\n"
         "      tier: data-science\n"
         "      rationale: Sustained loss on a model that matters.\n"
         "    - id: drift-alone\n"
         "      when: |\n"
         '        signals["input-stability"].present\n'
         '          && signals["input-stability"].sustained\n'), ("when: risk > 5%\n"
         "      action: SCHEDULE_RETRAINING\n"
         "      tier: data-science\n"
         "      rationale: Sustained loss on a model that matters.\n"
         "    - id: drift-alone\n"
         "      when: risk > 5%\n")),
    Bad("no rules at all", "RULES_MISSING", 35, 10, RULES, "  rules: []\n"),
    Bad("planned by a signal that is not scored", "LOSS_NOT_SCORED", 52, 16,
        "loss_signal: log-loss", "loss_signal: latency"),
    Bad("planned by a signal that does not exist", "SIGNAL_UNKNOWN", 52, 16,
        "loss_signal: log-loss", "loss_signal: log_loss"),
    Bad("planned by nothing", "VALUE_MISSING", 52, 3, "  loss_signal: log-loss", "  reserve: true"),
    Bad("a reserve of yes", "WORD_UNKNOWN", 53, 12,
        "loss_signal: log-loss", "loss_signal: log-loss\n  reserve: yes"),
    Bad("a price that falls after demand", "VALUE_OUT_OF_RANGE", 53, 13,
        "loss_signal: log-loss", "loss_signal: log-loss\n  price_up: 0.9"),
    Bad("a plan that admits nothing", "PLAN_ADMITS_NOTHING", 52, 3,
        "action: SCHEDULE_RETRAINING", "action: INVESTIGATE"),
    Bad("an interval of nothing", "VALUE_OUT_OF_RANGE", 53, 24, "interval: 1m", "interval: 0s"),
    Bad("an interval longer than the window", "INTERVAL_BEYOND_WINDOW", 53, 24,
        "{interval: 1m, silence: 1h}", "{interval: 29d, silence: 30d}"),
    Bad("a silence shorter than the interval", "SILENCE_BELOW_INTERVAL", 53, 37,
        "{interval: 1m, silence: 1h}", "{interval: 1h, silence: 1m}"),
    Bad("a policy without a rationale", "RATIONALE_MISSING", 2, 1,
        "rationale: Loss decides; drift only calls for a look.\n", ""),
    Bad("governance under policy/1", "FORMAT_LACKS", 57, 3,
        "acknowledge: 24h}\n", "acknowledge: 24h}\ngovernance:\n  review_every: 90d\n"),
    Bad("a tier after a tier under policy/1", "FORMAT_LACKS", 55, 60,
        "acknowledge: 24h}", "next: board}\n  - {name: board}"),
    Bad("rules/1 under policy/2", "FORMAT_PROCEDURE", 8, 14, "",
        GOVERNED.replace("decision:\n", "decision:\n  procedure: rules/1\n")),
    Bad("a tier that follows itself", "TIER_CYCLE", 11, 23, "",
        GOVERNED.replace("next: two", "next: one").replace("  - {name: two}\n", "")),
    Bad("a next tier that is not declared", "TIER_UNDECLARED", 11, 23, "",
        GOVERNED.replace("  - {name: two}\n", "")),
    Bad("approvals in a role that does not exist", "ROLE_UNKNOWN", 15, 14, "",
        GOVERNED.replace("policy-approver", "policy-aprover")),
    Bad("approvals that too few persons can give", "APPROVERS_TOO_FEW", 15, 38, "",
        GOVERNED.replace("count: 2", "count: 3")),
    Bad("approvals that nobody can give", "APPROVERS_TOO_FEW", 15, 7, "",
        GOVERNED.replace("policy-approver, count: 2", "policy-author")),
    Bad("approvals by more persons than there are", "APPROVERS_TOO_FEW", 15, 38, "",
        GOVERNED.replace("count: 2", "count: 9")),
    Bad("approvals in a role that nobody defined", "ROLE_UNKNOWN", 15, 14, "",
        GOVERNED.replace("policy-approver, count: 2", "board")),
    Bad("approvals in two roles of one person", "APPROVERS_TOO_FEW", 16, 7, "",
        GOVERNED + "    - {role: auditor}\n"),
    Bad("no approvals at all", "VALUE_OUT_OF_RANGE", 15, 38, "",
        GOVERNED.replace("count: 2", "count: 0")),
    Bad("an approval that never counts", "VALUE_OUT_OF_RANGE", 16, 19, "",
        GOVERNED + "  approval_valid: 0s\n"),
    Bad("a review without its unit", "SPAN_INVALID", 16, 17, "",
        GOVERNED + "  review_every: 90\n"),
    Bad("excess/2 under policy/1", "FORMAT_LACKS", 13, 21, "",
        GOVERNED[: GOVERNED.index("governance")].replace("y/2", "y/1").replace(", next: two", "")
        + "planning: {planner: excess/2, loss_signal: log-loss}\n"),
    Bad("a candidate test under excess/1", "PLANNER_LACKS", 16, 68, "",
        GOVERNED + "planning: {planner: excess/1, loss_signal: log-loss, rest_periods: 2}\n"),
    Bad("a year of one period", "SEASON_TOO_SHORT", 16, 51, "",
        GOVERNED + "planning: {loss_signal: log-loss, season_periods: 1}\n"),
    Bad("half a percent point more than all", "VALUE_OUT_OF_RANGE", 16, 49, "",
        GOVERNED + "planning: {loss_signal: log-loss, reuse_margin: 100.5%}\n"),
    Bad("a quota under a kernel that has none", "SOURCE_CAP_UNUSED", 6, 68, "",
        GOVERNED.replace(LAST, "source_cap: 9, rationale: x}\ndecision")),
    Bad("a kernel with quotas under policy/1", "FORMAT_LACKS", 6, 11, "bucketed/1", "bucketed/2"),
    Bad("a quota that limits nothing", "SOURCE_CAP_IDLE", 7, 68, "",
        QUOTAS.replace(LAST, "source_cap: 9, rationale: x}\ndecision")),
    Bad("a quota that one source overcomes", "SOURCE_ALONE_SUSTAINS", 7, 87, "",
        QUOTAS.replace(LAST, "source_cap: 9, sources_needed: 2, rationale: x}\ndecision")),
    *OF_JOBS,
)
# fmt: on
