"""Which files below a folder are images, for training and for predict, and what is left out."""

import io
import os
import socket
import struct
import unicodedata
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fitbench.data.fingerprint import fingerprint
from fitbench.data.image_formats import HEAD_BYTES, begins_like_an_image
from fitbench.data.image_paths import LeftOut, Reason, image_paths
from fitbench.data.image_pixels import IMAGE_FORMATS
from fitbench.inference.sources import batches

NOISE = np.random.default_rng(0).integers(0, 256, (6, 8), np.uint8)


def encoded(format: str, mode: str = "L", **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(NOISE).convert(mode).save(file, format, **options)
    return file.getvalue()


def write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def found(folder: Path) -> tuple[list[str], LeftOut]:
    left_out = LeftOut()
    paths = list(image_paths(str(folder), left_out))
    return [path.removeprefix(f"{folder}/") for path in paths], left_out


# --- images by content

SAVED = [
    *[(format, mode) for format in ("PNG", "TIFF") for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")],
    *[("JPEG", "L"), ("JPEG", "RGB"), ("JPEG", "CMYK"), ("GIF", "L"), ("GIF", "P"), ("WEBP", "RGB"), ("WEBP", "RGBA")],
    *[("BMP", "1"), ("BMP", "L"), ("BMP", "RGB"), ("PPM", "1"), ("PPM", "L"), ("PPM", "RGB"), ("PPM", "F")],
]


@pytest.mark.parametrize(("format", "mode"), SAVED)
def test_files_of_every_format_are_recognised_by_their_first_bytes(format, mode):
    assert format in IMAGE_FORMATS
    assert begins_like_an_image(encoded(format, mode)[:HEAD_BYTES], "")


def test_other_variants_of_the_formats_are_recognised():
    assert begins_like_an_image(encoded("WEBP", "RGB", lossless=True)[:HEAD_BYTES], ".dat")
    assert begins_like_an_image(encoded("TIFF", big_tiff=True)[:HEAD_BYTES], "")
    assert begins_like_an_image(encoded("TIFF").replace(b"II*\0", b"MM\0*", 1)[:HEAD_BYTES], "")
    assert begins_like_an_image(b"P6\n# Created by GIMP version 2.10.34 PNM plug-in\n640 480\n255\n"[:HEAD_BYTES], "")
    assert begins_like_an_image(b"P2 6 8 255\n0 0 0", ".txt")


@pytest.mark.parametrize(
    "head",
    [
        *[b"", b"hello", b"BMW builds cars and motorcycles in Munich", b"P1 is the first patient", b"PS: nothing"],
        *[
            b"P4\n",
            b"%PDF-1.7",
            b"PK\x03\x04",
            b"\0\0\0\x18ftypheic\0\0\0\0",
            b"RIFF\0\0\0\0WAVEfmt ",
            b"GIF",
            b"\xff\xd8",
        ],
    ],
)
def test_other_files_are_no_images(head):
    assert not begins_like_an_image(head, "")


def test_renamed_images_are_found_and_other_files_are_counted(tmp_path):
    jpeg = encoded("JPEG")
    for name in ("a.JPG", "b.jfif", "c.jpe", "d", "e.jpg_large", "f.JPG.1", "deep/g.dat"):
        write(tmp_path / name, jpeg)
    write(tmp_path / "scan", encoded("TIFF"))
    for name in ("labels.csv", "notes.txt", "photo.heic"):
        write(tmp_path / name, b"BMI,height\n20,180\n")
    write(tmp_path / "raw.nef", encoded("TIFF"))
    write(tmp_path / "bad.png", b"no image, but it says so")
    names, left_out = found(tmp_path)
    assert names == [
        *["a.JPG", "b.jfif", "bad.png", "c.jpe", "d", "e.jpg_large", "f.JPG.1", "scan", "deep/g.dat"],
    ]
    assert str(left_out) == "4 files of no known image format (labels.csv, notes.txt, ..)"


def test_litter_is_left_out_by_its_known_names(tmp_path):
    jpeg = encoded("JPEG")
    kept = ["DSC1.jpg", "_DSC2.jpg", "thumbs/3.jpg"]
    litter = [
        *["@eaDir/DSC1.jpg/SYNOPHOTO_THUMB_M.jpg", "__MACOSX/._DSC1.jpg", "._DSC1.jpg", "Thumbs.db", ".DS_Store"],
        *[
            "desktop.ini",
            ".ipynb_checkpoints/a-checkpoint.png",
            "lost+found/1.jpg",
            "$RECYCLE.BIN/2.jpg",
            ".hidden.jpg",
        ],
    ]
    for name in (*kept, *litter):
        write(tmp_path / name, jpeg)
    names, left_out = found(tmp_path)
    assert names == kept
    assert left_out.counts == {Reason.LITTER: len(litter)}
    assert str(left_out).startswith("10 hidden or system entries ($RECYCLE.BIN, .DS_Store, ..)")


def test_one_of_each_is_named_in_one_line(tmp_path):
    write(tmp_path / "a.png", encoded("PNG"))
    write(tmp_path / "no\ntes.txt", b"")
    write(tmp_path / "Thumbs.db", b"")
    (tmp_path / "up").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "fifo.png")
    _, left_out = found(tmp_path)
    assert set(str(left_out).split(", ")) == {
        "1 hidden or system entry (Thumbs.db)",
        "1 pipe or device (fifo.png)",
        "1 link to a folder above it or listed already (up)",
        r"1 file of no known image format (no\ntes.txt)",
    }


# --- files that are not files, and links


def test_pipes_sockets_and_devices_are_left_out_and_links_to_nothing_are_not(tmp_path):
    for name in ("fifo", "fifo.png"):
        os.mkfifo(tmp_path / name)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket.jpg"))
    (tmp_path / "zero.png").symlink_to("/dev/zero")
    (tmp_path / "gone.png").symlink_to("nothing.png")
    (tmp_path / "circle.png").symlink_to("circle.png")
    (tmp_path / "gone").symlink_to("nothing")
    names, left_out = found(tmp_path)
    assert names == ["circle.png", "gone.png"]  # images that are missing: reading them fails
    assert left_out.counts == {Reason.SPECIAL: 4, Reason.UNREADABLE: 1}


@pytest.mark.parametrize("target", ["/", ".", "..", "../..", "/proc", "/sys/kernel", "/dev/fd"])
def test_links_to_folders_above_and_to_the_kernel_are_not_followed(tmp_path, target):
    for name in ("sibling.png", "set/1.png", "set/deep/2.png"):
        write(tmp_path / name, encoded("PNG"))
    (tmp_path / "set/deep/link").symlink_to(target)
    names, left_out = found(tmp_path / "set")
    assert names == ["1.png", "deep/2.png"]
    assert left_out.counts == {Reason.LINK: 1}


def test_linked_folders_are_followed_and_each_folder_is_listed_once(tmp_path):
    write(tmp_path / "set/1.png", encoded("PNG"))
    write(tmp_path / "elsewhere/inner/2.png", encoded("PNG"))
    write(tmp_path / "3.png", encoded("PNG"))
    (tmp_path / "elsewhere/inner/up").symlink_to("../..")  # above the place where it really is
    for name in ("a", "b"):
        (tmp_path / "set" / name).symlink_to("../elsewhere/inner")
    names, left_out = found(tmp_path / "set")
    assert names == ["1.png", "a/2.png"]
    assert left_out.counts == {Reason.LINK: 2}


def test_a_folder_may_itself_be_a_link(tmp_path):
    write(tmp_path / "set/cat/1.png", encoded("PNG"))
    (tmp_path / "link").symlink_to("set")
    assert found(tmp_path / "link")[0] == ["cat/1.png"]


# --- one rule for all who read folders


def test_predict_and_training_read_the_same_files(tmp_path):
    for name in ("b/1.jfif", "b/2", "a/@eaDir/3.jpg", "a/4.jpg", "5.jpg", "a/readme"):
        write(tmp_path / name, b"no image" if name == "a/readme" else encoded("JPEG"))
    left_out = LeftOut()
    [batch] = batches([str(tmp_path)], {}, 10, False, left_out)
    names, expected = found(tmp_path)
    assert (
        [name.removeprefix(f"{tmp_path}/") for name in batch.names] == names == ["5.jpg", "a/4.jpg", "b/1.jfif", "b/2"]
    )
    assert str(left_out) == str(expected)


def test_only_what_may_be_read_belongs_to_the_fingerprint(tmp_path):
    write(tmp_path / "cat/1.jfif", encoded("JPEG"))
    before = fingerprint(tmp_path)
    write(tmp_path / "cat/@eaDir/1.jfif/SYNOPHOTO_THUMB_M.jpg", encoded("JPEG"))
    write(tmp_path / "cat/Thumbs.db", b"")
    (tmp_path / "cat/root").symlink_to("/")
    os.mkfifo(tmp_path / "cat/fifo.png")
    assert fingerprint(tmp_path) == before
    write(tmp_path / "cat/2", encoded("JPEG"))
    assert fingerprint(tmp_path) != before


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_order_does_not_depend_on_how_a_file_system_writes_names(tmp_path, form):
    names = ["Zebra.png", "Äpfel.png", "Ölige.png", "zebra.png", "a/Ä/1.png"]
    for name in names:
        write(tmp_path / unicodedata.normalize(form, name), encoded("PNG"))
    listed, _ = found(tmp_path)
    assert [unicodedata.normalize("NFC", name) for name in listed] == [
        *["Zebra.png", "zebra.png", "Äpfel.png", "Ölige.png", "a/Ä/1.png"]
    ]


def test_big_headers_of_images_are_recognised_although_only_their_beginning_is_read(tmp_path):
    comment = b"\xff\xfe" + struct.pack(">H", 60_002) + bytes(60_000)
    jpeg = encoded("JPEG")
    write(tmp_path / "a", jpeg[:2] + comment + jpeg[2:])
    assert found(tmp_path)[0] == ["a"]
