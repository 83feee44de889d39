"""Every setting of lvbag in one place, read from `config/lvbag.yaml` and `LVBAG_*` variables.

Order of precedence, highest first:

1. environment variables, nested names joined by two underscores: `LVBAG_STORE__ENDPOINT=http://127.0.0.1:9000`
2. `embedded.env` in the home folder, which `lvbag up` writes (the embedded store's address and secrets)
3. `lvbag.yaml` in the configuration folder
4. the defaults below, each beside its reason

Three variables say where to look and are no settings themselves: `LVBAG_HOME` (state of this machine: embedded
services, caches, logs), `LVBAG_CONFIG_DIR` (`lvbag.yaml`, `catalog.csv`, `recipes/`) and `LVBAG_LOG`.

An unknown name or a value that is not allowed raises `SettingsError` with the setting's name, the value and what is
allowed. Secrets are `SecretStr`: printing or logging a `Settings` shows stars.
"""

from __future__ import annotations

import difflib
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

import yaml
from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict
from pydantic_settings import SettingsError as UnreadableVariable

from lvbag.errors import LvbagError
from lvbag.notify_settings import NotifySettings
from lvbag.setting_types import Group, PositiveFloat, PositiveInt, Share
from lvbag.source_settings import SourceSettings
from lvbag.store_roles import StoreRole
from lvbag.validation_settings import ValidationSettings

PREFIX = "LVBAG_"
LOCATION_VARIABLES = frozenset({"LVBAG_HOME", "LVBAG_CONFIG_DIR", "LVBAG_LOG"})
PROJECT_ROOT = Path(__file__).resolve().parents[2]


class SettingsError(LvbagError):
    """A setting is missing, unknown or has a value that is not allowed."""


class StoreKeys(Group):
    """How one role signs in to the store."""

    access_key: SecretStr
    secret_key: SecretStr


class StoreSettings(Group):
    """The S3 endpoint that holds everything."""

    endpoint: AnyHttpUrl = Field(default=AnyHttpUrl("http://127.0.0.1:9000"), description="http(s)://host:port")
    access_key: SecretStr = Field(default=SecretStr(""), description="the store's access key")
    secret_key: SecretStr = Field(default=SecretStr(""), description="the store's secret key")
    roles: dict[StoreRole, StoreKeys] = Field(
        default_factory=dict,
        description="keys of a role (crawler, curator, trainer, operator, reader), which its tasks use instead; with "
        "none every task uses the two above",
    )
    region: str = Field(default="us-east-1", description="MinIO, Silo and MiniStack all answer to this one")
    bucket_prefix: str = Field(
        default="lvbag",
        pattern=r"^[a-z0-9][a-z0-9-]{1,30}$",
        description="buckets are <prefix>-raw, <prefix>-curated …",
    )
    timeout_s: PositiveFloat = Field(default=30.0, description="one request; a stuck store must not hold a task")
    retries: Annotated[int, Field(ge=0, le=20)] = Field(default=5, description="on 5xx and connection errors")
    disk: Path | None = Field(
        default=None, description="the folder of an embedded store (`lvbag up` sets it), watched for free space"
    )
    min_free_mb: Annotated[int, Field(ge=0)] = Field(
        default=500,
        description="on that disk; below it nothing is written, for MiniStack keeps what a full disk refuses in memory "
        "alone and loses it when it ends",
    )


