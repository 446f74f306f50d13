"""The text to learn from: a file, or all *.md, *.cs and *.txt files below a folder."""

import os
from collections import Counter
from pathlib import Path

import torch

KINDS = {".md", ".cs", ".txt"}
SKIPPED = {"bin", "obj", "checkpoints", "node_modules"}
UNKNOWN = "\ufffd"
RARE = 10


def read(path: str) -> tuple[str, str]:
    """Nine tenths to learn from and one to measure on, taken from the end of each file."""
    root = Path(path)
    files = [root] if root.is_file() else below(root)
    if not files:
        raise FileNotFoundError(f"TEXT: there is no file '{path}', nor are there *.md, *.cs or *.txt files below it")
    training, validation = [], []
    for file in files:
        text = file.read_text(encoding="utf-8", errors="replace")
        cut = len(text) * 9 // 10
        line = text.find("\n", cut, cut + 200)
        cut = cut if line < 0 else line + 1
        training.append(text[:cut])
        validation.append(text[cut:])
    return "".join(training), "".join(validation)


def below(root: Path) -> list[Path]:
    found = []
    for folder, folders, files in os.walk(root, followlinks=True):
        folders[:] = [name for name in folders if name not in SKIPPED and not name.startswith(".")]
        found += [Path(folder, name) for name in files if Path(name).suffix in KINDS]
    return sorted(found, key=lambda file: file.relative_to(root).as_posix())


class Vocabulary:
    """The characters that the model knows; token 0 stands for all others where there are any."""

    def __init__(self, text: str):
        counts = Counter(text)
        known = sorted(c for c, count in counts.items() if count >= RARE and c != UNKNOWN)
        self.characters = ("" if len(known) == len(counts) else UNKNOWN) + "".join(known)
        self.tokens = {c: token for token, c in enumerate(self.characters)}

    def encode(self, text: str) -> torch.Tensor:
        return torch.tensor([self.tokens.get(c, 0) for c in text])

    def decode(self, tokens: list[int]) -> str:
        return "".join(self.characters[token] for token in tokens)
