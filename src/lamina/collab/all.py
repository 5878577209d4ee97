"""Everything for collab in a notebook; written by tools/facade.py."""

# ruff: noqa: I001

from pathlib import Path
from torch import nn
import numpy as np
import torch
import torch.nn.functional as F

from lamina.collab.learner import (
    CollabLearner,
    collab_learner,
)
from lamina.collab.loaders import (
    CollabDataLoaders,
)
from lamina.collab.metrics import (
    ranking_metrics,
)
from lamina.collab.models import (
    EmbeddingDotBias,
    EmbeddingNN,
    TowerDot,
)
from lamina.collab.negatives import (
    NegativeSampling,
    RankingLoss,
)
from lamina.collab.recommend import (
    evaluate_ranking,
    recommend,
    similar_items,
)
from lamina.collab.splits import (
    LeaveLastOut,
)
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
    "AccumMetric",
    "ActivationStats",
    "Adam",
    "AdaptiveConcatPool2d",
    "AvgMetric",
    "BCEWithLogitsLossFlat",
    "BnFreeze",
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
    "CollabDataLoaders",
    "CollabLearner",
    "CombinedLoss",
    "Compile",
    "ConvLayer",
    "CrossEntropyLossFlat",
    "CutMix",
    "DataBlock",
    "DataLoader",
    "DataLoaders",
    "Datasets",
    "Dice",
    "DiceLoss",
    "DiceMulti",
    "EMA",
    "EarlyStoppingCallback",
    "EmbeddingDotBias",
    "EmbeddingNN",
    "EndSplitter",
    "F",
    "F1Score",
    "F1ScoreMulti",
    "FileSplitter",
    "Flatten",
    "FocalLossFlat",
    "FuncSplitter",
    "GradientAccumulation",
    "GradientCheckpointing",
    "GradientClip",
    "GrandparentSplitter",
    "GroupSplitter",
    "HookCallback",
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
    "LeaveLastOut",
    "Lion",
    "MCDropoutCallback",
    "MSELossFlat",
    "MaskSplitter",
    "MergeLayer",
    "Metric",
    "MixUp",
    "MixedPrecision",
    "ModelSpec",
    "MultiCategorize",
    "MultiCategoryBlock",
    "Muon",
    "NegativeSampling",
    "Normalize",
    "OptimWrapper",
    "Optimizer",
    "ParamScheduler",
    "Path",
    "Pipeline",
    "Precision",
    "Profile",
    "ProgressCallback",
    "R2Score",
    "RAdam",
    "RMSProp",
    "RandTransform",
    "RandomSplitter",
    "RandomSubsetSplitter",
    "RankingLoss",
    "Recall",
    "ReduceLROnPlateau",
    "RegexLabeller",
    "RegressionBlock",
    "RegressionSetup",
    "ResBlock",
    "RocAuc",
    "RocAucBinary",
    "SAM",
    "SGD",
    "SWA",
    "SaveModelCallback",
    "SchedCos",
    "SchedExp",
    "SchedLin",
    "SchedNo",
    "SchedPoly",
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
    "TowerDot",
    "TrackerCallback",
    "TrainTestSplitter",
    "Transform",
    "TransformBlock",
    "URLs",
    "acc_camvid",
    "acc_segment",
    "accuracy",
    "accuracy_multi",
    "adam_step",
    "average_grad",
    "average_sqr_grad",
    "bind",
    "collab_learner",
    "combine_scheds",
    "compose",
    "decodes",
    "default_device",
    "delegates",
    "dispatch",
    "encodes",
    "error_rate",
    "evaluate_ranking",
    "funcs_kwargs",
    "get_files",
    "get_grid",
    "get_image_files",
    "ifnone",
    "l2_reg",
    "load_learner",
    "mae",
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
    "ranking_metrics",
    "recommend",
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
    "similar_items",
    "skm_to_fastai",
    "step_stat",
    "subplots",
    "tensor",
    "to_device",
    "to_np",
    "top_k_accuracy",
    "torch",
    "trainable_params",
    "typedispatch",
    "untar_data",
    "using_attr",
    "valley",
    "weight_decay",
]
