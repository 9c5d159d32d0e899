"""The audit of runs: what each algorithm must show, agreement with the tensors, live and damaged records, refusals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from layertie_lab import RunConfig, Session, load_run
from layertie_lab.analysis.audit import training_findings
from layertie_lab.analysis.audit.module_audit import audit_module
from layertie_lab.analysis.audit.rows import COLUMNS, Auditor
from layertie_lab.analysis.audit.run_audit import Audit, audit_run, departures
from layertie_lab.core.errors import AnalysisError, RecordError
from layertie_lab.core.events import DecisionFinished
from layertie_lab.core.notices import StatusChanged, read_timing
from layertie_lab.records.directory import RunDirectory
from layertie_lab.records.io.chain import Chain, plain

LAYERS, DECISIONS = 5, 48
MEASURED = ("device_peak_bytes", "resident_bytes")


def small(text: Path, **changes: Any) -> RunConfig:
    defaults = {
        "corpus": str(text),
        "layers": LAYERS,
        "width": 8,
        "heads": 2,
        "context": 8,
        "batch_size": 2,
        "seed": 3,
        "decisions": DECISIONS,
        "steps_per_decision": 1,
        "evaluation_windows": 2,
        "evaluate_every": 12,
        "reward__windows": 2,
        "sample_every": 0,
        "sample_tokens": 4,
    }
    return RunConfig.preset("tiny", **(defaults | changes))


@pytest.fixture(scope="module")
def audits(text_file: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Audit]:
    found = {}
    for algorithm, policy in (("official-code", "official-code"), ("paper", "paper"), ("lab", "random")):
        folder = tmp_path_factory.mktemp("audit") / algorithm
        with Session(small(text_file, algorithm=algorithm, policy=policy), folder) as session:
            session.run()
        found[algorithm] = audit_run(folder)
    return found


SHOWN = {"official-code": {1, 2, 3, 4, 5, 6, 9, 10, 11}, "paper": {1}, "lab": set()}
REFUTED = {
    "official-code": {8},
    "paper": {2, 3, 4, 5, 6, 8, 9, 10, 11},
    "lab": {1, 2, 3, 4, 5, 6, 8, 9, 10, 11},
}


@pytest.mark.parametrize("algorithm", SHOWN)
def test_the_departures_that_a_run_exhibits(algorithm: str, audits: dict[str, Audit]) -> None:
    audit = audits[algorithm]
    verdicts = {finding.number: finding.verdict for finding in audit.findings}
    assert list(verdicts) == list(range(1, 12))
    # Whether 7, a count near chance, is exhibited is up to the draws.
    assert {number for number in verdicts if verdicts[number] == "exhibited"} - {7} == SHOWN[algorithm]
    assert {number for number in verdicts if verdicts[number] == "not exhibited"} - {7} == REFUTED[algorithm]
    assert all(finding.sentence.endswith(".") and finding.title for finding in audit.findings)
    assert not audit.notes


def test_the_official_codes_claims_part_from_the_truth(audits: dict[str, Audit]) -> None:
    frame = audits["official-code"].frame
    first, last = frame.row(0, named=True), frame.row(-1, named=True)
    assert (first["claimed_independent"], first["true_blocks"]) == (1, LAYERS)
    assert first["gradient"] == ["owner", *["none"] * (LAYERS - 1)]
    assert (frame["true_blocks"].diff().drop_nulls() <= 0).all()
    assert last["true_blocks"] == 1
    settled = frame.filter(pl.col("true_blocks") == 1)
    assert settled["claimed_independent"].max() > 1
    assert (settled["claimed_parameters"] >= settled["true_parameters"]).all()
    # On one block every layer that claims to be independent is stepped on it, each in its turn.
    assert settled["most_updates"].to_list() == settled["claimed_independent"].to_list()
    assert last["states"] == LAYERS
    assert last["idle_states"] == LAYERS - last["claimed_independent"]
    evidence = {finding.number: finding.evidence for finding in audits["official-code"].findings}
    assert evidence[2]["stayed_on_shared_storage"] == evidence[2]["answers_on_its_own"] > 0
    assert evidence[3]["blocks_at_start"] == LAYERS
    assert evidence[3]["blocks_at_end"] == 1
    assert evidence[6]["reward"] == -10
    assert evidence[9]["claimed_parameters"] > evidence[9]["true_parameters"]
    assert evidence[9]["claimed_above_true"] == (frame["claimed_parameters"] > frame["true_parameters"]).sum()
    assert evidence[11]["evaluations_on_test"] > 0


@pytest.mark.parametrize("algorithm", ["lab", "paper"])
def test_elsewhere_the_claims_are_the_truth(algorithm: str, audits: dict[str, Audit]) -> None:
    frame = audits[algorithm].frame
    for claimed, true in (("claimed_independent", "true_blocks"), ("claimed_parameters", "true_parameters")):
        assert frame[claimed].to_list() == frame[true].to_list()
    assert frame["stored_parameters"].to_list() == frame["true_parameters"].to_list()
    assert frame["idle_states"].max() == 0
    assert frame["most_updates"].max() == 1
    kinds = set(frame["gradient"].explode())
    assert kinds == ({"owner", "summed"} if algorithm == "lab" else {"owner", "none"})


SEMANTICS: dict[str, dict[str, Any]] = {
    "lab": {},
    "paper": {"algorithm": "paper"},
    "official-code": {"algorithm": "official-code"},
    "summed over aliases": {"algorithm": "official-code", "gradient": "shared"},
    "aliases from a tied start": {"algorithm": "official-code", "start": "tied"},
    "clones from a frozen start": {"algorithm": "paper", "start": "frozen-random"},
    "clones, snapshot chains": {"algorithm": "paper", "chain": "snapshot"},
    "summed, snapshot chains": {"chain": "snapshot", "start": "frozen-random"},
}


@pytest.mark.parametrize("name", SEMANTICS)
def test_the_books_agree_with_the_tensors_after_every_decision(name: str, text_file: Path) -> None:
    session = Session(small(text_file, policy="random", **SEMANTICS[name]))
    auditor = Auditor(session.config)
    auditor.take(session.opening())
    session.subscribe(auditor.take)
    slots = len(list(session.model.stack.layers[0].parameters()))
    for _ in range(DECISIONS):
        session.run(1)
        row, inner = auditor.rows[-1], session.components.optimizer.inner
        seen = audit_module(session.model, "stack.layers", inner, session.ties)
        assert seen.layers["block"].to_list() == row["true_map"]
        assert seen.layers["claimed_source"].to_list() == row["claimed_map"]
        assert seen.layers["gradient"].to_list() == row["gradient"]
        assert seen.layers["updates"].max() == row["most_updates"]
        for count in ("stored_parameters", "true_parameters", "claimed_parameters", "claimed_independent"):
            assert seen.totals[count] == row[count], count
        assert seen.totals["idle_states"] == slots * row["idle_states"]
        moved = sum(len(p) > 0 for p in inner.state.values())
        outside = sum(p.numel() > 0 for n, p in session.model.named_parameters() if not n.startswith("stack"))
        assert moved - outside == slots * row["states"]
        assert not auditor.notes


def test_json_and_back(audits: dict[str, Audit]) -> None:
    for audit in audits.values():
        values = json.loads(json.dumps(audit.to_dict(), allow_nan=False))
        again = Audit.from_dict(values)
        assert again.frame.equals(audit.frame)
        assert (again.run, again.findings, again.notes) == (audit.run, audit.findings, audit.notes)
        assert values["columns"].keys() == set(audit.frame.columns) == COLUMNS.keys()
    with pytest.raises(AnalysisError, match="layertie audit --json"):
        Audit.from_dict({"decisions": []})


def test_a_run_is_audited_while_it_goes_on(text_file: Path, tmp_path: Path) -> None:
    session = Session(small(text_file, algorithm="official-code"), tmp_path / "run")
    auditor = Auditor(session.config)
    auditor.take(session.opening())
    session.subscribe(auditor.take)
    assert audit_run(tmp_path / "run").frame.height == 1
    assert {f.verdict for f in audit_run(tmp_path / "run").findings if f.number not in (4, 11)} == {"cannot be told"}
    session.run(6)
    session.begin(session.propose().choice)
    audit = audit_run(load_run(tmp_path / "run"))
    assert audit.run["status"] == "running"
    assert audit.frame.height == 7
    assert audit.frame["resident_bytes"][-1] > 0
    assert audit.frame.drop(MEASURED).equals(auditor.frame().drop(MEASURED))
    session.close()


@pytest.mark.parametrize(("end", "verdict"), [("text", "not exhibited"), ("end-of-text", "exhibited")])
def test_what_sequences_end_in_is_said(end: str, verdict: str, text_file: Path) -> None:
    session = Session(small(text_file, chunk_end=end))
    auditor = Auditor(session.config)
    auditor.take(session.opening())
    finding = departures(auditor)[10]
    assert (finding.number, finding.verdict) == (11, verdict)
    assert ("every sequence ends in the end-of-text token" in finding.sentence) == (end == "end-of-text")
    assert "no sequence ends" not in finding.sentence


def test_a_measured_peak_stands_beside_the_claim(text_file: Path) -> None:
    session = Session(small(text_file))
    auditor = Auditor(session.config)
    auditor.take(session.opening())
    session.subscribe(auditor.take)
    session.run(2)
    assert auditor.frame()["device_peak_bytes"].null_count() == 3
    auditor.take(read_timing({"decision": 2, "device_peak_bytes": 7_500_000, "resident_bytes": 9}))
    auditor.take(StatusChanged("running"))
    assert auditor.frame()["device_peak_bytes"].to_list() == [None, None, 7_500_000]
    finding = departures(auditor)[9]
    assert finding.evidence["device_peak_bytes"] == 7_500_000
    assert "measured peak was 7.5 MB" in finding.sentence


def test_what_is_read_when_an_episode_begins(audits: dict[str, Audit]) -> None:
    frame = audits["lab"].frame.filter(pl.col("decision") > 0)
    # Before the first step there are weights and no moments yet.
    assert frame["claimed_bytes"][0] == 4 * audits["lab"].frame["stored_parameters"][0]
    per_episode = frame.group_by("episode").agg(pl.col("claimed_bytes").n_unique())
    assert (per_episode["claimed_bytes"] == 1).all()
    ends = frame.filter(pl.col("layer") == LAYERS - 1)
    begun = frame.filter((pl.col("layer") == 1) & (pl.col("episode") > 1))
    # With clones what is trained is what is stored, and has two moments.
    assert begun["claimed_bytes"].to_list() == [12 * n for n in ends["stored_parameters"]][: begun.height]
    assert (frame["true_bytes"] > frame["claimed_bytes"]).all()


@pytest.mark.parametrize(("layers", "mean", "deviation"), [(48, 4.46, 1.68), (12, 3.10, 1.24)])
def test_what_uniform_draws_claim(layers: int, mean: float, deviation: float) -> None:
    end = {"layer": layers - 1, "true_map": [0] * layers, "explored": True}
    verdict, _, evidence = training_findings.chance([{**end, "claimed_independent": round(mean)}] * 12)
    assert evidence["random_mean"] == pytest.approx(mean, abs=0.005)
    assert evidence["random_deviation"] == pytest.approx(deviation, abs=0.005)
    assert verdict == "exhibited"
    assert training_findings.chance([{**end, "claimed_independent": layers}] * 5)[0] == "not exhibited"
    assert training_findings.chance([{**end, "layer": 1, "claimed_independent": 4}])[0] == "cannot be told"
    # A mean of few passes is near chance whoever answered.
    assert training_findings.chance([{**end, "claimed_independent": round(mean)}] * 5)[0] == "cannot be told"


def edited(run: Path, folder: Path, edit: Any) -> Path:
    """A copy of a run's records with an edited list of lines, as a writer that gave these would have left them."""
    folder.mkdir()
    for name in ("config.json", "telemetry.jsonl"):
        (folder / name).write_bytes((run / name).read_bytes())
    lines = [plain(line).decode() for line in (run / "events.jsonl").read_bytes().splitlines()]
    edit(lines)
    chain = Chain()
    (folder / "events.jsonl").write_bytes(b"".join(chain.sealed(line.encode()) + b"\n" for line in lines))
    return folder


