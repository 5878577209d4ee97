"""Where well-known data sets are, as facts, and the names of the samples bundled with Lamina."""

import os
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Self
from urllib.parse import urlsplit

from lamina.foundation.errors import UnknownNameError

__all__ = ["ALIKE", "FOLDERS", "Source", "URLs", "find_source", "home"]

FOLDERS = {"archive": "archive", "data": "data", "model": "models"}  # below `home()`
_BUNDLED = "sample:"


def home() -> Path:
    """Return the folder for downloads and unpacked data: `$LAMINA_HOME`, else the user's cache."""
    import platformdirs

    return Path(os.environ.get("LAMINA_HOME") or platformdirs.user_cache_dir("lamina")).expanduser()


class Source(str):
    """The address of an archive, with what is known about it; usable wherever a `str` is.

    Args:
        url: the address, or `sample:<name>` for what only comes with Lamina.
        megabytes: the size of the archive in millions of bytes, rounded.
        md5: the checksum of the whole archive; None if it was never published.
        sha256: the same, stronger, where known.
        sample: the bundled sample that may stand in for it: the same layout, fewer items.
        mirrors: further addresses of the same archive, asked in order if the first fails.

    Example:
        >>> URLs.PETS.file, URLs.PETS.stem, URLs.PETS.sample
        ('oxford-iiit-pet.tgz', 'oxford-iiit-pet', 'oxford_pets')
    """

    __slots__ = ("md5", "megabytes", "mirrors", "sample", "sha256")
    md5: str | None
    megabytes: float | None
    sample: str | None
    sha256: str | None
    mirrors: tuple[str, ...]

    def __new__(
        cls,
        url: str,
        megabytes: float | None = None,
        md5: str | None = None,
        *,
        sha256: str | None = None,
        sample: str | None = None,
        mirrors: Iterable[str] = (),
    ) -> Self:
        """Make the string and keep the facts beside it."""
        self = super().__new__(cls, url)
        self.megabytes = megabytes
        self.md5 = md5
        self.sha256 = sha256
        self.sample = sample
        self.mirrors = tuple(mirrors)
        return self

    @property
    def bundled(self) -> bool:
        """Whether it comes with Lamina only and cannot be downloaded."""
        return self.startswith(_BUNDLED)

    @property
    def file(self) -> str:
        """The archive's file name."""
        return PurePosixPath(urlsplit(self).path).name

    @property
    def stem(self) -> str:
        """The file name without its endings: the name of the unpacked folder."""
        name = self.file
        for ending in (".gz", ".bz2", ".xz", ".tar", ".tgz", ".tbz2", ".txz", ".zip"):
            name = name.removesuffix(ending)
        return name


def _s3(
    path: str, megabytes: float | None = None, md5: str | None = None, *, sample: str | None = None
) -> Source:
    return Source(f"https://s3.amazonaws.com/fast-ai-{path}", megabytes, md5, sample=sample)


def _bundled(name: str) -> Source:
    return Source(f"{_BUNDLED}{name}", sample=name)


