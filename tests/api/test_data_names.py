"""What users of the data layer rely on is there, under the name that they know."""

import importlib

import pytest

from lamina.data.block import DataBlock
from lamina.data.datasets import Datasets
from lamina.data.external.urls import URLs
from lamina.data.items import TfmdLists
from lamina.data.loader import STAGES
from lamina.data.loaders import DataLoaders
from lamina.data.tfmd_loader import TfmdDL

NAMES = {
    "data.block": "CategoryBlock DataBlock MultiCategoryBlock RegressionBlock TransformBlock",
    "vision.blocks": "BBoxBlock BBoxLblBlock ImageBlock MaskBlock PointBlock",
    "data.get": "AttrGetter FileGetter ImageGetter ItemGetter get_files get_image_files "
    "get_text_files image_extensions",
    "vision.targets.annotations": "get_annotations",
    "data.split": "ColSplitter EndSplitter FileSplitter FuncSplitter GrandparentSplitter "
    "GroupSplitter IndexSplitter MaskSplitter RandomSplitter RandomSubsetSplitter "
    "StratifiedSplitter TimeSplitter TrainTestSplitter",
    "data.label": "ColReader RegexLabeller parent_label using_attr",
    "data.category": "Categorize Category CategoryMap EncodedMultiCategorize MultiCategorize "
    "MultiCategory OneHotEncode RegressionSetup",
    "data.normalize": "IntToFloatTensor Normalize broadcast_vec",
    "vision.opening": "ToTensor",
    "data.show": "show_batch show_results",
    "data.external.untar": "prefetch_data untar_data",
    "data.external.urls": "URLs home",
    "data.loaders": "DataLoaders get_c",
    "data.datasets": "Datasets decode_at show_at",
}
SETS = (
    "ADULT_SAMPLE BIWI_SAMPLE CIFAR COCO_SAMPLE COCO_TINY HUMAN_NUMBERS IMDB IMDB_SAMPLE ML_SAMPLE "
    "ML_100k MNIST_SAMPLE MNIST_TINY MNIST_VAR_SIZE_TINY PLANET_SAMPLE PLANET_TINY IMAGENETTE "
    "IMAGENETTE_160 IMAGENETTE_320 IMAGEWOOF IMAGEWOOF_160 IMAGEWOOF_320 IMAGEWANG IMAGEWANG_160 "
    "IMAGEWANG_320 DOGS CALTECH_101 CARS CIFAR_100 CUB_200_2011 FLOWERS FOOD MNIST PETS AG_NEWS "
    "AMAZON_REVIEWS AMAZON_REVIEWS_POLARITY DBPEDIA MT_ENG_FRA SOGOU_NEWS WIKITEXT WIKITEXT_TINY "
    "YAHOO_ANSWERS YELP_REVIEWS YELP_REVIEWS_POLARITY BIWI_HEAD_POSE CAMVID CAMVID_TINY "
    "LSUN_BEDROOMS PASCAL_2007 PASCAL_2012 MACAQUES ZEBRA_FINCH SIIM_SMALL TCGA_SMALL "
    "OPENAI_TRANSFORMER WT103_FWD WT103_BWD"
)
UNMEASURED = {"ML_100k", "WT103_FWD", "WT103_BWD"}  # neither size nor checksum was published
METHODS = {
    DataBlock: "databunch dataloaders datasets datasource from_columns new partial_dataloaders "
    "summary weighted_dataloaders",
    URLs: "names path",
    TfmdDL: f"{' '.join(STAGES)} decode decode_batch load_state_dict new n_inp one_batch set_epoch "
    "show_batch show_results state_dict to",
    DataLoaders: "add_tfms c check cpu cuda from_dblock from_dsets new_empty one_batch show_batch "
    "show_results task test_dl to train train_ds valid valid_ds vocab",
    TfmdLists: "dataloaders decode infer infer_idx new_empty overlapping_splits "
    "partial_dataloaders setup show subset train types valid weighted_dataloaders",
    Datasets: "dataloaders decode items new_empty set_split_idx show splits subset test_set train "
    "valid weighted_dataloaders partial_dataloaders",
}


@pytest.mark.parametrize("module", NAMES)
def test_the_names_are_public(module):
    found = importlib.import_module(f"lamina.{module}")
    assert [name for name in NAMES[module].split() if name not in found.__all__] == []


@pytest.mark.parametrize("cls", METHODS)
def test_the_verbs_are_there(cls):
    assert [name for name in METHODS[cls].split() if not hasattr(cls, name)] == []


def test_every_set_is_known_with_its_size_and_checksum():
    known = {name: getattr(URLs, name) for name in SETS.split()}
    assert len(known) == 57
    assert {name for name, s in known.items() if s.md5 is None or s.megabytes is None} == UNMEASURED
