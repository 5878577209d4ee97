"""`detection_learner`: a detector with its data, which answers in pixels of what it is given."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Unpack

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from lamina.data.task import Boxes
from lamina.foundation.errors import ContractError
from lamina.foundation.registry import savable
from lamina.tensor.types import TensorBBox, TensorMultiCategory, TensorPoint, plain
from lamina.train.callback import Callback
from lamina.train.fitting import Callbacks
from lamina.train.infer import INFERENCES, Inference, n_outputs
from lamina.train.learner import Learner, LearnerArgs
from lamina.vision.detection.loss import DetectionLoss
from lamina.vision.detection.metric import MeanAveragePrecision
from lamina.vision.detection.model import DetectorArgs, create_detection_model
from lamina.vision.learner import Start, check_names, chosen, on_body
from lamina.vision.models.architectures import Architecture, find_architecture

__all__ = ["DetectionLearner", "DetectionLearnerArgs", "SecondLook", "detection_learner"]

_SCALES = (1.0, 1.25, 0.75)
_MIRROR = [2, 1, 0, 3]  # left and right change places


class DetectionLearnerArgs(LearnerArgs, DetectorArgs, total=False):
    """Keyword arguments of `detection_learner` that go on to the `Learner` and to the head."""

    cut: int | None
    n_in: int | None


def _inference(task: Boxes) -> Inference:
    if not task.vocab:
        raise ContractError(
            "Boxes without labels: a detector says what it finds. Put a BBoxLblBlock after the "
            "BBoxBlock; for one kind of object let its getter give each box the same label."
        )
    pad_idx = 0 if task.vocab[0] == "#na#" else None
    return Inference(DetectionLoss(pad_idx), MeanAveragePrecision, len(task.vocab))


INFERENCES.add(Boxes, _inference)


class SecondLook(Callback):
    """Let a detector see each picture again, mirrored or in another size; used by `tta`.

    What is seen there joins the output as further cells, so that the best boxes are found among
    those of all looks, and doubles are suppressed as always.

    Args:
        mirrored: Whether left and right are exchanged.
        scale: Factor of height and width.

    Example:
        >>> from lamina.vision.detection.model import create_detection_model
        >>> learn = Learner(([], []), create_detection_model("resnet18", 2), DetectionLoss())
        >>> learn.xb = (torch.zeros(1, 3, 64, 64),)
        >>> learn.pred = learn.model(*learn.xb)
        >>> n_cells = learn.pred.shape[1]
        >>> SecondLook().after_pred(learn)
        >>> learn.pred.shape[1] == 2 * n_cells
        True
    """

    order: ClassVar[int] = -10  # before anything that reads the output

    def __init__(self, *, mirrored: bool = True, scale: float = 1.0) -> None:
        super().__init__()
        self.mirrored, self.scale = mirrored, scale

    def after_pred(self, learn: Learner) -> None:
        """Run the model on the changed picture, and bring what it sees back to its place."""
        picture, *others = learn.xb
        seen = picture.flip(-1) if self.mirrored else picture
        if self.scale != 1:
            seen = F.interpolate(seen, scale_factor=self.scale, mode="bilinear", antialias=True)
        pred = learn.model(seen, *others)
        learn.pred = torch.cat([learn.pred, _mirrored(pred) if self.mirrored else pred], 1)


def _mirrored(pred: Tensor) -> Tensor:
    left, top, right, bottom, x = pred[..., :5].unbind(-1)
    return torch.cat([torch.stack([-right, top, -left, bottom, -x], -1), pred[..., 5:]], -1)


class DetectionLearner(Learner):
    """A learner of a detector; see `detection_learner`."""

    @torch.no_grad()
    def predict(self, item: Any, *, with_input: bool = False) -> tuple[Any, ...]:
        """Find the objects in one picture.

        Args:
            item: What the data are made from: a path, a picture, an array.
            with_input: Whether to return the picture, too, before the answer.

        Returns:
            `(boxes, labels, scores)`, the best first: boxes `(n, 4)` in pixels of the picture as it
            is given, the name of each one's label, and scores `(n,)`. How many there are is up to
            `learn.loss_func.min_score`, `max_overlap` and `max_boxes`.
        """
        dl = self.dls.test_dl([item], num_workers=0)
        picture = dl.dataset[0][0]
        size = torch.tensor(getattr(picture, "size", None) or picture.shape[:-3:-1]).float()
        # Two corners go the way of the picture, which tells where pixels of the batch come from.
        corners = TensorPoint(torch.stack([torch.zeros(2), size]))
        x, seen = dl.new(create_item=lambda _: (picture, corners)).one_batch()
        first, last = plain(seen).cpu().view(2, 2)
        with self.no_bar():
            boxes, labels, scores = self.get_preds(dl=[(x,)], with_decoded=True)[2]
        found = scores[0] > 0
        places = (boxes[0][found].view(-1, 2, 2) - first) / (last - first) * size
        places = torch.minimum(places.clamp(min=0), size).view(-1, 4)
        batch = x, TensorBBox(boxes), TensorMultiCategory(labels)
        names = self.dls.decode_batch(batch, max_n=1)[0][-1]
        answer = TensorBBox(places), names, scores[0][found]
        return (picture, *answer) if with_input else answer

    def tta(
        self, ds_idx: int = 1, dl: Any = None, n: int = 1, *, cbs: Callbacks | None = None
    ) -> tuple[Any, Any]:
        """Predict a set from several looks at each picture: mirrored, larger, smaller.

        The boxes of all looks are suppressed together. `learn.validate(cbs=SecondLook())` measures
        it.

        Args:
            ds_idx: Which of the learner's loaders to predict.
            dl: A loader to predict in place of them, such as `dls.test_dl(items)`.
            n: How many looks beside the plain one; the first is mirrored.
            cbs: Callbacks for this pass only.

        Returns:
            What was found and the targets, as `get_preds` gives them.
        """
        looks = [SecondLook(mirrored=i % 2 == 0, scale=_SCALES[(i + 1) // 2 % 3]) for i in range(n)]
        with self.added_cbs(looks):
            return self.get_preds(ds_idx, dl, cbs=cbs)

    @staticmethod
    @savable("lamina.vision:detection_learner")
    def rebuild(  # pyright: ignore[reportIncompatibleVariableOverride] - None becomes a function
        dls: Any, model: nn.Module, loss_func: Callable[..., Any]
    ) -> "DetectionLearner":
        """Make the learner that `load_learner` returns."""
        return DetectionLearner(dls, model, loss_func=loss_func)


def detection_learner(
    dls: Any,
    arch: str | Callable[..., nn.Module] | Architecture,
    *,
    pretrained: bool = True,
    weights: str | Path | None = None,
    normalize: bool = True,
    n_out: int | None = None,
    **options: Unpack[DetectionLearnerArgs],
) -> DetectionLearner:
    """A learner that finds objects: a body with a feature pyramid and an anchor-free head.

    The body is frozen and normalised, and the parameters are grouped, as by `vision_learner`.

    Args:
        dls: Loaders of `DataBlock(blocks=(ImageBlock, BBoxBlock, BBoxLblBlock), n_inp=1, ...)`.
        arch: A name or function of the table of architectures (`resnet34`, `"mobilenet_v2"`), a
            name of timm's (`"convnext_tiny"`), or any callable that takes `n_in` and `n_out`; see
            `create_detection_model`.
        pretrained: Whether to start from the published weights.
        weights: A file to start from instead.
        normalize: Whether to add the normalisation, unless the loaders have one.
        n_out: Labels; what the data's task needs when not given.
        options: Of `Learner` (`metrics`, `lr`, `cbs`, `opt_func`...), of `DetectionHead`
            (`n_channels`, `n_convs`, `n_levels`, `min_stride`), and `cut`, `n_in`.

    Raises:
        UnknownArgumentError: A name in `options` is unknown.
        ContractError: The boxes have no labels, or no weights are known.

    Source: Tian et al. 2019, "FCOS"; Feng et al. 2021, "TOOD"; see `DetectionLoss`.
    """
    check_names("detection_learner", options, DetectionLearnerArgs)
    built = chosen(options, ("cut", *DetectorArgs.__annotations__))
    loss = options.get("loss_func")
    built["n_out"] = n_outputs("detection_learner", dls.task, n_out, loss)
    start = Start(find_architecture(arch).for_maps, pretrained, weights, normalize)
    return on_body(dls, start, create_detection_model, built, options, DetectionLearner)
