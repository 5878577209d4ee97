"""The Triton kernels are the recurrence: under Triton's interpreter, and on a GPU where one is."""

import pytest
import torch

from lamina.text.models import scan_triton
from lamina.text.models.qrnn import QRNN, forget_mult

triton = pytest.importorskip("triton")
pytestmark = pytest.mark.interop

SHAPES = [(1, 1, 1), (2, 1, 5), (1, 2, 128), (3, 7, 130), (2, 12, 300)]
NEAR = {torch.float32: 1e-5, torch.float16: 5e-3, torch.bfloat16: 4e-2}
GPUS = [("cuda", 75, 32), ("cuda", 80, 32), ("cuda", 90, 32), ("hip", "gfx942", 64)]


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(1)
    yield
    scan_triton._kernels.cache_clear()
    scan_triton.works_on.cache_clear()


@pytest.fixture
def interpreted(monkeypatch):
    monkeypatch.setenv("TRITON_INTERPRET", "1")


def inputs(batch, time, features, dtype=torch.float64, device="cpu"):
    values = torch.randn(batch, time, features, dtype=dtype, device=device)
    start = torch.randn(batch, features, dtype=dtype, device=device)
    return [x.requires_grad_() for x in (values, torch.rand_like(values), start)]


def recurrence(values, forget, start):
    states = [start]
    for t in range(values.shape[1]):
        states.append(forget[:, t] * states[-1] + (1 - forget[:, t]) * values[:, t])
    return torch.stack(states[1:], 1)


def check_against_recurrence(given, grad, near):
    exact = [x.detach().double().requires_grad_() for x in given]
    ours, plain = forget_mult(*given, kernel="triton"), recurrence(*exact)
    scan = forget_mult(*given, kernel="torch")
    got = ours, *torch.autograd.grad(ours, given, grad)
    as_scan = scan, *torch.autograd.grad(scan, given, grad)
    wanted = plain, *torch.autograd.grad(plain, exact, grad.double())

    for a, b, c in zip(got, as_scan, wanted, strict=True):
        torch.testing.assert_close(a, b, rtol=near, atol=near)  # of one type, too
        torch.testing.assert_close(a.double(), c, rtol=near, atol=near)


@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("shape", SHAPES)
def test_values_and_gradients_are_those_of_the_recurrence(interpreted, shape, dtype):
    check_against_recurrence(inputs(*shape, dtype), torch.randn(shape, dtype=dtype), NEAR[dtype])


def test_it_does_not_matter_how_the_inputs_lie(interpreted):
    values = torch.randn(5, 4, 2).permute(2, 1, 0).requires_grad_()
    forget = torch.rand(2, 4, 10)[..., ::2].requires_grad_()
    start = torch.randn(5, 2).T.requires_grad_()

    check_against_recurrence([values, forget, start], torch.randn(2, 1, 1).expand(2, 4, 5), 1e-5)


def test_a_state_in_float32_widens_the_result(interpreted):
    values, forget, start = inputs(2, 4, 3, torch.float16)
    check_against_recurrence([values, forget, start.detach().float().requires_grad_()],
                             torch.randn(2, 4, 3), 5e-3)  # fmt: skip


def test_the_first_and_second_derivatives_are_right(interpreted):
    def scan(*x):
        return forget_mult(*x, kernel="triton")

    assert torch.autograd.gradcheck(scan, inputs(2, 4, 3))
    assert torch.autograd.gradgradcheck(scan, inputs(2, 3, 2))


@pytest.mark.parametrize("shape", [(0, 3, 2), (2, 0, 3), (2, 3, 0)])
def test_of_no_texts_no_time_or_no_features_nothing_comes_out(interpreted, shape):
    assert forget_mult(*inputs(*shape), kernel="triton").shape == shape


def test_under_the_interpreter_a_model_takes_the_kernels_by_itself(monkeypatch):
    model, x = QRNN(4, 6, n_layers=2, bidir=True), torch.randn(2, 5, 4)
    without = model(x)[0]
    assert not scan_triton.uses_triton(None, x)

    monkeypatch.setenv("TRITON_INTERPRET", "1")
    assert scan_triton.uses_triton(None, x)
    assert not scan_triton.uses_triton("torch", x)
    torch.testing.assert_close(model(x)[0], without)


def test_what_is_compiled_has_the_scan_of_pytorch(interpreted):
    model, x = QRNN(4, 6), torch.randn(2, 5, 4)
    compiled = torch.compile(model, backend="aot_eager", fullgraph=True)

    torch.testing.assert_close(compiled(x)[0], model(x)[0])


@pytest.mark.parametrize("dtype", ["fp32", "fp16", "bf16", "fp64"])
@pytest.mark.parametrize("gpu", GPUS, ids=str)
def test_the_kernels_compile_for_gpus_that_are_not_here(monkeypatch, tmp_path, gpu, dtype):
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    monkeypatch.setenv("TRITON_CACHE_DIR", str(tmp_path))
    state = "*fp64" if dtype == "fp64" else "*fp32"
    for kernel in scan_triton._kernels():
        types = {name: state if "start" in name else f"*{dtype}" for name in kernel.arg_names}
        source = ASTSource(kernel, types | {"time": "i32", "features": "i32"})
        code = triton.compile(source, target=GPUTarget(*gpu)).asm
        assert code["cubin" if gpu[0] == "cuda" else "hsaco"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("dtype", NEAR)
@pytest.mark.parametrize("shape", [*SHAPES, (64, 72, 1552)])
def test_on_a_gpu_they_are_chosen_and_right(shape, dtype):
    given = inputs(*shape, dtype, "cuda")
    assert scan_triton.uses_triton(None, given[0])
    check_against_recurrence(given, torch.randn_like(given[0]), NEAR[dtype])
