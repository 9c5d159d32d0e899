"""A run's settings: frozen dataclasses, validated once, saved with the run.

The sentence under each field is its documentation everywhere: in the command line's `--help` and in the explorer.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from . import serialize
from .errors import ConfigError, TieError
from .patterns import GIVEN
from .presets import preset
from .ranges import Range
from .rules import Rules
from .ties import TieMap

Algorithm = Literal["lab", "paper", "official-code"]
Scale = Literal["tiny", "laptop", "workstation", "paper"]


@dataclass(frozen=True)
class TextConfig:
    """What the model reads."""

    corpus: str = "pydoc"
    """A corpus by its own name (`layertie train --help` begins with the list), a path to a UTF-8 file or folder or to a
    file of rows (CSV, TSV, JSON lines, Parquet; with its column), or a Hugging Face data set as hf:NAME,
    hf:NAME:CONFIG, hf:NAME:CONFIG:COLUMN or hf:NAME:CONFIG:COLUMN:SPLIT."""
    column: str = ""
    """The column that is read of a CSV, TSV, JSON lines (.jsonl) or Parquet file; "" for any other text."""
    tokenizer: str = "characters"
    """A tokenizer by its own name (listed beside the corpora), or a pretrained Hugging Face tokenizer as hf:NAME."""
    vocabulary_size: Annotated[int, Range(low=256, high=1_000_000, unit="tokens")] = 512
    """Number of tokens of a trained bpe tokenizer."""
    limit_bytes: Annotated[int, Range(low=1, high=10**12, unit="bytes")] = 20_000_000
    """Most text to read, as UTF-8; what comes after is left out, and the run says so."""
    splits: Literal["documents", "bytes"] = "documents"
    """Where a text that comes as one is cut into train, reward, validation and test. documents: where a document or
    paragraph ends, and what repeats stands on one side. bytes: by size alone, as older runs were."""
    chunk_end: Literal["text", "end-of-text"] = "text"
    """The last target of every sequence. text: the token that follows. end-of-text: always one and the same (the
    vocabulary's last), as in the official code: soon known by heart, it lowers every loss (PAPER departure 11). No
    preset sets it, so that losses can be compared."""


@dataclass(frozen=True)
class ModelConfig:
    """The transformer's shape."""

    layers: Annotated[int, Range(low=2, high=1_024, unit="layers")] = 12
    """Number of layers."""
    width: Annotated[int, Range(low=1, high=65_536, unit="features")] = 64
    """Width of the residual stream."""
    heads: Annotated[int, Range(low=1, high=1_024, unit="heads")] = 4
    """Attention heads per layer; must divide the width."""
    context: Annotated[int, Range(low=1, high=131_072, unit="tokens")] = 64
    """Sequence length."""
    positions: Literal["learned", "rotary"] = "learned"
    """How positions enter: a learned embedding (GPT-2) or rotary embeddings in attention."""
    bias: bool = True
    """Biases in the linear layers and norms, as in GPT-2."""
    tie_head: bool = True
    """Whether the output head is the token embedding, as in GPT-2."""
    activation: Literal["gelu", "gelu-tanh"] = "gelu"
    """The MLP's activation. gelu: the exact form, with the error function (twice as fast on CPUs; the official code's).
    gelu-tanh: GPT-2's approximation."""
    dropout: Annotated[float, Range(low=0, below=1)] = 0.0
    """Dropout probability."""
    mlp_ratio: Annotated[int, Range(low=1, high=64)] = 4
    """Hidden width of the MLP as a multiple of the width."""

    def check(self) -> None:
        """Refuse a shape that cannot be built.

        Raises:
            ConfigError: Heads that do not divide the width, or of an odd size with rotary positions.
        """
        if self.width % self.heads:
            near = [h for h in range(1, self.width + 1) if self.width % h == 0]
            best = min(near, key=lambda h: abs(h - self.heads))
            raise ConfigError(
                f"Expected a number of heads that divides the width {self.width}, but got {self.heads} heads.",
                f"Use {best} heads, or a width of {self.heads * max(1, round(self.width / self.heads))}.",
            )
        if self.positions == "rotary" and (self.width // self.heads) % 2:
            raise ConfigError(
                f"Expected an even head size for rotary positions, but got {self.width // self.heads}.",
                "Change the width or the heads, or use learned positions.",
            )


@dataclass(frozen=True)
class TieConfig:
    """What a tie means."""

    gradient: Literal["shared", "owner"] = "shared"
    """shared: the gradient of a shared weight sums over all layers that use it. owner: only the owner's own position
    counts, and none is computed for copies (the official code's copies are frozen; PAPER departure 1)."""
    on_untie: Literal["clone", "alias"] = "clone"
    """What a layer gets when it becomes independent. clone: its own copy of the weights it used. alias: the same
    storage unfrozen, as the official code does: stepped once per layer (PAPER departure 2), so that storages only ever
    merge (PAPER departure 3)."""
    chain: Literal["follow", "snapshot"] = "follow"
    """When a layer's source is itself re-tied. follow: the layer goes along. snapshot: it stays on the block it got
    (PAPER departure 5)."""
    start: Literal["tied", "frozen-random"] = "tied"
    """tied: all layers use layer 0's block. frozen-random: the map says so, but each layer holds its own random
    weights, frozen until first visited (PAPER departure 4)."""
    moments: Literal["clone", "scaled", "reset", "keep", "rebuild"] = "scaled"
    """Adam's state of a layer that becomes independent: cloned from its old owner (with clone only), reset to zero, or
    (with alias only) kept for every layer throughout, as the official code does (PAPER departure 10). scaled: cloned,
    and that of every weight follows the number of layers whose gradients are summed in its own, so that a re-tie
    changes no step size. rebuild: those of all parameters start anew whenever the map changes, as where the optimizer
    is built again after each re-tie."""
    rules: str = ""
    """Rules that stand from the start and mask the legal actions of agent and person alike, such as "independent=0,-1;
    most-owners=4; neighbours; locked=3" (-1 is the last layer); "" = none."""

    def check(self, layers: int) -> None:
        """Refuse semantics that contradict one another.

        Args:
            layers: Depth of the model, for the rules.

        Raises:
            ConfigError: They do.
            TieError: Rules that name layers which the model has not, or that leave no map.
        """
        Rules.parse(self.rules).check_layers(layers)
        if self.on_untie == "alias" and self.chain == "follow":
            raise ConfigError(
                'Expected chain="snapshot" with on_untie="alias", but got chain="follow".',
                "An aliased layer has no block of its own for others to follow: "
                'use chain="snapshot", or on_untie="clone".',
            )
        allowed = {"clone": ("scaled", "clone", "reset", "rebuild"), "alias": ("keep", "reset")}[self.on_untie]
        if self.moments not in allowed:
            names = " or ".join(f'"{name}"' for name in allowed)
            raise ConfigError(
                f'Expected moments={names} with on_untie="{self.on_untie}", but got moments="{self.moments}".',
                f'Use moments="{allowed[0]}", or another on_untie.',
            )


@dataclass(frozen=True)
class AgentConfig:
    """Who acts, and how it learns."""

    policy: str = "lab"
    """The policy that proposes an action for each layer, by its name."""
    map: str = ""
    """The tie map that the policy map keeps from start to end, by its sources, such as "0 1 1 1 4 4"; or the folder of
    a run, whose last map is then taken, and its sources recorded."""
    blocks: Annotated[int, Range(low=0, high=1_024, unit="blocks")] = 0
    """Distinct blocks for the patterns that take a number (cycle, sequence, ...), and owners that random-matched aims
    at and that the tie-once policies go to; 0 = a third of the layers."""
    learner: Literal["evidence", "linear", "gaussian", "advantage"] = "evidence"
    """How the lab agent learns. evidence: from recorded runs and from what it measures of ties in its own, and where a
    run offers neither, from rewards alone. linear (the policy lab-1): Thompson sampling over features of whole maps,
    planning a sweep ahead. gaussian: Thompson sampling per layer and source. advantage: Q-learning in which keeping the
    present tie is worth 0."""
    prior: Literal["recorded", "none"] = "recorded"
    """What the lab agent knows before its run. recorded: what maps were worth in recorded runs of other sizes and texts
    (data/prior), which chooses its first map. none: nothing; it begins with every layer tied to layer 0."""
    owners: Annotated[int, Range(low=0, high=1_024, unit="layers")] = 0
    """Independent layers that the lab agent aims at; 0 = no such goal. Without a goal it takes the fewest that are
    predicted to lose no more than .01 nats against every layer on its own."""
    parameters: Annotated[float, Range(low=0, high=1)] = 0.0
    """Share of the untied model's parameters that the lab agent may train; 0 = no such goal. A price per parameter
    (reward.price) is the third way to give it a goal."""
    epsilon_start: Annotated[float, Range(low=0, high=1)] = 1.0
    """Exploration at the start: probability of a random action; for the lab agent's samplers the share of their
    uncertainty that they act on; for annealing the first temperature, in units of a typical reward. At 1 the official
    code's first sweeps are uniformly random (PAPER departure 7)."""
    epsilon_floor: Annotated[float, Range(low=0, high=1)] = 0.02
    """Exploration at the end."""
    explore_share: Annotated[float, Range(above=0, high=1_000)] = 0.7
    """Share of the budget of decisions over which exploration falls from start to floor (lab, annealing,
    hill-climbing)."""
    memory_passes: Annotated[float, Range(above=0, high=1e6, unit="sweeps")] = 1.0
    """Sweeps over the layers that the lab agent's linear learner compares the present with: short forgets slow drifts
    of the loss, long averages more noise away."""
    epsilon_decay: Annotated[float, Range(low=0, high=1)] = 0.95
    """Factor on epsilon per episode, for the Q-learners of the paper and the official code."""
    discount: Annotated[float, Range(low=0, below=1)] = 0.0
    """Discount of future rewards."""
    q_learning_rate: Annotated[float, Range(above=0, high=1e30)] = 1e-3
    """Learning rate of the Q-network."""
    q_weight_decay: Annotated[float, Range(low=0, high=1_000)] = 0.01
    """Weight decay of the Q-network."""
    hidden: Annotated[int, Range(low=1, high=65_536, unit="units")] = 128
    """Hidden units of the Q-network."""
    inputs: Literal["raw", "scaled"] = "raw"
    """How the Q-network of the paper and the official code sees the map. raw: the sources as numbers 0 to L-1, on which
    its hidden units die in deep models (PAPER departure 8). scaled: the same between 0 and 1."""
    bootstrap: Literal["same-layer", "next-layer"] = "next-layer"
    """Whose values the Q-learner's target looks at in the next state: the layer just acted on (official code) or the
    layer asked next."""
    unshare_at: Annotated[float, Range(low=0, high=1)] = 0.25
    """Share of the budget after which share-then-unshare makes every layer independent, and after which the tie-once
    policies look at the run and set their map."""

    def __post_init__(self) -> None:
        # One map, one hash, however it was typed. What is no map is refused by `check`, where it is known for what.
        with suppress(TieError):
            object.__setattr__(self, "map", TieMap.parse(self.map).text)

    def check(self, layers: int, price: float) -> None:
        """Refuse a map that the policy would not look at or cannot keep, more blocks or owners than layers, two goals.

        Args:
            layers: Depth of the model.
            price: Of parameters (`reward.price`), which is a goal of the lab agent's too.

        Raises:
            ConfigError: It is such.
        """
        for name, wanted in (("blocks", self.blocks), ("owners", self.owners)):
            if wanted > layers:
                raise ConfigError(
                    f"Expected at most {layers} {name}, one per layer, but got {wanted}.", f"Lower agent.{name}."
                )
        goals = {"agent.owners": self.owners, "agent.parameters": self.parameters, "reward.price": price}
        given = [f"{name}={value:g}" for name, value in goals.items() if value]
        if len(given) > 1 and self.policy == "lab" and self.learner == "evidence":
            raise ConfigError(
                f"Expected one goal for the lab agent, but got {' and '.join(given)}.", "Keep one of them."
            )
        if self.policy != GIVEN:
            if self.map:
                raise ConfigError(
                    f"Expected agent.map with policy={GIVEN} alone, but got it with policy={self.policy}, which would "
                    f"not look at it.",
                    f'Use policy={GIVEN}, or agent.map="" (--map "").',
                )
            return
        if not self.map:
            raise ConfigError(
                f"Expected a tie map with policy={GIVEN}, but got none.",
                'Give its sources as agent.map (--map), such as "0 1 1 1 4 4" for 6 layers.',
            )
        try:
            ties = TieMap.parse(self.map)
        except TieError as error:
            raise ConfigError(f"Expected a tie map as agent.map. {error.message}", error.remedy) from None
        if len(ties) != layers:
            raise ConfigError(
                f"Expected {layers} sources in agent.map, one per layer, but got {len(ties)}: {ties.text}.",
                f"Set model.layers to {len(ties)}, or give another map."
                if len(ties) > 1
                else "Write all sources, parted by blanks.",
            )


@dataclass(frozen=True)
class RewardConfig:
    """What the agent is told."""

    kind: str = "improvement"
    """The reward, by its name."""
    split: Literal["train", "reward", "validation", "test"] = "reward"
    """Which text the reward may see. train: one fresh training batch; reward: a part set aside for it."""
    windows: Annotated[int, Range(low=1, high=1_000_000, unit="sequences")] = 16
    """Sequences evaluated for a reward on a split other than train."""
    clip: Annotated[float, Range(low=0, high=1e12)] = 0.0
    """Clip the reward to [-clip, clip]; 0 = never. The official code clips at 10, so that the reward is the constant
    -10 while perplexity is above 10 (PAPER departure 6)."""
    price: Annotated[float, Range(low=0, high=1e12, unit="units of reward")] = 0.0
    """Price of the untied model's full number of parameters."""
    price_of: Literal["trainable", "stored"] = "trainable"
    """Which parameters the price is for: those that train, or those that take memory."""
    target_share: Annotated[float, Range(low=0, high=1)] = 0.0
    """Share of the untied model's parameters that may train before a growing price is charged; 0 = no target."""


@dataclass(frozen=True)
class TrainingConfig:
    """How the transformer is trained."""

    steps_per_decision: Annotated[int, Range(low=1, high=1_000_000, unit="steps")] = 4
    """Optimizer steps after each decision (k in the paper)."""
    batch_size: Annotated[int, Range(low=1, high=65_536, unit="sequences")] = 16
    """Sequences per batch."""
    accumulate: Annotated[int, Range(low=1, high=65_536, unit="batches")] = 1
    """Batches whose gradients are summed for one optimizer step."""
    learning_rate: Annotated[float, Range(above=0, high=1e30)] = 1e-3
    """Peak learning rate of AdamW."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate after the warm-up."""
    warmup_steps: Annotated[int, Range(low=0, high=10**12, unit="steps")] = 0
    """Steps over which the learning rate rises linearly from 0."""
    final_rate: Annotated[float, Range(low=0, high=1)] = 0.1
    """Where cosine ends, as a share of the peak rate."""
    weight_decay: Annotated[float, Range(low=0, high=1_000)] = 0.01
    """AdamW's decoupled weight decay, on every parameter."""
    beta1: Annotated[float, Range(low=0, below=1)] = 0.9
    """AdamW's decay of the first moment."""
    beta2: Annotated[float, Range(low=0, below=1)] = 0.999
    """AdamW's decay of the second moment."""
    gradient_clip: Annotated[float, Range(low=0, high=1e12)] = 1.0
    """Largest norm of all gradients together; 0 = no clipping."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """Arithmetic of the forward pass: auto = bf16 autocast on CUDA, fp32 elsewhere."""
    compile: bool = False
    """torch.compile each block (no recompilation on a re-tie)."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps."""
    threads: Annotated[int, Range(low=0, high=1_024, unit="threads")] = 0
    """CPU threads of torch; 0 = leave torch's choice. Results are reproducible at equal threads."""
    evaluate_every: Annotated[int, Range(low=0, high=10**12, unit="decisions")] = 10
    """Decisions between evaluations on the validation split; 0 = only at the end."""
    evaluation_windows: Annotated[int, Range(low=1, high=1_000_000, unit="sequences")] = 64
    """Sequences per evaluation (all, where the split has fewer)."""
    selection_split: Literal["validation", "test"] = "validation"
    """Which split the best model is chosen on; the official code uses test (PAPER departure 11)."""

    def check(self) -> None:
        """Refuse a device that has no name of its kind.

        Raises:
            ConfigError: It has none.
        """
        number = self.device.removeprefix("cuda:")
        if self.device not in ("auto", "cpu", "cuda", "mps") and (number == self.device or not number.isdigit()):
            raise ConfigError(
                f"Expected a device out of auto, cpu, cuda, cuda:N, mps, but got {self.device!r}.", "Use auto."
            )


@dataclass(frozen=True)
class RecordsConfig:
    """What is written, and how often. Nothing here changes a number of the run."""

    checkpoint_seconds: Annotated[float, Range(low=0, high=1e9, unit="seconds")] = 10.0
    """Most seconds of training that a killed run has to repeat when it is resumed (its decisions are never lost)."""
    moment_every: Annotated[int, Range(low=0, high=10**12, unit="decisions")] = 0
    """Decisions between moments that are stored for branches to start from; 0 = only those before a person's
    overrides. At most 16 are kept: then every second goes, and the distance doubles."""
    snapshot_mebibytes: Annotated[int, Range(low=0, high=2**24, unit="MiB")] = 256
    """What a run may keep of its weights after each decision, to look back at; 0 = nothing. Where all would take more,
    every second goes and the distance doubles; a state that takes more than half of it alone is left out."""
    keep_text_bytes: Annotated[int, Range(low=0, high=10**12, unit="bytes")] = 2_000_000
    """Most text, in bytes of UTF-8, whose tokens a run keeps in its folder, so that it can be handed on and goes on
    without its text; 0 = none."""
    sample_every: Annotated[int, Range(low=0, high=10**12, unit="decisions")] = 20
    """Decisions between text samples; 0 = only on demand."""
    sample_tokens: Annotated[int, Range(low=1, high=10_000, unit="tokens")] = 120
    """Length of a text sample."""
    probe_sequences: Annotated[int, Range(low=1, high=4_096, unit="sequences")] = 8
    """Validation sequences in the probe set that similarity and attribution look at."""
    parameters_reported: Literal["per-storage", "per-layer"] = "per-storage"
    """What a run's summary reports as its parameters. per-storage: those that train, each storage once. per-layer:
    every layer called independent in full, shared storage several times, as the official code does (PAPER departure
    9)."""
    memory_reported: Literal["peak", "episode-start"] = "peak"
    """What a run's summary reports as its memory. peak: the most that was in use. episode-start: weights and optimizer
    state allocated when the last sweep over the layers began, as the official code reads it (PAPER departure 10)."""


@dataclass(frozen=True)
class RunConfig:
    """Everything that decides a run. Same config, seed and thread count: same log and weights (CPU).

    Raises:
        ConfigError: A value out of range, or a combination that cannot be run; the message names the remedy.
    """

    algorithm: Algorithm = "lab"
    """Which column of the presets table the settings came from (a label; every setting can be changed)."""
    scale: Scale = "laptop"
    """Which size the settings came from (a label; every setting can be changed)."""
    seed: Annotated[int, Range(low=0, high=2**63 - 1)] = 0
    """Seed of all random draws."""
    replicate: Annotated[int, Range(low=0, high=2**63 - 1)] = 0
    """Which of several otherwise equal runs this is."""
    decisions: Annotated[int, Range(low=1, high=10_000_000, unit="decisions")] = 200
    """Budget of decisions; schedules follow it."""
    text: TextConfig = field(default_factory=TextConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    ties: TieConfig = field(default_factory=TieConfig)
    agent: AgentConfig = field(default_factory=AgentConfig)
    reward: RewardConfig = field(default_factory=RewardConfig)
    training: TrainingConfig = field(default_factory=TrainingConfig)
    records: RecordsConfig = field(default_factory=RecordsConfig)

    def __post_init__(self) -> None:
        serialize.check_ranges(self)
        self.model.check()
        self.ties.check(self.model.layers)
        self.agent.check(self.model.layers, self.reward.price)
        self.training.check()
        if self.reward.split == "test" and self.algorithm != "official-code":
            raise ConfigError(
                "Expected a reward that does not see the test split, but got reward.split=test.",
                'Use "reward" or "validation"; only the official code looks at test.',
            )
        if self.training.selection_split == "test" and self.algorithm != "official-code":
            raise ConfigError(
                "Expected the best model to be chosen on validation, but got selection_split=test.",
                'Use "validation"; only the official code chooses on test.',
            )

    @classmethod
    def preset(cls, scale: str = "laptop", *, algorithm: str = "lab", **changes: Any) -> RunConfig:
        """A scale crossed with an algorithm, with any settings replaced.

        Args:
            scale: tiny (tests), laptop, workstation or paper.
            algorithm: lab, paper or official-code.
            **changes: Settings by their own name, wherever they live (`corpus="stdlib"`, `layers=6`, `seed=1`);
                `q_learning_rate` where a bare name would be ambiguous.
        """
        return cls().replace(algorithm=algorithm, scale=scale, **preset(scale, algorithm)).replace(**changes)

    def replace(self, **changes: Any) -> RunConfig:
        """A copy with settings replaced by name, as in `preset`.

        Raises:
            ConfigError: No such setting, an ambiguous name, or a bad value.
        """
        return serialize.replace(self, changes)

    def to_dict(self) -> dict[str, Any]:
        """As nested plain values, for JSON."""
        return serialize.to_dict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RunConfig:
        """Back from `to_dict`. Settings that are absent take their defaults.

        Raises:
            ConfigError: An unknown setting or a value of the wrong type.
        """
        return serialize.from_dict(cls, values)

    @property
    def hash(self) -> str:
        """16 hexadecimal digits that name this config (all settings except `records`)."""
        return serialize.digest(self)
