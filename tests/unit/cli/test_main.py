"""The `lamina` command."""

import shutil
import subprocess
import sys
import tarfile

import pytest

from lamina import __version__
from lamina.cli.main import main


@pytest.fixture
def cats(samples, tmp_path):
    """Return a folder of cats: `train/breed/x.jpg` and `valid/breed/x.jpg`."""
    with tarfile.open(samples / "oxford_pets.tgz") as archive:
        archive.extractall(tmp_path, filter="data")
    for breed in ("Abyssinian", "Bengal"):
        files = sorted((tmp_path / "oxford_pets" / "images").glob(f"{breed}_*.jpg"))
        for k, file in enumerate(files[:16]):
            folder = tmp_path / "cats" / ("train" if k < 12 else "valid") / breed
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copy(file, folder / f"{k}.jpg")
    return tmp_path / "cats"


def test_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"lamina {__version__}\n"


def test_without_a_command_it_says_what_there_is(capsys):
    assert main([]) == 0
    assert "look for faults in a folder of pictures" in capsys.readouterr().out


def test_clean_folder(cats, capsys):
    assert main(["check", str(cats), "--skip", "speed", "--size", "64", "--bs", "8"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Looked at 32 items (train 24, valid 8): no problems found")
    assert "TensorImage     8x3x64x64" in out


def test_broken_file_makes_it_fail(cats, capsys):
    (cats / "train" / "Bengal" / "1.jpg").write_bytes(b"no picture")
    assert main(["check", str(cats), "--skip", "speed", "--skip", "batches", "--bs", "8"]) == 1
    assert "error     unreadable  1      train/Bengal/1.jpg" in capsys.readouterr().out


def test_a_folder_smaller_than_a_batch_is_no_reason_to_warn(cats, capsys):
    assert main(["check", str(cats), "--skip", "speed", "--size", "32"]) == 0
    assert "TensorImage     24x3x32x32" in capsys.readouterr().out


def test_folder_without_a_split_is_split_at_random(cats, capsys):
    options = ["--kind", "folder", "--valid-pct", "0.25", "--skip", "speed", "-n", "5", "--bs", "8"]
    assert main(["check", str(cats), *options]) == 0
    assert "Looked at 10 items (train 5, valid 5)" in capsys.readouterr().out


def test_empty_folder_is_refused(tmp_path, capsys):
    assert main(["check", str(tmp_path)]) == 2
    assert capsys.readouterr().err.startswith(f"lamina: there are no pictures below {tmp_path}.")


def test_it_is_a_program():
    command = [sys.executable, "-m", "lamina.cli.main", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == f"lamina {__version__}\n"
