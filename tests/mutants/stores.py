"""Slips in the store: who may write what, what a merge takes over, whose heart still beats."""

from tests.mutants.mutation import Mutation

CLAIMS = "attn_nlp/store/claims.py"
RESULTS = "attn_nlp/store/results.py"
REPEATS = "attn_nlp/store/repeats.py"
EXCHANGE = "attn_nlp/store/transfer.py"
HEALTH = "attn_nlp/store/doctor.py"
AGREEMENT = "attn_nlp/store/tolerance.py"
OF_AGREEMENT = "tests/store/test_tolerance.py"
OF_RESULTS = "tests/store/test_results.py"
MACHINE = "tests/store/test_state_machine.py::TestStores::runTest"

SLIPS = (
    Mutation(
        "no_fencing",
        CLAIMS,
        "if row is None else row[0] == self._owner",
        "if row is None else True",
        MACHINE,
        "A late finisher overwrites what its successor does.",
    ),
    Mutation(
        "late_and_unclaimed",
        CLAIMS,
        "return spec not in self._once if row is None",
        "return True if row is None",
        MACHINE,
        "Who lost a claim may still write once its successor has ended.",
    ),
    Mutation(
        "hearts_by_owner",
        CLAIMS,
        "return self._watch.beats(token, beat)",
        "return self._watch.beats(pid, beat)",
        "tests/store/test_claims.py::test_a_far_owner_of_two_claims_is_let_go_too",
        "The beats of two claims in turn look like a heart that beats for ever.",
    ),
    Mutation(
        "merge_leaves_failures",
        EXCHANGE,
        "if target.finish(spec, record):",
        'if record["status"] in FINAL and target.finish(spec, record):',
        MACHINE,
        "A merge drops the rows of failed cells.",
    ),
    Mutation(
        "finished_and_still_claimed",
        RESULTS,
        "            self._claims.give_up(spec)\n        return write",
        "            pass\n        return write",
        MACHINE,
        "A result is stored and the claim on its cell stays.",
    ),
    Mutation(
        "final_is_replaced",
        RESULTS,
        'keep = final and not (anew and given["status"] in FINAL)',
        "keep = False",
        f"{OF_RESULTS}::test_the_first_final_result_stays",
        "A result that comes twice replaces the first.",
    ),
    Mutation(
        "no_alarm",
        REPEATS,
        "    if apart:\n",
        "    if apart and False:\n",
        f"{OF_RESULTS}::test_another_result_in_the_same_environment_is_an_alarm",
        "Two results of one cell in one environment differ, and nobody is told.",
    ),
    Mutation(
        "elsewhere_to_the_bit",
        AGREEMENT,
        'one["provenance"] == other["provenance"]',
        'one["provenance"] is not None',
        f"{OF_AGREEMENT}::test_threads_move_a_cell_by_no_more_than_the_tolerance",
        "Results of two environments must agree to the last bit, which no machine can promise.",
    ),
    Mutation(
        "any_loss_agrees",
        AGREEMENT,
        'SCORES = ("accuracy", "loss")',
        'SCORES = ("accuracy", "accuracy")',
        f"{OF_AGREEMENT}::test_a_large_loss_may_differ_by_its_share",
        "The loss of a second environment may be anything.",
    ),
    Mutation(
        "claims_of_the_living_repaired",
        HEALTH,
        "not elsewhere(boot) and not runs_here(pid, started)",
        "not elsewhere(boot) and runs_here(pid, started)",
        MACHINE,
        "The doctor gives up the claims of runs that go on.",
    ),
)
