"""Slips around the model: data, training, measures, statistics, costs, random streams."""

from tests.mutants.mutation import Mutation

BATCHES = "attn_nlp/data/batches.py"
TOKENS = "attn_nlp/data/tokens.py"
SPLITS = "attn_nlp/data/splits.py"
PLANTED = "attn_nlp/data/planted.py"
PROGRAM = "attn_nlp/train/program.py"
ADAMW = "attn_nlp/train/adamw.py"
LOOP = "attn_nlp/train/loop.py"
METRICS = "attn_nlp/metrics.py"
BASELINES = "attn_nlp/baselines.py"
STREAMS = "attn_nlp/rng.py"
OF_BATCHES = "tests/data/test_batches.py"
OF_TOKENS = "tests/data/test_tokens.py"
OF_PROGRAM = "tests/train/test_program.py"
OF_ADAMW = "tests/train/test_adamw.py"
OF_LOOP = "tests/train/test_loop.py"
OF_METRICS = "tests/test_metrics.py"
OF_COSTS = "tests/experiment/test_costs.py"
OF_STATS = "tests/stats"

SLIPS = (
    # data
    Mutation(
        "edges_are_too_narrow",
        BATCHES,
        'np.searchsorted(np.asarray(edges), longest, side="left")',
        'np.searchsorted(np.asarray(edges), longest, side="right")',
        f"{OF_BATCHES}::test_training_batches_fit_their_bucket_and_rows_come_equally_often",
        "A batch that fits an edge exactly goes to the next bucket.",
    ),
    Mutation(
        "edges_count_one_length_less",
        BATCHES,
        'candidates, side="right")',
        'candidates, side="left")',
        f"{OF_BATCHES}::test_a_bucket_is_bought_only_where_it_pays",
        "Sentences as long as the edge are not counted among those that fit.",
    ),
    Mutation(
        "one_plan_for_all_seeds",
        BATCHES,
        "np.random.default_rng([seed, ROWS_STREAM])",
        "np.random.default_rng([ROWS_STREAM])",
        f"{OF_BATCHES}::test_the_seed_draws_which_rows_share_a_batch",
        "The seed moves the order of batches but not what is in them.",
    ),
    Mutation(
        "lengths_unsorted",
        BATCHES,
        "batches = np.take_along_axis(in_windows, by_length, axis=1)",
        "batches = in_windows",
        f"{OF_BATCHES}::test_windows_sort_by_length",
        "Batches are not sorted by length, which only costs padding.",
    ),
    Mutation(
        "every_split_begins_at_zero",
        BATCHES,
        "order = start + np.argsort(",
        "order = np.argsort(",
        f"{OF_BATCHES}::test_evaluation_sees_each_row_once",
        "Validation and test are read from the beginning of train.",
    ),
    Mutation(
        "texts_cut_short",
        TOKENS,
        "lengths = np.minimum(full_lengths, length)",
        "lengths = np.minimum(full_lengths, length - 1)",
        f"{OF_TOKENS}::test_long_texts_are_cut_and_counted",
        "Off by one: texts are cut one token early.",
    ),
    Mutation(
        "full_texts_count_as_cut",
        TOKENS,
        "(full_lengths > length)",
        "(full_lengths >= length)",
        f"{OF_TOKENS}::test_long_texts_are_cut_and_counted",
        "Off by one: a text that just fits is counted as cut.",
    ),
    Mutation(
        "empty_texts_stay_empty",
        TOKENS,
        "table[lengths == 0, 0] = UNKNOWN",
        "table[lengths == 0, 0] = PADDING",
        f"{OF_TOKENS}::test_a_text_without_tokens_is_one_unknown",
        "A text without tokens is padding alone.",
    ),
    Mutation(
        "carve_unstratified",
        SPLITS,
        "random_state=seed, stratify=of[rows])",
        "random_state=seed)",
        "tests/data/test_splits.py::test_the_carve_is_a_tenth_of_every_class",
        "Validation is drawn without regard to classes.",
    ),
    Mutation(
        "negators_flip_nothing",
        PLANTED,
        "POSITIVE if label ^ flip else NEGATIVE",
        "POSITIVE if label else NEGATIVE",
        "tests/data/test_planted.py::test_no_bag_of_words_fact_gives_negation_away",
        "A bag of words solves the planted task that is made to need order.",
    ),
    # training
    Mutation(
        "schedule_begins_at_zero",
        PROGRAM,
        "return peak * schedule(step + 1)",
        "return peak * schedule(step)",
        f"{OF_PROGRAM}::test_the_rate_of_every_step_is_the_formula_and_never_zero[10-0.3]",
        "Off by one: the first step has a learning rate of zero.",
    ),
    Mutation(
        "schedule_ends_at_zero",
        PROGRAM,
        "rise, max(steps, rise) + 1)",
        "rise, max(steps, rise))",
        f"{OF_PROGRAM}::test_the_rate_of_every_step_is_the_formula_and_never_zero[10-0.3]",
        "Off by one: the last step has a learning rate of zero.",
    ),
    Mutation(
        "biases_decay",
        ADAMW,
        "if p.ndim > 1",
        "if p.ndim > 0",
        f"{OF_ADAMW}::test_steps_are_those_of_optax[clipped]",
        "Weight decay pulls biases and gains too.",
    ),
    Mutation(
        "second_average_too_short",
        ADAMW,
        "b2: float = 0.999,",
        "b2: float = 0.99,",
        f"{OF_ADAMW}::test_steps_are_those_of_optax[clipped]",
        "A wrong constant in Adam.",
    ),
    Mutation(
        "every_step_drops_alike",
        PROGRAM,
        "key = jax.random.fold_in(dropout, index)",
        "key = dropout",
        f"{OF_LOOP}::test_every_step_and_seed_drops_its_own",
        "One dropout mask serves the whole training.",
    ),
    Mutation(
        "every_seed_drops_alike",
        PROGRAM,
        'dropout = fold(jax.random.key(seed), "dropout")',
        'dropout = fold(jax.random.key(0), "dropout")',
        f"{OF_LOOP}::test_every_step_and_seed_drops_its_own",
        "The seed does not reach dropout, so that replicates share its luck.",
    ),
    Mutation(
        "last_weights_are_tested",
        LOOP,
        'run.evaluate("test", run.kept)',
        'run.evaluate("test")',
        f"{OF_LOOP}::test_the_best_validation_step_is_tested_and_the_test_split_read_once",
        "The last weights are tested and the best ones reported.",
    ),
    Mutation(
        "last_of_equals_is_best",
        LOOP,
        'evaluation.scores["accuracy"] > self.best["accuracy"]',
        'evaluation.scores["accuracy"] >= self.best["accuracy"]',
        f"{OF_LOOP}::test_the_best_validation_step_is_tested_and_the_test_split_read_once",
        "Of equally good steps the last is taken, where the first is documented.",
    ),
    Mutation(
        "losses_since_the_start",
        LOOP,
        "float(self.total) / (until - self.first)",
        "float(self.total) / until",
        f"{OF_LOOP}::test_longer_looks_apart_change_no_step",
        "A sum since the last evaluation is divided by all steps.",
    ),
    Mutation(
        "confusion_transposed",
        METRICS,
        "np.asarray(labels) * classes + np.asarray(predictions)",
        "np.asarray(predictions) * classes + np.asarray(labels)",
        f"{OF_METRICS}::test_by_hand",
        "Rows are predictions where they are said to be labels.",
    ),
    Mutation(
        "f1_without_two",
        METRICS,
        "(2 * right[used] / named[used])",
        "(right[used] / named[used])",
        f"{OF_METRICS}::test_by_hand",
        "The 2 of 2 TP / (2 TP + FP + FN) is forgotten.",
    ),
    Mutation(
        "log_loss_overflows",
        METRICS,
        "class_logits.astype(np.float64) - class_logits.max(axis=1, keepdims=True)",
        "class_logits.astype(np.float64)",
        f"{OF_METRICS}::test_log_loss_of_far_logits_is_finite",
        "The maximum is not subtracted before exp.",
    ),
    # statistics
    Mutation(
        "deviation_divides_by_n",
        "attn_nlp/stats/intervals.py",
        "(len(values) - 1))",
        "len(values))",
        f"{OF_STATS}/test_intervals.py::test_by_hand",
        "n for n - 1.",
    ),
    Mutation(
        "interval_of_one_side",
        "attn_nlp/stats/intervals.py",
        "t_quantile(n - 1, (1 + confidence) / 2)",
        "t_quantile(n - 1, confidence)",
        f"{OF_STATS}/test_intervals.py::test_by_hand",
        "A 95% interval of 90%: all of the error on one side.",
    ),
    Mutation(
        "tost_of_one_side",
        "attn_nlp/stats/equivalence.py",
        "t_below(n - 1, -(mean + margin) / error)",
        "t_below(n - 1, (mean - margin) / error)",
        f"{OF_STATS}/test_verdict.py::test_every_verdict",
        "One of the two tests is made twice, so that any loss is equivalent.",
    ),
    Mutation(
        "margin_off_by_one",
        "attn_nlp/stats/equivalence.py",
        "if sentences >= least",
        "if sentences > least",
        f"{OF_STATS}/test_equivalence.py::test_default_margin[5000-0.005]",
        "Off by one where the margin changes.",
    ),
    Mutation(
        "holm_one_too_few",
        "attn_nlp/stats/holm.py",
        "(m - step) * p_values[index]",
        "(m - step - 1) * p_values[index]",
        f"{OF_STATS}/test_holm.py::test_by_hand",
        "Off by one: the family is one comparison smaller.",
    ),
    Mutation(
        "holm_not_monotone",
        "attn_nlp/stats/holm.py",
        "highest = max(highest, min(1.0, (m - step) * p_values[index]))",
        "highest = min(1.0, (m - step) * p_values[index])",
        f"{OF_STATS}/test_holm.py::test_by_hand",
        "A larger p is adjusted to a smaller one.",
    ),
    Mutation(
        "flips_of_one_side",
        "attn_nlp/stats/signflip.py",
        "p = min(1.0, 2 * int(below) / 2**n)",
        "p = int(below) / 2**n",
        f"{OF_STATS}/test_signflip.py::test_by_hand",
        "A one-sided test.",
    ),
    Mutation(
        "ties_do_not_count",
        "attn_nlp/stats/signflip.py",
        "abs(math.fsum(signed)) - _TIE",
        "abs(math.fsum(signed)) + _TIE",
        f"{OF_STATS}/test_signflip.py::test_all_of_one_sign_give_the_least",
        "Patterns as far as the observed one are not counted, and p can be zero.",
    ),
    Mutation(
        "drawn_p_of_zero",
        "attn_nlp/stats/signflip.py",
        "SignFlip((count + 1) / (RESAMPLES + 1),",
        "SignFlip(count / RESAMPLES,",
        f"{OF_STATS}/test_signflip.py::test_twenty_are_enumerated_and_more_are_drawn",
        "A p of exactly zero from finitely many draws.",
    ),
    Mutation(
        "least_p_of_one_side",
        "attn_nlp/stats/attainable.py",
        "2.0 * 0.5**nonzero",
        "0.5**nonzero",
        f"{OF_STATS}/test_attainable.py::test_least_p",
        "The least p of a one-sided test, which promises verdicts that are out of reach.",
    ),
    Mutation(
        "power_of_one_side",
        "attn_nlp/stats/power.py",
        "t_quantile(n - 1, 1 - alpha / 2)",
        "t_quantile(n - 1, 1 - alpha)",
        f"{OF_STATS}/test_power.py::test_difference_agrees_with_statsmodels[0.05-5-1.0]",
        "The power of a one-sided test, which asks for too few seeds.",
    ),
    Mutation(
        "verdict_of_one_alone",
        "attn_nlp/stats/verdict.py",
        "_verdict(p_holm < alpha,",
        "_verdict(flip.p < alpha,",
        f"{OF_STATS}/test_verdict.py::test_a_comparison_without_pairs_still_counts",
        "The adjusted p is printed and the bare one decides.",
    ),
    Mutation(
        "binomial_without_root",
        "attn_nlp/stats/binomial.py",
        "math.sqrt(share * (1 - share) / sentences)",
        "share * (1 - share) / sentences",
        f"{OF_STATS}/test_verdict.py::test_binomial_error",
        "A variance for a standard error.",
    ),
    # costs and random streams
    Mutation(
        "state_of_all_heads",
        "attn_nlp/nn/parts/kinds.py",
        'state="T*K*(D+U)"',
        'state="T*H*(D+U)"',
        f"{OF_COSTS}::test_state_is_kept_in_every_block",
        "Shared keys are counted once a head.",
    ),
    Mutation(
        "norms_without_bias",
        "attn_nlp/experiment/costs.py",
        '2 * self.norms * sizes["E"]',
        'self.norms * sizes["E"]',
        f"{OF_COSTS}::test_parameters_follow_the_settings"
        "[{'attention.kind': 'linear', 'layers': 3}]",
        "The bias of a norm is not counted.",
    ),
    Mutation(
        "operations_counted_once",
        "attn_nlp/experiment/costs.py",
        "2 * self.fan_in * self.fan_out",
        "self.fan_in * self.fan_out",
        f"{OF_COSTS}::test_with_pencil_and_paper",
        "A multiplication and an addition are counted as one operation.",
    ),
    Mutation(
        "largest_among_equals",
        BASELINES,
        "if accuracy > most:",
        "if accuracy >= most:",
        "tests/test_baselines.py::test_of_strengths_equally_right_the_smallest_is_taken",
        "Of penalties equally right on validation the weakest is taken.",
    ),
    Mutation(
        "paths_run_together",
        STREAMS,
        'Stream(self.seed, f"{self.path}/{name}")',
        'Stream(self.seed, f"{self.path}{name}")',
        "tests/test_rng.py::test_a_path_decides_the_bits",
        "Paths a/b and ab draw the same numbers.",
    ),
    Mutation(
        "one_stream_for_all_seeds",
        STREAMS,
        "entropy = [self.seed, ",
        "entropy = [",
        "tests/test_rng.py::test_other_paths_and_seeds_give_other_numbers",
        "All seeds begin at the same values.",
    ),
)
