"""What a safetensors file says in its header of what its weights belong with; imports no torch."""

from pathlib import Path

from safetensors import SafetensorError, safe_open

from pinxit.errors import CheckpointError


def read_stamp(file: Path, header: str, remedy: str) -> str:
    """What a file says under a name in its header, without reading its weights.

    CheckpointError, with `remedy`, where it is not there or has no such header, and where it is not whole.
    """
    if not file.is_file():
        raise CheckpointError(file, "there is no such file", remedy)
    try:
        with safe_open(file, framework="np") as opened:
            said = (opened.metadata() or {}).get(header)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(file, f"it is no whole safetensors file ({error})", "fetch or copy it again") from error
    if said is None:
        raise CheckpointError(file, f"its header has no {header!r}", remedy)
    return str(said)
