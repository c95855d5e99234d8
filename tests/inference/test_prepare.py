import io

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from fitbench.data.image_pixels import fitted
from fitbench.data.loading import load
from fitbench.inference.decoding import decode
from fitbench.inference.prepare import Prepare, default_prepare, prepare_image, prepare_images

SHAPE = (28, 28, 1)


@pytest.fixture(scope="module")
def digits(configure) -> np.ndarray:
    """Return two images of each digit of MNIST: uint8 [20, 28, 28]."""
    data = load(configure().data)
    chosen = [i for digit in range(10) for i in np.flatnonzero(data.y_test == digit)[:2]]
    return data.x_test[chosen, ..., 0]


def auto(image: Image.Image, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return prepare_image(image, shape, Prepare.auto)[..., 0]


def enlarged(digit: np.ndarray, size: tuple[int, int] = (400, 300), side: int = 180, at=(170, 30)) -> np.ndarray:
    """Return the ink of an enlarged digit in a larger field, float32 [height, width] from 0 to 1."""
    field = np.zeros((size[1], size[0]), np.float32)
    larger = Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)
    field[at[1] : at[1] + side, at[0] : at[0] + side] = np.asarray(larger, np.float32) / 255
    return field


def photographed(
    ink: np.ndarray, paper: float = 200, pen: float = 60, slope: float = 60, noise: float = 6
) -> np.ndarray:
    """Return ink on grey paper that is lighter on one side, uint8."""
    light = paper + slope * np.linspace(-0.5, 0.5, ink.shape[1])[None, :]
    grain = np.random.default_rng(0).normal(0, noise, ink.shape)
    return np.clip(light * (1 - ink) + pen * ink + grain, 0, 255).astype(np.uint8)


def similarity(first: np.ndarray, second: np.ndarray) -> float:
    """Return the correlation of two images after a slight blur, which reduces the effect of a shift by one pixel."""
    blurred = [
        np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(1))).ravel() for image in (first, second)
    ]
    return float(np.corrcoef(*blurred)[0, 1])


def as_jpeg(pixels: np.ndarray) -> Image.Image:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=75)
    return decode(file, "x")


def test_none_prepares_as_reading_a_data_set_does(digits):
    image = Image.fromarray(photographed(enlarged(digits[0])))
    for shape in (SHAPE, (8, 8, 1), (32, 20, 3)):
        assert np.array_equal(prepare_image(image, shape, Prepare.none), fitted(image, shape))


def test_digits_of_mnist_are_not_changed(digits):
    for digit in digits:
        assert np.array_equal(auto(Image.fromarray(digit)), digit)


def test_inverted_digits_are_inverted_back_exactly(digits):
    for digit in digits:
        assert np.array_equal(auto(Image.fromarray(255 - digit)), digit)


def test_images_prepared_together_equal_images_prepared_alone(digits):
    images = np.concatenate([digits, 255 - digits, np.roll(digits, 3, axis=2), np.zeros((1, 28, 28), np.uint8)])
    together = prepare_images(images[..., None], Prepare.auto)[..., 0]
    assert all(
        np.array_equal(result, auto(Image.fromarray(image))) for result, image in zip(together, images, strict=True)
    )
    assert np.array_equal(prepare_images(images[..., None], Prepare.none)[..., 0], images)


@pytest.mark.parametrize(
    "changed",
    [
        lambda ink: Image.fromarray((255 * ink).astype(np.uint8)),
        lambda ink: Image.fromarray((255 - 255 * ink).astype(np.uint8)),
        lambda ink: Image.fromarray(((1 - ink) * 255).astype(np.uint8)).convert("RGB"),
        lambda ink: as_jpeg(photographed(ink)),
        lambda ink: as_jpeg(photographed(ink, paper=60, pen=200)),
        lambda ink: as_jpeg(photographed(ink, paper=170, pen=50, slope=120, noise=8)),
        lambda ink: as_jpeg(photographed(ink, paper=220, pen=170, noise=3)),
    ],
    ids=["white on black", "black on white", "colour", "photo", "blackboard", "uneven light", "pencil"],
)
def test_digit_anywhere_in_an_image_looks_like_mnist(digits, changed):
    similarities = [similarity(auto(changed(enlarged(digit))), digit) for digit in digits]
    assert min(similarities) > 0.8
    assert np.median(similarities) > 0.93