class CrawlSettings(Group):
    """How the crawl behaves."""

    sources: dict[str, SourceSettings] = Field(default_factory=dict, description="by name; the name stands in keys")
    contact: str = Field(
        default="",
        description="an address or page where a shop's operator reaches you; required for all but loopback hosts",
    )
    loopback_hosts: tuple[str, ...] = Field(
        default=(), description="host:port pairs on this machine that may be crawled (the demo marketplace)"
    )
    products_per_shard: PositiveInt = Field(default=10, description="a shard is one mapped Airflow task")
    max_requests: PositiveInt = Field(
        default=20_000, description="the budget of one night, shared among the products by need"
    )
    target_images: PositiveInt = Field(
        default=1000,
        description="kept images of a product with which it is left alone; products below curate.min_images come first",
    )
    min_delay_s: Annotated[float, Field(ge=0.0)] = Field(
        default=1.0, description="between two requests to a host; a longer crawl-delay in robots.txt wins"
    )
    delay_factor: Annotated[float, Field(ge=0.0, le=20.0)] = Field(
        default=1.0,
        description="the delay is at least this multiple of the time the last answer took: a host that labours is "
        "given rest",
    )
    max_delay_s: PositiveFloat = Field(
        default=60.0, description="the delay doubles after each 429, 5xx or missing answer, up to this"
    )
    breaker_failures: PositiveInt = Field(
        default=3, description="fetches in a row that fail before a host is paused (circuit breaker)"
    )
    breaker_pause_s: PositiveFloat = Field(
        default=60.0, description="the first pause; each further one is twice as long"
    )
    breaker_openings: PositiveInt = Field(
        default=3, description="pauses in a row, then the host is given up for the night"
    )
    lease_s: Annotated[float, Field(ge=0.5)] = Field(
        default=60.0,
        description="one shard at a time may talk to a host; when it dies without a word, others wait this long",
    )
    robots_max_age_s: Annotated[float, Field(ge=0.0, le=86_400.0)] = Field(
        default=14_400.0, description="a robots.txt is read again after this; RFC 9309 allows a day at most"
    )
    timeout_s: PositiveFloat = Field(default=20.0, description="to connect, and between two reads")
    total_timeout_s: PositiveFloat = Field(default=60.0, description="one whole response")
    max_retry_after_s: PositiveFloat = Field(
        default=120.0, description="a longer Retry-After or crawl-delay gives the host up for the night"
    )
    retries: Annotated[int, Field(ge=0, le=10)] = Field(
        default=3, description="of a request, on 429, 5xx, cut connections"
    )
    max_redirects: Annotated[int, Field(ge=0, le=20)] = Field(default=5, description="followed, each checked again")
    max_page_bytes: PositiveInt = Field(default=10_000_000, description="of a decompressed page")
    max_image_bytes: PositiveInt = Field(default=20_000_000, description="of one picture")


class ImageSettings(Group):
    """What counts as a picture."""

    max_pixels: PositiveInt = Field(
        default=36_000_000,
        description="larger ones are refused before they are decoded: a 24-megapixel camera passes, a bomb "
        "of 40 megapixels in a few kilobytes (120 MB decoded) does not",
    )
    max_bytes: PositiveInt = Field(
        default=20_000_000,
        description="of a file, looked at before anything is read out of it: files of folders and of the command line "
        "as well, which no crawl has cut off at crawl.max_image_bytes",
    )
    max_frames: PositiveInt = Field(
        default=500,
        description="of an animation, of which the first counts: a view all around a bag has a frame a degree at most, "
        "while one with ever more frames is there to cost a decoder memory",
    )
    min_side_px: PositiveInt = Field(default=96, description="smaller ones show too little to tell products apart")


