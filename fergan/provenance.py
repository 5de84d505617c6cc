"""What a picture made here says about itself: drawn or edited by AI, by which model, from which settings.

`python -m fergan.provenance FILE` prints what a file says. A picture carries it twice: as PNG text, for
people and for the page that it is dropped on, and as XMP, which outlives other formats and photo tools
and names the IPTC source type: "trained algorithmic media", or for a photo that was edited "composite with
trained algorithmic media".
"""

import html
import json
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError
from PIL.PngImagePlugin import PngInfo

KEY = "fergan"
"""The PNG text chunk, and the XMP namespace, that hold the settings as JSON."""
SOURCE_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
EDITED_TYPE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"

_XMP = """<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
<rdf:Description rdf:about="" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:dc="http://purl.org/dc/elements/1.1/"
 xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" xmlns:fergan="urn:fergan:1"
 Iptc4xmpExt:DigitalSourceType="{source}" xmp:CreatorTool="fergan" fergan:settings="{settings}">
<dc:description><rdf:Alt><rdf:li xml:lang="x-default">{description}</rdf:li></rdf:Alt></dc:description>
</rdf:Description></rdf:RDF></x:xmpmeta>
<?xpacket end="r"?>"""
_SETTINGS = re.compile(r'fergan:settings="([^"]*)"')


class Foreign(ValueError):
    """A picture that says nothing of us: a photo, say."""


@dataclass(frozen=True)
class Record:
    """The settings that a picture was made with."""

    model: str
    emotion: Mapping[str, float]
    """Weights by name; a name that is not there weighs 0."""
    seed: int
    """Seed of the face, or of the first face."""
    count: int = 1
    """Faces in the picture: seeds run on from the first."""
    truncation: float = 1.0
    sheet: tuple[int, int] | None = None
    """First seed and count of the sheet that a single face was taken from."""
    weights: str = ""
    """First digits of the sha256 of the model's weights: other weights draw another face."""
    coarse_seed: int | None = None
    """The face that lent pose and shape (style mixing)."""
    moments: tuple["Record", ...] = ()
    """What an animation passes through; emotion and seed above are its first moment's."""
    edited: tuple[float, int] | None = None
    """Intensity, and how many faces, where a photo was edited rather than drawn; it has no seed then: 0."""
    training: tuple[int, int] | None = None
    """Pages, and the images seen at the last one (0: not known), where it shows how the model learnt to draw: faces
    of the seeds from `seed` on, `count` of them, on every page."""

    def __post_init__(self) -> None:
        """Checks types and signs; whether a model or an emotion exists is for whoever draws to say.

        Raises:
            ValueError: a field of the wrong kind.
        """
        fits = (
            isinstance(self.model, str)
            and bool(self.model)
            and isinstance(self.emotion, Mapping)
            and all(isinstance(name, str) for name in self.emotion)
            and all(_is_number(weight) for weight in self.emotion.values())
            and sum(self.emotion.values()) > 0
            and _is_count(self.seed)
            and _is_count(self.count)
            and self.count > 0
            and _is_number(self.truncation)
            and isinstance(self.weights, str)
            and (self.coarse_seed is None or _is_count(self.coarse_seed))
            and isinstance(self.moments, tuple)
            and all(isinstance(moment, Record) and not moment.moments for moment in self.moments)
            and (self.sheet is None or _is_pair(self.sheet))
            and (self.edited is None or _is_pair(self.edited, _is_number))
            and (self.training is None or (_is_pair(self.training) and self.training[0] != 0))
        )
        if not fits:
            raise ValueError("These settings of a picture do not hold together.")

    def json(self) -> str:
        """The settings as one line of JSON."""
        if self.edited is not None:
            intensity, faces = self.edited
            return json.dumps(
                {
                    "edited": True,
                    "model": self.model,
                    "emotion": dict(self.emotion),
                    "intensity": intensity,
                    "faces": faces,
                    "weights": self.weights,
                }
            )
        settings: dict[str, Any] = {
            "synthetic": True,
            "model": self.model,
            "emotion": dict(self.emotion),
            "seed": self.seed,
            "count": self.count,
            "truncation": self.truncation,
            "weights": self.weights,
        }
        if self.sheet is not None:
            settings["sheet"] = list(self.sheet)
        if self.coarse_seed is not None:
            settings["coarse_seed"] = self.coarse_seed
        if self.moments:
            settings["moments"] = [moment._settings() for moment in self.moments]
        if self.training is not None:
            settings["pages"], settings["images_seen"] = self.training
        return json.dumps(settings)

    def _settings(self) -> dict[str, Any]:
        """What tells one moment of an animation from the others."""
        coarse = {} if self.coarse_seed is None else {"coarse_seed": self.coarse_seed}
        return {"emotion": dict(self.emotion), "seed": self.seed, "truncation": self.truncation, **coarse}

    def sentence(self) -> str:
        """The settings for a person."""
        blend = " and ".join(
            name if weight == 1 else f"{weight:.0%} {name}" for name, weight in self.emotion.items() if weight
        )
        if self.edited is not None:
            intensity, faces = self.edited
            whose = "a face" if faces == 1 else f"{faces} faces"
            return (
                f"Edited by AI, not how the picture was taken: the model {self.model} gave {whose} another"
                f" expression, {blend}, at {intensity:.0%} intensity."
            )
        if self.training is not None:
            pages, seen = self.training
            last = f", the last after {seen:,} images seen" if seen else ""
            return (
                f"A film of a training, no person: how the model {self.model} learnt, the same synthetic faces on"
                f" {pages} page{'s' * (pages > 1)}{last}."
            )
        if self.moments:
            return (
                f"A synthetic animation, no person: drawn by the model {self.model}, through"
                f" {len(self.moments)} moments from {blend}, seed {self.seed}, on."
            )
        if self.count == 1:
            return (
                f"A synthetic face, not a person: drawn by the model {self.model}, {blend}, seed {self.seed}."
            )
        return (
            f"{self.count} synthetic faces, no persons: drawn by the model {self.model}, {blend}, "
            f"from seed {self.seed}."
        )


