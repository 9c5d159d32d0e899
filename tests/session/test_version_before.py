"""What the version before wrote opens, goes on and gives the same numbers (`version_before/README.md`)."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from pathlib import Path

import pytest
import torch

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.cli import main
from layertie_lab.records.io.chain import plain

BEFORE = Path(__file__).parent / "version_before"
GOLDEN = json.loads((BEFORE / "golden.json").read_text(encoding="utf-8"))
ALGORITHMS = ("lab", "paper", "official-code")


def arithmetic() -> str:
    """A digest of what this processor makes of the kinds of kernels that a run uses.

    Digests of weights hold for one kind of arithmetic: another processor or torch rounds elsewhere.
    """
    torch.set_num_threads(1)
    x = torch.randn(8, 16, 16, generator=torch.Generator().manual_seed(0), requires_grad=True)
    w = torch.randn(16, 64, generator=torch.Generator().manual_seed(1), requires_grad=True)
    y = torch.nn.functional.gelu(torch.nn.functional.layer_norm(x, (16,)) @ w) @ w.T
    z = torch.nn.functional.scaled_dot_product_attention(y[:, None], y[:, None], x[:, None], is_causal=True)
    z.logsumexp(-1).sum().backward()
    assert x.grad is not None
    assert w.grad is not None
    digest = hashlib.sha256()
    for found in (z.detach(), x.grad, w.grad):
        digest.update(found.contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


@pytest.fixture
def before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of all that the version before wrote, with the text where its runs expect it."""
    shutil.copytree(BEFORE, tmp_path / "before")
    monkeypatch.chdir(tmp_path / "before")
    return tmp_path / "before"


def digest_of(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def weights_of(session: Session) -> str:
    tensors, _ = session.model.state()
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].detach().contiguous().numpy().tobytes())
    return digest.hexdigest()


def assert_same_log(path: Path, kept: Path) -> None:
    """The same log, but for the digests that lines carry since.

    On another kind of processor: the same decisions and losses for as long as rounding allows.
    """
    if arithmetic() == GOLDEN["made_with"]["arithmetic"]:
        found, wanted = (file.read_bytes().split(b"\n") for file in (path, kept))
        assert [plain(line) for line in found] == wanted
        return
    found, wanted = load_run(path.parent, damaged="keep").steps, load_run(kept.parent, damaged="keep").steps
    assert found["loss"][:12].to_list() == pytest.approx(wanted["loss"][:12].to_list(), rel=1e-4)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_same_seed_gives_the_same_log_and_weights_as_before(algorithm: str, before: Path) -> None:
    # Since then the lab preset is another agent with another optimizer state after a re-tie; texts are cut elsewhere.
    was = {"learner": "linear", "splits": "bytes"} | ({"moments": "clone"} if algorithm == "lab" else {})
    config = RunConfig.preset(
        "tiny",
        algorithm=algorithm,
        **was,
        seed=3,
        corpus="prose.txt",
        threads=1,
        width=16,
        context=16,
        decisions=12,
        snapshot_mebibytes=0,
    )
    with Session(config, before / "again") as session:
        session.run()
        weights = weights_of(session)
    assert_same_log(before / "again" / "events.jsonl", BEFORE / "golden" / algorithm / "events.jsonl")
    assert digest_of(BEFORE / "golden" / algorithm / "events.jsonl") == GOLDEN[algorithm]["log"]
    if arithmetic() == GOLDEN["made_with"]["arithmetic"]:
        assert weights == GOLDEN[algorithm]["weights"]


def test_a_run_goes_on_as_it_would_have(before: Path) -> None:
    with Session.resume(before / "run") as session:
        assert session.decision == 8
        session.run()
        assert session.finished
    if arithmetic() == GOLDEN["made_with"]["arithmetic"]:
        assert digest_of(before / "run" / "events.jsonl") == GOLDEN["continued"]


def test_branches_open_and_go_on(before: Path) -> None:
    for name, decision in (("mine", 6), ("other", 11)):
        with Session.resume(before / "trunk" / "branches" / name) as session:
            assert session.decision == decision
            session.run(2)
        assert load_run(before / "trunk" / "branches" / name).decisions.height == decision + 2


def result_of(words: list[str], capsys: pytest.CaptureFixture[str]) -> dict:
    capsys.readouterr()
    assert main(words) == 0
    return json.loads(capsys.readouterr().out)


def test_a_study_gives_the_same_verdict(before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = json.loads((before / "study.json").read_text(encoding="utf-8"))
    # Its replicates as they are, and the last of them trained again.
    found = result_of(["twins", "trunk", "--list", "--json"], capsys)
    (study,) = found["studies"]
    for name in set(kept) - {"sentence", "directory"}:
        # Versions of scipy differ in a number's last digit.
        expected = pytest.approx(kept[name], rel=1e-12) if isinstance(kept[name], float) else kept[name]
        assert study[name] == expected, name
    # Words may change, what is stated and the numbers may not.
    quoted_and_numbers = re.compile(r'"[^"]*"|[-+]?\d[\d.e-]*')
    assert quoted_and_numbers.findall(study["sentence"]) == quoted_and_numbers.findall(kept["sentence"])
    replicates = before / "trunk" / "studies" / "study-001" / "replicates.jsonl"
    lines = replicates.read_text(encoding="utf-8").splitlines(keepends=True)
    replicates.write_text("".join(lines[:-1]), encoding="utf-8")
    again = result_of(["twins", "trunk", "--resume", "study-001", "--workers", "1", "--json"], capsys)
    assert again["outcome"] == kept["outcome"]
    assert again["estimate"] == pytest.approx(kept["estimate"], rel=1e-3)


def test_a_sweep_opens_and_goes_on(before: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = json.loads((before / "sweep.json").read_text(encoding="utf-8"))
    found = result_of(["sweep", "--directory", "sweep", "--summarize", "--json"], capsys)
    assert found["results"] == kept["results"]
    assert found["aggregates"] == kept["aggregates"]
    shutil.rmtree(before / "sweep" / "lab-seed2")
    again = result_of(["sweep", "--directory", "sweep", "--resume", "--json", "--quiet"], capsys)
    for one, other in zip(again["results"], kept["results"], strict=True):
        assert one["run"] == other["run"]
        assert one["validation_loss"] == pytest.approx(other["validation_loss"], rel=1e-4)