class CurateSettings(ValidationSettings):
    """From raw bytes to a snapshot."""

    near_max_distance64: Annotated[int, Field(ge=0, le=32)] = Field(
        default=8, description="bits of the 64-bit pHash: proposes near-duplicates"
    )
    near_max_layout: Annotated[int, Field(ge=0, le=16)] = Field(
        default=5,
        description="cells of 64 that are lighter than those around them in one picture alone: proposes as well, for a "
        "mark in a corner moves many bits of a hash and few cells",
    )
    near_max_distance256: Annotated[int, Field(ge=0, le=128)] = Field(
        default=16, description="bits of the 256-bit pHash: confirms a copy whose light or colours were edited"
    )
    near_max_colour: PositiveFloat = Field(
        default=7.0,
        description="CIELAB distance of 8x8 thumbnails that goes with it: the same shape in another colour is no copy",
    )
    near_marked_distance256: Annotated[int, Field(ge=0, le=128)] = Field(
        default=100,
        description="bits of the 256-bit pHash for a copy with a watermark: most of what a mark moves, less than the "
        "128 by which strangers differ",
    )
    near_marked_colour: PositiveFloat = Field(
        default=4.0, description="CIELAB distance that goes with it: but for a mark the colours are nearly the same"
    )
    near_marked_moved: PositiveFloat = Field(
        default=1.25,
        description="lightness (L) that goes with it, by which cells became lighter while others became darker: in "
        "another size or pose edges move, while a mark lays on ink",
    )
    crop_max_distance64: Annotated[int, Field(ge=0, le=32)] = Field(
        default=8, description="the same for crops, which find a photo that was framed otherwise: proposes"
    )
    crop_max_distance256: Annotated[int, Field(ge=0, le=128)] = Field(
        default=60, description="the same for crops, which are never cut quite alike: confirms"
    )
    crop_max_colour: PositiveFloat = Field(default=3.0, description="the same for crops: colour")
    crop_max_moved: PositiveFloat = Field(default=1.5, description="the same for crops: moved edges")
    max_seller_listings: PositiveInt = Field(
        default=10,
        description="the listings of one seller stay in one split; a seller with more is a shop, whose listings are "
        "taken for strangers to one another",
    )
    images_per_shard: PositiveInt = Field(default=1000, description="of one mapped cleaning task")
    crop_side_px: Annotated[int, Field(ge=64, le=1024)] = Field(
        default=288, description="longest side of a stored crop"
    )
    crop_margin: Share = Field(default=0.08, description="of the box's size, kept around it")
    min_box_share: Share = Field(default=0.02, description="a smaller bag is refused as too small")
    several_bags_factor: Annotated[float, Field(ge=1.0)] = Field(
        default=1.5, description="boxes side by side whose areas differ by less are a collage, and refused"
    )
    max_person_factor: Annotated[float, Field(ge=1.0)] = Field(
        default=8.0,
        description="a person whose box covers more than this many times the bag's: a street or fashion photo in which "
        "the bag is a detail; counts only with a detector that knows a class of detector.person_classes",
    )
    cut_off_borders: Annotated[int, Field(ge=0, le=2)] = Field(
        default=2,
        description="borders at which a bag ends for it to be refused as cut off, of left and right one, of top and "
        "bottom one; 2 is a corner, 1 refuses bags that stand on the lower border or hang from the upper one as well, "
        "0 none",
    )
    cut_off_distance: Share = Field(
        default=0.005, description="of the picture's side; a box that comes so close to a border ends there"
    )
    cut_off_contact: Share = Field(
        default=0.2, description="of the border's length that the box takes there; a strap or a corner takes less"
    )
    cut_off_max_share: Share = Field(
        default=0.6, description="of the picture; a larger box fills the frame, as pack-shots and close-ups do"
    )
    max_text_share: Annotated[float, Field(gt=0.0, le=1.0)] = Field(
        default=0.05,
        description="of the picture, that lines of text cover beside the bag: with more it is a banner, a size chart "
        "or a catalogue page; a line of large letters over the whole width covers 0.06; 1 refuses none",
    )
    min_images: PositiveInt = Field(default=30, description="a product enters the snapshot with this many kept images")
    test_share: Annotated[float, Field(gt=0.0, lt=0.5)] = Field(default=0.15, description="of a product's groups")
    val_share: Annotated[float, Field(gt=0.0, lt=0.5)] = Field(default=0.10, description="of a product's groups")
    shard_images: PositiveInt = Field(default=10_000, description="images in one tar of a snapshot")


