"""What an exception says, for people."""


def text_of(exc: BaseException) -> str:
    """Its text; also when its own `__str__` fails."""
    try:
        return str(exc)
    except Exception:  # noqa: BLE001 - that is the exception's own code
        return "(its text cannot be had)"


def in_words(exc: BaseException) -> str:
    """Class and text in one line."""
    return f"{type(exc).__qualname__}: {text_of(exc)}"
