"""Kinetics-skeleton with both parts, of the one that was made."""

import json
from pathlib import Path


def make_kinetics(made: Path, folder: Path) -> None:
    """Link the one part of Kinetics-skeleton that was made, and its videos under other names as the other part."""
    (folder / "kinetics_train").mkdir(parents=True)
    for path in made.iterdir():
        (folder / path.name).symlink_to(path)
    for path in (made / "kinetics_val").iterdir():
        (folder / "kinetics_train" / f"train_{path.name}").symlink_to(path)
    entries = json.loads((made / "kinetics_val_label.json").read_text())
    (folder / "kinetics_train_label.json").write_text(json.dumps({f"train_{name}": entry for name, entry in entries.items()}))