class LabelSettings(Group):
    """When labels that people drew are believed."""

    min_judged: Annotated[int, Field(ge=10)] = Field(
        default=30, description="boxes, and pictures with boxes; of fewer it cannot be said whether they fit"
    )
    min_fit: Share = Field(
        default=0.62,
        description="how often a picture's own box suits it better than another picture's: 0.5 is chance, 0.74 to 0.96 "
        "were real sets of 30 to 470 photographs",
    )
    max_same_boxes: Share = Field(default=0.5, description="largest share of boxes that are one and the same")
    min_agreement: Share = Field(
        default=0.5, description="mean overlap (intersection over union) of boxes on copies of one photo"
    )
    min_copies: PositiveInt = Field(default=5, description="pairs of copies; of fewer the agreement is not judged")
    max_left_out: Share = Field(
        default=0.5, description="largest share of images that defects leave out, of `min_judged` or more"
    )


class DetectorSettings(Group):
    """The detector that finds the bag."""

    recipe: str = Field(default="detector_yolo11n", description="config/recipes/<name>.yaml")
    confidence: Share = Field(default=0.35, description="the working point: boxes below it do not count")
    iou: Share = Field(default=0.5, description="non-maximum suppression")
    bootstrap: Literal["none", "coco", "file"] = Field(
        default="none",
        description="what cleans until there is a champion. none: every picture passes, whole; coco: weights that "
        "`lvbag detector weights` brought in, whose backpacks, handbags and suitcases are bags; file: an ONNX file",
    )
    bootstrap_file: str = Field(
        default="",
        description="with file: a path, from the configuration's folder, or s3://bucket/key in one of the store's own "
        "buckets",
    )
    bootstrap_sha256: str = Field(
        default="",
        pattern=r"^([0-9a-f]{64})?$",
        description="what that file must be, in hexadecimal; empty takes whatever is there",
    )
    bootstrap_weights: str = Field(default="yolo11n", description="with coco: the network whose weights are taken")
    class_map: dict[str, str] = Field(
        default_factory=lambda: {"BigBag": "Bag", "SmallBag": "Bag", "BackPack": "Bag", "Bag": "Bag"},
        description="label classes to detector classes; a class that is missing here is an error",
    )
    bag_classes: tuple[str, ...] = Field(
        default=("Bag",),
        min_length=1,
        description="classes whose boxes are bags; the class of a detector that knows only one always is",
    )
    person_classes: tuple[str, ...] = Field(
        default=("person",), description="classes whose boxes are people, see curate.max_person_factor"
    )
    reclean_margin: Share = Field(
        default=0.25,
        description="under a new champion, what an earlier detector decided within this share of a rule's border is "
        "judged again (at the confidence 0.35: from 0.26 to 0.44); with 0 only what no detector has judged",
    )
    test_share: Annotated[float, Field(gt=0.0, lt=0.5)] = Field(
        default=0.2, description="of the labelled photos; label sets are small and gate.min_test_images must be met"
    )
    val_share: Annotated[float, Field(gt=0.0, lt=0.5)] = Field(
        default=0.1, description="of the labelled photos; shows beside the test figures whether a split is lucky"
    )


class OutlierSettings(Group):
    """Which pictures are unlike the others of their product, found by an autoencoder; people decide about them."""

    enabled: bool = Field(default=True, description="look for them each night")
    min_images: Annotated[int, Field(ge=3)] = Field(
        default=20, description="a product with fewer kept pictures is not judged: what is usual is not known"
    )
    max_images: Annotated[int, Field(ge=10)] = Field(
        default=20_000,
        description="pictures that are looked at, the newest of every product in turns; 20,000 take 250 MB",
    )
    threshold: PositiveFloat = Field(
        default=2.5, description="robust deviations from what is usual in the product; from here on people are asked"
    )
    max_per_product: Annotated[int, Field(ge=0)] = Field(
        default=5, description="open questions about one product at a time, the oddest first"
    )
    steps: Annotated[int, Field(ge=0)] = Field(
        default=400, description="of training in one night; the next night goes on from there"
    )
    seconds: PositiveFloat = Field(default=45.0, description="of training at most, on a machine that is slow or busy")
    maps: Annotated[int, Field(ge=0)] = Field(
        default=12, description="products of which the night's report shows a map, the oddest pictures first"
    )


