import subprocess
import sys


def modules_after(code):
    listing = f"{code}; import sys; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True
    )
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_importing_viz_loads_no_heavy_library():
    loaded = modules_after(
        "import lamina.viz.canvas, lamina.viz.curves, lamina.viz.images, lamina.viz.tables, "
        "lamina.viz.titles"
    )
    assert "lamina" in loaded
    assert not loaded & {"matplotlib", "pandas", "torch", "PIL", "scipy"}


def test_importing_tensor_loads_no_drawing_or_frames():
    loaded = modules_after(
        "import lamina.tensor.types, lamina.tensor.bundle, lamina.tensor.collate"
    )
    assert not loaded & {"matplotlib", "pandas", "PIL"}


def test_drawing_keeps_the_users_backend():
    code = (
        "import matplotlib; matplotlib.use('svg')\n"
        "from lamina.viz.images import show_image\n"
        "show_image([[0, 1]]); print(matplotlib.get_backend())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().lower() == "svg"
