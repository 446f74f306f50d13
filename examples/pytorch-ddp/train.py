"""Trains a character-level transformer on one GPU, on several under torchrun, or on a CPU. See README.md."""

import math
import os
import signal
import sys
import time
from contextlib import nullcontext
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import checkpoints
import corpus
from model import Shape, Transformer

STOPPED_EARLY = 75  # EX_TEMPFAIL of sysexits.h: "start me again"
WRONG_USE = 2
SECONDS_BETWEEN_LINES = 5
SECONDS_BETWEEN_CHECKPOINTS = 60
MEASURED_BATCHES = 8


@dataclass(frozen=True)
class Settings:
    """Each is an environment variable of its name in capitals; the defaults are nanoGPT's for its 10 M parameter model."""

    steps: int = 5000
    minutes: float = 1e6
    seed: int = 1
    context: int = 256
    width: int = 384
    layers: int = 6
    heads: int = 6
    batch: int = 64  # sequences per step, over all processes
    learning_rate: float = 1e-3
    dropout: float = 0.2

    @staticmethod
    def read() -> "Settings":
        values = {}
        for field in fields(Settings):
            name = field.name.upper()
            if os.environ.get(name):
                try:
                    values[field.name] = field.type(os.environ[name])
                except ValueError:
                    wrong(f"{name} must be a number, not '{os.environ[name]}'")
                if values[field.name] < 0 or values[field.name] == 0 and field.name not in ("seed", "dropout"):
                    wrong(f"{name} must be above 0, not {os.environ[name]}")
        settings = Settings(**values)
        if settings.width % settings.heads:
            wrong(f"WIDTH must be a multiple of HEADS: {settings.width} is not one of {settings.heads}")
        return settings


class Processes:
    """This process among those that train together."""

    def __init__(self):
        self.count = int(os.environ.get("WORLD_SIZE", "1"))
        self.rank = int(os.environ.get("RANK", "0"))
        local = int(os.environ.get("LOCAL_RANK", "0"))
        cuda = torch.cuda.is_available()
        self.device = torch.device("cuda", local) if cuda else torch.device("cpu")
        if cuda:
            torch.cuda.set_device(self.device)
        if self.count > 1:
            dist.init_process_group("nccl" if cuda else "gloo")
        bf16 = cuda and torch.cuda.is_bf16_supported()
        self.precision = torch.autocast("cuda", torch.bfloat16) if bf16 else nullcontext()

    def any(self, *flags: bool) -> list[bool]:
        """Which flags any process has set: all must save, and stop, after the same step."""
        if self.count == 1:
            return list(flags)
        union = torch.tensor(flags, dtype=torch.int32, device=self.device)
        dist.all_reduce(union, dist.ReduceOp.MAX)
        return [bool(flag) for flag in union.tolist()]

    def from_first(self, value):
        """What the first process has, in all."""
        box = [value]
        if self.count > 1:
            dist.broadcast_object_list(box, src=0)
        return box[0]

    def print(self, line: str) -> None:
        if self.rank == 0:
            print(line, flush=True)


class Signals:
    """What the outside asks for by signal; the training looks between two steps."""

    def __init__(self):
        self.save = self.stop = False
        signal.signal(signal.SIGUSR1, lambda *_: setattr(self, "save", True))
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "stop", True))

    def take_save(self) -> bool:
        asked, self.save = self.save, False
        return asked


def wrong(message: str):
    print(f"train.py: {message}", file=sys.stderr)
    sys.exit(WRONG_USE)