class SuspicionSettings(Group):
    """Which labels are likely wrong, found by networks that have not seen them; people decide about them."""

    enabled: bool = Field(default=True, description="look for them each week")
    recipe: str = Field(
        default="mobilenetv4_small",
        description="of the networks, one a fold, which are thrown away; it may not start from the champion, which has "
        "learnt these labels. With a GPU the recipe of the classifier itself finds more",
    )
    folds: Annotated[int, Field(ge=2, le=20)] = Field(
        default=4, description="trainings; each sees all pictures but those of one fold"
    )
    min_images: PositiveInt = Field(
        default=10, description="a label is not judged where its product has fewer pictures in the other folds"
    )
    max_images: Annotated[int, Field(ge=10)] = Field(
        default=20_000, description="pictures that are looked at, the newest of every product in turns"
    )
    questions: Annotated[int, Field(ge=0)] = Field(
        default=50, description="open questions at a time, the most suspicious labels first"
    )


class ReviewSettings(Group):
    """What machines are unsure of, and people are asked about."""

    confidence_margin: Share = Field(
        default=0.1, description="a picture whose best box is this close to detector.confidence is asked about"
    )
    size_margin: Share = Field(
        default=0.25,
        description="a picture whose box differs from curate.min_box_share by up to this share of it is asked about",
    )
    rule_margin: Share = Field(
        default=0.15,
        description="the same for the other rules of cleaning (several_bags, person_dominant, cut_off, text_dominant), "
        "as a share of their own borders",
    )


class TrainSettings(Group):
    """When and what to train."""

    recipes: tuple[str, ...] = Field(default=("efficientnet_b0",), min_length=1, description="one challenger each")
    min_new_images: PositiveInt = Field(default=100, description="new training images since the champion's snapshot")
    device: Literal["require", "prefer", "never"] = Field(default="prefer", description="a CUDA device")
    threads: Annotated[int, Field(ge=0)] = Field(default=0, description="of torch on the CPU; 0 takes every core")
    processes: Annotated[int, Field(ge=0, le=64)] = Field(
        default=1, description="of one classifier's training, each with a GPU of its own; 0 takes every visible GPU"
    )
    pretrained: bool = Field(
        default=False,
        description="allow the hubs of Hugging Face (classifier) and ultralytics (detector) for a recipe's `start: "
        "pretrained` where no weights were brought in; needs the network",
    )
    approval: bool = Field(default=False, description="a person approves each promotion in the Airflow UI")
    timeout_s: PositiveFloat = Field(default=12 * 3600.0, description="of one training; then it is stopped")
    checkpoint_minutes: Annotated[float, Field(ge=0.0)] = Field(
        default=5.0,
        description="between two checkpoints of a training, a detector's at an epoch's end, a classifier's at any "
        "step: what a power failure may cost; 0 stores one after every epoch or step",
    )
    cache_gb: Annotated[float, Field(ge=0.0)] = Field(
        default=200.0,
        description="of shards and decoded pictures that this machine keeps (cache/training of the home), so that the "
        "next training or evaluation need not fetch and decode; a million pictures of 224 px take 150. What was used "
        "least recently goes first; with 0 nothing is kept and all pictures must fit into memory",
    )


