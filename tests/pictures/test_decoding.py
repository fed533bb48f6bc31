"""Every kind of picture file becomes the RGB that its writer meant."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from brainjax.errors import InputError
from brainjax.pictures import decoding
from brainjax.pictures.decoding import Rules, decode


def picture(height=6, width=9, channels=3, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (height, width, channels), np.uint8)


def encoded(image, kind='PNG', **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def pixels(content, **rules):
    found = decode(content, 'x', 'SOURCE', Rules(**rules))
    return np.asarray(found.image)


def png(colour, depth, rows, width, extra=b''):
    """A PNG of a kind that Pillow does not write."""

    def chunk(name, data):
        check = zlib.crc32(name + data)
        return (
            struct.pack('>I', len(data))
            + name
            + data
            + struct.pack('>I', check)
        )

    header = struct.pack('>IIBBBBB', width, len(rows), depth, colour, 0, 0, 0)
    data = b''.join(b'\0' + row for row in rows)
    return (
        b'\x89PNG\r\n\x1a\n'
        + chunk(b'IHDR', header)
        + (chunk(b'tRNS', extra) if extra else b'')
        + chunk(b'IDAT', zlib.compress(data))
        + chunk(b'IEND', b'')
    )


@pytest.mark.parametrize(
    ('kind', 'options', 'tolerance'),
    [
        ('PNG', {}, 0),
        ('TIFF', {}, 0),
        ('TIFF', {'compression': 'tiff_lzw'}, 0),
        ('TIFF', {'compression': 'tiff_deflate'}, 0),
        ('BMP', {}, 0),
        ('WEBP', {'lossless': True}, 0),
        ('JPEG', {'quality': 100, 'subsampling': 0}, 4),
        ('GIF', {}, 0),
    ],
)
def test_formats(kind, options, tolerance, tmp_path):
    image = picture()
    content = encoded(image, kind, **options)
    np.testing.assert_allclose(
        pixels(content).astype(int), image.astype(int), atol=tolerance
    )
    (tmp_path / 'x').write_bytes(content)
    np.testing.assert_array_equal(pixels(tmp_path / 'x'), pixels(content))


def test_first_of_several_frames():
    images = [Image.fromarray(picture(seed=seed)) for seed in range(3)]
    for kind in ('GIF', 'TIFF', 'WEBP'):
        options = {'lossless': True} if kind == 'WEBP' else {}
        content = encoded(
            images[0], kind, save_all=True, append_images=images[1:], **options
        )
        np.testing.assert_array_equal(pixels(content), picture(seed=0))


def test_sixteen_bits_keep_their_upper_eight():
    deep = picture(channels=1)[..., 0].astype(np.uint16) * 256 + 17
    expected = np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, axis=2)
    for kind in ('PNG', 'TIFF'):
        np.testing.assert_array_equal(pixels(encoded(deep, kind)), expected)
    row = struct.pack('>3H', 60000, 300, 5)
    assert pixels(png(2, 16, [row], 1)).tolist() == [[[234, 1, 0]]]
    for bad in (
        encoded(np.full((2, 2), 70000, np.int32), 'TIFF'),
        encoded(np.full((2, 2), 0.5, np.float32), 'TIFF'),
    ):
        with pytest.raises(InputError, match='save it with 8 or 16'):
            pixels(bad)


def test_one_bit_palette_and_cmyk():
    image = Image.new('1', (4, 2))
    image.putpixel((1, 0), 1)
    for kind in ('PNG', 'TIFF', 'BMP', 'GIF'):
        assert pixels(encoded(image, kind))[0, :2, 0].tolist() == [0, 255]
    few = Image.fromarray(picture(1, 4))
    for kind in ('PNG', 'BMP', 'TIFF', 'GIF'):
        np.testing.assert_array_equal(
            pixels(encoded(few.quantize(4), kind)), np.asarray(few)
        )
    ink = Image.new('CMYK', (16, 16), (255, 0, 0, 0))  # Pure cyan.
    for kind in ('JPEG', 'TIFF'):
        np.testing.assert_allclose(
            pixels(encoded(ink, kind)).astype(int),
            np.broadcast_to([0, 255, 255], (16, 16, 3)),
            atol=2,
        )


def test_what_is_transparent_lies_on_grey_unless_chosen():
    clear = picture(channels=4)
    expected = clear[..., :3] * (clear[..., 3:] / 255)
    below = 1 - clear[..., 3:] / 255
    for kind, options in (
        ('PNG', {}),
        ('TIFF', {}),
        ('WEBP', {'lossless': True, 'exact': True}),
    ):
        content = encoded(clear, kind, **options)
        assert decode(content, 'x', 'S').transparent
        for name, value in decoding.BACKGROUNDS.items():
            np.testing.assert_allclose(
                pixels(content, alpha=name), expected + below * value, atol=1
            )
        with pytest.raises(InputError, match='SOURCE: picture x cannot be'):
            pixels(content, alpha='refuse')
    np.testing.assert_array_equal(
        pixels(encoded(clear)), pixels(encoded(clear), alpha='grey')
    )
    opaque = clear.copy()
    opaque[..., 3] = 255
    found = decode(encoded(opaque), 'x', 'S', Rules('refuse'))
    assert not found.transparent
    np.testing.assert_array_equal(np.asarray(found.image), opaque[..., :3])


def test_transparent_colours_of_palettes_and_of_sixteen_bits():
    few = Image.new('P', (2, 1))
    few.putpalette([10, 20, 30, 40, 50, 60])
    few.putpixel((1, 0), 1)
    for kind in ('GIF', 'PNG'):
        content = encoded(few, kind, transparency=1)
        assert pixels(content).tolist() == [[[10, 20, 30], [128] * 3]]
    row = struct.pack('>2H', 60000, 60001)
    content = png(0, 16, [row], 2, struct.pack('>H', 60000))
    assert pixels(content).tolist() == [[[128] * 3, [234] * 3]]
    row = struct.pack('>6H', 60000, 300, 5, 1, 2, 3)
    content = png(2, 16, [row], 2, struct.pack('>3H', 60000, 300, 5))
    assert pixels(content).tolist() == [[[128] * 3, [0, 0, 0]]]


@pytest.mark.parametrize('tag', range(1, 9))
def test_pictures_are_turned_as_their_tag_says(tag):
    shown = picture(8, 16)
    # What is stored, by the definition of the tag: its first row and column
    # are these sides of what is shown.
    stored = {
        1: shown,
        2: shown[:, ::-1],
        3: shown[::-1, ::-1],
        4: shown[::-1],
        5: shown.transpose(1, 0, 2),
        6: shown.transpose(1, 0, 2)[::-1],
        7: shown[::-1, ::-1].transpose(1, 0, 2),
        8: shown.transpose(1, 0, 2)[:, ::-1],
    }[tag]
    image = Image.fromarray(np.ascontiguousarray(stored))
    exif = Image.Exif()
    exif[0x0112] = tag
    for kind in ('PNG', 'TIFF', 'WEBP'):
        options = {'lossless': True} if kind == 'WEBP' else {}
        content = encoded(image, kind, exif=exif, **options)
        np.testing.assert_array_equal(pixels(content), shown, err_msg=kind)
        as_stored = pixels(content, upright=False)
        np.testing.assert_array_equal(as_stored, stored, err_msg=kind)


def test_arrays():
    image = picture()
    for array in (image, np.float32(image) / 255):
        np.testing.assert_array_equal(pixels(array), image)
    grey = np.repeat(image[..., :1], 3, axis=2)
    for array in (image[..., 0], image[..., :1]):
        np.testing.assert_array_equal(pixels(array), grey)
    for bad in (
        image[..., :2],
        image[0, 0],
        image.astype(np.int32),
        np.float32(image),
        np.full((2, 2), np.nan),
    ):
        with pytest.raises(InputError, match='SOURCE: picture x cannot be'):
            pixels(bad)


def test_pixels_that_a_small_file_declares_are_bounded():
    header = struct.pack('>IIBBBBB', 12000, 12000, 8, 2, 0, 0, 0)
    content = bytearray(encoded(picture()))
    content[16:29] = header
    content[29:33] = struct.pack('>I', zlib.crc32(b'IHDR' + header))
    with pytest.raises(InputError, match='12000 x 12000 px in a file of'):
        pixels(bytes(content))
    gif = bytearray(encoded(picture(), 'GIF'))
    gif[6:10] = b'\xff' * 4  # The screen that the frames lie on.
    with pytest.raises(InputError, match='cannot be decoded'):
        pixels(bytes(gif))


def test_damage_is_one_sentence():
    rng = np.random.default_rng(0)
    image, sentences = picture(40, 40), []
    for kind in decoding.FORMATS:
        whole = encoded(image, kind)
        for _ in range(40):
            content = bytearray(whole)
            for _ in range(rng.integers(1, 10)):
                content[rng.integers(len(content))] = rng.integers(256)
            del content[rng.integers(len(content) // 2, len(content) + 1) :]
            try:
                pixels(bytes(content))
            except InputError as error:
                sentences.append(str(error))
    assert len(sentences) > 50
    assert not any('\n' in text for text in sentences)