def png(picture: Image.Image, record: Record) -> bytes:
    """The picture as a PNG that carries its record."""
    text = PngInfo()
    text.add_text(KEY, record.json())
    text.add_itxt("Description", record.sentence())
    text.add_text("Software", KEY)
    text.add_itxt("XML:com.adobe.xmp", xmp(record))
    file = BytesIO()
    picture.save(file, "PNG", pnginfo=text)
    return file.getvalue()


def jpeg(picture: Image.Image, record: Record) -> bytes:
    """The picture as a JPEG that carries its record: in XMP, and for people as its comment."""
    file = BytesIO()
    picture.save(
        file,
        "JPEG",
        quality=95,
        comment=record.sentence().encode(),
        xmp=xmp(record).encode(),
        icc_profile=picture.info.get("icc_profile"),
    )
    return file.getvalue()


def xmp(record: Record) -> str:
    """The record as an XMP packet, which PNG, JPEG and WebP can all hold."""
    return _XMP.format(
        source=SOURCE_TYPE if record.edited is None else EDITED_TYPE,
        settings=html.escape(record.json()),
        description=html.escape(record.sentence()),
    )


def read(source: bytes | Path) -> Record:
    """What a file says about itself, in PNG text, a GIF's comment, an MP4's tags or XMP; no pixel is decoded.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a picture, a picture that says nothing, or one whose settings are damaged.
    """
    try:
        with Image.open(BytesIO(source) if isinstance(source, bytes) else source) as picture:
            comment = picture.info.get("comment") if picture.format == "GIF" else None
            text, packet = picture.info.get(KEY, comment), picture.info.get("xmp", b"")
    except UnidentifiedImageError:
        text, packet = _tag(source), b""
    except FileNotFoundError:
        raise
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"This picture cannot be read: {error}.") from error
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    if text is None:
        packet = packet if isinstance(packet, str) else packet.decode("utf-8", "replace")
        if (found := _SETTINGS.search(packet)) is None:
            raise Foreign("This picture does not say that it was made here.")
        text = html.unescape(found[1])
    return _parse(text)


def _tag(source: bytes | Path) -> str | None:
    """A film's own tag. Only MP4 is read: FFmpeg left to guess takes a text for an SDP, and listens at its port.

    Raises:
        ValueError: no such film either.
    """
    import av  # late: pictures do without it

    file = BytesIO(source) if isinstance(source, bytes) else str(source)
    try:
        with av.open(file, format="mp4") as container:
            return container.metadata.get(KEY)
    except (av.FFmpegError, OSError, ValueError):
        raise ValueError("This file is not a picture.") from None


def main(arguments: list[str]) -> int:
    """Prints what each file says; 1 where one says nothing, 2 where no file is named."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print("usage: python -m fergan.provenance FILE...", file=sys.stdout if arguments else sys.stderr)
        return 0 if arguments else 2
    status = 0
    for name in arguments:
        try:
            record = read(Path(name))
            print(f"{name}: {record.sentence()}\n{record.json()}")
        except (OSError, ValueError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            print(f"{name}: {reason}", file=sys.stderr)
            status = 1
    return status


def _parse(text: str) -> Record:
    try:
        found = json.loads(text)
        if found.get("edited"):
            how = (found["intensity"], found["faces"])
            return Record(found["model"], found["emotion"], 0, weights=found.get("weights", ""), edited=how)
        sheet, pages = found.get("sheet"), found.get("pages")
        return Record(
            found["model"],
            found["emotion"],
            found["seed"],
            found.get("count", 1),
            found.get("truncation", 1.0),
            None if sheet is None else tuple(sheet),
            found.get("weights", ""),
            found.get("coarse_seed"),
            tuple(
                Record(
                    found["model"],
                    moment["emotion"],
                    moment["seed"],
                    truncation=moment.get("truncation", 1.0),
                    coarse_seed=moment.get("coarse_seed"),
                )
                for moment in found.get("moments", ())
            ),
            training=None if pages is None else (pages, found.get("images_seen", 0)),
        )
    except (json.JSONDecodeError, RecursionError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError("What this picture says about itself is damaged.") from error


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_pair(pair: object, first: Callable[[object], bool] = _is_count) -> bool:
    return isinstance(pair, tuple) and len(pair) == 2 and first(pair[0]) and _is_count(pair[1])


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return 0 <= value <= sys.float_info.max  # an int may be more than any float


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