class GateSettings(Group):
    """When a challenger replaces the champion."""

    min_gain: Annotated[float, Field(ge=-1.0, le=1.0)] = Field(
        default=0.0, description="top-1 (classifier) or mAP50-95 (detector) must rise by more than this"
    )
    compare: Literal["all", "shared"] = Field(
        default="all",
        description="of classifiers. all: products that the champion has never seen count as its errors; shared: they "
        "are left out. Both figures are always shown",
    )
    evidence: Annotated[float, Field(ge=0.0, le=1.0)] = Field(
        default=1.0,
        description="largest p-value that is accepted of a classifier's gain, by McNemar's test and by the bootstrap "
        "of listings, both one-sided; 1 shows them without requiring them",
    )
    min_test_images: PositiveInt = Field(default=30, description="a smaller test set decides nothing")
    max_product_loss: Share = Field(
        default=0.4,
        description="of a product's test images, that a classifier may get right less often than the champion; of 400 "
        "products with 30 images each the worst loses 0.3 by chance alone (docs/gate.md); 1 allows any loss",
    )
    min_product_images: PositiveInt = Field(
        default=30, description="test images of a product for it to be looked at alone; of fewer a loss is chance"
    )
    max_ece_rise: Share = Field(
        default=0.1,
        description="of a classifier's expected calibration error, 0 to 1; with 60 test images it rises by 0.07 by "
        "chance, with 500 by 0.02 (docs/gate.md); 1 allows any rise",
    )
    max_latency_factor: Annotated[float, Field(ge=0.0)] = Field(
        default=5.0,
        description="times the champion's time for one picture on one thread of a CPU; wide, because other work "
        "disturbs the timing; 0 shows it only",
    )
    max_size_factor: Annotated[float, Field(ge=0.0)] = Field(
        default=10.0, description="times the size of the champion's ONNX file; 0 shows it only"
    )
    chance_factor: PositiveFloat = Field(
        default=2.0, description="the first classifier must beat chance by this factor"
    )
    min_first_map50: Share = Field(default=0.5, description="the first detector must reach this mAP50")
    max_recall_loss: Share = Field(
        default=0.05,
        description="a detector's recall at detector.confidence may be lower than the champion's by this share of the "
        "boxes at most, whatever its mAP50-95: cleaning throws out what is not found",
    )
    min_train_map50: Share = Field(
        default=0.5,
        description="a detector must find its own training boxes with this mAP50, else its labels are suspect",
    )


class Settings(BaseSettings):
    """All of lvbag's settings. Get the process's own with `load_settings()`."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    store: StoreSettings = StoreSettings()
    crawl: CrawlSettings = CrawlSettings()
    images: ImageSettings = ImageSettings()
    curate: CurateSettings = CurateSettings()
    labels: LabelSettings = LabelSettings()
    detector: DetectorSettings = DetectorSettings()
    outliers: OutlierSettings = OutlierSettings()
    suspicions: SuspicionSettings = SuspicionSettings()
    review: ReviewSettings = ReviewSettings()
    train: TrainSettings = TrainSettings()
    gate: GateSettings = GateSettings()
    notify: NotifySettings = NotifySettings()

    def as_role(self, role: StoreRole) -> Settings:
        """The same settings with one role's keys for the store, and no other's.

        Without `store.roles` nothing changes; raises `SettingsError` where other roles have keys and this one has not.
        """
        if not self.store.roles:
            return self
        keys = self.store.roles.get(role)
        if keys is None:
            variable = f"{PREFIX}STORE__ROLES__{role.upper()}__ACCESS_KEY"
            raise SettingsError(
                f"this process has no keys for the store's role {role}: set {variable} and the same with SECRET_KEY, "
                "or send the task to the queue of a worker that has them"
            )
        own = {"access_key": keys.access_key, "secret_key": keys.secret_key, "roles": {}}
        return self.model_copy(update={"store": self.store.model_copy(update=own)})

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment wins over the file's values, which arrive as keyword arguments."""
        return env_settings, dotenv_settings, init_settings


def load_settings() -> Settings:
    """Read and check every setting; raises `SettingsError`. Cheap to call: one reading per process and environment."""
    relevant = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith(PREFIX)))
    return _read_settings(relevant, home_dir(), config_dir())


def reload_settings() -> Settings:
    """Read the files anew: `lvbag up` has just written the store's address and secrets into one of them."""
    _read_settings.cache_clear()
    return load_settings()


def home_dir() -> Path:
    """The folder with this machine's state: `LVBAG_HOME`, else the home that is up, else `.run/local`."""
    if chosen := os.environ.get("LVBAG_HOME"):
        return Path(chosen).resolve()
    pointer = PROJECT_ROOT / ".run" / "current"
    if pointer.is_file():
        return Path(pointer.read_text(encoding="utf-8").strip())
    return PROJECT_ROOT / ".run" / "local"


