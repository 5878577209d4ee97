"""Write the `all.py` facades: explicit imports of what listed modules offer in their `__all__`.

python tools/facade.py           write them
python tools/facade.py --check   fail when one differs from what would be written
"""

import ast
import builtins
import sys
from collections.abc import Iterator
from pathlib import Path

from source import report, target

MOST_NAMES = 300
SHORT_ALLOWED = {"np", "pd", "nn", "F", "L"}
EXTERNAL = {
    "F": "import torch.nn.functional as F",
    "Path": "from pathlib import Path",
    "nn": "from torch import nn",
    "np": "import numpy as np",
    "torch": "import torch",
}
BASICS = (
    "data.block: CategoryBlock DataBlock MultiCategoryBlock RegressionBlock TransformBlock",
    (
        "data.category: Categorize Category CategoryMap EncodedMultiCategorize MultiCategorize "
        "MultiCategory OneHotEncode RegressionSetup"
    ),
    "data.datasets: Datasets",
    "data.external",
    "data.get",
    "data.items: TfmdLists",
    "data.label",
    "data.loader: DataLoader",
    "data.loaders: DataLoaders",
    "data.normalize: IntToFloatTensor Normalize",
    "data.pipeline",
    "data.show: show_batch show_results",
    "data.split",
    "data.task",
    "data.tfmd_loader: TfmdDL",
    "data.transform: InplaceTransform ItemTransform RandTransform Transform decodes encodes setups",
    "foundation.collections",
    "foundation.dispatch: Dispatch dispatch typedispatch",
    "foundation.errors: LaminaError SkipItem",
    "foundation.functional: Self bind compose ifnone noop",
    "foundation.parallel: parallel",
    "foundation.patching: patch",
    "foundation.paths: find_files write_text",
    "foundation.registry: savable",
    "foundation.signatures: delegates funcs_kwargs",
    "foundation.testing: test_close test_eq test_fail",
    "metrics.base: AvgMetric Metric",
    "metrics.classify: F1Score Precision Recall accuracy accuracy_multi error_rate top_k_accuracy",
    "metrics.dense: Dice DiceMulti JaccardCoeff JaccardCoeffMulti acc_camvid foreground_acc",
    "metrics.gather: AccumMetric skm_to_fastai",
    "metrics.multilabel: F1ScoreMulti",
    "metrics.ranking: RocAuc RocAucBinary",
    "metrics.regress: R2Score exp_rmspe mae mse msle rmse",
    "nn.activations: Mish Swish",
    "nn.attention: SEModule SelfAttention SimpleSelfAttention",
    "nn.combine: TimeDistributed",
    "nn.conv: ConvLayer",
    "nn.embed: Embedding",
    "nn.hooks: hook_output hook_outputs model_sizes",
    "nn.linear: Flatten Lambda LinBnDrop SigmoidRange sigmoid_range",
    (
        "nn.losses: BCEWithLogitsLossFlat CombinedLoss CrossEntropyLossFlat DiceLoss FocalLossFlat "
        "L1LossFlat LabelSmoothingCrossEntropyFlat MSELossFlat"
    ),
    "nn.norm: BatchNorm NormType",
    "nn.params: total_params trainable_params",
    "nn.pool: AdaptiveConcatPool2d PoolFlatten",
    "nn.shortcut: MergeLayer ResBlock SequentialEx",
    "nn.upsample: PixelShuffle_ICNR",
    "optim.lookahead: ranger",
    "optim.muon: Muon",
    "optim.optimizer",
    "optim.recipes: Adam Lamb Lion RAdam RMSProp SGD",
    "optim.schedule: SchedCos SchedExp SchedLin SchedNo SchedPoly combine_scheds combined_cos",
    "optim.stats: average_grad average_sqr_grad debias step_stat",
    "optim.steppers: adam_step l2_reg momentum_step sgd_step weight_decay",
    "optim.wiring: listwise makes",
    "optim.wrap",
    "tensor.build",
    "tensor.device: default_device",
    "tensor.random: no_random set_seed",
    "tensor.tree: to_cpu to_device to_np",
    (
        "tensor.types: TensorBBox TensorBase TensorCategory TensorImage TensorMask "
        "TensorMultiCategory TensorPoint plain"
    ),
    "train.callback: Callback",
    "train.callbacks.activations",
    "train.callbacks.csv_logger",
    "train.callbacks.profile",
    "train.callbacks.progress",
    "train.callbacks.schedule",
    "train.callbacks.techniques.accumulation",
    "train.callbacks.techniques.averaging: EMA SWA",
    "train.callbacks.techniques.batchnorm: BnFreeze",
    "train.callbacks.techniques.channels_last: ChannelsLast",
    "train.callbacks.techniques.checkpointing: GradientCheckpointing",
    "train.callbacks.techniques.clip",
    "train.callbacks.techniques.compiling: Compile",
    "train.callbacks.techniques.mc_dropout",
    "train.callbacks.techniques.mix: CutMix MixUp",
    "train.callbacks.techniques.nan: TerminateOnNaNCallback",
    "train.callbacks.techniques.precision: MixedPrecision",
    "train.callbacks.techniques.sam",
    "train.callbacks.techniques.short_epoch",
    "train.callbacks.techniques.stochastic_depth: StochasticDepth",
    "train.callbacks.tracker",
    (
        "train.events: CancelBackwardException CancelBatchException CancelEpochException "
        "CancelFitException CancelStepException CancelTrainException CancelValidException"
    ),
    "train.interpretation",
    "train.learner: Learner",
    "train.lr_finder: minimum slide steep valley",
    "train.persistence: ModelSpec load_learner",
    "train.recorder: Recorder",
    "viz.canvas: get_grid save_figure subplots",
    "viz.images: show_image show_images",
)
FACADES: dict[str, tuple[str, ...]] = {  # per application: "module", or "module: some names"
    "vision": (
        *BASICS,
        "nn.models.mobilenet: mobilenet_v2",
        "nn.models.resnet: resnet101 resnet152 resnet18 resnet34 resnet50",
        "nn.models.squeezenet: squeezenet1_1",
        "nn.models.xresnet: XResNet xresnet101 xresnet152 xresnet18 xresnet34 xresnet50",
        (
            "vision.augment: Brightness Contrast Dihedral Flip Lighting Rotate Saturation "
            "SpatialChain Warp Zoom aug_transforms"
        ),
        "vision.blocks",
        "vision.images: PILImage PILImageBW PILMask load_image",
        "vision.learner: cnn_learner vision_learner",
        "vision.loaders: ImageDataLoaders SegmentationDataLoaders SegmentationDataloaders",
        "vision.models.architectures: ARCHITECTURES Architecture imagenet_stats",
        "vision.models.head: create_head",
        "vision.models.model: create_vision_model",
        "vision.opening",
        "vision.resize: FlipItem RandomResizedCrop Resize",
        "vision.targets.annotations: get_annotations get_voc_annotations",
        "vision.targets.points: PointScaler",
    ),
}
HEADER = (
    '"""Everything for {app} in a notebook; written by tools/facade.py."""\n\n# ruff: noqa: I001\n'
)


