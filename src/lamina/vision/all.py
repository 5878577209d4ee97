"""Everything for vision in a notebook; written by tools/facade.py."""

# ruff: noqa: I001

from pathlib import Path
from torch import nn
import numpy as np
import torch
import torch.nn.functional as F

from lamina.data.block import (
    CategoryBlock,
    DataBlock,
    MultiCategoryBlock,
    RegressionBlock,
    TransformBlock,
)
from lamina.data.category import (
    Categorize,
    MultiCategorize,
    RegressionSetup,
)
from lamina.data.datasets import (
    Datasets,
)
from lamina.data.external import (
    URLs,
    untar_data,
)
from lamina.data.get import (
    ItemGetter,
    get_files,
    get_image_files,
)
from lamina.data.items import (
    TfmdLists,
)
from lamina.data.label import (
    ColReader,
    RegexLabeller,
    parent_label,
    using_attr,
)
from lamina.data.loader import (
    DataLoader,
)
from lamina.data.loaders import (
    DataLoaders,
)
from lamina.data.normalize import (
    IntToFloatTensor,
    Normalize,
)
from lamina.data.pipeline import (
    Pipeline,
)
from lamina.data.show import (
    show_batch,
    show_results,
)
from lamina.data.split import (
    ColSplitter,
    EndSplitter,
    FileSplitter,
    FuncSplitter,
    GrandparentSplitter,
    GroupSplitter,
    IndexSplitter,
    MaskSplitter,
    RandomSplitter,
    RandomSubsetSplitter,
    StratifiedSplitter,
    TimeSplitter,
    TrainTestSplitter,
)
from lamina.data.tfmd_loader import (
    TfmdDL,
)
from lamina.data.transform import (
    InplaceTransform,
    ItemTransform,
    RandTransform,
    Transform,
    decodes,
    encodes,
    setups,
)
from lamina.foundation.collections import (
    L,
)
from lamina.foundation.dispatch import (
    dispatch,
    typedispatch,
)
from lamina.foundation.errors import (
    LaminaError,
    SkipItem,
)
from lamina.foundation.functional import (
    Self,
    bind,
    compose,
    ifnone,
    noop,
)
from lamina.foundation.parallel import (
    parallel,
)
from lamina.foundation.patching import (
    patch,
)
from lamina.foundation.registry import (
    savable,
)
from lamina.foundation.signatures import (
    delegates,
    funcs_kwargs,
)
from lamina.metrics.base import (
    AvgMetric,
    Metric,
)
from lamina.metrics.classify import (
    F1Score,
    Precision,
    Recall,
    accuracy,
    accuracy_multi,
    error_rate,
    top_k_accuracy,
)
from lamina.metrics.dense import (
    Dice,
    DiceMulti,
    JaccardCoeff,
    acc_camvid,
    acc_segment,
)
from lamina.metrics.gather import (
    AccumMetric,
    skm_to_fastai,
)
from lamina.metrics.multilabel import (
    F1ScoreMulti,
)
from lamina.metrics.ranking import (
    RocAuc,
    RocAucBinary,
)
from lamina.metrics.regress import (
    R2Score,
    mae,
    mse,
    rmse,
)
from lamina.nn.conv import (
    ConvLayer,
)
from lamina.nn.linear import (
    Flatten,
    SigmoidRange,
)
from lamina.nn.losses import (
    BCEWithLogitsLossFlat,
    CombinedLoss,
    CrossEntropyLossFlat,
    DiceLoss,
    FocalLossFlat,
    L1LossFlat,
    LabelSmoothingCrossEntropyFlat,
    MSELossFlat,
)
from lamina.nn.models.mobilenet import (
    mobilenet_v2,
)
from lamina.nn.models.resnet import (
    resnet18,
    resnet34,
    resnet50,
)
from lamina.nn.models.squeezenet import (
    squeezenet1_1,
)
from lamina.nn.models.xresnet import (
    XResNet,
    xresnet18,
    xresnet34,
    xresnet50,
)
from lamina.nn.params import (
    trainable_params,
)
from lamina.nn.pool import (
    AdaptiveConcatPool2d,
)
from lamina.nn.shortcut import (
    MergeLayer,
    ResBlock,
    SequentialEx,
)
from lamina.optim.lookahead import (
    ranger,
)
from lamina.optim.muon import (
    Muon,
)
from lamina.optim.optimizer import (
    Optimizer,
)
from lamina.optim.recipes import (
    Adam,
    Lamb,
    Lion,
    RAdam,
    RMSProp,
    SGD,
)
from lamina.optim.schedule import (
    SchedCos,
    SchedExp,
    SchedLin,
    SchedNo,
    SchedPoly,
    combine_scheds,
)
from lamina.optim.stats import (
    average_grad,
    average_sqr_grad,
    step_stat,
)
from lamina.optim.steppers import (
    adam_step,
    l2_reg,
    momentum_step,
    sgd_step,
    weight_decay,
)
from lamina.optim.wrap import (
    OptimWrapper,
)
from lamina.tensor.build import (
    tensor,
)
from lamina.tensor.device import (
    default_device,
)
from lamina.tensor.random import (
    no_random,
    set_seed,
)
from lamina.tensor.tree import (
    to_device,
    to_np,
)
from lamina.tensor.types import (
    TensorBBox,
    TensorBase,
    TensorCategory,
    TensorImage,
    TensorMask,
    TensorMultiCategory,
    TensorPoint,
    plain,
)
from lamina.train.callback import (
    Callback,
)
from lamina.train.callbacks.activations import (
    ActivationStats,
    HookCallback,
)
from lamina.train.callbacks.csv_logger import (
    CSVLogger,
)
from lamina.train.callbacks.profile import (
    Profile,
)
from lamina.train.callbacks.progress import (
    ProgressCallback,
    ShowGraphCallback,
)
from lamina.train.callbacks.schedule import (
    ParamScheduler,
)
from lamina.train.callbacks.techniques.accumulation import (
    GradientAccumulation,
)
from lamina.train.callbacks.techniques.averaging import (
    EMA,
    SWA,
)
from lamina.train.callbacks.techniques.batchnorm import (
    BnFreeze,
)
from lamina.train.callbacks.techniques.channels_last import (
    ChannelsLast,
)
from lamina.train.callbacks.techniques.checkpointing import (
    GradientCheckpointing,
)
from lamina.train.callbacks.techniques.clip import (
    GradientClip,
)
from lamina.train.callbacks.techniques.compiling import (
    Compile,
)
from lamina.train.callbacks.techniques.mc_dropout import (
    MCDropoutCallback,
)
from lamina.train.callbacks.techniques.mix import (
    CutMix,
    MixUp,
)
from lamina.train.callbacks.techniques.nan import (
    TerminateOnNaNCallback,
)
from lamina.train.callbacks.techniques.precision import (
    MixedPrecision,
)
from lamina.train.callbacks.techniques.sam import (
    SAM,
)
from lamina.train.callbacks.techniques.short_epoch import (
    ShortEpochCallback,
)
from lamina.train.callbacks.techniques.stochastic_depth import (
    StochasticDepth,
)
from lamina.train.callbacks.tracker import (
    EarlyStoppingCallback,
    ReduceLROnPlateau,
    SaveModelCallback,
    TrackerCallback,
)
from lamina.train.events import (
    CancelBackwardException,
    CancelBatchException,
    CancelEpochException,
    CancelFitException,
    CancelStepException,
    CancelTrainException,
    CancelValidException,
)
from lamina.train.interpretation import (
    ClassificationInterpretation,
    Interpretation,
)
from lamina.train.learner import (
    Learner,
)
from lamina.train.lr_finder import (
    valley,
)
from lamina.train.persistence import (
    ModelSpec,
    load_learner,
)
from lamina.vision.augmentation.augment import (
    aug_transforms,
)
from lamina.vision.augmentation.erasing import (
    RandomErasing,
)
from lamina.vision.augmentation.lighting import (
    Brightness,
    Contrast,
    Hue,
    Saturation,
)
from lamina.vision.augmentation.policies import (
    RandAugment,
    TrivialAugment,
)
from lamina.vision.augmentation.resize import (
    CropPad,
    RandomCrop,
    RandomResizedCrop,
    Resize,
)
from lamina.vision.augmentation.spatial import (
    Dihedral,
    Flip,
    Rotate,
    Warp,
    Zoom,
)
from lamina.vision.augmentation.symmetry import (
    FlipItem,
)
from lamina.vision.blocks import (
    BBoxBlock,
    BBoxLblBlock,
    ImageBlock,
    MaskBlock,
    PointBlock,
)
from lamina.vision.detection.learner import (
    SecondLook,
    detection_learner,
)
from lamina.vision.detection.metric import (
    MeanAveragePrecision,
)
from lamina.vision.gan.data import (
    generate_noise,
)
from lamina.vision.gan.learner import (
    GANLearner,
)
from lamina.vision.gan.models import (
    basic_critic,
    basic_generator,
)
from lamina.vision.gan.training import (
    AdaptiveGANSwitcher,
    FixedGANSwitcher,
)
from lamina.vision.images import (
    PILImage,
    PILImageBW,
    PILMask,
)
from lamina.vision.learner import (
    cnn_learner,
    unet_learner,
    vision_learner,
)
from lamina.vision.loaders import (
    ImageDataLoaders,
    SegmentationDataLoaders,
    SegmentationDataloaders,
)
from lamina.vision.models.architectures import (
    ARCHITECTURES,
    imagenet_stats,
)
from lamina.vision.models.head import (
    create_head,
)
from lamina.vision.models.model import (
    create_vision_model,
)
from lamina.vision.opening import (
    OpenImage,
    ToTensor,
)
from lamina.vision.targets.annotations import (
    get_annotations,
    get_voc_annotations,
)
from lamina.vision.tools import (
    verify_images,
)
from lamina.viz.canvas import (
    get_grid,
    save_figure,
    subplots,
)
from lamina.viz.images import (
    show_image,
    show_images,
)

