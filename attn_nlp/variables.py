"""The environment variables of this package: their names, and those that look like one.

Each is read where it is used; here they stand so that a slip in a name does not pass in silence.
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
    "ATTN_NLP_FAULT_LOG": "where to write what could fail",
    "ATTN_NLP_FAULT_ONCE": "a file that the first failure makes",
    "ATTN_NLP_REGENERATE": "write golden files again",
    "ATTN_NLP_REQUIRE": "what tests may not do without",
}
OURS = KNOWN.keys() | _OF_TESTS.keys()


def unknown(names: Iterable[str]) -> list[str]:
    """A sentence for every variable that looks like one of ours and is none.

    Example:
      >>> unknown(["HOME", "ATTN_NLP_STORE", "ATTN_NLP_CASHE"])
      ['ATTN_NLP_CASHE is set, but no such variable is read; did you mean ATTN_NLP_CACHE?']
    """
    found = []
    for name in sorted(names):
        if name.startswith(PREFIX) and name not in KNOWN | _OF_TESTS:
            close = nearest(name, KNOWN)
            hint = f"did you mean {close}?" if close else f"known: {', '.join(KNOWN)}."
            found.append(f"{name} is set, but no such variable is read; {hint}")
    return found


def blamed(error: BaseException, variables: Mapping[str, str]) -> str | None:
    """Which variable an installed library cannot take, said of what it raises when it is imported.

    Returns:
      A sentence; None where the error comes from elsewhere, or its text holds no variable's value.
    """
    found, importing = error.__traceback__, False
    while found is not None:
        code = found.tb_frame.f_code
        importing |= code.co_name == "<module>" and "site-packages" in code.co_filename
        found = found.tb_next
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
