import keras
import numpy as np
import pytest
from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates

from fitbench.config import Affine, Elastic, LeCun, NoDistortion
from fitbench.data.loading import load
from fitbench.models.distortions import RandomAffine, RandomElastic, distorted, distorting
from fitbench.models.elastic import displacement_factor
from fitbench.models.resampling import resample
from fitbench.training import networks

DISTORTIONS = [
    Affine(kind="affine", rotation=10, translation=0.08, zoom=0.1),
    LeCun(kind="lecun", shift=0.08, scale=0.12, skew=0.3, compression=0.12),
    Elastic(kind="elastic", sigma=4, alpha=34),
]
by_kind = pytest.mark.parametrize("distortion", DISTORTIONS, ids=lambda distortion: distortion.kind)


@pytest.fixture(scope="module")
def digits(configure):
    """32 handwritten digits, uint8 [32, 28, 28, 1]."""
    return load(configure("data=mnist_5k").data).x_train[::150][:32]


def array(tensor) -> np.ndarray:
    return keras.ops.convert_to_numpy(tensor)


def moved(images, layer, **amounts) -> np.ndarray:
    """What an affine layer makes of images where it draws these amounts, as fractions of its maxima."""
    order = ("rotation", "right", "down", "width", "height", "scale", "compression", "skew")
    drawn = np.zeros((len(order), len(images), 1, 1), np.float32)
    for name, amount in amounts.items():
        drawn[order.index(name)] = amount
    return array(layer.resampled(images, drawn))


# -- resampling -------------------------------------------------------------------------------------------------------


def test_resampling_is_bilinear_and_zero_outside():
    random = np.random.default_rng(0)
    images = random.integers(0, 256, (5, 9, 7, 3), dtype=np.uint8)
    rows = (random.normal(0, 3, (5, 9, 7)) + np.arange(9)[:, None]).astype(np.float32)
    columns = (random.normal(0, 3, (5, 9, 7)) + np.arange(7)).astype(np.float32)
    found = array(resample(images, rows, columns))
    for image, its_rows, its_columns, result in zip(images, rows, columns, found, strict=True):
        for channel in range(3):
            framed = np.pad(image[..., channel], 9).astype(float)
            places = np.clip([its_rows + 9, its_columns + 9], 0, [[[26]], [[24]]])
            expected = map_coordinates(framed, places, order=1)
            assert np.abs(result[..., channel] - expected).max() <= 0.5 + 1e-3
    assert (found == np.round(found)).all()


def test_positions_far_outside_give_the_background():
    images = np.full((2, 4, 4, 1), 255, np.uint8)
    for far in (-1.0, -1e6, 4.0, 1e6):
        assert array(resample(images, np.full((2, 4, 4), far, "f4"), np.full((2, 4, 4), 1, "f4"))).max() == 0
        assert array(resample(images, np.full((2, 4, 4), 1, "f4"), np.full((2, 4, 4), far, "f4"))).max() == 0


# -- affine maps ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "layer", [RandomAffine(seed=0), RandomElastic(4, 0, seed=0), RandomElastic(0.4, 0, seed=0)], ids=["a", "e", "small"]
)
def test_no_amount_gives_the_identical_images(digits, layer):
    assert (array(layer(digits, training=True)) == digits).all()


@pytest.mark.parametrize(("right", "down"), [(3, 0), (0, -2), (-5, 4)])
def test_shift_by_whole_pixels_moves_the_array_and_zeros_come_in(digits, right, down):
    framed = np.pad(digits, [(0, 0), (5, 5), (5, 5), (0, 0)])
    expected = np.roll(framed, (down, right), axis=(1, 2))[:, 5:-5, 5:-5]
    found = moved(digits, RandomAffine(shift=0.25, seed=0), right=right / 7, down=down / 7)
    assert (found == expected).all()


@pytest.mark.parametrize(
    ("amount", "matrix"),  # [x, y] about the middle goes to matrix @ [x, y]
    [
        ({"rotation": 1}, [[0, -1], [1, 0]]),  # by 90 degrees
        ({"skew": 1}, [[1, 0.5], [0, 1]]),
        ({"scale": 1}, [[1.2, 0], [0, 1.2]]),
        ({"scale": -1}, [[0.8, 0], [0, 0.8]]),
        ({"compression": -1}, [[0.6, 0], [0, 1 / 0.6]]),
        ({"width": 1}, [[1.3, 0], [0, 1]]),
        ({"height": -1}, [[1, 0], [0, 0.7]]),
    ],
)
def test_each_amount_is_the_map_that_it_is_named_for(digits, amount, matrix):
    layer = RandomAffine(rotation=90, skew=0.5, scale=0.2, compression=0.4, width=0.3, height=0.3, seed=0)
    found = moved(digits, layer, **amount)
    back = np.linalg.inv(np.array(matrix, float)[::-1, ::-1])  # as rows and columns, from the new image to the old
    middle = np.array([13.5, 13.5])
    for image, result in zip(digits[..., 0], found[..., 0], strict=True):
        expected = affine_transform(image.astype(float), back, middle - back @ middle, order=1)
        inside = np.s_[3:-3, 3:-3]  # SciPy has no half background at the edge
        assert np.abs(result - expected)[inside].max() <= 0.51


def test_amounts_are_uniform_between_their_maxima():
    drawn = array(RandomAffine(seed=3).drawn((20_000, 28, 28, 1)))
    assert drawn.shape == (8, 20_000, 1, 1)
    for amounts in drawn:
        assert np.quantile(amounts, [0, 0.25, 0.5, 0.75, 1]) == pytest.approx([-1, -0.5, 0, 0.5, 1], abs=0.03)
    assert np.abs(np.corrcoef(drawn[..., 0, 0]) - np.eye(8)).max() < 0.04


