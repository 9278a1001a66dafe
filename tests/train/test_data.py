"""ImageData: the same batches whatever the workers, processes and restarts."""

import ast
import logging
from types import SimpleNamespace

import pytest
import torch

from helpers.labelled import break_file, npz_folder, picture_folder
from helpers.pictures import rgb
from helpers.places import REPOSITORY
from spitgraph import InterpolationExtractor, PatchTokenizer, SuperpixelTokenizer, train
from spitgraph.train import Augmentation, ImageData

lightning = pytest.importorskip("lightning.pytorch")
from lightning.pytorch.callbacks import ModelCheckpoint  # noqa: E402

QUIET = {
    "accelerator": "cpu",
    "devices": 1,
    "logger": False,
    "enable_progress_bar": False,
    "enable_model_summary": False,
    "num_sanity_val_steps": 0,
}


class Recorder(lightning.LightningModule):
    """Learns nothing much, and keeps what it saw."""

    def __init__(self, fails_at=None):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen, self.validated, self.fails_at = [], [], fails_at

    def training_step(self, batch, batch_idx):
        if self.global_step == self.fails_at:
            raise RuntimeError("killed")
        self.seen.append((self.current_epoch, batch.indices.tolist(), batch.inputs.sum().item()))
        return self.weight * batch.inputs.float().mean()

    def validation_step(self, batch, batch_idx):
        self.validated.append(batch.indices.tolist())

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def fitted(folder, workers=0, epochs=3, resume=None, callbacks=(), fails_at=None, **options):
    """What a run saw, batch by batch."""
    model = Recorder(fails_at)
    data = ImageData(folder, batch_size=5, workers=workers, **options)
    checkpointing = {"enable_checkpointing": bool(callbacks), "callbacks": list(callbacks)}
    trainer = lightning.Trainer(max_epochs=epochs, **QUIET, **checkpointing)
    trainer.fit(model, data, ckpt_path=resume, weights_only=False)
    return model.seen


@pytest.fixture
def folder(tmp_path):
    """24 pictures to train on, 9 to validate."""
    return npz_folder(tmp_path)


@pytest.fixture(autouse=True)
def _quiet():
    """Lightning's advice about loggers and workers is for users."""
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)


def every_step(folder, **options):
    return ModelCheckpoint(folder, "{step}", save_top_k=-1, **options)


ADVICE = "ignore:.*(num_workers|logging interval|no validation|val_dataloader|Checkpoint directory)"


@pytest.mark.slow
@pytest.mark.filterwarnings(ADVICE)
@pytest.mark.parametrize("workers", [0, 1, 2])
def test_a_resumed_run_sees_what_was_left(folder, tmp_path, workers):
    """4 batches an epoch: after each step of two epochs, amid and at their ends."""
    saved = tmp_path / "saved"
    whole = fitted(folder, 0, 3, None, [every_step(saved, every_n_train_steps=1)])
    assert len(whole) == 12
    steps = range(1, 9) if workers == 0 else (2, 4, 7)
    for step in steps:
        rest = fitted(folder, workers, resume=saved / f"step={step}.ckpt")
        assert rest == whole[step:], step


@pytest.mark.slow
@pytest.mark.filterwarnings(ADVICE)
def test_a_run_resumed_at_an_epochs_end_sees_the_next(folder, tmp_path):
    saved = tmp_path / "saved"
    ends = every_step(saved, save_on_train_epoch_end=True, every_n_epochs=1)
    whole = fitted(folder, 0, 3, None, [ends])
    for step in (4, 8):
        assert fitted(folder, 0, resume=saved / f"step={step}.ckpt") == whole[step:], step


@pytest.mark.slow
@pytest.mark.filterwarnings(ADVICE)
def test_a_batch_that_was_not_learned_from_comes_again(folder, tmp_path):
    """Of a run that failed amid a step, whose last batch was handed out already."""
    saved = tmp_path / "saved"
    model, data = Recorder(fails_at=6), ImageData(folder, batch_size=5)
    trainer = lightning.Trainer(max_epochs=3, enable_checkpointing=False, **QUIET)
    with pytest.raises(RuntimeError, match="killed"):
        trainer.fit(model, data)
    assert data.state_dict()["epoch"] == 1 and data.state_dict()["batch"] == 2
    trainer.save_checkpoint(saved)
    assert model.seen + fitted(folder, resume=saved) == fitted(folder)


