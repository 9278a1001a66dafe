"""ImageData: labelled pictures as Lightning wants them, resumed exactly where they were left."""

import logging
from typing import Any

from spitgraph.checks import instance, integer
from spitgraph.extractors import Extractor
from spitgraph.extras import needs_extra
from spitgraph.tokenizers.base import Tokenizer
from spitgraph.train.augmentation.augmentation import Augmentation
from spitgraph.train.data.cache import LabelMapCache
from spitgraph.train.data.counts import token_counts, told_by_settings
from spitgraph.train.data.examples import Collate, EvaluationExamples, Examples, TrainingExamples
from spitgraph.train.data.loader import ResumableLoader
from spitgraph.train.data.samplers import EpochBatches, EpochSampler, processes
from spitgraph.train.data.token_budget import TokenBudgetSampler
from spitgraph.train.pictures.base import Pictures, open_pictures
from spitgraph.train.pictures.selection import SomePictures

with needs_extra("train"):
    from lightning.pytorch import LightningDataModule

_log = logging.getLogger("spitgraph")


class ImageData(LightningDataModule):
    """Training and validation pictures for a Lightning `Trainer`.

    Every example is a function of (seed, epoch, index), so neither workers, nor processes, nor a
    restart change what is seen: a run resumed from any checkpoint, also from one amid an epoch,
    goes on with the batch after the last that was learned from. On several processes, the trainer
    has to be made with `use_distributed_sampler=False`: batches are divided here.

    A picture that cannot be read is replaced by another in training and left out in validation, and
    its name reported once.

    Args:
        source: Pictures; see `open_pictures`.
        tokenizer: Where it is given, workers make token graphs; otherwise they hand over images.
        extractor: Where it is given too, these have vectors, and no pixels any more.
        batch_size: Pictures of a step, of all processes together.
        tokens_per_batch: In place of that, the most tokens of a step of each process, by the
            counts of pictures that are not augmented; needs a tokenizer. See `TokenBudgetSampler`.
        augmentation: Of training pictures; `Augmentation()` by default.
        workers: Processes that load, beside each that trains.
        seed: What everything drawn follows from.
        val_source: Validation pictures, where they are not in the source.
        limit: The most pictures of each split, for trials: as great a share of every class.
        cache: A folder that keeps token counts and, of superpixels, the label maps of validation
            pictures; see `LabelMapCache` for when that pays.

    Attributes:
        classes: Their names.
        broken: Names of pictures that could not be read.

    Raises:
        OSError, ValueError, TypeError: Pictures are not as `open_pictures` says, training and
            validation have other classes, or an argument is outside its range.
    """

    def __init__(
        self,
        source: Any,
        *,
        tokenizer: Tokenizer | None = None,
        extractor: Extractor | None = None,
        batch_size: int = 128,
        tokens_per_batch: int | None = None,
        augmentation: Augmentation | None = None,
        workers: int = 0,
        seed: int = 0,
        val_source: Any = None,
        limit: int | None = None,
        cache: Any = None,
    ) -> None:
        super().__init__()
        self.batch_size = integer(batch_size, "batch_size")
        self.workers = integer(workers, "workers", minimum=0)
        self.seed = integer(seed, "seed", minimum=None)
        self.augmentation = Augmentation() if augmentation is None else augmentation
        instance(self.augmentation, Augmentation, "augmentation", "an Augmentation")
        self.tokenizer, self.extractor, self.cache = tokenizer, extractor, cache
        self.tokens_per_batch = tokens_per_batch
        self._check_tokens()
        if val_source is None and str(source).lower().endswith(".npz"):
            raise ValueError(f"{source} is one split: give val_source, or the folder of both")
        self.train = open_pictures(source, "train")
        self.val = open_pictures(source if val_source is None else val_source, "val")
        self.classes = self.train.classes
        check_same_classes(self.train, self.val)
        if limit is not None:
            most = integer(limit, "limit")
            self.train = some(self.train, most, self.seed)
            self.val = some(self.val, most, self.seed)
        self.broken: set[str] = set()
        self._loader: ResumableLoader | None = None
        self._position = {"epoch": 0, "batch": 0}
        self._counts: Any = None

    @property
    def num_classes(self) -> int:
        """C."""
        return len(self.classes)

    def setup(self, stage: str) -> None:
        """Refuse a trainer that would divide batches once more, before anything trains."""
        if self.tokens_per_batch is not None and self.tokenizer is None:
            raise ValueError("tokens_per_batch needs the tokenizer, which counts tokens")
        trainer = self.trainer
        if trainer is None or trainer.world_size == 1:
            return
        if trainer._accelerator_connector.use_distributed_sampler:
            raise ValueError(
                "ImageData divides batches itself: Trainer(use_distributed_sampler=False)"
            )
        if self.batch_size % trainer.world_size:
            raise ValueError(
                f"batch_size must be a multiple of {trainer.world_size} processes, "
                f"got {self.batch_size}"
            )

    def train_dataloader(self) -> ResumableLoader:
        """Augmented pictures in an order drawn by (seed, epoch), from where a checkpoint left."""
        sampler = self._sampler()
        sampler.load_state_dict(self._position)
        examples = TrainingExamples(self.train, self.augmentation, self.seed)
        collate = Collate(self.num_classes, self.tokenizer, self.extractor)
        self._loader = ResumableLoader(
            examples, sampler, collate, self.workers, self._note, self._consumed
        )
        return self._loader

    def val_dataloader(self) -> ResumableLoader:
        """All pictures once, in their order, as they are; on several processes, divided."""
        replicas, rank = self._processes()
        sampler = EpochBatches(
            len(self.val),
            self.batch_size,
            num_replicas=replicas,
            rank=rank,
            shuffle=False,
            seed=self.seed,
        )
        examples = EvaluationExamples(self.val, self.augmentation.image_size, self.seed)
        tokenizer = self.tokenizer
        if self.cache is not None and tokenizer is not None and LabelMapCache.serves(tokenizer):
            tokenizer = LabelMapCache(self.cache, tokenizer)
        collate = Collate(self.num_classes, tokenizer, self.extractor)
        return ResumableLoader(examples, sampler, collate, self.workers, self._note)

    def state_dict(self) -> dict[str, Any]:
        """Epoch, batches of it that were learned from, and what these were made by."""
        position = self._position if self._loader is None else self._loader.state_dict()
        return {**position, "made_by": self._made_by()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Go on from there.

        Raises:
            ValueError: Amid an epoch, of other batches than these.
        """
        made_by = self._made_by()
        if state_dict["batch"] and state_dict["made_by"] != made_by:
            raise ValueError(
                f"the checkpoint is amid an epoch of other batches: {state_dict['made_by']}, "
                f"and these are of {made_by}"
            )
        self._position = {name: state_dict[name] for name in ("epoch", "batch")}
        if self._loader is not None:
            self._loader.load_state_dict(self._position)

    def _made_by(self) -> dict[str, Any]:
        """What decides which pictures are in which batch."""
        known: dict[str, Any] = {"seed": self.seed, "pictures": len(self.train)}
        if self.tokens_per_batch is None:
            return {**known, "batch_size": self.batch_size}
        replicas, _ = self._processes()
        return {**known, "tokens_per_batch": self.tokens_per_batch, "processes": replicas}

    def _sampler(self) -> EpochSampler:
        replicas, rank = self._processes()
        where: dict[str, Any] = {"num_replicas": replicas, "rank": rank, "seed": self.seed}
        if self.tokens_per_batch is None:
            drop_last = len(self.train) >= self.batch_size
            return EpochBatches(len(self.train), self.batch_size, drop_last=drop_last, **where)
        if self._counts is None:
            assert self.tokenizer is not None
            self._counts = token_counts(
                self.train,
                self.tokenizer,
                self.augmentation.image_size,
                seed=self.seed,
                workers=self.workers,
                folder=self.cache,
            )
        return TokenBudgetSampler(self._counts, self.tokens_per_batch, **where)

    def _processes(self) -> tuple[int, int]:
        if self.trainer is None:
            return processes()
        return self.trainer.world_size, self.trainer.global_rank

    def _consumed(self) -> int | None:
        """Batches of this epoch that the trainer has learned from."""
        if self.trainer is None:
            return None
        progress: Any = self.trainer.fit_loop.epoch_loop.batch_progress.current
        return int(progress.processed)

    def _note(self, examples: Examples) -> None:
        """Report what could not be read, each once."""
        for name in examples.broken:
            if name not in self.broken:
                self.broken.add(name)
                _log.warning("cannot be read, and is left out: %s", name)

    def _check_tokens(self) -> None:
        if self.tokenizer is not None:
            instance(self.tokenizer, Tokenizer, "tokenizer", "a Tokenizer")
            if self.cache is not None and not told_by_settings(self.tokenizer):
                raise TypeError(f"a cache keeps what settings tell, got {self.tokenizer!r}")
        if self.extractor is not None:
            instance(self.extractor, Extractor, "extractor", "an Extractor")
            if self.tokenizer is None:
                raise ValueError("an extractor needs the tokenizer too")
        if self.tokens_per_batch is not None:
            integer(self.tokens_per_batch, "tokens_per_batch")


def check_same_classes(train: Pictures, val: Pictures) -> None:
    """Refuse splits whose classes differ."""
    if train.classes == val.classes:
        return
    one, other = set(train.classes), set(val.classes)
    lacking = [
        f"{', '.join(map(repr, sorted(names)[:5]))} {where}"
        for names, where in ((one - other, "in training only"), (other - one, "in validation only"))
        if names
    ]
    raise ValueError(f"classes differ: {'; '.join(lacking) or 'they are in another order'}")


def some(pictures: Pictures, limit: int, seed: int) -> Pictures:
    """At most so many of them."""
    return pictures if len(pictures) <= limit else SomePictures(pictures, limit, seed)