def learning_rate(step: int, settings: Settings) -> float:
    """The rate of a step, counted from 1: a linear warm-up, then half a cosine down to a tenth."""
    warm_up = max(1, min(100, settings.steps // 10))
    if step <= warm_up:
        return settings.learning_rate * step / warm_up
    done = min(1.0, (step - warm_up) / max(1, settings.steps - warm_up))
    return settings.learning_rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


def batch_of(text: torch.Tensor, settings: Settings, processes: Processes, step: int):
    """The sequences of this process in a step: they follow from seed, step and rank alone, so a resumed run meets the same."""
    torch.manual_seed((settings.seed * 1_000_003 + step) * processes.count + processes.rank)
    starts = torch.randint(len(text) - settings.context, (settings.batch // processes.count,)).tolist()
    windows = torch.stack([text[at : at + settings.context + 1] for at in starts]).to(processes.device)
    return windows[:, :-1], windows[:, 1:]


@torch.no_grad()
def measure(model: torch.nn.Module, text: torch.Tensor, settings: Settings, processes: Processes, most: int | None) -> float:
    """The mean loss in nats per character over windows side by side, or over a few of them spread evenly."""
    model.eval()
    windows = text[: (len(text) - 1) // settings.context * settings.context + 1]
    inputs, targets = windows[:-1].view(-1, settings.context), windows[1:].view(-1, settings.context)
    if most is not None and len(inputs) > most:
        chosen = torch.arange(most) * len(inputs) // most
        inputs, targets = inputs[chosen], targets[chosen]
    total = 0.0
    for tokens, next_tokens in zip(inputs.split(64), targets.split(64)):
        with processes.precision:
            total += model(tokens.to(processes.device), next_tokens.to(processes.device)).item() * len(tokens)
    model.train()
    return total / len(inputs)


@torch.no_grad()
def sample(model: torch.nn.Module, vocabulary: corpus.Vocabulary, settings: Settings, device: torch.device, count: int) -> str:
    model.eval()
    torch.manual_seed(settings.seed)
    tokens = vocabulary.encode("\n")[None].to(device)
    for _ in range(count):
        logits = model(tokens[:, -settings.context :])[:, -1] / 0.8
        tokens = torch.cat([tokens, torch.multinomial(logits.softmax(-1), 1)], dim=1)
    return vocabulary.decode(tokens[0, 1:].tolist())


def main() -> int:
    signals = Signals()
    settings = Settings.read()
    if not os.environ.get("TEXT"):
        wrong("TEXT is not set: name a file or a folder of *.md, *.cs and *.txt files")
    processes = Processes()
    if settings.batch % processes.count:
        wrong(f"BATCH must be a multiple of the processes: {settings.batch} is not one of {processes.count}")
    try:
        training, validation = corpus.read(os.environ["TEXT"])
    except FileNotFoundError as error:
        wrong(str(error))
    if min(len(training), len(validation)) <= settings.context:
        wrong(f"TEXT is too short: {len(training)} and {len(validation)} characters for CONTEXT {settings.context}")
    vocabulary = corpus.Vocabulary(training)
    training, validation = vocabulary.encode(training), vocabulary.encode(validation)
    folder = Path(os.environ.get("PUCES_CHECKPOINT_DIR") or "checkpoints")

    torch.manual_seed(settings.seed)
    shape = Shape(len(vocabulary.characters), settings.context, settings.width, settings.layers, settings.heads, settings.dropout)
    plain = Transformer(shape).to(processes.device)
    matrices = [weight for weight in plain.parameters() if weight.dim() == 2]
    vectors = [weight for weight in plain.parameters() if weight.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.1}, {"params": vectors, "weight_decay": 0.0}], betas=(0.9, 0.99))
    processes.print(
        f"{len(training):,} characters to learn from, {len(validation):,} to measure on, vocabulary {shape.vocabulary}, "
        f"{sum(weight.numel() for weight in plain.parameters()):,} parameters, {processes.count} processes on {processes.device.type}"
    )

    step = 0
    state = processes.from_first(checkpoints.load(folder) if processes.rank == 0 else None)
    if state is not None:
        if state["shape"] != asdict(shape) or state["vocabulary"] != vocabulary.characters:
            wrong(f"the checkpoints in '{folder}' are of another text or model: remove them, or set PUCES_CHECKPOINT_DIR")
        plain.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step = state["step"]
        processes.print(f"resumed from step {step}")
    model = DistributedDataParallel(plain) if processes.count > 1 else plain

    def save(reason: str | None) -> None:
        if processes.rank == 0:
            state = {"step": step, "shape": asdict(shape), "vocabulary": vocabulary.characters}
            path = checkpoints.save(folder, step, state | {"model": plain.state_dict(), "optimizer": optimizer.state_dict()})
            if reason:
                processes.print(f"{reason}: saved {path.name}")

    begun = printed = saved = time.monotonic()
    printed_step, losses = step, torch.zeros((), device=processes.device)
    while step < settings.steps:
        tokens, targets = batch_of(training, settings, processes, step)
        with processes.precision:
            loss = model(tokens, targets)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(plain.parameters(), 1.0)
        step += 1
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, settings)
        optimizer.step()
        losses += loss.detach()

        now = time.monotonic()
        due = now - saved >= SECONDS_BETWEEN_CHECKPOINTS
        late = now - begun >= settings.minutes * 60
        stop, asked, due, late = processes.any(signals.stop, signals.take_save(), due, late)
        if processes.rank == 0 and (now - printed >= SECONDS_BETWEEN_LINES or step == settings.steps):
            pace = (step - printed_step) / (now - printed)
            bar = 20 * step // settings.steps
            left = int((settings.steps - step) / pace)
            processes.print(
                f"[{'#' * bar}{'.' * (20 - bar)}] step {step:5}/{settings.steps}  "
                f"training loss {losses.item() / (step - printed_step):.4f}  "
                f"validation loss {measure(plain, validation, settings, processes, 8 * MEASURED_BATCHES):.4f}  "
                f"{pace * settings.batch * settings.context:,.0f} tokens/s  {left // 60}:{left % 60:02} left"
            )
            printed, printed_step = time.monotonic(), step
            losses.zero_()
        if stop:
            save("asked to stop")
            return STOPPED_EARLY
        if asked:
            save("asked for a checkpoint")
        elif due or late or step == settings.steps:
            save(None)
        if asked or due:
            saved = time.monotonic()
        if late:
            break

    if processes.rank == 0:
        loss = measure(plain, validation, settings, processes, None)
        processes.print(f"final validation loss {loss:.4f} nats per character, after {step} steps in {time.monotonic() - begun:.0f} s\n")
        processes.print(sample(plain, vocabulary, settings, processes.device, 400))
    return 0


if __name__ == "__main__":
    code = main()
    if dist.is_initialized():
        dist.barrier()
        dist.destroy_process_group()
    sys.exit(code)
