"""Everything for text in a notebook; written by tools/facade.py."""

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
    get_text_files,
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
from lamina.metrics.text import (
    Perplexity,
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
from lamina.text.answers.ensemble import (
    ensemble_preds,
)
from lamina.text.answers.explain import (
    word_importance,
)
from lamina.text.answers.generation import (
    Sampling,
    decode_spec_tokens,
)
from lamina.text.blocks import (
    TextBlock,
)
from lamina.text.callbacks import (
    ModelResetter,
    RNNRegularizer,
)
from lamina.text.huggingface.groups import (
    groups_by_depth,
)
from lamina.text.huggingface.learner import (
    PretrainedLMLearner,
    PretrainedLearner,
    add_lora,
    merge_lora,
)
from lamina.text.huggingface.masking import (
    MaskTokens,
)
from lamina.text.huggingface.model import (
    PretrainedModel,
)
from lamina.text.huggingface.tokenizer import (
    PretrainedTokenizer,
)
from lamina.text.learner import (
    LMLearner,
    TextLearner,
    language_model_learner,
    text_classifier_learner,
)
from lamina.text.lm_loader import (
    LMDataLoader,
)
from lamina.text.loaders import (
    TextDataLoaders,
)
from lamina.text.models.awd_lstm import (
    AWD_LSTM,
    awd_lstm_clas_config,
    awd_lstm_lm_config,
)
from lamina.text.models.build import (
    get_language_model,
    get_text_classifier,
)
from lamina.text.models.dropout import (
    WeightDropout,
)
from lamina.text.models.heads import (
    SequentialRNN,
)
from lamina.text.models.qrnn import (
    AWD_QRNN,
    QRNN,
    QRNNLayer,
    awd_qrnn_clas_config,
    awd_qrnn_lm_config,
)
from lamina.text.models.transfer import (
    match_embeds,
)
from lamina.text.padding import (
    PadChunk,
    PadInput,
    pad_input,
)
from lamina.text.rules import (
    BOS,
    SPECIAL_TOKENS,
    default_rules,
)
from lamina.text.sorted_loader import (
    SortedDL,
)
from lamina.text.tables import (
    load_tokenized_csv,
    tokenize_csv,
)
from lamina.text.tokenize import (
    Tokenizer,
    tokenize_df,
    tokenize_files,
    tokenize_folder,
    tokenize_texts,
)
from lamina.text.tokenizers.base import (
    BaseTokenizer,
    TokenizeWithRules,
    tokenize1,
)
from lamina.text.tokenizers.fast import (
    HFTokenizer,
)
from lamina.text.tokenizers.subwords import (
    SentencePieceTokenizer,
    SubwordTokenizer,
)
from lamina.text.tokenizers.words import (
    SpacyTokenizer,
    WordTokenizer,
)
from lamina.text.types import (
    TensorText,
)
from lamina.text.vocab import (
    Numericalize,
    make_vocab,
    text_vocab,
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
    "AWD_LSTM",
    "AWD_QRNN",
    "AccumMetric",
    "ActivationStats",
    "Adam",
    "AdaptiveConcatPool2d",
    "AvgMetric",
    "BCEWithLogitsLossFlat",
    "BOS",
    "BaseTokenizer",
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
    "HFTokenizer",
    "HookCallback",
    "IndexSplitter",
    "InplaceTransform",
    "IntToFloatTensor",
    "Interpretation",
    "ItemTransform",
    "JaccardCoeff",
    "L",
    "L1LossFlat",
    "LMDataLoader",
    "LMLearner",
    "LabelSmoothingCrossEntropyFlat",
    "Lamb",
    "LaminaError",
    "Learner",
    "Lion",
    "MCDropoutCallback",
    "MSELossFlat",
    "MaskSplitter",
    "MaskTokens",
    "MergeLayer",
    "Metric",
    "MixUp",
    "MixedPrecision",
    "ModelResetter",
    "ModelSpec",
    "MultiCategorize",
    "MultiCategoryBlock",
    "Muon",
    "Normalize",
    "Numericalize",
    "OptimWrapper",
    "Optimizer",
    "PadChunk",
    "PadInput",
    "ParamScheduler",
    "Path",
    "Perplexity",
    "Pipeline",
    "Precision",
    "PretrainedLMLearner",
    "PretrainedLearner",
    "PretrainedModel",
    "PretrainedTokenizer",
    "Profile",
    "ProgressCallback",
    "QRNN",
    "QRNNLayer",
    "R2Score",
    "RAdam",
    "RMSProp",
    "RNNRegularizer",
    "RandTransform",
    "RandomSplitter",
    "RandomSubsetSplitter",
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
    "SPECIAL_TOKENS",
    "SWA",
    "Sampling",
    "SaveModelCallback",
    "SchedCos",
    "SchedExp",
    "SchedLin",
    "SchedNo",
    "SchedPoly",
    "Self",
    "SentencePieceTokenizer",
    "SequentialEx",
    "SequentialRNN",
    "ShortEpochCallback",
    "ShowGraphCallback",
    "SigmoidRange",
    "SkipItem",
    "SortedDL",
    "SpacyTokenizer",
    "StochasticDepth",
    "StratifiedSplitter",
    "SubwordTokenizer",
    "TensorBBox",
    "TensorBase",
    "TensorCategory",
    "TensorImage",
    "TensorMask",
    "TensorMultiCategory",
    "TensorPoint",
    "TensorText",
    "TerminateOnNaNCallback",
    "TextBlock",
    "TextDataLoaders",
    "TextLearner",
    "TfmdDL",
    "TfmdLists",
    "TimeSplitter",
    "TokenizeWithRules",
    "Tokenizer",
    "TrackerCallback",
    "TrainTestSplitter",
    "Transform",
    "TransformBlock",
    "URLs",
    "WeightDropout",
    "WordTokenizer",
    "acc_camvid",
    "acc_segment",
    "accuracy",
    "accuracy_multi",
    "adam_step",
    "add_lora",
    "average_grad",
    "average_sqr_grad",
    "awd_lstm_clas_config",
    "awd_lstm_lm_config",
    "awd_qrnn_clas_config",
    "awd_qrnn_lm_config",
    "bind",
    "combine_scheds",
    "compose",
    "decode_spec_tokens",
    "decodes",
    "default_device",
    "default_rules",
    "delegates",
    "dispatch",
    "encodes",
    "ensemble_preds",
    "error_rate",
    "funcs_kwargs",
    "get_grid",
    "get_language_model",
    "get_text_classifier",
    "get_text_files",
    "groups_by_depth",
    "ifnone",
    "l2_reg",
    "language_model_learner",
    "load_learner",
    "load_tokenized_csv",
    "mae",
    "make_vocab",
    "match_embeds",
    "merge_lora",
    "momentum_step",
    "mse",
    "nn",
    "no_random",
    "noop",
    "np",
    "pad_input",
    "parallel",
    "parent_label",
    "patch",
    "plain",
    "ranger",
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
    "step_stat",
    "subplots",
    "tensor",
    "text_classifier_learner",
    "text_vocab",
    "to_device",
    "to_np",
    "tokenize1",
    "tokenize_csv",
    "tokenize_df",
    "tokenize_files",
    "tokenize_folder",
    "tokenize_texts",
    "top_k_accuracy",
    "torch",
    "trainable_params",
    "typedispatch",
    "untar_data",
    "using_attr",
    "valley",
    "weight_decay",
    "word_importance",
]