@pytest.mark.slow
@pytest.mark.filterwarnings(ADVICE)
def test_batches_of_a_token_budget_resume_too(folder, tmp_path):
    saved = tmp_path / "saved"
    options = {"tokenizer": PatchTokenizer(4), "tokens_per_batch": 18}
    options |= {"extractor": InterpolationExtractor(), "augmentation": Augmentation(cutmix=0.0)}
    loader = ImageData(folder, **options).train_dataloader()
    sizes = [batch.inputs.num_nodes for batch in loader]
    assert max(sizes) <= 18 and len(loader) == len(sizes)
    whole = TokenRecorder.fit(folder, None, [every_step(saved, every_n_train_steps=1)], **options)
    rest = TokenRecorder.fit(folder, saved / "step=3.ckpt", **options)
    assert rest == whole[3:]


class TokenRecorder(Recorder):
    """Of token graphs."""

    def training_step(self, batch, batch_idx):
        self.seen.append(batch.indices.tolist())
        return self.weight * batch.inputs.x.mean()

    @classmethod
    def fit(cls, folder, resume=None, callbacks=(), **options):
        model = cls()
        checkpointing = {"enable_checkpointing": bool(callbacks), "callbacks": list(callbacks)}
        trainer = lightning.Trainer(max_steps=9, limit_val_batches=0, **QUIET, **checkpointing)
        trainer.fit(model, ImageData(folder, **options), ckpt_path=resume, weights_only=False)
        return model.seen


def test_a_checkpoint_of_other_batches_is_refused_amid_an_epoch(folder):
    state = {"epoch": 1, "batch": 2, "made_by": {"seed": 0, "pictures": 24, "batch_size": 5}}
    data = ImageData(folder, batch_size=6)
    with pytest.raises(ValueError, match="amid an epoch of other batches: .*'batch_size': 5"):
        data.load_state_dict(state)
    data.load_state_dict({**state, "batch": 0})
    assert next(iter(data.train_dataloader().batch_sampler))[0][0] == 1


def batches(loader):
    return [(batch.indices.tolist(), batch.inputs) for batch in loader]


@pytest.mark.slow
def test_workers_change_nothing(folder, assert_same):
    options = {"tokenizer": SuperpixelTokenizer(2), "extractor": InterpolationExtractor()}
    data = ImageData(folder, batch_size=7, **options)
    expected = batches(data.train_dataloader()), batches(data.val_dataloader())
    assert [len(indices) for indices, _ in expected[0]] == [7, 7, 7]
    assert sum((indices for indices, _ in expected[1]), []) == list(range(9))
    data = ImageData(folder, batch_size=7, workers=2, **options)
    found = batches(data.train_dataloader()), batches(data.val_dataloader())
    for one, two in zip(expected, found, strict=True):
        for (indices, tokens), (others, again) in zip(one, two, strict=True):
            assert indices == others
            assert_same(tokens, again)


def test_processes_share_training_and_validation(folder):
    """Validation, exactly once each; training, the batches of one process."""
    alone = ImageData(folder, batch_size=6)
    shares = []
    for rank in range(3):
        data = ImageData(folder, batch_size=6)
        data._processes = lambda rank=rank: (3, rank)
        shares.append(data)
    val = [batch.indices.tolist() for data in shares for batch in data.val_dataloader()]
    assert sorted(sum(val, [])) == list(range(9)) and min(map(len, val)) > 0
    steps = zip(*(data.train_dataloader() for data in shares), strict=True)
    for whole, parts in zip(alone.train_dataloader(), steps, strict=True):
        place = torch.cat([part.indices for part in parts]).argsort()
        assert torch.equal(torch.cat([p.indices for p in parts])[place], whole.indices.sort()[0])
        images = torch.cat([part.inputs for part in parts])[place]
        assert torch.equal(images, whole.inputs[whole.indices.argsort()])


def test_what_cannot_be_read_is_reported_once(tmp_path, caplog):
    folder = picture_folder(tmp_path)
    broken = [folder / split / "cat" / "1.png" for split in ("train", "val")]
    for path in broken:
        break_file(path)
    data = ImageData(folder, batch_size=4)
    for epoch in range(2):
        loader = data.train_dataloader()
        loader.batch_sampler.set_epoch(epoch)
        assert [len(batch) for batch in loader] == [4, 4]
    assert [len(batch) for batch in data.val_dataloader()] == [3, 4]
    assert data.broken == {str(path) for path in broken}
    assert caplog.text.count("cannot be read") == 2 and caplog.text.count(str(broken[0])) == 1