__all__ = [  # noqa: RUF022 - sorted by the tool, case first
    "ARCHITECTURES",
    "AccumMetric",
    "ActivationStats",
    "Adam",
    "AdaptiveConcatPool2d",
    "AdaptiveGANSwitcher",
    "AvgMetric",
    "BBoxBlock",
    "BBoxLblBlock",
    "BCEWithLogitsLossFlat",
    "BnFreeze",
    "Brightness",
    "CSVLogger",
    "Callback",
    "CancelBackwardException",
    "CancelBatchException",
    "CancelEpochException",
    "CancelFitException",
    "CancelStepException",
    "CancelTrainException",
    "CancelValidException",
    "Categorize",
    "CategoryBlock",
    "ChannelsLast",
    "ClassificationInterpretation",
    "ColReader",
    "ColSplitter",
    "CombinedLoss",
    "Compile",
    "Contrast",
    "ConvLayer",
    "CropPad",
    "CrossEntropyLossFlat",
    "CutMix",
    "DataBlock",
    "DataLoader",
    "DataLoaders",
    "Datasets",
    "Dice",
    "DiceLoss",
    "DiceMulti",
    "Dihedral",
    "EMA",
    "EarlyStoppingCallback",
    "EndSplitter",
    "F",
    "F1Score",
    "F1ScoreMulti",
    "FileSplitter",
    "FixedGANSwitcher",
    "Flatten",
    "Flip",
    "FlipItem",
    "FocalLossFlat",
    "FuncSplitter",
    "GANLearner",
    "GradientAccumulation",
    "GradientCheckpointing",
    "GradientClip",
    "GrandparentSplitter",
    "GroupSplitter",
    "HookCallback",
    "Hue",
    "ImageBlock",
    "ImageDataLoaders",
    "IndexSplitter",
    "InplaceTransform",
    "IntToFloatTensor",
    "Interpretation",
    "ItemGetter",
    "ItemTransform",
    "JaccardCoeff",
    "L",
    "L1LossFlat",
    "LabelSmoothingCrossEntropyFlat",
    "Lamb",
    "LaminaError",
    "Learner",
    "Lion",
    "MCDropoutCallback",
    "MSELossFlat",
    "MaskBlock",
    "MaskSplitter",
    "MeanAveragePrecision",
    "MergeLayer",
    "Metric",
    "MixUp",
    "MixedPrecision",
    "ModelSpec",
    "MultiCategorize",
    "MultiCategoryBlock",
    "Muon",
    "Normalize",
    "OpenImage",
    "OptimWrapper",
    "Optimizer",
    "PILImage",
    "PILImageBW",
    "PILMask",
    "ParamScheduler",
    "Path",
    "Pipeline",
    "PointBlock",
    "Precision",
    "Profile",
    "ProgressCallback",
    "R2Score",
    "RAdam",
    "RMSProp",
    "RandAugment",
    "RandTransform",
    "RandomCrop",
    "RandomErasing",
    "RandomResizedCrop",
    "RandomSplitter",
    "RandomSubsetSplitter",
    "Recall",
    "ReduceLROnPlateau",
    "RegexLabeller",
    "RegressionBlock",
    "RegressionSetup",
    "ResBlock",
    "Resize",
    "RocAuc",
    "RocAucBinary",
    "Rotate",
    "SAM",
    "SGD",
    "SWA",
    "Saturation",
    "SaveModelCallback",
    "SchedCos",
    "SchedExp",
    "SchedLin",
    "SchedNo",
    "SchedPoly",
    "SecondLook",
    "SegmentationDataLoaders",
    "SegmentationDataloaders",
    "Self",
    "SequentialEx",
    "ShortEpochCallback",
    "ShowGraphCallback",
    "SigmoidRange",
    "SkipItem",
    "StochasticDepth",
    "StratifiedSplitter",
    "TensorBBox",
    "TensorBase",
    "TensorCategory",
    "TensorImage",
    "TensorMask",
    "TensorMultiCategory",
    "TensorPoint",
    "TerminateOnNaNCallback",
    "TfmdDL",
    "TfmdLists",
    "TimeSplitter",
    "ToTensor",
    "TrackerCallback",
    "TrainTestSplitter",
    "Transform",
    "TransformBlock",
    "TrivialAugment",
    "URLs",
    "Warp",
    "XResNet",
    "Zoom",
    "acc_camvid",
    "acc_segment",
    "accuracy",
    "accuracy_multi",
    "adam_step",
    "aug_transforms",
    "average_grad",
    "average_sqr_grad",
    "basic_critic",
    "basic_generator",
    "bind",
    "cnn_learner",
    "combine_scheds",
    "compose",
    "create_head",
    "create_vision_model",
    "decodes",
    "default_device",
    "delegates",
    "detection_learner",
    "dispatch",
    "encodes",
    "error_rate",
    "funcs_kwargs",
    "generate_noise",
    "get_annotations",
    "get_files",
    "get_grid",
    "get_image_files",
    "get_voc_annotations",
    "ifnone",
    "imagenet_stats",
    "l2_reg",
    "load_learner",
    "mae",
    "mobilenet_v2",
    "momentum_step",
    "mse",
    "nn",
    "no_random",
    "noop",
    "np",
    "parallel",
    "parent_label",
    "patch",
    "plain",
    "ranger",
    "resnet18",
    "resnet34",
    "resnet50",
    "rmse",
    "savable",
    "save_figure",
    "set_seed",
    "setups",
    "sgd_step",
    "show_batch",
    "show_image",
    "show_images",
    "show_results",
    "skm_to_fastai",
    "squeezenet1_1",
    "step_stat",
    "subplots",
    "tensor",
    "to_device",
    "to_np",
    "top_k_accuracy",
    "torch",
    "trainable_params",
    "typedispatch",
    "unet_learner",
    "untar_data",
    "using_attr",
    "valley",
    "verify_images",
    "vision_learner",
    "weight_decay",
    "xresnet18",
    "xresnet34",
    "xresnet50",
]
