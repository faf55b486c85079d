"""Slips from the logits to the result: normalizers, mixers, and what composes the parts."""

from tests.mutants.mutation import Mutation, agrees

SOFTMAX = "attn_nlp/nn/parts/normalizers.py"
POINTWISE = "attn_nlp/nn/parts/normalizers_pointwise.py"
SPARSE = "attn_nlp/nn/parts/normalizers_sparse.py"
MIXERS = "attn_nlp/nn/parts/mixers.py"
WEIGHTINGS = "attn_nlp/nn/parts/weightings.py"
PAIRWISE = "attn_nlp/nn/pairwise.py"
BLOCKS = "attn_nlp/nn/chunked.py"
CONTEXT = "attn_nlp/nn/context.py"
PROJECTIONS = "attn_nlp/nn/projections.py"
OF_NORMALIZERS = "tests/nn/test_normalizers.py"
OF_SPARSE = "tests/nn/test_sparse.py"
OF_GUMBEL = "tests/nn/test_gumbel.py"
OF_MIXERS = "tests/nn/test_mixers.py"
OF_BLOCKS = "tests/nn/test_chunked.py"
OF_COMPOSE = "tests/nn/test_attention.py"

SLIPS = (
    # normalizers
    Mutation(
        "merge_forgets_the_maximum",
        SOFTMAX,
        "+ b[1] * jnp.exp(b[0] - top)",
        "+ b[1]",
        f"{OF_NORMALIZERS}"
        "::test_blocks_of_keys_give_the_weights_of_the_whole_where_claimed[softmax-usual]",
        "Sums of two blocks are added without bringing both to one maximum.",
    ),
    Mutation(
        "softmax_divides_by_zero",
        SOFTMAX,
        "/ jnp.where(total > 0, total, 1.0)",
        "/ total",
        agrees("normalizer-softmax"),
        "0/0 where a query sees nothing.",
    ),
    Mutation(
        "one_without_the_maximum",
        SOFTMAX,
        "/ (jnp.exp(-top) + total)",
        "/ (1.0 + total)",
        f"{OF_NORMALIZERS}::test_a_softmax_with_one_can_attend_to_nothing_and_is_a_softmax_when_sure",
        "The maximum is subtracted from all logits but the one of zero.",
    ),
    Mutation(
        "gumbel_subtracted",
        SOFTMAX,
        "logits - jnp.log(-jnp.log(draw(logits.shape)))",
        "logits + jnp.log(-jnp.log(draw(logits.shape)))",
        f"{OF_GUMBEL}::test_the_key_that_wins_is_drawn_from_the_softmax",
        "Noise of the wrong sign, whose maximum is no draw from the softmax.",
    ),
    Mutation(
        "temperature_multiplies",
        SOFTMAX,
        "jnp.clip(logits / tau,",
        "jnp.clip(logits * tau,",
        f"{OF_GUMBEL}::test_a_small_temperature_brings_weights_near_a_choice",
        "The temperature multiplies in place of dividing.",
    ),
    Mutation(
        "sigmoid_without_log_n",
        POINTWISE,
        "jax.nn.sigmoid(logits - jnp.log(n))",
        "jax.nn.sigmoid(logits)",
        f"{OF_NORMALIZERS}::test_sigmoid_rows_sum_to_about_one_at_the_start",
        "The shift by log n is forgotten.",
    ),
    Mutation(
        "relu_without_n",
        POINTWISE,
        "jax.nn.relu(logits) / jnp.maximum(seen, 1.0)",
        "jax.nn.relu(logits)",
        agrees("normalizer-relu_over_n"),
        "The division by the number of keys is forgotten.",
    ),
    Mutation(
        "relu_not_squared",
        POINTWISE,
        "jax.nn.relu(logits) ** 2 / n**power",
        "jax.nn.relu(logits) / n**power",
        f"{OF_NORMALIZERS}::test_squares_are_divided_by_the_power_of_n_that_is_asked_for",
        "The square is forgotten.",
    ),
    Mutation(
        "linear_without_mask",
        POINTWISE,
        "return jnp.where(mask, logits / jnp.maximum(seen, 1.0), 0.0)",
        "return logits / jnp.maximum(seen, 1.0)",
        f"{OF_NORMALIZERS}::test_hidden_keys_weigh_exactly_nothing[none-usual]",
        "The mask is forgotten.",
    ),
    Mutation(
        "entmax_without_half",
        SPARSE,
        "_below_top(logits, mask, 2.0) / 2,",
        "_below_top(logits, mask, 2.0),",
        f"{OF_SPARSE}::test_gradients_have_the_closed_form[entmax15]",
        "alpha - 1 = 1/2 does not multiply the logits.",
    ),
    Mutation(
        "entmax_of_another_power",
        SPARSE,
        "jnp.log1p(jnp.where(inside, base, 0.0)) / (alpha - 1)",
        "jnp.log1p(jnp.where(inside, base, 0.0)) / alpha",
        agrees("normalizer-entmax"),
        "The power 1/alpha for 1/(alpha - 1).",
    ),
    Mutation(
        "threshold_against_its_gradient",
        SPARSE,
        "tau = tau - (total - still(total)) / fall",
        "tau = tau + (total - still(total)) / fall",
        f"{OF_SPARSE}::test_gradients_have_the_closed_form[sparsemax]",
        "Right weights with a gradient of the wrong sign through the threshold.",
    ),
    Mutation(
        "topk_keeps_one_less",
        SPARSE,
        "jnp.cumsum(level, axis=-1) <= room",
        "jnp.cumsum(level, axis=-1) < room",
        agrees("normalizer-topk"),
        "Off by one: k - 1 keys are kept.",
    ),
    Mutation(
        "topk_keeps_all_equal_ones",
        SPARSE,
        "best = above | (level & (jnp.cumsum(level, axis=-1) <= room))",
        "best = above | level",
        f"{OF_SPARSE}::test_the_k_largest_are_kept_and_the_earliest_of_equal_ones",
        "More than k keys are kept where logits tie.",
    ),
    Mutation(
        "hard_without_gradient",
        SPARSE,
        "(soft - jax.lax.stop_gradient(soft))",
        "0.0 * soft",
        f"{OF_SPARSE}::test_the_gradient_of_a_hard_choice_is_not_a_difference",
        "The straight-through gradient is lost, and nothing before attention learns.",
    ),
    # mixers and weightings
    Mutation(
        "query_mix_swapped",
        MIXERS,
        "share * out + (1 - share) * q_raw",
        "share * q_raw + (1 - share) * out",
        f"{OF_MIXERS}::test_query_mix_at_its_ends_is_the_heads_or_the_query",
        "lambda weighs the query, and 1 - lambda the attention.",
    ),
    Mutation(
        "query_mix_at_padding",
        MIXERS,
        "return jnp.where(here.queries[:, None, :, None], mixed, 0.0)",
        "return mixed",
        agrees("mixer-query_mix"),
        "The share of the query is left standing at padding.",
    ),
    Mutation(
        "heads_talk_transposed",
        MIXERS,
        '"bhts,hg->bgts", logits, before',
        '"bhts,gh->bgts", logits, before',
        agrees("mixer-talking_heads"),
        "The heads' matrix is applied transposed.",
    ),
    Mutation(
        "differential_adds",
        MIXERS,
        "pairs[:, :, 0] - share * pairs[:, :, 1]",
        "pairs[:, :, 0] + share * pairs[:, :, 1]",
        f"{OF_MIXERS}::test_what_both_maps_look_at_cancels",
        "A wrong sign: the second map is added.",
    ),
    Mutation(
        "differential_counts_from_one",
        MIXERS,
        "exp(-0.3 * layer)",
        "exp(-0.3 * (layer - 1))",
        f"{OF_MIXERS}::test_the_first_share_grows_with_the_layer[0-0.2]",
        "Layers are counted from 1 where they are counted from 0.",
    ),
    Mutation(
        "differential_unscaled",
        MIXERS,
        "scale = feature_scale * (1 - _differential_start(layer))",
        "scale = feature_scale",
        agrees("mixer-differential"),
        "The factor 1 - c after the norm is forgotten.",
    ),
    Mutation(
        "gate_dropped",
        MIXERS,
        "jnp.where(here.queries[:, None, :, None], out * gate, 0.0)",
        "jnp.where(here.queries[:, None, :, None], out, 0.0)",
        f"{OF_MIXERS}::test_an_output_gate_is_half_open_open_or_shut",
        "The gate is worked out and not applied.",
    ),
    Mutation(
        "weighting_reads_one_side",
        WEIGHTINGS,
        'logit + jnp.einsum("bhtd,hd->bht", q_raw, of_query) + bias[None, :, None]',
        "logit + bias[None, :, None]",
        agrees("weighting-gated"),
        "The gate of the mix does not read the query.",
    ),
    # what composes the parts
    Mutation(
        "masks_join_by_or",
        PAIRWISE,
        "mask = mask & part.allowed(",
        "mask = mask | part.allowed(",
        f"{OF_BLOCKS}::test_a_window_in_blocks_sees_nothing_beyond_it",
        "Masks show what any of them shows, padding included.",
    ),
    Mutation(
        "factors_add",
        PAIRWISE,
        "logits = logits * part.factor(",
        "logits = logits + part.factor(",
        f"{OF_COMPOSE}::test_dot_product_attention_is_that_of_jax[rsqrt_dim]",
        "The scale is added to the logits, which softmax does not see.",
    ),
    Mutation(
        "blocks_begin_at_zero",
        BLOCKS,
        "jnp.arange(count * size, dtype=positions.dtype)",
        "jnp.arange(count * size, dtype=positions.dtype) % size",
        f"{OF_BLOCKS}::test_every_part_in_blocks_gives_what_it_gives_at_once[position-alibi]",
        "Every block takes itself for the first one.",
    ),
    Mutation(
        "blocks_count_the_last_keys",
        BLOCKS,
        "return total + count_seen(mask), None",
        "return count_seen(mask), None",
        f"{OF_BLOCKS}::test_every_part_in_blocks_gives_what_it_gives_at_once[normalizer-sigmoid]",
        "n counts the keys of the last block in place of all.",
    ),
    Mutation(
        "relative_values_undropped",
        PAIRWISE,
        "weights=applied, v=v)",
        "weights=weights, v=v)",
        f"{OF_COMPOSE}::test_dropped_weights_spend_no_relative_values",
        "Dropout spares what the mixers and positions add to the weighted values.",
    ),
    Mutation(
        "dropout_does_not_scale_up",
        CONTEXT,
        "x * (1 / (1 - rate))",
        "x",
        f"{OF_COMPOSE}::test_dropped_weights_are_the_share_asked_for_and_scaled_up",
        "What dropout leaves is not scaled up.",
    ),
    Mutation(
        "every_block_drops_alike",
        CONTEXT,
        "*_indices(weights.shape[:2], here.rows, here.columns)",
        "*_indices(weights.shape[:2], here.rows - here.rows[0], here.columns)",
        f"{OF_BLOCKS}::test_random_numbers_do_not_depend_on_blocks[softmax]",
        "Random numbers follow from the position in the block instead of that in the sentence.",
    ),
    Mutation(
        "noise_of_zero",
        CONTEXT,
        "astype(jnp.float32) + 0.5) * 2.0**-23",
        "astype(jnp.float32)) * 2.0**-23",
        f"{OF_GUMBEL}::test_uniform_numbers_are_above_nothing_and_below_one",
        "A uniform number may be 0, whose noise is infinite.",
    ),
    Mutation(
        "heads_joined_without_transposing",
        PROJECTIONS,
        "self.output(out.transpose(0, 2, 1, 3).reshape(",
        "self.output(out.reshape(",
        f"{OF_COMPOSE}::test_widths_of_heads_and_values",
        "Heads are put side by side in the wrong order of axes, with the right shape.",
    ),
    Mutation(
        "output_starts_by_width",
        PROJECTIONS,
        'linear("output", values, width, values**-0.5)',
        'linear("output", values, width, width**-0.5)',
        "tests/nn/test_initializers.py::test_results_start_with_the_variance_of_the_heads",
        "The first values of the output projection follow fan-out in place of fan-in.",
    ),
)
