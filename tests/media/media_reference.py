"""Writes pictures of every kind with Pillow's reading of them, and resizes by Pillow, torch and transformers.

OUT/pictures/NAME.EXT has its expected RGB in OUT/pictures/NAME.EXT.ppm (alpha on white, EXIF orientation undone).
OUT/resize/ holds source.ppm, KERNEL_HxW.ppm and bicubic_torch_HxW.f32 ([3, H, W]).
"""

import pathlib
import struct
import sys
import zlib

import numpy as np
import torch
from PIL import Image, ImageOps

OUT = pathlib.Path(sys.argv[1])
PICTURES = OUT / "pictures"
RESIZE = OUT / "resize"
HEIGHT, WIDTH = 23, 37


def sample(height, width):
    """Smooth colours, a sharp edge and noise: [H, W, 3] uint8."""
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    rng = np.random.default_rng(7)
    planes = [
        127 + 100 * np.sin(x / 7 + y / 11),
        255 * x / width,
        np.where(x + y > width / 2, 230, 30),
    ]
    noisy = np.stack(planes, -1) + rng.normal(0, 6, (height, width, 3))
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def expect(path, image):
    """Stores what Pillow makes of the file beside it."""
    image = ImageOps.exif_transpose(image)
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        white.paste(image, mask=image.getchannel("A"))
        image = white
    image.convert("RGB").save(f"{path}.ppm")


def save(name, image, **options):
    path = PICTURES / name
    image.save(path, **options)
    with Image.open(path) as again:
        again.load()
        expect(path, again)


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def raw_png(name, samples, depth, colour, interlace=0, extra=b""):
    """A PNG as Pillow cannot write it: 16 bits a channel, or Adam7. samples [H, W, C]."""
    height, width = samples.shape[:2]
    passes = [(0, 0, 1, 1)]
    if interlace:
        passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    lines = b""
    for top, left, down, right in passes:
        part = samples[top::down, left::right]
        if part.size:
            lines += b"".join(b"\0" + row.astype(f">u{depth // 8}").tobytes() for row in part)
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    (PICTURES / name).write_bytes(b"\x89PNG\r\n\x1a\n" + body)
    eight_bits = (samples >> (depth - 8)).astype(np.uint8)
    expect(PICTURES / name, Image.fromarray(eight_bits.squeeze()))