class URLs:
    """The known data sets by name.

    What the archives hold and under which licence is said by whoever publishes them; the bundled
    samples are described in the README of the samples folder.

    Example:
        >>> URLs.MNIST_TINY
        'https://s3.amazonaws.com/fast-ai-sample/mnist_tiny.tgz'
        >>> "PETS" in URLs.names()
        True
    """

    # Published archives.
    ADULT_SAMPLE = _s3("sample/adult_sample.tgz", 1.0, "64eb9d7e23732de0b138f7372d15492f")
    BIWI_SAMPLE = _s3("sample/biwi_sample.tgz", 0.6, "9179f4c1435f4b291f0d5b072d60c2c9")
    CIFAR = _s3("sample/cifar10.tgz", 168.2, "a5f8c31371b63a406b23368042812d3c")
    COCO_SAMPLE = _s3("coco/coco_sample.tgz", 3245.9, "006cd55d633d94b36ecaf661467830ec")
    COCO_TINY = _s3("coco/coco_tiny.tgz", 0.8, "367467451ac4fba79a647753c2c66d3a")
    HUMAN_NUMBERS = _s3("sample/human_numbers.tgz", 0.0, "8a19c3bfa2bcb08cd787e741261f3ea2")
    IMDB = _s3("nlp/imdb.tgz", 144.4, "90f9b1c4ff43a90d67553c9240dc0249")
    IMDB_SAMPLE = _s3("sample/imdb_sample.tgz", 0.6, "0842e61a9867caa2e6fbdb14fa703d61")
    ML_SAMPLE = _s3("sample/movie_lens_sample.tgz", 0.1, "10961384dfe7c5181460390a460c1f77")
    ML_100k = Source("https://files.grouplens.org/datasets/movielens/ml-100k.zip")
    MNIST_SAMPLE = _s3("sample/mnist_sample.tgz", 3.2, "2dbc7ec6f9259b583af0072c55816a88")
    MNIST_TINY = _s3(
        "sample/mnist_tiny.tgz", 0.3, "56143e8f24db90d925d82a5a74141875", sample="mnist_tiny"
    )
    MNIST_VAR_SIZE_TINY = _s3(
        "imageclas/mnist_var_size_tiny.tgz", 0.6, "b71a930f4eb744a4a143a6c7ff7ed67f"
    )
    PLANET_SAMPLE = _s3("sample/planet_sample.tgz", 15.5, "8bfb174b3162f07fbde09b54555bdb00")
    PLANET_TINY = _s3("sample/planet_tiny.tgz", 1.0, "490873c5683454d4b2611fb1f00a68a9")
    IMAGENETTE = _s3("imageclas/imagenette2.tgz", 1557.2, "2c774ecb40005b35d7937d50f5d42336")
    IMAGENETTE_160 = _s3("imageclas/imagenette2-160.tgz", 99.0, "c475f8f7617a200ba35b9facc48443c3")
    IMAGENETTE_320 = _s3("imageclas/imagenette2-320.tgz", 341.7, "1f1f74f133caff120e575856659b87a2")
    IMAGEWOOF = _s3("imageclas/imagewoof2.tgz", 1343.7, "2cc1c1e36e20cb6fd24ffb978edcb487")
    IMAGEWOOF_160 = _s3("imageclas/imagewoof2-160.tgz", 92.6, "3559b194123981a540b87132dbda412f")
    IMAGEWOOF_320 = _s3("imageclas/imagewoof2-320.tgz", 328.4, "7a1fd92672a559a85de76e4810a20c21")
    IMAGEWANG = _s3("imageclas/imagewang.tgz", 2900.3, "2b7776bac0fc95db72ac8a3b091a3e30")
    IMAGEWANG_160 = _s3("imageclas/imagewang-160.tgz", 191.5, "dab9b1d97b95574ac64122a19bc74ca1")
    IMAGEWANG_320 = _s3("imageclas/imagewang-320.tgz", 669.8, "fff8ac034d60e14fcf7789845e625263")
    DOGS = _s3("sample/dogscats.tgz", 839.3, "3e483c8d6ef2175e9d395a6027eb92b7")
    CALTECH_101 = _s3("imageclas/caltech_101.tgz", 131.7, "d673425306e98ee4619fcdeef8a0e876")
    CARS = _s3("imageclas/stanford-cars.tgz", 1957.8, "9045d6673c9ced0889f41816f6bf2f9f")
    CIFAR_100 = _s3("imageclas/cifar100.tgz", 169.2, "e5e65dcb54b9d3913f7b8a9ad6607e62")
    CUB_200_2011 = _s3("imageclas/CUB_200_2011.tgz", 1150.6, "d2acaa99439dff0483c7bbac1bfe2a92")
    FLOWERS = _s3("imageclas/oxford-102-flowers.tgz", 345.2, "5666e01c1311b4c67fcf20d2b3850a88")
    FOOD = _s3("imageclas/food-101.tgz", 5686.6, "1a540ebf1fb40b2bf3f2294234ba7907")
    MNIST = _s3("imageclas/mnist_png.tgz", 15.7, "03639f83c4e3d19e0a3a53a8a997c487")
    PETS = _s3(
        "imageclas/oxford-iiit-pet.tgz",
        811.7,
        "e4db5c768afd933bb91f5f594d7417a4",
        sample="oxford_pets",
    )
    AG_NEWS = _s3("nlp/ag_news_csv.tgz", 11.8, "b86f328f4dbd072486591cb7a5644dcd")
    AMAZON_REVIEWS = _s3("nlp/amazon_review_full_csv.tgz", 71.6, "4a1196cf0adaea22f4bc3f592cddde90")
    AMAZON_REVIEWS_POLARITY = _s3(
        "nlp/amazon_review_polarity_csv.tgz", 688.3, "676f7e5208ec343c8274b4bb085bc938"
    )
    DBPEDIA = _s3("nlp/dbpedia_csv.tgz", 68.3, "239c7837b9e79db34486f3de6a00e38e")
    MT_ENG_FRA = _s3("nlp/giga-fren.tgz", 2598.2, "69573f58e2c850b90f2f954077041d8c")
    SOGOU_NEWS = _s3("nlp/sogou_news_csv.tgz", 384.3, "950f1366d33be52f5b944f8a8b680902")
    WIKITEXT = _s3("nlp/wikitext-103.tgz", 190.2, "2dd8cf8693b3d27e9c8f0a7df054b2c7")
    WIKITEXT_TINY = _s3("nlp/wikitext-2.tgz", 4.1, "2a82d47a7b85c8b6a8e068dc4c1d37e7")
    YAHOO_ANSWERS = _s3("nlp/yahoo_answers_csv.tgz", 319.5, "0632a0d236ef3a529c0fa4429b339f68")
    YELP_REVIEWS = _s3("nlp/yelp_review_full_csv.tgz", 196.1, "1efd84215ea3e30d90e4c33764b889db")
    YELP_REVIEWS_POLARITY = _s3(
        "nlp/yelp_review_polarity_csv.tgz", 166.4, "48c8451c1ad30472334d856b5d294807"
    )
    BIWI_HEAD_POSE = _s3("imagelocal/biwi_head_pose.tgz", 452.3, "00f4ccf66e8cba184bc292fdc08fb237")
    CAMVID = _s3("imagelocal/camvid.tgz", 598.9, "648371e4f3a833682afb39b08a3ce2aa")
    CAMVID_TINY = _s3("sample/camvid_tiny.tgz", 2.3, "2cf6daf91b7a2083ecfa3e9968e9d915")
    LSUN_BEDROOMS = _s3("imageclas/bedroom.tgz", 4579.2, "35d84f38f8a15fe47e66e460c8800d68")
    PASCAL_2007 = _s3("imagelocal/pascal_2007.tgz", 1637.8, "433b4706eb7c42bd74e7f784e3fdf244")
    PASCAL_2012 = _s3("imagelocal/pascal_2012.tgz", 2618.9, "d90e29e54a4c76c0c6fba8355dcbaca5")
    MACAQUES = Source(
        "https://storage.googleapis.com/ml-animal-sounds-datasets/macaques.zip",
        131.6,
        "44fec3950e61d6a898f16fe30bc9c88d",
    )
    ZEBRA_FINCH = Source(
        "https://storage.googleapis.com/ml-animal-sounds-datasets/zebra_finch.zip",
        186.6,
        "91fa9c4ebfc986b9babc2a805a10e281",
    )
    SIIM_SMALL = _s3("imagelocal/siim_small.tgz", 33.3, "2f88ac350dce1d971ecbb5ec722da75f")
    TCGA_SMALL = _s3("imagelocal/tcga_small.tgz", 14.7, "3ceffe7cf522cb1c60e93dc555d8817f")
    OPENAI_TRANSFORMER = _s3("modelzoo/transformer.tgz", 432.8, "024b0d2203ebb0cd1fc64b27cf8af18e")
    WT103_FWD = _s3("modelzoo/wt103-fwd.tgz")
    WT103_BWD = _s3("modelzoo/wt103-bwd.tgz")

    # What comes with Lamina.
    ADULT = _bundled("adult")
    BCCD = _bundled("bccd")
    CALIFORNIA_HOUSING = _bundled("california_housing")
    DICOM_SAMPLE = _bundled("dicom_sample")
    KNOWN_PHOTOS = _bundled("known_photos")
    NAMES18 = _bundled("names18")
    OXFORD_PETS = _bundled("oxford_pets")
    PENGUINS = _bundled("penguins")
    RATINGS = _bundled("ratings")
    TITANIC = _bundled("titanic")
    TOKENIZERS = _bundled("tokenizers")
    UDHR_MULTILINGUAL = _bundled("udhr_multilingual")
    WIKITEXT2 = _bundled("wikitext2")
    MNIST_IDX = _bundled("mnist")

    @classmethod
    def names(cls) -> list[str]:
        """Return the names of all known sets."""
        return [name for name, value in vars(cls).items() if isinstance(value, Source)]

    @staticmethod
    def path(url: str, c_key: str = "archive") -> Path:
        """Return where `untar_data` puts a set that it downloads, whether it is there or not.

        Args:
            url: see `untar_data`.
            c_key: "archive" for the file, "data" or "model" for the folder that it is unpacked to.

        Raises:
            UnknownNameError: the name, or the key, is not known.

        Example:
            >>> URLs.path("PETS").name, URLs.path("PETS", "data").name
            ('oxford-iiit-pet.tgz', 'oxford-iiit-pet')
        """
        source = find_source(url)
        if c_key not in FOLDERS:
            raise UnknownNameError("c_key", c_key, FOLDERS, where="URLs.path")
        return home() / FOLDERS[c_key] / (source.file if c_key == "archive" else source.stem)


ALIKE = {  # bundled, from the same data, but other files: only told of, never put in their place
    URLs.ADULT_SAMPLE: "ADULT",
    URLs.MNIST: "MNIST_IDX",
    URLs.MNIST_SAMPLE: "MNIST_TINY",
    URLs.PETS: "OXFORD_PETS",
    URLs.WIKITEXT_TINY: "WIKITEXT2",
}


def find_source(url: str) -> Source:
    """Return the known facts about an address, an attribute name of `URLs`, or a sample's name.

    Raises:
        UnknownNameError: it is neither a known name nor the address of a file.

    Example:
        >>> find_source("PETS") == find_source(str(URLs.PETS)) == URLs.PETS
        True
        >>> find_source("https://example.org/birds.zip").stem
        'birds'
    """
    if isinstance(url, Source):
        return url
    known = {name: getattr(URLs, name) for name in URLs.names()}
    for name, source in known.items():
        if url in (name, source) or (source.bundled and url == source.sample):
            return source
    if "://" not in str(url) or not Source(url).stem.strip("."):
        raise UnknownNameError("data set", str(url), known, where="untar_data")
    return Source(url)
