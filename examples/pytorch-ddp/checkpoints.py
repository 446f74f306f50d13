"""Checkpoints in the convention of Puces.

A checkpoint is a folder that counts once manifest.json in it names its step and its files with their sizes in bytes.
The manifest is written last and put in place by renaming: a crash leaves a whole checkpoint or one that no reader takes.
"""

import json
import os
import shutil
from pathlib import Path

import torch

KEPT = 2
STATE = "state.pt"


def whole(folder: Path) -> list[tuple[int, Path]]:
    """The whole checkpoints, newest first."""
    found = []
    for path in folder.iterdir() if folder.is_dir() else []:
        try:
            manifest = json.loads((path / "manifest.json").read_text())
            if all((path / name).stat().st_size == size for name, size in manifest["files"].items()):
                found.append((int(manifest["step"]), path))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            continue
    return sorted(found, reverse=True)


def load(folder: Path) -> dict | None:
    """The state in the newest whole checkpoint; None where there is none."""
    newest = whole(folder)
    return torch.load(newest[0][1] / STATE, map_location="cpu") if newest else None


def save(folder: Path, step: int, state: dict) -> Path:
    """Makes the checkpoint of a step, keeps the newest two and deletes what is older."""
    path = folder / f"step-{step:06d}"
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    with open(path / STATE, "wb") as file:
        torch.save(state, file)
        flush(file)
    manifest = {"step": step, "files": {STATE: (path / STATE).stat().st_size}}
    with open(path / "manifest.json.tmp", "w") as file:
        json.dump(manifest, file)
        flush(file)
    os.replace(path / "manifest.json.tmp", path / "manifest.json")
    kept = {kept for _, kept in whole(folder)[:KEPT]}
    for old in folder.glob("step-*"):
        if old not in kept:
            shutil.rmtree(old)
    return path


def flush(file) -> None:
    # A manifest must never reach the disk before what it lists.
    file.flush()
    os.fsync(file.fileno())
