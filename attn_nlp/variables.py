"""The environment variables of this package, and warnings about misspelled ones.

Each variable is read where it is used. They are listed here so that a typo in a name is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from attn_nlp.errors import nearest

PREFIX = "ATTN_NLP_"
KNOWN = {
    "ATTN_NLP_CACHE": "the folder of prepared data and compiled programs",
    "ATTN_NLP_CHECKPOINT_SECONDS": "seconds of training between two checkpoints",
    "ATTN_NLP_DATA": "a folder with datasets by name",
    "ATTN_NLP_DEBUG": "1 shows the traceback of a user error",
    "ATTN_NLP_MAX_BYTES": "how large a dataset may be",
    "ATTN_NLP_STORE": "the file with the results",
}
_OF_TESTS = {
    "ATTN_NLP_FAULT": "where to fail",
    "ATTN_NLP_FAULT_LOG": "where to list the points that can fail",
    "ATTN_NLP_FAULT_ONCE": "a file that the first failure makes",
    "ATTN_NLP_REGENERATE": "write golden files again",
    "ATTN_NLP_REQUIRE": "what tests must not skip",
}
OURS = KNOWN.keys() | _OF_TESTS.keys()


def unknown(names: Iterable[str]) -> list[str]:
    """Return a sentence for every variable that has the prefix of this package and is not known.

    Example:
      >>> unknown(["HOME", "ATTN_NLP_STORE", "ATTN_NLP_CASHE"])
      ['ATTN_NLP_CASHE is set, but no such variable is read; did you mean ATTN_NLP_CACHE?']
    """
    sentences = []
    for name in sorted(names):
        if name.startswith(PREFIX) and name not in KNOWN | _OF_TESTS:
            close = nearest(name, KNOWN)
            hint = f"did you mean {close}?" if close else f"known: {', '.join(KNOWN)}."
            sentences.append(f"{name} is set, but no such variable is read; {hint}")
    return sentences


def blamed(error: BaseException, variables: Mapping[str, str]) -> str | None:
    """Return which variable keeps an installed library from being imported.

    Args:
      error: the exception raised by the import.
      variables: the environment variables.

    Returns:
      A sentence, or None if the error has another cause or mentions no variable's value.
    """
    trace, importing = error.__traceback__, False
    while trace is not None:
        code = trace.tb_frame.f_code
        importing |= code.co_name == "<module>" and "site-packages" in code.co_filename
        trace = trace.tb_next
    if not importing:
        return None
    said = " ".join(str(error).split())
    names = [name for name, value in variables.items() if value and _holds(said, value)]
    if not names:
        return None
    given = " or ".join(f"{name}={variables[name]!r}" for name in sorted(names))
    return f"a library cannot be imported with {given}: {said.rstrip('.')}; correct or unset it."


def _holds(said: str, value: str) -> bool:
    return any(f"{quote}{value}{quote}" in said for quote in "'\"")