def test_records_that_are_damaged_or_do_not_fit_are_told(audits: dict[str, Audit], tmp_path: Path) -> None:
    run = Path(audits["official-code"].run["directory"])

    def damage(lines: list[str]) -> None:
        lines[-20] = "{"

    audit = audit_run(edited(run, tmp_path / "damaged", damage))
    assert 1 < audit.frame.height < DECISIONS + 1
    assert any("line" in note for note in audit.notes)
    assert {finding.number: finding.verdict for finding in audit.findings}[8] == "cannot be told"

    def swap(lines: list[str]) -> None:
        places = [i for i, line in enumerate(lines) if '"event":"came"' in line]
        event = json.loads(lines[places[-3]])
        event["blocks"] = list(range(LAYERS))
        lines[places[-3]] = json.dumps(event)

    audit = audit_run(edited(run, tmp_path / "swapped", swap))
    assert len(audit.notes) == 1
    assert f"From decision {DECISIONS - 2} on" in audit.notes[0]
    assert audit.frame["gradient"].null_count() == 3
    assert len(audit.findings) == 11


def test_refusals(text_file: Path, tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="Expected"):
        audit_run(tmp_path / "nowhere")
    with pytest.raises(RecordError, match=r"config\.json"):
        audit_run(tmp_path)
    RunDirectory.create(tmp_path / "empty", small(text_file)).unlock()
    with pytest.raises(AnalysisError, match="has begun"):
        audit_run(tmp_path / "empty")
    session = Session(small(text_file))
    with pytest.raises(AnalysisError, match="7 layers"):
        Auditor(small(text_file, layers=7)).take(session.opening())
    auditor = Auditor(session.config)
    said: list[Any] = []
    session.subscribe(said.append)
    session.run(1)
    with pytest.raises(AnalysisError, match="opening event first"):
        auditor.take(said[0])
    auditor.take(session.opening())
    with pytest.raises(AnalysisError, match="outcome of decision 1 next"):
        auditor.take(next(entry for entry in said if isinstance(entry, DecisionFinished)))