# -- elastic ----------------------------------------------------------------------------------------------------------


def test_displacements_have_the_covariance_of_smoothed_uniform_noise():
    """Against the procedure of Simard et al. 2003, step by step, on noise that goes on outside of the image."""
    layer = RandomElastic(4, 34, seed=0)
    layer.build((None, 28, 28, 1))
    drawn = array(layer.drawn((3000, 28, 28, 1))).reshape(6000, 28, 28)
    random = np.random.default_rng(0)
    smoothed = np.stack([34 * gaussian_filter(random.uniform(-1, 1, (60, 60)), 4)[16:-16, 16:-16] for _ in range(3000)])
    assert drawn.std() == pytest.approx(34 / (np.sqrt(3) * 2 * np.sqrt(np.pi) * 4), rel=0.02)
    assert drawn.std() == pytest.approx(smoothed.std(), rel=0.03)
    assert drawn.std(axis=0).min() > 0.95 * drawn.std(axis=0).max() - 0.05  # also at the edges
    for down, across in ((0, 3), (4, 0), (5, 5), (0, 10)):
        ours, theirs = (
            np.mean(fields[:, : 28 - down, : 28 - across] * fields[:, down:, across:]) for fields in (drawn, smoothed)
        )
        assert ours == pytest.approx(theirs, abs=0.06)
    assert np.quantile(drawn, [0.01, 0.9]) == pytest.approx(np.quantile(smoothed, [0.01, 0.9]), abs=0.06)
    rows, columns = array(layer.drawn((3000, 28, 28, 1)))[:, :, 14, 14].T
    assert abs(np.corrcoef(rows, columns)[0, 1]) < 0.06


@pytest.mark.parametrize(("pixels", "sigma"), [(28, 4.0), (28, 0.5), (5, 30.0), (1, 4.0)])
def test_factor_gives_every_pixel_nearly_the_whole_variance(pixels, sigma):
    factor = displacement_factor(pixels, sigma, 34).astype(float)
    kernel = np.exp(-0.5 * (np.arange(-400, 401) / sigma) ** 2)
    whole = 34 / np.sqrt(3) * np.sum((kernel / kernel.sum()) ** 2)
    assert np.trace(factor @ factor.T) / pixels == pytest.approx(whole, rel=2e-3)
    assert len(factor.T) <= pixels


def test_elastic_distortion_works_on_images_that_are_not_square():
    images = np.random.default_rng(0).integers(0, 256, (4, 12, 30, 3), dtype=np.uint8)
    found = array(RandomElastic(3, 20, seed=0)(images, training=True))
    assert found.shape == images.shape
    assert (found != images).mean() > 0.5


@by_kind
def test_distortions_keep_the_ink_roughly_and_the_pixels_whole(digits, distortion):
    layer = distorting(distortion, 5)
    found = np.concatenate([array(layer(digits, training=True)) for _ in range(8)])
    before = np.tile(digits.sum(axis=(1, 2, 3), dtype=float), 8)
    ratio = found.sum(axis=(1, 2, 3)) / before
    assert 0.9 < ratio.mean() < 1.15
    assert ratio.min() > 0.4
    assert (found == np.round(found)).all()
    assert (found.min(), found.max()) == (0, 255)
    assert (found != np.tile(digits, (8, 1, 1, 1))).mean() > 0.05


# -- in training ------------------------------------------------------------------------------------------------------


@by_kind
def test_same_seed_gives_the_same_images_and_every_call_new_ones(digits, distortion):
    first, again, other = (distorting(distortion, seed) for seed in (1, 1, 2))
    one, two = (array(first(digits, training=True)) for _ in range(2))
    assert (one != two).any(axis=(1, 2, 3)).all()
    assert [np.array_equal(seen, array(again(digits, training=True))) for seen in (one, two)] == [True, True]
    assert (one != array(other(digits, training=True))).any(axis=(1, 2, 3)).all()


@by_kind
def test_all_randomness_is_in_the_variables(digits, distortion):
    layer = distorting(distortion, 1)
    states = [variable.numpy() for variable in layer.variables]
    assert len(states) == 1
    first = array(layer(digits, training=True))
    layer.variables[0].assign(states[0])
    assert (array(layer(digits, training=True)) == first).all()


@by_kind
def test_evaluation_is_undistorted(digits, distortion):
    images = keras.Input((28, 28, 1), dtype="uint8")
    model = distorted(keras.Model(images, keras.ops.cast(images, "float32")), (28, 28, 1), distortion, 0)
    state = [variable.numpy() for variable in model.variables]
    assert (array(model(digits, training=False)) == digits).all()
    assert (model.predict(digits, verbose=0) == digits).all()
    assert all((before == after.numpy()).all() for before, after in zip(state, model.variables, strict=True))
    assert (array(model(digits, training=True)) != digits).any()


def test_no_distortion_is_no_layer():
    assert distorting(NoDistortion(kind="none"), 0) is None


@pytest.mark.parametrize("kind", ["elastic", pytest.param("lecun", marks=pytest.mark.long)])
def test_seed_of_a_run_decides_its_distortions_whatever_the_process_has_trained(trained, kind):
    options = ("data=digits", "model=softmax", f"distortion={kind}", "training.epochs=2", "training.batch_size=100")
    networks._kept.clear()
    metrics = [trained(*options, f"seed={seed}")[1]["metrics"] for seed in (1, 2, 1)]
    assert metrics[0] == metrics[2] != metrics[1]
    assert trained(*options, "seed=1", "distortion=none")[1]["metrics"] != metrics[0]