def test_a_limit_takes_as_much_of_every_class(folder):
    data = ImageData(folder, limit=6, batch_size=2)
    assert data.train.labels.bincount().tolist() == data.val.labels.bincount().tolist() == [2, 2, 2]
    assert data.num_classes == 3 and data.classes == ("0", "1", "2")


def test_label_maps_of_validation_are_kept(folder, tmp_path, assert_same):
    options = {"tokenizer": SuperpixelTokenizer(2), "extractor": InterpolationExtractor()}
    expected = batches(ImageData(folder, **options).val_dataloader())
    for _ in range(2):
        found = batches(ImageData(folder, cache=tmp_path / "kept", **options).val_dataloader())
        assert_same(found[0][1], expected[0][1])
    assert len([path for path in (tmp_path / "kept").rglob("*") if path.is_file()]) == 9


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "batch_size must be at least 1"),
        ({"workers": -1}, "workers must be at least 0"),
        ({"limit": 2}, "2 pictures are too few for 3 classes"),
        ({"tokens_per_batch": 0}, "tokens_per_batch must be at least 1"),
        ({"extractor": InterpolationExtractor()}, "an extractor needs the tokenizer too"),
        ({"tokenizer": "patch"}, "tokenizer must be a Tokenizer, got 'patch'"),
        ({"augmentation": 3}, "augmentation must be an Augmentation, got 3"),
        (
            {"tokenizer": SuperpixelTokenizer(features=rgb), "cache": "."},
            "a cache keeps what settings tell",
        ),
        ({"val_source": "nowhere"}, "there is no nowhere"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_trains(folder, unchecked, options, message):
    with pytest.raises((ValueError, TypeError, OSError), match=message):
        ImageData(folder, **options)


def test_classes_that_differ_are_refused(tmp_path):
    picture_folder(tmp_path, splits=("train",))
    picture_folder(tmp_path, splits=("val",), classes=("cat", "fox"))
    with pytest.raises(ValueError, match="classes differ: 'dog' in training only; 'fox' in valid"):
        ImageData(tmp_path)
    with pytest.raises(ValueError, match="is one split: give val_source"):
        ImageData(tmp_path / "train.npz")


def test_a_trainer_that_divides_batches_itself_is_refused(folder):
    data = ImageData(folder, batch_size=5)
    connector = SimpleNamespace(use_distributed_sampler=True)
    data.trainer = SimpleNamespace(world_size=2, global_rank=0, _accelerator_connector=connector)
    with pytest.raises(ValueError, match="use_distributed_sampler=False"):
        data.setup("fit")
    connector.use_distributed_sampler = False
    with pytest.raises(ValueError, match="multiple of 2 processes, got 5"):
        data.setup("fit")


def test_a_token_total_needs_a_tokenizer_once_training_begins(folder):
    data = ImageData(folder, tokens_per_batch=9)
    with pytest.raises(ValueError, match="tokens_per_batch needs the tokenizer"):
        data.setup("fit")


def imported_at_once(path):
    """What a file of spitgraph.train imports as it is imported."""
    nodes = [
        node
        for node in ast.parse(path.read_text(encoding="utf8")).body
        if not (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
    ]
    within = [inner for node in nodes for inner in ast.walk(node)]
    return {node.module for node in within if isinstance(node, ast.ImportFrom)}


def test_lightning_is_imported_where_it_is_needed():
    package = REPOSITORY / "spitgraph" / "train"
    files = {package / f"{place.replace('.', '/')}.py" for place in train._MODULES.values()}
    needing = {package / f"{name}.py" for name in ("classifier", "data/image_data", "runs/run")}
    assert needing < files
    waiting, found = [*(files - needing)], set()
    while waiting:
        new = imported_at_once(waiting.pop()) - found
        found |= new
        own = [name.removeprefix("spitgraph.train.").replace(".", "/") for name in new]
        waiting += [package / f"{name}.py" for name in own if (package / f"{name}.py").exists()]
    assert "spitgraph.train.pictures.base" in found
    assert not [name for name in found if name.startswith("lightning")]
