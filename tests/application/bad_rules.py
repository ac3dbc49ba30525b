"""Policies that must be refused for the conditions of their rules: rows of `bad_policies`."""

from typing import Final

from tests.application.bad_policy import Bad

WHEN: Final = 'when: priority >= 400000 && signals["log-loss"].sustained'
HOLD: Final = "      hold: priority >= 300000\n"
BOTH: Final = f"{WHEN}\n{HOLD}"

# fmt: off
OF_RULES: Final = (
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
    Bad("a division by 0", "CONDITION_FAILS", 37, 22, WHEN, "when: priority / 0 > 1"),
    Bad("a remainder by 0", "CONDITION_FAILS", 37, 22, WHEN, "when: priority % 0 == 1"),
    Bad("a division by what is 0 for certain", "CONDITION_FAILS", 37, 42,
        WHEN, "when: risk > 10% && hours_in_force / (3 - 3) > 1"),
    Bad("a division by a variable less itself", "CONDITION_FAILS", 37, 21,
        WHEN, "when: 1000000 / (priority - priority) > 1"),
    Bad("a product beyond 64 bits", "CONDITION_FAILS", 37, 22,
        WHEN, "when: priority * 9223372036854775807 > 1"),
    Bad("a sum beyond 64 bits", "CONDITION_FAILS", 37, 28,
        WHEN, "when: hours_in_force + 9223372036854775807 > 1"),
    Bad("a hold that divides by 0", "CONDITION_FAILS", 38, 22,
        HOLD, "      hold: priority / 0 > 1\n"),
    Bad("every model is retrained", "RETRAINS_ALWAYS", 37, 13, BOTH, 'when: "true"\n'),
    Bad("every model is retrained by its range", "RETRAINS_ALWAYS", 37, 13,
        WHEN, "when: priority >= 0% || risk > 50%"),
    Bad("every model is retrained in one case or the other", "RETRAINS_ALWAYS", 37, 13,
        WHEN, "when: priority >= 40% || priority < 40%"),
    Bad("every model is retrained where no rule decides", "RETRAINS_ALWAYS", 49, 23,
        "otherwise: {action: NO_ACTION", "otherwise: {action: SCHEDULE_RETRAINING"),
)
# fmt: on
