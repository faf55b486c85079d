"""Every kind of fault that a night may bring, and the tests that show what becomes of it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """A kind of fault.

    Attributes:
      what: the fault.
      promise: what becomes of it.
      tests: the tests that show it, as pytest names them.
    """

    what: str
    promise: str
    tests: tuple[str, ...]


RUN, STORE, CLAIMS = (
    "tests/runner/test_run.py",
    "tests/store/test_results.py",
    "tests/store/test_claims.py",
)
BROKEN, LOCAL = "tests/store/test_faults.py", "tests/runner/test_local.py"
STOPPED = "tests/faults/test_stopped.py"
CHECKPOINT, ROWS = "tests/train/test_checkpoint.py", "tests/data/test_rows.py"

FAULTS = (
    Fault(
        "killed while a cell is trained",
        "finished cells stay; the next run ends in the same bytes",
        (
            f"{RUN}::test_a_driver_killed_midway_resumes_to_the_same_bytes",
            f"{CHECKPOINT}::test_where_it_was_cut_changes_no_bit",
            f"{STOPPED}::test_stopped_within_a_cell_it_resumes_to_the_same_bytes",
        ),
    ),
    Fault(
        "killed while something is written",
        "the old or the new, never half",
        (
            "tests/faults/test_faults.py::test_killed_there_it_goes_on_to_the_same_bytes",
            "tests/data/test_dataset.py::test_everything_is_on_the_disk_before_its_name_is",
            "tests/data/test_dataset.py::test_a_damaged_folder_is_named_and_made_anew",
            "tests/runner/test_compiled.py::test_a_half_written_entry_is_removed_and_written_again",
        ),
    ),
    Fault(
        "the disk is full",
        "one line, and what was stored is intact",
        (
            f"{BROKEN}::test_a_full_disk_loses_nothing",
            f"{RUN}::test_a_system_that_lets_no_file_grow_costs_no_finished_cell",
            f"{CHECKPOINT}::test_a_full_disk_costs_the_checkpoint_alone",
            "tests/faults/test_faults.py::test_a_full_disk_is_one_line",
        ),
    ),
    Fault(
        "a read-only store",
        "reading works, and a run is rejected before it trains",
        (
            f"{BROKEN}::test_a_read_only_medium_can_be_read",
            f"{STORE}::test_a_reader_cannot_write",
        ),
    ),
    Fault(
        "two runs on one store",
        "each cell is done once",
        (
            f"{RUN}::test_two_drivers_share_a_store_and_train_each_cell_once",
            f"{STORE}::test_processes_share_a_store_and_do_each_cell_once",
        ),
    ),
    Fault(
        "the clock jumps",
        "no claim is lost: heartbeats are counted, not dated",
        (
            f"{CLAIMS}::test_a_jump_of_the_wall_clock_takes_no_claim_away",
            f"{CLAIMS}::test_a_far_owner_is_given_the_whole_grace",
            f"{CLAIMS}::test_a_far_owner_of_two_claims_is_let_go_too",
        ),
    ),
    Fault(
        "a damaged checkpoint",
        "found by its hash, named, set aside",
        (
            f"{CHECKPOINT}::test_every_damaged_file_is_found",
            f"{CHECKPOINT}::test_damage_costs_steps_and_changes_no_bit",
            f"{STOPPED}::"
            "test_killed_with_a_damaged_checkpoint_it_says_so_and_goes_on_to_the_same_bytes",
        ),
    ),
    Fault(
        "a loss that is not finite",
        "the cell is diverged, counted, and its neighbors untouched",
        (
            f"{LOCAL}::test_an_exception_fails_its_cell_alone",
            f"{STOPPED}::test_cells_that_diverge_leave_the_others_done",
        ),
    ),
    Fault(
        "out of memory",
        "the cell fails with its shape named",
        (
            "tests/runner/test_memory.py::"
            "test_a_cell_too_large_fails_with_its_shape_and_the_others_are_done",
            "tests/runner/test_train_job.py::test_out_of_memory_names_the_shape",
            f"{LOCAL}::test_a_worker_that_is_killed_again_fails_its_cell_alone",
        ),
    ),
    Fault(
        "Ctrl-C and SIGTERM",
        "the first stops in order and says how to go on, the second leaves at once",
        (
            f"{RUN}::test_the_first_signal_stops_in_order",
            f"{RUN}::test_the_second_signal_leaves_at_once",
        ),
    ),
    Fault(
        "a download that fails",
        "rejected within ten seconds, in one sentence that names the ways out",
        (
            "tests/data/test_hub.py::test_a_silent_hub_is_given_up_within_ten_seconds",
            "tests/data/test_hub.py::test_a_closed_port_is_refused_at_once",
            "tests/data/test_hub.py::test_a_busy_hub_is_unreachable",
            "tests/data/test_hub.py::test_a_download_cut_midway_is_one_sentence_and_the_cache_heals",
        ),
    ),
    Fault(
        "empty texts",
        "one is an unknown word, a split of them is rejected",
        (
            "tests/data/test_tokens.py::test_a_text_without_tokens_is_one_unknown",
            f"{ROWS}::test_bad_rows_are_named",
        ),
    ),
    Fault(
        "a line of a million tokens",
        "cut before it is tokenized, and counted",
        ("tests/data/test_tokens.py::test_long_texts_are_cut_and_counted",),
    ),
    Fault(
        "bytes that are no text",
        "rejected with file and line",
        ("tests/data/test_loading.py::test_bad_files_are_one_sentence",),
    ),
    Fault(
        "missing, hidden and unknown labels",
        "rejected with the rows named",
        (f"{ROWS}::test_bad_rows_are_named",),
    ),
    Fault(
        "repeated rows",
        "counted within and across splits, with their conflicts",
        ("tests/data/test_dataset.py::test_arrays_and_facts_of_a_small_file",),
    ),
    Fault(
        "hostile names and texts",
        "shown as they are in every output",
        (
            "tests/tables/test_html.py::test_every_hostile_text_is_shown_whole",
            "tests/tables/test_latex.py::test_text_is_escaped",
            "tests/tables/test_formats.py::test_a_terminal_never_obeys_a_label",
            "tests/tables/test_formats.py::test_csv_is_exact_and_safe_only_where_asked",
        ),
    ),
    Fault(
        "pickles and code from outside",
        "never run",
        (
            "tests/data/test_dataset.py::test_a_pickle_in_the_cache_is_never_run",
            "tests/data/test_hub.py::test_a_script_repository_is_never_run",
        ),
    ),
    Fault(
        "names that would be paths",
        "rejected; only checked names and hashes become paths",
        ("tests/data/test_registry.py::test_bad_names_are_rejected",),
    ),
    Fault(
        "a small file that unpacks to gigabytes",
        "rejected before it is unpacked",
        (
            "tests/data/test_limits.py::test_a_text_named_many_times_is_counted_each_time",
            "tests/data/test_limits.py::"
            "test_zeros_that_unpack_to_gigabytes_are_rejected_by_their_footer",
        ),
    ),
    Fault(
        "a store of another version",
        "a newer one is rejected, an older one upgraded beside a copy",
        (
            f"{BROKEN}::test_a_newer_store_is_rejected",
            "tests/store/test_upgrade.py::test_writing_upgrades_and_keeps_a_copy",
        ),
    ),
    Fault(
        "a result that comes twice",
        "the first stays, a different second is an alarm",
        (
            f"{STORE}::test_another_result_in_the_same_environment_is_an_alarm",
            f"{CLAIMS}::test_a_late_finisher_cannot_overwrite",
        ),
    ),
    Fault(
        "another machine midway",
        "the table says that environments are mixed",
        ("tests/tables/test_build.py::test_mixed_environments_are_reported",),
    ),
)
