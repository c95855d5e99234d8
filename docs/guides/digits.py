"""Write the 1,000 test images of mnist_5k into photos/<class>/ below the current folder."""

from pathlib import Path

from PIL import Image

from fitbench.data.builtin import read_builtin

data = read_builtin("mnist_5k")
for number, (image, label) in enumerate(zip(data.x_test, data.y_test, strict=True)):
    folder = Path("photos", str(label))
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image[..., 0]).save(folder / f"{number:03}.png")