def pictures():
    PICTURES.mkdir(parents=True, exist_ok=True)
    rgb = sample(HEIGHT, WIDTH)
    image = Image.fromarray(rgb)
    alpha = np.linspace(0, 255, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint8)
    rgba = Image.fromarray(np.dstack([rgb, alpha]))
    palette = image.quantize(50)
    deep = rgb.astype(np.uint16) * 256 + np.arange(WIDTH, dtype=np.uint16)[None, :, None] * 3

    save("rgb.png", image)
    save("rgba.png", rgba)
    save("grey.png", image.convert("L"))
    save("grey_alpha.png", Image.merge("LA", (image.convert("L"), Image.fromarray(alpha))))
    save("palette.png", palette)
    save("palette_alpha.png", palette, transparency=3)
    save("one_bit.png", image.convert("1"))
    raw_png("rgb16.png", deep, 16, 2)
    raw_png("grey16.png", deep[:, :, :1], 16, 0)
    raw_png("rgba16.png", np.dstack([deep, alpha.astype(np.uint16) * 257]), 16, 6)
    raw_png("interlaced.png", rgb, 8, 2, interlace=1)
    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(50_000_000), 9))
    raw_png("compressed_text.png", rgb, 8, 2, extra=bomb)
    save("animated.png", image, save_all=True, append_images=[ImageOps.mirror(image)], duration=100)

    save("full_chroma.jpg", image, quality=90, subsampling=0)
    save("half_chroma.jpg", image, quality=80, subsampling=2)
    save("wide_chroma.jpg", image, quality=80, subsampling=1)
    save("progressive.jpg", image, quality=85, progressive=True)
    save("grey.jpg", image.convert("L"))
    save("cmyk.jpg", image.convert("CMYK"), quality=95)
    for value in (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 65535):
        exif = Image.Exif()
        exif[0x0112] = value
        save(f"orientation_{value}.jpg", image, quality=92, exif=exif)
        if value == 6:
            save("orientation_6.png", image, exif=exif)
            save("orientation_6.webp", image, lossless=True, exif=exif)

    save("rgb.bmp", image)
    save("palette.bmp", palette)
    save("one_bit.bmp", image.convert("1"))
    save("grey.bmp", image.convert("L"))
    save("raw.tga", image)
    save("packed.tga", image, compression="tga_rle")
    save("grey.tga", image.convert("L"))
    save("alpha.tga", rgba)
    save("palette.tga", palette)
    save("lossy.webp", image, quality=80)
    save("lossless.webp", image, lossless=True)
    save("alpha.webp", rgba, lossless=True, exact=True)
    save("animated.webp", image, save_all=True, append_images=[ImageOps.mirror(image), ImageOps.flip(image)], lossless=True)
    save("still.gif", palette)
    turning = [palette.rotate(7 * k) for k in range(1, 12)]
    save("animated.gif", palette, save_all=True, append_images=turning)
    save("transparent.gif", palette, transparency=3)
    (PICTURES / "jpeg_named.png").write_bytes((PICTURES / "half_chroma.jpg").read_bytes())
    (PICTURES / "jpeg_named.png.ppm").write_bytes((PICTURES / "half_chroma.jpg.ppm").read_bytes())


def resizes():
    RESIZE.mkdir(parents=True, exist_ok=True)
    pixels = sample(120, 201)
    image = Image.fromarray(pixels)
    image.save(RESIZE / "source.ppm")
    signed = torch.from_numpy(pixels).permute(2, 0, 1).float().div(255).sub(0.5).div(0.5)
    for height, width in ((64, 96), (120, 77), (50, 201), (301, 402), (7, 5), (1, 300), (40, 190)):
        for name, kernel in (("lanczos", Image.LANCZOS), ("bicubic", Image.BICUBIC)):
            image.resize((width, height), kernel).save(RESIZE / f"{name}_{height}x{width}.ppm")
        resized = torch.nn.functional.interpolate(signed[None], size=(height, width), mode="bicubic")[0]
        resized.numpy().tofile(RESIZE / f"bicubic_torch_{height}x{width}.f32")
        scale = max(width / image.width, height / image.height)
        cover = image.resize((round(image.width * scale), round(image.height * scale)), Image.LANCZOS)
        left, top = (cover.width - width) // 2, (cover.height - height) // 2
        cover.crop((left, top, left + width, top + height)).save(RESIZE / f"cover_{height}x{width}.ppm")

    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    processor = CLIPImageProcessorPil(do_rescale=False, do_normalize=False)
    for edge in (224, 33):
        sizes = {"size": {"shortest_edge": edge}, "crop_size": {"height": edge, "width": edge}}
        crop = np.asarray(processor(image, **sizes)["pixel_values"][0]).astype(np.uint8).transpose(1, 2, 0)
        Image.fromarray(crop).save(RESIZE / f"clip_{edge}.ppm")


def quantised():
    """Wan's cache_video (truncated) and torchvision's save_image (rounded) on values around every step."""
    values = torch.linspace(-1.2, 1.2, 4096)
    values.numpy().tofile(OUT / "values.f32")
    unit = values.clamp(-1, 1).add(1).div(2)
    unit.mul(255).to(torch.uint8).numpy().tofile(OUT / "truncate.u8")
    unit.mul(255).add_(0.5).clamp_(0, 255).to(torch.uint8).numpy().tofile(OUT / "nearest.u8")


pictures()
resizes()
quantised()