def test_digit_fills_20_pixels_and_is_centred_by_its_mass(digits):
    for digit in digits:
        result = auto(as_jpeg(photographed(enlarged(digit)))).astype(float)
        inked = result > 60
        sides = [np.flatnonzero(inked.any(axis=axis)) for axis in (0, 1)]
        assert 17 <= max(at[-1] - at[0] + 1 for at in sides) <= 20
        assert max(np.flatnonzero(result.any(axis=axis)).size for axis in (0, 1)) <= 20
        centre = [result.sum(axis=axis) @ np.arange(28) / result.sum() for axis in (0, 1)]
        assert np.abs(np.array(centre) - 14).max() <= 0.51
        assert result.max() == 255


def test_crop_without_a_margin_is_prepared(digits):
    for digit in digits:
        ink = enlarged(digit)
        rows, columns = (np.flatnonzero((ink > 0.3).any(axis=axis)) for axis in (1, 0))
        crop = photographed(ink[rows[0] - 2 : rows[-1] + 3, columns[0] - 2 : columns[-1] + 3], slope=10)
        assert similarity(auto(Image.fromarray(crop)), digit) > 0.8


@pytest.mark.parametrize("noise", [0, 5])
def test_stroke_that_fills_its_crop_is_ink(noise):
    ink = np.zeros((200, 44), np.float32)
    ink[3:-3, 3:-3] = 1
    result = auto(Image.fromarray(photographed(ink, slope=0, noise=noise)))
    assert (result[6:22, 13:16] > 127).all()
    assert not result[:, [*range(10), *range(18, 28)]].any()


def test_specks_are_removed(digits):
    for digit in digits:
        pixels = photographed(enlarged(digit), slope=20)
        pixels[40:44, 60:64] = pixels[250:254, 100:104] = 60
        assert similarity(auto(Image.fromarray(pixels)), digit) > 0.8


def test_strokes_of_a_fine_pen_are_widened():
    image = Image.new("L", (600, 600), 255)
    ImageDraw.Draw(image).line([(150, 100), (450, 100), (250, 500)], fill=0, width=4)
    result = auto(image)
    assert (result > 127).sum() > 40
    assert (result > 127).sum(axis=1)[8:20].min() >= 1


@pytest.mark.parametrize("level", [0, 128, 255])
@pytest.mark.parametrize("noise", [0, 5])
@pytest.mark.parametrize("size", [(28, 28), (300, 200), (1, 1), (1, 50), (3, 2)])
def test_image_without_ink_becomes_black(level, noise, size):
    grain = np.random.default_rng(0).normal(0, noise, size[::-1])
    assert not auto(Image.fromarray(np.clip(level + grain, 0, 255).astype(np.uint8))).any()


def test_any_pixels_give_an_image():
    random = np.random.default_rng(0)
    for _ in range(40):
        height, width = random.integers(1, 90, 2)
        pixels = random.choice([0, 60, 200, 255], (height, width)).astype(np.uint8)
        assert auto(Image.fromarray(pixels)).shape == (28, 28)


def test_other_sizes_keep_the_proportions(digits):
    image = Image.fromarray(photographed(enlarged(digits[0])))
    for side in (8, 56):
        result = auto(image, (side, side, 1))
        assert result.shape == (side, side)
        sides = [np.flatnonzero((result > 60).any(axis=axis)) for axis in (0, 1)]
        assert abs(max(at[-1] - at[0] + 1 for at in sides) - 20 / 28 * side) <= 2


def test_colour_is_only_resized(digits):
    image = Image.fromarray(photographed(enlarged(digits[0]))).convert("RGB")
    shape = (28, 28, 3)
    assert np.array_equal(prepare_image(image, shape, Prepare.auto), fitted(image, shape))


def test_large_photo_is_prepared(digits):
    image = Image.fromarray(photographed(enlarged(digits[0], (3000, 2000), 1200, (900, 300))))
    assert similarity(auto(image), digits[0]) > 0.8


def test_auto_is_the_default_for_models_of_mnist_under_any_name(configure, tmp_path):
    mnist_5k = load(configure().data)
    for name, labels, prepare in (
        ("renamed", mnist_5k.y_train, Prepare.auto),
        ("mnist_like", mnist_5k.y_train[::-1], Prepare.none),
    ):
        arrays = {"y_train": labels, "x_test": mnist_5k.x_test, "y_test": mnist_5k.y_test}
        np.savez(tmp_path / f"{name}.npz", x_train=mnist_5k.x_train, **arrays)
        data = load(configure("data=npz", f"data.path={tmp_path / name}.npz").data)
        assert data.name == name
        assert default_prepare({"data": {"name": name, "sha256": data.sha256}}) is prepare
