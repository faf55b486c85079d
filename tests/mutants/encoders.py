"""Slips around attention: other kinds, features, positions, poolings, the encoder, other models."""

from tests.mutants.mutation import Mutation, agrees, hides

KINDS = "attn_nlp/nn/parts/kinds.py"
EFFICIENT = "attn_nlp/nn/parts/kinds_efficient.py"
SE = "attn_nlp/nn/parts/se.py"
FEATURES = "attn_nlp/nn/parts/features.py"
ACTIVATIONS = "attn_nlp/nn/parts/activations.py"
INITIALIZERS = "attn_nlp/nn/parts/initializers.py"
POSITIONS = "attn_nlp/nn/parts/positions.py"
POOLING = "attn_nlp/nn/parts/pooling.py"
ENCODER = "attn_nlp/nn/encoder.py"
LAYERS = "attn_nlp/nn/layers.py"
MODELS = "attn_nlp/nn/parts/models.py"
OF_KINDS = "tests/nn/test_kinds.py"
OF_EFFICIENT = "tests/nn/test_kinds_efficient.py"
OF_POOLING = "tests/nn/test_pooling.py"
OF_ENCODER = "tests/nn/test_encoder.py"
OF_MODELS = "tests/nn/test_models.py"

SLIPS = (
    # kinds
    Mutation(
        "channels_without_relu",
        KINDS,
        "jnp.maximum(se.squeeze(x, mask) @ inward, 0.0) @ outward",
        "(se.squeeze(x, mask) @ inward) @ outward",
        agrees("kind-se_channel"),
        "Two linear maps in a row.",
    ),
    Mutation(
        "linear_without_exp",
        EFFICIENT,
        "jnp.where(x < 0, x, jnp.log1p(",
        "jnp.where(x < 0, 0.0, jnp.log1p(",
        f"{OF_EFFICIENT}::test_linear_attention_is_its_kernel_matrix_normalized",
        "ReLU + 1 for ELU + 1.",
    ),
    Mutation(
        "performer_without_half",
        EFFICIENT,
        "half = 0.5 * jnp.square(k)",
        "half = jnp.square(k)",
        agrees("kind-performer"),
        "|k|^2 for |k|^2 / 2, a bias that no number of features removes.",
    ),
    Mutation(
        "performer_scales_twice",
        EFFICIENT,
        "(x * size**-0.25 for x in (q, k))",
        "(x * size**-0.5 for x in (q, k))",
        agrees("kind-performer"),
        "1/sqrt(D) on queries and on keys.",
    ),
    Mutation(
        "performer_rows_of_fixed_signs",
        EFFICIENT,
        "(rotation * signs[:, None, :])",
        "rotation",
        f"{OF_EFFICIENT}::test_rows_of_the_projection_are_normal_and_orthogonal_in_groups",
        "Rotations as the factorization leaves them, which are not uniform.",
    ),
    Mutation(
        "linformer_reads_padding",
        EFFICIENT,
        "jnp.where(shown, x, 0.0), mix",
        "x, mix",
        hides("kind-linformer"),
        "Keys and values at padding are mixed in.",
    ),
    Mutation(
        "linformer_softmax_over_queries",
        EFFICIENT,
        "jax.nn.softmax(logits, axis=-1)",
        "jax.nn.softmax(logits, axis=-2)",
        f"{OF_EFFICIENT}::test_linformer_of_full_rank_with_identities_is_softmax_attention",
        "Softmax over the wrong axis.",
    ),
    Mutation(
        "aft_gate_dropped",
        EFFICIENT,
        "return jax.nn.sigmoid(q) * mixed",
        "return mixed + 0.0 * q",
        f"{OF_EFFICIENT}::test_aft_simple_with_equal_keys_gates_the_mean",
        "The gate of the query is dropped.",
    ),
    Mutation(
        "fnet_counts_from_one",
        EFFICIENT,
        "jnp.cumsum(mask, axis=1) - 1",
        "jnp.cumsum(mask, axis=1)",
        f"{OF_KINDS}::test_fnet_is_the_real_part_of_numpys_transform_of_each_sentence[7]",
        "A missing -1: places are counted from 1.",
    ),
    Mutation(
        "fnet_of_the_padded_length",
        EFFICIENT,
        "n = jnp.maximum(mask.sum(axis=1), 1)[:, None, None]",
        "n = jnp.full((len(mask), 1, 1), mask.shape[1])",
        f"{OF_KINDS}::test_a_sentence_alone_gets_what_it_gets_in_a_padded_batch[fnet]",
        "The transform has the length of the padded batch.",
    ),
    # the token gate, its features and activations, first values
    Mutation(
        "gate_weighs_the_input",
        SE,
        '"bt,bte->be", weights, gated',
        '"bt,bte->be", weights, x',
        f"{OF_POOLING}::test_the_gate_weighs_features_and_not_the_input",
        "Weights are applied to the input in place of its features.",
    ),
    Mutation(
        "mean_over_padding",
        SE,
        "jnp.maximum(mask.sum(axis=1), 1)[:, None]",
        "mask.shape[1]",
        f"{OF_POOLING}::test_more_padding_changes_nothing[mean]",
        "The sum over tokens is divided by the padded length.",
    ),
    Mutation(
        "features_of_another_size",
        FEATURES,
        'std="(2/E)**0.5"',
        'std="(1/E)**0.5"',
        "tests/nn/test_features.py"
        "::test_features_start_with_the_variance_of_their_input[two_layer-0.8-1.2]",
        "The factor 2 that makes up for ReLU is forgotten.",
    ),
    Mutation(
        "tanh_at_padding",
        ACTIVATIONS,
        "jnp.where(mask, jnp.tanh(logits), 0.0)",
        "jnp.tanh(logits)",
        "tests/nn/test_activations.py::test_padding_weighs_exactly_nothing[tanh-usual]",
        "A missing mask.",
    ),
    Mutation(
        "xavier_without_root",
        INITIALIZERS,
        "(2 / (fan_in + fan_out)) ** 0.5",
        "2 / (fan_in + fan_out)",
        "tests/nn/test_initializers.py::test_xavier_shrinks_with_head_dim",
        "A variance for a deviation.",
    ),
    # positions and poolings
    Mutation(
        "sinusoids_of_half_the_exponent",
        POSITIONS,
        "10000.0 ** (2 * pair / width)",
        "10000.0 ** (pair / width)",
        "tests/nn/test_positions.py::test_sinusoids_of_small_positions",
        "i/E for 2i/E, so that wavelengths end at a hundred.",
    ),
    Mutation(
        "learned_positions_from_one",
        POSITIONS,
        "return x + table[here.rows]",
        "return x + table[here.rows - 1]",
        agrees("position-learned"),
        "Off by one, and the first position wraps round to the last.",
    ),
    Mutation(
        "largest_with_zero",
        POOLING,
        "jnp.where(mask[:, :, None], x, -jnp.inf)",
        "jnp.where(mask[:, :, None], x, 0.0)",
        agrees("pooling-max"),
        "Padding takes part in the maximum as zero.",
    ),
    Mutation(
        "questions_without_tanh",
        POOLING,
        "jnp.tanh(x.reshape(batch * length, width) @ inward)",
        "(x.reshape(batch * length, width) @ inward)",
        agrees("pooling-multi_hop"),
        "The nonlinearity is forgotten.",
    ),
    Mutation(
        "first_token_of_padding",
        POOLING,
        "return jnp.where(mask[:, :1], x[:, 0], 0.0)",
        "return x[:, 0]",
        f"{OF_POOLING}::test_a_sentence_of_padding_gives_zeros[first]",
        "A missing mask, which shows in a sentence of padding alone.",
    ),
    # the encoder
    Mutation(
        "embeddings_unscaled",
        LAYERS,
        "return rows_of(table, ids) * table.shape[1] ** 0.5",
        "return rows_of(table, ids)",
        f"{OF_ENCODER}::test_the_whole_pass_agrees_with_numpy[rsqrt_dim-0.5-pre]",
        "The factor sqrt(E) is forgotten.",
    ),
    Mutation(
        "feed_forward_of_no_norm",
        ENCODER,
        "return x + feed(self.between(x))",
        "return x + feed(x)",
        f"{OF_ENCODER}::test_the_whole_pass_agrees_with_numpy[rsqrt_dim-0.5-pre]",
        "The second norm of a pre-norm block is skipped.",
    ),
    Mutation(
        "residual_dropped",
        ENCODER,
        "x = self.before(x + attend(x))",
        "x = self.before(attend(x))",
        f"{OF_ENCODER}::test_the_whole_pass_agrees_with_numpy[rsqrt_dim-0.5-post]",
        "The residual connection around attention is dropped in a post-norm block.",
    ),
    Mutation(
        "norm_of_the_sum",
        "attn_nlp/nn/kernels.py",
        "jnp.square(centered).mean(axis=-1, keepdims=True)",
        "jnp.square(centered).sum(axis=-1, keepdims=True)",
        "tests/nn/test_fast_paths.py::test_layer_norm_is_the_formula",
        "The sum of squares for the variance.",
    ),
    Mutation(
        "up_starts_small",
        ENCODER,
        'stream / "up/kernel", (2.0 / width) ** 0.5)',
        'stream / "up/kernel", (1.0 / width) ** 0.5)',
        f"{OF_ENCODER}::test_first_values_have_the_variance_that_the_docstring_states",
        "The layer before ReLU starts like a linear one.",
    ),
    Mutation(
        "unknown_words_hidden",
        ENCODER,
        "tokens = ids != PADDING",
        "tokens = ids > PADDING + 1",
        f"{OF_ENCODER}::test_the_whole_pass_agrees_with_numpy[rsqrt_dim-0.5-pre]",
        "The unknown word, id 1, is taken for padding.",
    ),
    Mutation(
        "layers_drop_alike",
        ENCODER,
        'f"feed/{self.layer}")',
        '"feed")',
        f"{OF_ENCODER}::test_every_layer_drops_its_own",
        "All layers drop the same entries.",
    ),
    # other models
    Mutation(
        "window_beyond_the_sentence",
        MODELS,
        "jnp.maximum(mask.sum(axis=1) - reach, 0)",
        "jnp.maximum(mask.sum(axis=1) - reach + 1, 0)",
        f"{OF_MODELS}::test_lengths_agree_with_the_reference[cnn]",
        "Off by one: the last window reaches over the end of the sentence.",
    ),
    Mutation(
        "lstm_forgets_at_the_start",
        MODELS,
        "jax.nn.sigmoid(keep + 1.0) * c",
        "jax.nn.sigmoid(keep) * c",
        f"{OF_MODELS}::test_lengths_agree_with_the_reference[bilstm]",
        "The constant in the forget gate is left out.",
    ),
    Mutation(
        "lstm_reads_forward_twice",
        MODELS,
        "rows[::-1, 1]",
        "rows[:, 1]",
        f"{OF_MODELS}::test_each_direction_of_the_lstm_is_the_other_one_turned_round",
        "The second direction is not turned round.",
    ),
    Mutation(
        "lstm_reads_padding",
        MODELS,
        "jnp.where(token, new, old)",
        "jnp.where(token, new, new)",
        f"{OF_MODELS}::test_values_at_padding_change_nothing[model-bilstm]",
        "A missing mask: the state moves on at padding.",
    ),
)