def config_dir() -> Path:
    """The folder with `lvbag.yaml`, `catalog.csv` and `recipes/`.

    `LVBAG_CONFIG_DIR` names it; else it is the home's own `config` (the demo has one); else the project's.
    """
    if chosen := os.environ.get("LVBAG_CONFIG_DIR"):
        return Path(chosen).resolve()
    own = home_dir() / "config"
    return own if (own / "lvbag.yaml").is_file() else PROJECT_ROOT / "config"


def embedded_env_path(home: Path) -> Path:
    """The file in which `lvbag up` keeps the embedded store's address and secrets (mode 0600)."""
    return home / "embedded.env"


@lru_cache(maxsize=8)
def _read_settings(environment: tuple[tuple[str, str], ...], home: Path, config: Path) -> Settings:
    _refuse_unknown_variables(dict(environment))
    path = config / "lvbag.yaml"
    values = _read_yaml(path)
    try:
        return Settings(_env_file=embedded_env_path(home), **values)  # type: ignore[call-arg]
    except ValidationError as error:
        raise SettingsError(_explain(error, path, dict(environment))) from None
    except UnreadableVariable as error:
        text = getattr(error.__cause__, "doc", None)
        names = [name for name, value in environment if value == text] or [str(error)]
        raise SettingsError(
            f'wrong settings:\n  {", ".join(names)}: lists and mappings are JSON in variables, such as ["one", "two"]'
        ) from None


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise SettingsError(f"{path} does not exist; set LVBAG_CONFIG_DIR to the folder that holds lvbag.yaml")
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path} is not YAML: {error}") from None
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise SettingsError(f"{path} must hold settings by name, found {type(values).__name__}")
    for group, value in values.items():  # a variable of the same group would take its place in silence
        if group in Settings.model_fields and not isinstance(value, dict):
            raise SettingsError(f"{group} = {value!r} ({path}): must hold settings by name")
    return values


def _refuse_unknown_variables(environment: Mapping[str, str]) -> None:
    """A misspelt variable would be ignored in silence; name it and the nearest real one instead."""
    known = setting_variables()
    for name in environment:
        if name in LOCATION_VARIABLES or any(
            name == k or (k.endswith("__*") and name.startswith(k[:-1])) for k in known
        ):
            continue
        near = difflib.get_close_matches(name, known, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise SettingsError(f"{name} is no setting of lvbag{hint}")


def setting_variables() -> list[str]:
    """The names of all variables; a mapping's entries end in `__*`."""
    names: list[str] = []
    for group, field in Settings.model_fields.items():
        names.append(f"{PREFIX}{group.upper()}")
        model = field.annotation
        if isinstance(model, type) and issubclass(model, BaseModel):
            for name, inner in model.model_fields.items():
                variable = f"{PREFIX}{group}__{name}".upper()
                names.append(variable)
                if str(inner.annotation).startswith("dict["):
                    names.append(f"{variable}__*")
    return names


def _explain(error: ValidationError, path: Path, environment: Mapping[str, str]) -> str:
    rows = []
    for item in error.errors():
        name = ".".join(str(part) for part in item["loc"])
        variable = PREFIX + "__".join(str(part) for part in item["loc"]).upper()
        where = variable if variable in environment else str(path)
        if item["type"] == "extra_forbidden":
            rows.append(f"{name} ({where}): there is no such setting")
            continue
        given = item.get("input")
        secret = any(word in name for word in ("key", "secret", "password", "webhook"))
        # a whole group may hold a secret, and says no more than its name
        value = "" if isinstance(given, Mapping) and given else " = ***" if secret else f" = {given!r}"
        rows.append(f"{name}{value} ({where}): {_allowed(item['msg'])}")
    return "wrong settings:\n  " + "\n  ".join(rows)


def _allowed(message: str) -> str:
    return message.removeprefix("Value error, ").replace("Input should be", "must be")