def offered(library: Path, entry: str) -> tuple[str, list[str]]:
    """Read the `__all__` of an entry's module without importing it; `module: a b` takes a and b."""
    module, _, chosen = entry.partition(":")
    path = library / Path(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.exists():
        raise SystemExit(f"facade: {path} does not exist")
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            public = set(ast.literal_eval(node.value))
            if unknown := set(chosen.split()) - public:
                raise SystemExit(f"facade: {module} offers no {', '.join(sorted(unknown))}")
            return module, sorted(set(chosen.split()) or public)
    raise SystemExit(f"facade: {path} has no __all__")


def refused(app: str, origins: dict[str, list[str]]) -> Iterator[str]:
    if len(origins) > MOST_NAMES:
        yield f"{app}: {len(origins)} names, at most {MOST_NAMES}"
    for name, places in origins.items():
        if hasattr(builtins, name):
            yield f"{app}: {name} of {places[0]} hides a builtin"
        if len(name) < 3 and name not in SHORT_ALLOWED:
            yield f"{app}: {name} of {places[0]} is too short"
        if len(places) > 1:
            yield f"{app}: {name} has {len(places)} meanings: {', '.join(places)}"


def facade(library: Path, app: str, entries: tuple[str, ...]) -> tuple[str, list[str]]:
    """Return the text of a facade and what is wrong with it."""
    names = dict(offered(library, entry) for entry in sorted(entries))
    origins: dict[str, list[str]] = {n: ["outside"] for n in EXTERNAL}
    for module, public in names.items():
        for name in public:
            origins.setdefault(name, []).append(module)
    lines = [HEADER.format(app=app), *sorted(EXTERNAL.values()), ""]
    for module, public in names.items():
        lines += [f"from lamina.{module} import (", *(f"    {n}," for n in public), ")"]
    lines += ["", "__all__ = [  # noqa: RUF022 - sorted by the tool, case first"]
    lines += [*(f'    "{n}",' for n in sorted(origins)), "]", ""]
    return "\n".join(lines), list(refused(app, origins))


def main(library: Path, *, check: bool) -> Iterator[str]:
    for app, entries in FACADES.items():
        text, problems = facade(library, app, entries)
        yield from problems
        path = library / app / "all.py"
        if check and (not path.exists() or path.read_text(encoding="utf-8") != text):
            yield f"{path} is out of date: run `make facade`"
        elif not check and not problems:
            path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    report("facade", main(target(), check="--check" in sys.argv))
